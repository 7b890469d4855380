//! The faults, as docs/reliability.md lists them.

use std::time::Duration;

use dns_drift::emulator::dns::{DnsFault, DnsFaultKind};
use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind};
use dns_drift::emulator::route53::{R53Fault, R53FaultKind};
use jiff::SignedDuration;

use crate::stage::Stage;
use crate::wire::Mode;

/// One way in which something around the program fails.
pub(crate) struct Fault {
    /// Its word in docs/reliability.md.
    pub(crate) name: &'static str,
    pub(crate) begin: fn(&Stage),
    /// The views that must be stated as blind before it ends.
    pub(crate) blind: &'static [&'static str],
    /// Findings that are true while it lasts, subject and kind: they must be made.
    pub(crate) says: &'static [(&'static str, &'static str)],
    /// Begin of a line of `/metrics` that tells of it; empty if none does.
    pub(crate) shows: &'static str,
    /// So long: enough that an operator is told.
    pub(crate) lasts: Duration,
    /// After its end everything is as before within this time.
    pub(crate) recovers: Duration,
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

pub(crate) const KUBERNETES: &[Fault] = &[
    Fault {
        name: "api_gone",
        begin: |stage| stage.cluster.set(Mode::Broken),
        blind: &["kubernetes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"kubernetes\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "api_frozen",
        begin: |stage| stage.cluster.set(Mode::Frozen),
        blind: &["kubernetes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"kubernetes\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "watch_silent",
        begin: |stage| stage.world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::SilentWatch)),
        blind: &["kubernetes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"kubernetes\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "watch_gone",
        begin: |stage| {
            stage.world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::GoneInStream));
            stage.world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::CutWatches));
        },
        blind: &["kubernetes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"kubernetes\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "rbac_revoked",
        begin: |stage| {
            for kind in [KubeFaultKind::ForbidList, KubeFaultKind::ForbidWatch, KubeFaultKind::CutWatches] {
                stage.world.kubernetes.set_fault(KubeFault::new(kind));
            }
        },
        blind: &["kubernetes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"kubernetes\",code=\"forbidden\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "api_overloaded",
        begin: |stage| {
            let refuses = KubeFaultKind::Status { code: 429, retry_after: Some(1) };
            for kind in [refuses, KubeFaultKind::CutWatches] {
                stage.world.kubernetes.set_fault(KubeFault::new(kind));
            }
        },
        blind: &["kubernetes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"kubernetes\",code=\"throttled\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
];

fn route53(stage: &Stage, kind: R53FaultKind) {
    stage.world.route53.set_fault(R53Fault::new(kind));
}

pub(crate) const ROUTE53: &[Fault] = &[
    Fault {
        name: "route53_throttled",
        begin: |stage| route53(stage, R53FaultKind::Throttle),
        blind: &["route53"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"route53\",code=\"throttled\"} ",
        lasts: minutes(9),
        recovers: minutes(5),
    },
    Fault {
        name: "route53_5xx",
        begin: |stage| route53(stage, R53FaultKind::ServerError),
        blind: &["route53"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"route53\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "route53_half_page",
        begin: |stage| route53(stage, R53FaultKind::HalfBody),
        blind: &["route53"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"route53\",code=\"parse\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "route53_expired_token",
        begin: |stage| route53(stage, R53FaultKind::ExpiredToken),
        blind: &["route53"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"route53\",code=\"forbidden\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "route53_clock_skew",
        begin: |stage| route53(stage, R53FaultKind::ClockSkew),
        blind: &["route53"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"route53\",code=\"forbidden\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "route53_frozen",
        begin: |stage| stage.aws.set(Mode::Frozen),
        blind: &["route53"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"route53\",code=\"unreachable\"} ",
        lasts: minutes(7),
        recovers: minutes(3),
    },
];

fn dns(stage: &Stage, kind: DnsFaultKind) {
    stage.world.dns.set_fault(DnsFault::new(kind));
}

fn servers(stage: &Stage) -> Vec<std::net::SocketAddr> {
    let mut servers: Vec<_> = stage.world.dns.server_map().into_iter().map(|(_, server)| server).collect();
    servers.retain(|server| *server != stage.world.dns.parent());
    servers
}

pub(crate) const DNS: &[Fault] = &[
    Fault {
        name: "dns_black_hole",
        begin: |stage| dns(stage, DnsFaultKind::Drop),
        blind: &["dns"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"dns\",code=\"unreachable\"} ",
        lasts: minutes(8),
        recovers: minutes(6),
    },
    Fault {
        name: "servers_lame",
        begin: |stage| {
            for server in servers(stage) {
                stage.world.dns.set_fault(DnsFault::new(DnsFaultKind::Refused).at(server));
            }
        },
        blind: &[],
        says: &[("zone/example.com", "delegation_broken")],
        shows: "",
        lasts: minutes(12),
        recovers: minutes(6),
    },
    Fault {
        name: "resolver_silent",
        begin: |stage| {
            stage.world.dns.set_fault(DnsFault::new(DnsFaultKind::Drop).at(stage.world.dns.resolver()));
        },
        blind: &[],
        says: &[],
        shows: "dns_drift_view_problems{view=\"dns\",code=\"unreachable\"} ",
        lasts: minutes(6),
        recovers: minutes(3),
    },
    Fault {
        name: "resolver_rewrites_denials",
        begin: |stage| {
            let rewrites = DnsFaultKind::RewriteDenials("198.51.100.77".parse().expect("an address"));
            stage.world.dns.set_fault(DnsFault::new(rewrites).at(stage.world.dns.resolver()));
            stage.lie();
        },
        blind: &[],
        says: &[],
        shows: "",
        lasts: minutes(5),
        recovers: minutes(3),
    },
];

pub(crate) const OWN: &[Fault] = &[
    Fault {
        name: "logs_forbidden",
        begin: |stage| {
            stage.world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::ForbidLogs));
            stage.world.kubernetes.restart_container("dns", crate::world::POD, "external-dns");
        },
        blind: &["changes"],
        says: &[],
        shows: "dns_drift_view_problems{view=\"changes\",code=\"forbidden\"} ",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "logs_silent",
        begin: |stage| stage.world.kubernetes.set_fault(KubeFault::new(KubeFaultKind::SilentLogs)),
        blind: &[],
        says: &[],
        shows: "",
        // Below five minutes, after which a silent log is one of a hanging process.
        lasts: minutes(3),
        recovers: minutes(3),
    },
    Fault {
        name: "state_unwritable",
        begin: |stage| {
            std::fs::create_dir(stage.temporary_state()).expect("a folder in the way");
        },
        blind: &[],
        says: &[],
        shows: "",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "disk_full",
        begin: |stage| {
            std::os::unix::fs::symlink("/dev/full", stage.temporary_state()).expect("a full disk");
        },
        blind: &[],
        says: &[],
        shows: "",
        lasts: minutes(5),
        recovers: minutes(3),
    },
    Fault {
        name: "clock_ahead",
        begin: |stage| stage.clock.jump(SignedDuration::from_hours(1)),
        blind: &[],
        says: &[],
        shows: "dns_drift_view_problems{view=\"changes\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(12),
    },
    Fault {
        name: "clock_back",
        begin: |stage| stage.clock.jump(SignedDuration::from_hours(-1)),
        blind: &[],
        says: &[],
        shows: "dns_drift_view_problems{view=\"changes\",code=\"unreachable\"} ",
        lasts: minutes(5),
        recovers: minutes(12),
    },
];
