use jiff::Timestamp;

use super::*;
use crate::desired::kinds::Watched;

const PATIENCE: Patience = Patience { stale_after: Duration::from_secs(130), calm: Duration::from_mins(1) };

fn reference(name: &str) -> ObjectRef {
    ObjectRef::new("Ingress", "shop", name)
}

fn row(name: &str) -> Row {
    let value = serde_json::json!({"metadata": {"name": name, "namespace": "shop"}});
    let watched: Watched = serde_json::from_value(value).expect("read");
    Kind::Ingress.decode(watched.value).expect("decoded").expect("kept")
}

fn listing(names: &[&str]) -> Change {
    let rows = names.iter().map(|name| (reference(name), row(name))).collect();
    Change::Replaced(Listing { rows, broken: BTreeMap::new() })
}

fn failed(stage: Stage, code: Reason) -> Change {
    Change::Failed(Failure { stage, code, message: "x".to_owned() })
}

struct World {
    state: KindState,
    began: Instant,
    list: u64,
    watch: u64,
}

/// Drives one kind through a story of seconds.
impl World {
    fn new() -> Self {
        Self { state: KindState::new(Kind::Ingress), began: Instant::now(), list: 0, watch: 0 }
    }

    fn at(&self, second: u64) -> Instant {
        self.began + Duration::from_secs(second)
    }

    fn apply(&mut self, second: u64, change: Change) -> bool {
        self.state.apply(change, self.at(second))
    }

    fn trust(&mut self, second: u64) -> (bool, Vec<Reason>) {
        let contact = |second: u64| Contact {
            at: Timestamp::UNIX_EPOCH,
            instant: self.began + Duration::from_secs(second),
        };
        let heard = Heard {
            last: Some(contact(self.list.max(self.watch))),
            watch: (self.watch > 0).then(|| contact(self.watch)),
        };
        let now = self.at(second);
        let trust = self.state.trust(heard, now, PATIENCE);
        (trust.fresh, trust.problems.iter().map(|problem| problem.code).collect())
    }
}

#[test]
fn silence_makes_stale_although_nothing_fails() {
    let mut world = World::new();
    world.apply(0, listing(&["a"]));
    assert_eq!(world.trust(130), (true, vec![]));
    assert_eq!(world.trust(131), (false, vec![Reason::Unreachable]));
    world.watch = 131;
    assert_eq!(world.trust(131), (true, vec![]));
}

#[test]
fn a_list_allowed_and_a_watch_forbidden_is_not_fresh() {
    let mut world = World::new();
    world.apply(0, listing(&["a"]));
    world.apply(1, failed(Stage::Start, Reason::Forbidden));
    assert_eq!(world.trust(1), (false, vec![Reason::Forbidden]));
    world.list = 2;
    world.apply(2, listing(&["a"]));
    assert_eq!(world.trust(2), (false, vec![Reason::Forbidden]), "a new list is no right to watch");
    world.watch = 3;
    assert_eq!(world.trust(3), (true, vec![]));
}

#[test]
fn one_broken_connection_is_no_problem_but_two_are() {
    let mut world = World::new();
    world.apply(0, listing(&["a"]));
    world.watch = 1;
    world.apply(10, failed(Stage::Stream, Reason::Unreachable));
    assert_eq!(world.trust(10), (true, vec![]));
    world.apply(11, failed(Stage::Stream, Reason::Unreachable));
    assert_eq!(world.trust(11), (false, vec![Reason::Unreachable]));
    world.watch = 12;
    assert!(!world.trust(12).0, "a server may accept a watch and break it off again");
    assert_eq!(world.trust(71), (true, vec![]));
}

#[test]
fn a_first_list_that_fails_settles_the_kind() {
    let mut world = World::new();
    assert_eq!(world.trust(0), (false, vec![]));
    world.apply(1, failed(Stage::List, Reason::Unreachable));
    assert_eq!(world.trust(1), (false, vec![Reason::Unreachable]));
    world.apply(2, listing(&["a"]));
    assert_eq!(world.trust(2), (true, vec![]));
}

#[test]
fn what_cannot_be_understood_keeps_its_old_row() {
    let mut world = World::new();
    world.apply(0, listing(&["a", "b"]));
    assert!(!world.apply(1, Change::Broken(reference("a"), "odd".to_owned())));
    assert_eq!(world.trust(1), (true, vec![Reason::Parse]), "the others are as fresh as ever");
    let broken = BTreeMap::from([(reference("a"), "odd".to_owned()), (reference("c"), "odd".to_owned())]);
    world.apply(2, Change::Replaced(Listing { rows: BTreeMap::new(), broken }));
    assert_eq!(world.state.rows().keys().cloned().collect::<Vec<_>>(), [reference("a")]);
    world.apply(3, Change::Applied(reference("a"), Some(row("a"))));
    world.apply(4, Change::Deleted(reference("c")));
    assert_eq!(world.trust(4), (true, vec![]));
}

#[test]
fn an_empty_list_counts_only_when_confirmed() {
    let mut world = World::new();
    world.apply(0, listing(&["a"]));
    world.apply(1, Change::SuspiciouslyEmpty);
    assert_eq!(world.trust(1), (false, vec![Reason::EmptySuspicious]));
    assert_eq!(world.state.rows().len(), 1);
    assert!(world.apply(2, listing(&[])));
    assert_eq!(world.trust(2), (true, vec![]));
    assert_eq!(world.state.rows().len(), 0);
}

#[test]
fn the_same_again_is_no_change() {
    let mut world = World::new();
    assert!(world.apply(0, listing(&["a"])));
    assert!(!world.apply(1, listing(&["a"])));
    assert!(!world.apply(2, Change::Applied(reference("a"), Some(row("a")))));
    assert!(world.apply(3, Change::Applied(reference("b"), Some(row("b")))));
}

#[test]
fn a_new_list_counts_only_when_complete() {
    let mut world = World::new();
    world.apply(0, listing(&["a", "b"]));
    let (before, object) = (world.state.clone(), reference("b"));
    for change in [Change::Begun, Change::Listed(reference("c"), Ok(Some(row("c"))))] {
        assert!(!world.apply(1, change), "nothing is seen yet");
    }
    assert_eq!(world.state.rows(), before.rows());
    // A list that broke off leaves no trace in the next one.
    for change in [Change::Begun, Change::Listed(object, Ok(Some(row("b"))))] {
        assert!(!world.apply(2, change));
    }
    assert!(world.apply(2, Change::Complete));
    assert_eq!(world.state.rows().keys().cloned().collect::<Vec<_>>(), [reference("b")]);
}

/// The rows of a list that says the same stay the very same: nothing is held twice.
#[test]
fn a_new_list_keeps_the_rows_that_it_repeats() {
    let mut world = World::new();
    world.apply(0, listing(&["a"]));
    let held = |world: &World| match &world.state.rows()[&reference("a")] {
        Row::Object(object) => std::sync::Arc::as_ptr(object),
        other @ (Row::Workload(_) | Row::Pod(_)) => panic!("an object, not {other:?}"),
    };
    let before = held(&world);
    assert!(world.apply(1, listing(&["a", "b"])));
    assert_eq!(held(&world), before);
}

/// A watch that was stopped may leave steps in the queue: a kind that is read anew does not take them.
#[test]
fn the_end_of_a_list_that_never_began_is_nothing() {
    let mut world = World::new();
    assert!(!world.apply(0, Change::Listed(reference("a"), Ok(Some(row("a"))))));
    assert!(!world.apply(0, Change::Complete));
    assert!(!world.state.is_listed());
}
