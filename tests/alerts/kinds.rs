//! What the alerts say about each kind, and which commands a runbook begins with.
//!
//! The long texts come from the pages in `docs/findings`, so that a page, an alert and a runbook
//! cannot disagree.

use std::fs;

use dns_drift::finding::Kind;

pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a kind is about; it decides the commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A record that an object wants.
    Wish,
    /// A record in a zone.
    Record,
    /// What DNS answers.
    Answer,
    /// A running ExternalDNS.
    Controller,
    /// A hosted zone.
    Zone,
    /// dns-drift itself.
    Observer,
}

/// The page of a kind, as far as alerts quote it.
pub(crate) struct Page {
    text: String,
}

/// `failed_change` becomes `DNSDriftFailedChange`.
pub(crate) fn alert_name(kind: Kind) -> String {
    let words = kind.as_str().split('_');
    words.fold(String::from("DNSDrift"), |name, word| {
        let (first, rest) = word.split_at(1);
        format!("{name}{}{rest}", first.to_ascii_uppercase())
    })
}

/// The headline of an alert.
pub(crate) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::ObserverBlind => "dns-drift cannot read one of its views",
        Kind::ControllerStalled => "ExternalDNS does not reconcile",
        Kind::ControllerFailing => "ExternalDNS ends each loop in an error",
        Kind::ControllerMisconfigured => "ExternalDNS has flags that contradict what is there",
        Kind::MassDeletion => "many names were dropped at once",
        Kind::NoZone => "no hosted zone takes the host",
        Kind::FailedChange => "Route 53 refused a change, or it was lost",
        Kind::AnnotationUnread => "annotations are read by no ExternalDNS",
        Kind::InvalidDesired => "an object asks for what Route 53 cannot hold",
        Kind::ConflictingDesired => "objects want different things under one name",
        Kind::NoAddress => "an object has no load balancer address",
        Kind::TargetUnresolvable => "the wanted target does not exist in DNS",
        Kind::WrongZone => "the record stands in a zone that does not serve its users",
        Kind::MissingRecord => "a wanted record is missing",
        Kind::WrongAlias => "a record has the wrong alias form",
        Kind::WrongType => "a record has the wrong type",
        Kind::WrongRouting => "a record has the wrong routing",
        Kind::StaleTarget => "a record points at a former load balancer",
        Kind::WrongTarget => "a record points somewhere else",
        Kind::PrivateTargetInPublicZone => "a public record has a private address",
        Kind::OwnerConflict => "a record has several owners",
        Kind::OwnerForeign => "another owner holds a wanted record",
        Kind::OwnerMissing => "nobody owns a wanted record",
        Kind::OwnerOrphan => "an ownership record stands alone",
        Kind::DanglingRecord => "a record points at what is gone",
        Kind::StaleRecord => "a record is left over",
        Kind::DelegationBroken => "the delegation of a zone is broken",
        Kind::DnssecBroken => "a signed zone does not validate",
        Kind::ZoneUnassociated => "a private zone lacks its VPC",
        Kind::ZoneQuota => "a zone is nearly full",
        Kind::WildcardShadow => "a wildcard decides what a name answers",
        Kind::AuthMismatch => "authoritative servers answer otherwise than the zone says",
        Kind::HealthWithdrawn => "Route 53 withholds a record because of health",
        Kind::ResolverStale => "resolvers keep an old answer too long",
        Kind::ResolverMismatch => "resolvers answer what was never right",
        Kind::ResolverUnreachable => "resolvers fail for a name",
        Kind::Flapping => "a record changes back and forth",
        Kind::Churn => "a record is written again and again",
        Kind::WrongTtl => "a record has another TTL than its annotation says",
    }
}

pub(crate) fn class(kind: Kind) -> Class {
    match kind {
        Kind::ObserverBlind => Class::Observer,
        Kind::ControllerStalled
        | Kind::ControllerFailing
        | Kind::ControllerMisconfigured
        | Kind::MassDeletion => Class::Controller,
        Kind::NoZone
        | Kind::FailedChange
        | Kind::AnnotationUnread
        | Kind::InvalidDesired
        | Kind::ConflictingDesired
        | Kind::NoAddress
        | Kind::TargetUnresolvable => Class::Wish,
        Kind::WrongZone
        | Kind::MissingRecord
        | Kind::WrongAlias
        | Kind::WrongType
        | Kind::WrongRouting
        | Kind::StaleTarget
        | Kind::WrongTarget
        | Kind::PrivateTargetInPublicZone
        | Kind::OwnerConflict
        | Kind::OwnerForeign
        | Kind::OwnerMissing
        | Kind::OwnerOrphan
        | Kind::DanglingRecord
        | Kind::StaleRecord
        | Kind::Flapping
        | Kind::Churn
        | Kind::WrongTtl => Class::Record,
        Kind::DelegationBroken | Kind::DnssecBroken | Kind::ZoneUnassociated | Kind::ZoneQuota => Class::Zone,
        Kind::WildcardShadow
        | Kind::AuthMismatch
        | Kind::HealthWithdrawn
        | Kind::ResolverStale
        | Kind::ResolverMismatch
        | Kind::ResolverUnreachable => Class::Answer,
    }
}

/// The three commands to run first. Capitals are filled in from the page.
pub(crate) fn commands(kind: Kind) -> [&'static str; 3] {
    const EXPLAIN: &str = "dns-drift explain HOST";
    const CHECK: &str = "dns-drift check -o table";
    const RECORD_SETS: &str = "aws route53 list-resource-record-sets --hosted-zone-id ZONE_ID --start-record-name HOST --max-items 5";
    match class(kind) {
        Class::Wish => [
            EXPLAIN,
            "kubectl -n NAMESPACE get OBJECT_KIND OBJECT -o yaml",
            "kubectl -n EXTERNAL_DNS_NAMESPACE logs deployment/external-dns --since=15m",
        ],
        Class::Record => [EXPLAIN, RECORD_SETS, "kubectl -n NAMESPACE get OBJECT_KIND OBJECT -o yaml"],
        Class::Answer => [EXPLAIN, RECORD_SETS, "dig +norecurse HOST @NAME_SERVER_OF_THE_ZONE"],
        Class::Controller => [
            CHECK,
            "kubectl -n EXTERNAL_DNS_NAMESPACE get pods -l app.kubernetes.io/name=external-dns -o wide",
            "kubectl -n EXTERNAL_DNS_NAMESPACE logs deployment/external-dns --since=15m",
        ],
        Class::Zone => [CHECK, "aws route53 get-hosted-zone --id ZONE_ID", "dig +trace +nodnssec NS ZONE"],
        Class::Observer => [
            "curl -s http://DNS_DRIFT:9853/api/v1/report | jq .views",
            "kubectl -n dns-drift logs deployment/dns-drift --since=15m",
            "aws sts get-caller-identity",
        ],
    }
}

impl Page {
    pub(crate) fn of(kind: Kind) -> Self {
        let path = format!("{ROOT}/docs/findings/{kind}.md");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { text }
    }

    /// A section as it stands.
    pub(crate) fn section(&self, heading: &str) -> &str {
        let after = self.text.split(&format!("\n## {heading}\n")).nth(1);
        let after = after.unwrap_or_else(|| panic!("{heading} is missing in\n{}", self.text));
        after.split("\n## ").next().unwrap_or_default().trim()
    }

    /// A section in one line, without marks.
    pub(crate) fn plain(&self, heading: &str) -> String {
        let words: Vec<&str> = self.section(heading).split_whitespace().collect();
        words.join(" ").replace('`', "")
    }
}
