//! Simulated time over real sockets.
//!
//! Tokio's paused clock jumps to the next timer whenever the runtime waits. A packet that is under way
//! is such a wait, so every exchange would race with the longest timeout. A metronome keeps the jumps
//! short, and each beat really leaves the processor for a moment: the kernel hands over packets in a
//! thread of its own when the machine is busy, and a runtime that never sleeps would keep it from that
//! until a timeout came out of turn.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use dns_drift::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

/// Short beside every timeout of the program, and long enough that a minute takes less than a second.
const BEAT: Duration = Duration::from_millis(25);

/// What a beat takes at least. The shortest timeout of an exchange is some hundred beats, so a packet
/// may be late by some ten milliseconds.
const BREATH: Duration = Duration::from_micros(40);

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

/// Keeps the beat for ever.
pub(crate) async fn metronome() {
    loop {
        sleep(BEAT).await;
        thread::sleep(BREATH);
    }
}
