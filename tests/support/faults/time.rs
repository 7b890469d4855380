//! Simulated time over real sockets.
//!
//! Tokio's paused clock jumps to the next timer whenever the runtime waits. A packet that is under way
//! is such a wait, so every exchange would race with the longest timeout. A metronome keeps the jumps
//! short, and no beat passes before all packets that were sent have arrived: when the machine is busy,
//! the kernel hands them over in a thread of its own, as late as that gets its turn.

use std::net::UdpSocket;
use std::sync::Mutex;
use std::time::Duration;

use dns_drift::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use tokio::time::{Instant, sleep};

/// Short beside every timeout of the program, and long enough that a minute takes less than a second.
const BEAT: Duration = Duration::from_millis(25);

/// Longer means that no packet arrives at all.
const PATIENCE: Duration = Duration::from_mins(1);

/// When the story begins.
pub(crate) const START: &str = "2026-11-23T00:00:00Z";

/// Wall-clock time that follows tokio's, and jumps when told.
pub(crate) struct SimulatedClock {
    start: Instant,
    ahead: Mutex<SignedDuration>,
}

impl SimulatedClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), ahead: Mutex::default() }
    }

    /// Sets the clock, as a daemon or a hand does.
    pub(crate) fn jump(&self, by: SignedDuration) {
        *self.ahead.lock().expect("lock") += by;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.start.elapsed()).expect("short enough");
        START.parse::<Timestamp>().expect("a time") + passed + *self.ahead.lock().expect("lock")
    }
}

/// A packet that arrives after all that were sent before it: those of one processor wait in one queue.
struct Last(UdpSocket);

impl Last {
    /// Keeps the thread on the processor on which it is now.
    fn of_this_thread() -> Self {
        let mut here = CpuSet::new();
        here.set(sched_getcpu());
        sched_setaffinity(None, &here).expect("a thread may stay where it is");
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(socket.local_addr().expect("an address")).expect("connected to itself");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(socket)
    }

    /// Blocks the thread until the packet is there, so that nothing else happens meanwhile.
    fn arrives(&self) {
        self.0.send(&[0]).expect("sent");
        self.0.recv(&mut [0]).expect("a packet over loopback arrives");
    }
}

/// Keeps the beat for ever.
pub(crate) async fn metronome() {
    let last = Last::of_this_thread();
    loop {
        sleep(BEAT).await;
        last.arrives();
    }
}
