//! From the rows of all kinds to the Kubernetes view. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::desired::discover::{Discovery, discover, log_targets};
use crate::desired::health::{Change, Heard, KindState, Patience};
use crate::desired::kinds::{Kind, Row};
use crate::desired::needs::{idle_kinds, needed_kinds};
use crate::desired::sources::roster::{is_relied_on, kinds_of, needs};
use crate::model::Objects;
use crate::model::instance::Instance;
use crate::model::workload::LogTarget;
use crate::snapshot::{Cluster, Problem, Reading, ViewState};

/// The rows of all kinds, and the view that was made of them last.
#[derive(Clone, Debug)]
pub struct View {
    states: BTreeMap<Kind, KindState>,
    cluster: Option<Arc<Cluster>>,
    instances: Vec<Arc<Instance>>,
    /// Instances of which it is known that they were here.
    known: Arc<[Arc<Instance>]>,
    has_other_providers: bool,
    /// Rows changed since `cluster` was made.
    objects_changed: bool,
    instances_changed: bool,
    read_at: Option<Timestamp>,
}

// === impl View ===

impl View {
    /// Nothing read yet.
    #[must_use]
    pub fn new(kinds: &[Kind]) -> Self {
        Self {
            states: kinds.iter().map(|kind| (*kind, KindState::new(*kind))).collect(),
            cluster: None,
            instances: Vec::new(),
            known: Arc::default(),
            has_other_providers: false,
            objects_changed: true,
            instances_changed: true,
            read_at: None,
        }
    }

    /// Reads these kinds from now on, besides those that always count. Rows of kinds that nobody
    /// asks for any more are forgotten.
    pub fn require(&mut self, kinds: &BTreeSet<Kind>) {
        let before = self.states.len();
        self.states.retain(|kind, _| kinds.contains(kind));
        self.objects_changed |= before != self.states.len();
        for kind in kinds {
            self.states.entry(*kind).or_insert_with(|| KindState::new(*kind));
        }
    }

    /// Goes on reading what these instances read, although they are gone: their objects are still there.
    pub fn remember(&mut self, known: Arc<[Arc<Instance>]>) {
        let kinds = |all: &[Arc<Instance>]| -> BTreeSet<Kind> {
            all.iter().flat_map(|instance| kinds_of(instance)).collect()
        };
        // A cluster is made anew only where it is another one: each makes a round.
        self.objects_changed |= known != self.known && kinds(&known) != kinds(&self.known);
        self.known = known;
    }

    /// The kinds that the sources of the running instances read, and those that the Services with a
    /// name hang on; `None` while the workloads have not been listed, and none of their lists has
    /// failed either.
    pub fn needed(&mut self) -> Option<BTreeSet<Kind>> {
        let mut workloads = self.states.iter().filter(|(kind, _)| !kind.holds_objects());
        if !workloads.all(|(_, state)| state.is_settled()) {
            return None;
        }
        self.refresh_instances();
        Some(self.needed_kinds())
    }

    fn needed_kinds(&self) -> BTreeSet<Kind> {
        let rows = self.states.get(&Kind::Service).map(KindState::rows).into_iter().flatten();
        let services = rows.filter_map(|(_, row)| match row {
            Row::Object(object) => Some(object),
            Row::Workload(_) | Row::Pod(_) => None,
        });
        needed_kinds(&self.readers(), &services)
    }

    /// The instances that are here, and those that were.
    fn readers(&self) -> Vec<Arc<Instance>> {
        self.instances.iter().chain(&*self.known).cloned().collect()
    }

    /// Takes one step of the watch of a kind.
    pub fn apply(&mut self, kind: Kind, change: Change, now: Instant) {
        let Some(state) = self.states.get_mut(&kind) else { return };
        let was_listed = state.is_listed();
        let changed = state.apply(change, now) || was_listed != state.is_listed();
        if changed && kind.holds_objects() {
            self.objects_changed = true;
        } else if changed {
            self.instances_changed = true;
        }
    }

    /// The view at a time. `None` while a kind is still being listed for the first time: what is
    /// known would be partial.
    ///
    /// Without Ingresses the view is unread, and stale where nothing is fresh any more. For the rest the problems
    /// tell: that the instances are not known, that the objects of a source cannot be listed, or stand as they
    /// were last read.
    pub fn reading(
        &mut self,
        heard: impl Fn(Kind) -> Heard,
        now: Instant,
        patience: Patience,
    ) -> Option<Reading<Cluster>> {
        let mut problems: Vec<Problem> = Vec::new();
        let (mut settled, mut fresh, mut told, mut listed) = (true, false, true, true);
        let mut oldest: Option<Timestamp> = None;
        let sources_read_namespaces = reads_namespaces(&self.instances);
        let kinds: Vec<Kind> = self.states.keys().copied().collect();
        for (kind, state) in &mut self.states {
            let heard = heard(*kind);
            let trust = state.trust(heard, now, patience);
            settled &= trust.settled;
            let is_told = !trust.problems.is_empty();
            problems.extend(trust.problems);
            if kind.is_vital() {
                listed &= state.is_listed();
            }
            // A kind that was never read is told by a problem and by what is watched; so is one that was
            // read and is not any more. Without a word about it, and where others hang on it, the view is frozen.
            // Where Namespaces only lend their labels, old ones do as well.
            let decides = kind.holds_objects() && (*kind != Kind::Namespace || sources_read_namespaces);
            if decides && state.is_listed() && !state.is_absent() {
                fresh |= trust.fresh;
                told &= trust.fresh || is_told && !is_relied_on(*kind, kinds.iter().copied());
            }
            if decides && trust.fresh && state.is_listed() && !state.is_absent() {
                let at = heard.last.map(|contact| contact.at);
                oldest = oldest.into_iter().chain(at).min();
            }
        }
        problems.sort();
        // Pods may be read twice, for their instances and for their addresses.
        problems.dedup();
        if !listed {
            return settled.then(|| Reading::unread(problems));
        }
        if !settled && self.cluster.is_none() {
            return None;
        }
        let fresh = fresh && told;
        if fresh {
            self.read_at = oldest;
        }
        let state = if fresh { ViewState::Read } else { ViewState::Stale };
        Some(Reading { state, read_at: self.read_at, value: Some(self.cluster()), problems })
    }

    /// The containers whose logs tell what the instances try, as of the last reading.
    #[must_use]
    pub fn log_targets(&self) -> Vec<LogTarget> {
        log_targets(&self.instances)
    }

    fn cluster(&mut self) -> Arc<Cluster> {
        self.refresh_instances();
        match &self.cluster {
            Some(cluster) if !self.objects_changed => Arc::clone(cluster),
            _ => {
                let cluster = Arc::new(Cluster {
                    objects: self.objects(),
                    instances: self.instances.clone(),
                    has_other_providers: self.has_other_providers,
                    watched_kinds: self.watched_kinds(),
                    unread_kinds: self.unread_kinds(),
                    idle_kinds: idle_kinds(&self.readers()),
                    // Reading roles would need rights that nothing else here needs.
                    grants: None,
                });
                self.objects_changed = false;
                self.cluster = Some(Arc::clone(&cluster));
                cluster
            }
        }
    }

    fn refresh_instances(&mut self) {
        if std::mem::take(&mut self.instances_changed) {
            let found = self.discover();
            let has_other_providers = !found.ignored.is_empty();
            let instances: Vec<_> = found.instances.into_iter().map(Arc::new).collect();
            // An instance that did not change is the same value in every view.
            self.objects_changed |=
                instances != self.instances || has_other_providers != self.has_other_providers;
            self.instances = instances;
            self.has_other_providers = has_other_providers;
        }
    }

    fn objects(&self) -> Objects {
        let mut states: Vec<(&Kind, &KindState)> = self.states.iter().collect();
        states.sort_by_key(|(kind, _)| kind.as_str());
        let rows = states.into_iter().flat_map(|(_, state)| state.rows().values());
        let objects = rows.filter_map(|row| match row {
            Row::Object(object) => Some(Arc::clone(object)),
            Row::Workload(_) | Row::Pod(_) => None,
        });
        Objects::from_sorted(objects.collect())
    }

    fn discover(&self) -> Discovery {
        let (mut workloads, mut pods) = (Vec::new(), Vec::new());
        for row in self.states.values().flat_map(|state| state.rows().values()) {
            match row {
                Row::Workload(workload) => workloads.push(workload.as_ref().clone()),
                Row::Pod(pod) => pods.push(pod.as_ref().clone()),
                Row::Object(_) => {}
            }
        }
        let found = discover(&workloads, &pods);
        for (workload, provider) in &found.ignored {
            tracing::debug!(%workload, provider, "an ExternalDNS of another provider is not watched");
        }
        found
    }

    fn unread_kinds(&self) -> Vec<Arc<str>> {
        let unread = |kind: &Kind| !self.states.get(kind).is_some_and(KindState::is_listed);
        self.needed_kinds().into_iter().filter(unread).map(|kind| Arc::from(kind.as_str())).collect()
    }

    fn watched_kinds(&self) -> Vec<Arc<str>> {
        let read =
            |kind: &Kind| self.states.get(kind).is_some_and(|state| state.is_listed() && !state.is_absent());
        let kinds = self.states.keys().filter(|kind| kind.holds_objects() && read(kind));
        kinds.filter(|kind| needs(**kind).iter().all(read)).map(|kind| Arc::from(kind.as_str())).collect()
    }
}

/// True if what is wanted hangs on the labels of Namespaces.
fn reads_namespaces(instances: &[Arc<Instance>]) -> bool {
    instances.iter().any(|instance| kinds_of(instance).any(|kind| kind == Kind::Namespace))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::desired::contact::Contact;
    use crate::desired::health::{Failure, Listing, Stage};
    use crate::finding::Reason;

    /// A view without the instances would judge every object as one that nobody handles.
    #[test]
    fn a_view_is_never_partial() {
        let now = Instant::now();
        let patience = Patience { stale_after: Duration::from_mins(1), calm: Duration::from_mins(1) };
        let heard = Heard { last: Some(Contact { at: Timestamp::UNIX_EPOCH, instant: now }), watch: None };
        let mut view = View::new(&[Kind::Ingress, Kind::Deployment, Kind::Pod]);
        let mut reading = |kind: Kind, change: Change| {
            view.apply(kind, change, now);
            view.reading(|_| heard, now, patience).map(|reading| (reading.state, reading.problems.len()))
        };
        assert_eq!(reading(Kind::Ingress, Change::Replaced(Listing::default())), None);
        assert_eq!(reading(Kind::Deployment, Change::Replaced(Listing::default())), None);
        let refused = Failure { stage: Stage::List, code: Reason::Forbidden, message: "no".to_owned() };
        assert_eq!(reading(Kind::Pod, Change::Failed(refused.clone())), Some((ViewState::Read, 1)));
        assert_eq!(reading(Kind::Ingress, Change::Failed(refused)), Some((ViewState::Stale, 2)));
    }

    /// Without the right to Pods the sources are still read off the workloads.
    #[test]
    fn refused_pods_do_not_hide_what_is_needed() {
        let container = serde_json::json!({"image": "r/external-dns:v0.14.2", "args": ["--source=service", "--provider=aws"]});
        let deployment = serde_json::json!({"metadata": {"name": "external-dns", "namespace": "dns"},
            "spec": {"template": {"spec": {"containers": [container]}}}});
        let row = Kind::Deployment.decode(deployment).expect("decoded").expect("kept");
        let rows = [(crate::model::ObjectRef::new("Deployment", "dns", "external-dns"), row)].into();
        let mut view = View::new(&[Kind::Ingress, Kind::Deployment, Kind::Pod]);
        view.apply(
            Kind::Deployment,
            Change::Replaced(Listing { rows, ..Listing::default() }),
            Instant::now(),
        );
        assert_eq!(view.needed(), None);
        let refused = Failure { stage: Stage::List, code: Reason::Forbidden, message: "no".to_owned() };
        view.apply(Kind::Pod, Change::Failed(refused), Instant::now());
        assert_eq!(view.needed(), Some([Kind::Service].into()));
    }

    /// Whoever deletes ExternalDNS must not make its wishes vanish.
    #[test]
    fn what_an_instance_read_that_is_gone_is_read_on() {
        let mut view = View::new(&[Kind::Ingress, Kind::Deployment]);
        view.apply(Kind::Deployment, Change::Replaced(Listing::default()), Instant::now());
        assert_eq!(view.needed(), Some([].into()));
        let gone = crate::fixture::instance(&["--source=service"], "v0.14.2");
        view.remember([Arc::new(gone)].into());
        assert_eq!(view.needed(), Some([Kind::Service].into()));
        view.remember(Arc::default());
        assert_eq!(view.needed(), Some([].into()), "it is not missed any more");
    }

    /// Namespaces that only lend their labels freeze nothing; those that decide about routes do.
    #[test]
    fn lost_namespaces_freeze_only_what_hangs_on_them() {
        let now = Instant::now();
        let patience = Patience { stale_after: Duration::from_mins(1), calm: Duration::from_mins(1) };
        let heard = Heard { last: Some(Contact { at: Timestamp::UNIX_EPOCH, instant: now }), watch: None };
        for (source, expected) in [("ingress", ViewState::Read), ("gateway-httproute", ViewState::Stale)] {
            let args = [format!("--source={source}"), "--provider=aws".to_owned()];
            let container = serde_json::json!({"image": "r/external-dns:v0.21.0", "args": args});
            let deployment = serde_json::json!({"metadata": {"name": "external-dns", "namespace": "dns"},
                "spec": {"template": {"spec": {"containers": [container]}}}});
            let row = Kind::Deployment.decode(deployment).expect("decoded").expect("kept");
            let rows = [(crate::model::ObjectRef::new("Deployment", "dns", "external-dns"), row)].into();
            let mut view = View::new(&[Kind::Ingress, Kind::Deployment, Kind::Namespace]);
            for kind in [Kind::Ingress, Kind::Namespace] {
                view.apply(kind, Change::Replaced(Listing::default()), now);
            }
            let listing = Listing { rows, ..Listing::default() };
            view.apply(Kind::Deployment, Change::Replaced(listing), now);
            let _needed = view.needed();
            let refused = Failure { stage: Stage::List, code: Reason::Forbidden, message: "no".to_owned() };
            view.apply(Kind::Namespace, Change::Failed(refused), now);
            let reading = view.reading(|_| heard, now, patience).expect("a view");
            assert_eq!((reading.state, reading.problems.len()), (expected, 1), "{source}");
        }
    }
}
