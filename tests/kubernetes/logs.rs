//! Following logs over broken connections and restarts.

use std::sync::Arc;
use std::time::Duration;

use dns_drift::changes::follow::{self, FollowSettings, LogHealth, LogLine, LogTarget, read_tail};
use dns_drift::finding::Reason;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::stub::{Call, Reply, Stub, status};
use crate::{PATIENT, SOON};

fn target(restarts: i32) -> LogTarget {
    LogTarget {
        namespace: "dns".into(),
        pod: "p".into(),
        uid: "u".into(),
        container: "external-dns".into(),
        restarts,
    }
}

/// Line `number` was written `number` half seconds after ten.
fn line(number: u32) -> String {
    format!(
        "2026-11-22T10:00:{:02}.{}00000000Z line {number}",
        number / 2,
        if number.is_multiple_of(2) { 0 } else { 5 }
    )
}

fn lines(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(line).collect()
}

struct Following {
    targets: watch::Sender<Arc<Vec<LogTarget>>>,
    lines: mpsc::Receiver<LogLine>,
    health: LogHealth,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Following {
    fn start(stub: &Stub, settings: FollowSettings) -> Self {
        let (targets, receiver) = watch::channel(Arc::new(vec![target(0)]));
        let (sender, lines) = mpsc::channel(2);
        let (health, stop) = (LogHealth::default(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let client = stub.connection.logs.clone();
        tasks.spawn(follow::run(client, receiver, settings, sender, health.clone(), stop.clone()));
        Self { targets, lines, health, stop, tasks }
    }

    async fn next(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let line = timeout(SOON, self.lines.recv()).await;
            texts.push(line.unwrap_or_else(|_| panic!("a line after {texts:?}")).expect("runs").text);
        }
        texts
    }

    /// Stops, and returns what was still on its way.
    async fn end(mut self) -> Vec<String> {
        self.stop.cancel();
        timeout(SOON, self.tasks.join_next()).await.expect("stops in time").expect("task").expect("no panic");
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.try_recv() {
            rest.push(line.text);
        }
        rest
    }
}

fn quick() -> FollowSettings {
    FollowSettings {
        first_pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(100),
        ..FollowSettings::default()
    }
}

fn texts(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers.into_iter().map(|number| format!("line {number}")).collect()
}

/// No line lost, none twice: over a cut connection, over the second that is read again, and over
/// a restart whose last words only the last run's log has.
#[tokio::test]
async fn each_line_once_over_reconnect_and_restart() {
    let stub = Stub::start(PATIENT, |call: &Call| {
        assert_eq!(call.query["timestamps"], "true");
        assert_eq!(call.query["container"], "external-dns");
        if call.query.contains_key("previous") {
            return Some(Reply::Ends(lines([9, 10, 11])));
        }
        Some(match call.number {
            1 => {
                assert!(!call.query.contains_key("follow"), "what was written before has an end");
                assert_eq!(
                    (call.query["sinceSeconds"].as_str(), call.query["tailLines"].as_str()),
                    ("21600", "10000")
                );
                Reply::Ends(lines(1..=5))
            }
            2 => {
                // Line 5 came at 2.5 s. The next question must not leave out what follows it.
                assert_eq!(call.query["sinceTime"], "2026-11-22T10:00:02Z");
                Reply::Stays(lines(4..=10))
            }
            _ => Reply::Stays(lines(12..=13)),
        })
    })
    .await;
    let mut following = Following::start(&stub, quick());
    assert_eq!(following.next(10).await, texts(1..=10));
    following.targets.send_replace(Arc::new(vec![target(1)]));
    assert_eq!(following.next(3).await, texts(11..=13));
    let figures = following.health.figures();
    assert_eq!((figures.len(), figures[0].1.lines, figures[0].1.connections), (1, 13, 2));
    assert_eq!(following.health.problems(), []);
    assert_eq!(following.end().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_silent_connection_is_made_anew() {
    let stub = Stub::start(PATIENT, |call: &Call| {
        Some(match call.number {
            1 => Reply::Ends(lines([1])),
            2 => Reply::Stays(lines([1])),
            _ => Reply::Stays(lines([1, 2])),
        })
    })
    .await;
    let mut following =
        Following::start(&stub, FollowSettings { idle: Duration::from_millis(200), ..quick() });
    assert_eq!(following.next(2).await, texts(1..=2));
    following.end().await;
}

#[tokio::test]
async fn refusals_are_told_until_the_pod_is_gone() {
    let stub = Stub::start(PATIENT, |_: &Call| Some(Reply::Json(403, status(403, "no")))).await;
    let following = Following::start(&stub, quick());
    let waiting = |wanted: usize| {
        let health = following.health.clone();
        async move {
            while health.problems().len() != wanted {
                tokio::task::yield_now().await;
            }
            health.problems()
        }
    };
    let problems = timeout(SOON, waiting(1)).await.expect("told");
    assert_eq!((problems[0].scope.as_str(), problems[0].code), ("log dns/p/external-dns", Reason::Forbidden));
    following.targets.send_replace(Arc::new(vec![]));
    timeout(SOON, waiting(0)).await.expect("forgotten");
    following.end().await;
}

#[tokio::test]
async fn followers_are_bounded() {
    let stub = Stub::start(PATIENT, |call: &Call| {
        let follows = call.query.contains_key("follow");
        Some(if follows { Reply::Stays(vec![]) } else { Reply::Ends(vec![]) })
    })
    .await;
    let following = Following::start(&stub, quick());
    let many = (0..40).map(|index| LogTarget { pod: format!("p{index}").into(), ..target(0) });
    following.targets.send_replace(Arc::new(many.collect()));
    let bounded = async {
        while following.health.figures().len() < 32 || following.health.problems().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, bounded).await.expect("32 followers");
    assert_eq!(following.health.problems()[0].message, "8 containers more than are followed");
    assert_eq!(following.health.figures().len(), 32);
    following.end().await;
}

/// A process that hangs for longer than the window has said when it last did anything.
#[tokio::test]
async fn a_log_that_is_silent_for_long_has_last_words() {
    let stub = Stub::start(PATIENT, |call: &Call| {
        Some(match (call.query.contains_key("follow"), call.query.contains_key("sinceSeconds")) {
            (true, _) => Reply::Stays(vec![]),
            (false, true) => Reply::Ends(vec![]),
            (false, false) => Reply::Ends(lines([7])),
        })
    })
    .await;
    let mut following = Following::start(&stub, quick());
    assert_eq!(following.next(1).await, texts([7]));
    let caught_up = async {
        while !following.health.spoke(&[target(0)]) {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, caught_up).await.expect("read");
    assert!(!following.health.spoke(&[target(0), LogTarget { pod: "other".into(), ..target(0) }]));
    following.end().await;
    let tail = read_tail(&stub.connection.logs, &target(0), Duration::from_mins(10)).await.expect("read");
    assert_eq!(tail.into_iter().map(|line| line.text).collect::<Vec<_>>(), texts([7]));
}

#[tokio::test]
async fn the_tail_has_the_last_words_of_the_last_run() {
    let stub = Stub::start(PATIENT, |call: &Call| {
        Some(if call.query.contains_key("previous") {
            Reply::Ends(lines(1..=3))
        } else {
            Reply::Ends(lines(3..=5))
        })
    })
    .await;
    let tail = read_tail(&stub.connection.logs, &target(2), Duration::from_mins(10)).await.expect("read");
    assert_eq!(tail.into_iter().map(|line| line.text).collect::<Vec<_>>(), texts(1..=5));
}
