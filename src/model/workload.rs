//! Workloads and Pods of the cluster, reduced to what tells an ExternalDNS and its health.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::limits::MAX_ARGUMENTS;
use crate::model::ObjectRef;

/// A Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Kind, namespace, name.
    pub reference: ObjectRef,
    /// Newest change of the spec; `None` when a hand-made file has no times.
    pub changed_at: Option<Timestamp>,
    /// Labels of the workload.
    pub labels: BTreeMap<String, String>,
    /// Labels of the Pod template.
    pub template_labels: BTreeMap<String, String>,
    /// `spec.replicas`; the API's default 1 for a Deployment or StatefulSet that names none,
    /// `None` for a DaemonSet.
    pub replicas: Option<i32>,
    /// `status.readyReplicas`, 0 when a status is there and names none; `None` without a status.
    pub ready_replicas: Option<i32>,
    /// `spec.template.spec.serviceAccountName`; empty when absent.
    pub service_account: Arc<str>,
    /// Containers of the Pod template, in order; init containers are not among them.
    pub containers: Vec<Container>,
}

/// A Pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    /// Kind `Pod`, namespace, name.
    pub reference: ObjectRef,
    /// `metadata.uid`; empty when a hand-made file has none.
    pub uid: Arc<str>,
    /// `metadata.creationTimestamp`.
    pub created_at: Option<Timestamp>,
    /// `metadata.deletionTimestamp`: the Pod is being stopped.
    pub deletion_at: Option<Timestamp>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The controlling owner, for example the `ReplicaSet`; `None` for a bare Pod.
    pub owner: Option<ObjectRef>,
    /// `spec.serviceAccountName`; empty when absent.
    pub service_account: Arc<str>,
    /// Containers, in order.
    pub containers: Vec<Container>,
    /// State of the containers, in the order of the API.
    pub statuses: Vec<ContainerStatus>,
    /// Condition Ready.
    pub ready: bool,
    /// `status.phase`, for example `Running`; empty when absent.
    pub phase: Arc<str>,
}

/// What a container runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Container name.
    pub name: Arc<str>,
    /// Image as written.
    pub image: Arc<str>,
    /// `command` with known `$(NAME)` references replaced; empty for the image's own.
    pub command: Vec<String>,
    /// `args` with known `$(NAME)` references replaced.
    pub args: Vec<String>,
    /// Environment variables. One whose value stands elsewhere, in a Secret or a `ConfigMap`, refers to
    /// itself: `$(NAME)`.
    pub env: BTreeMap<String, String>,
    /// True if there are more variables, which the object does not even name (`envFrom`).
    pub more_env: bool,
    /// True if some of these stand in a `ConfigMap`, where flags of ExternalDNS may be.
    pub more_flags: bool,
}

/// State of one container of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerStatus {
    /// Container name.
    pub name: Arc<str>,
    /// `ready`; `None` when a hand-made file has none.
    pub ready: Option<bool>,
    /// Restarts so far.
    pub restarts: i32,
    /// `state.waiting.reason`; `None` when the container does not wait.
    pub waiting: Option<Arc<str>>,
    /// `lastState.terminated.exitCode`; `None` before the first restart.
    pub last_exit: Option<i32>,
    /// How long the last run lasted, by `lastState.terminated`; `None` before the first restart.
    pub last_run: Option<SignedDuration>,
    /// Start of the running container, or of the last one that ran.
    pub started_at: Option<Timestamp>,
}

/// A container whose log is of interest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogTarget {
    /// Namespace of the Pod.
    pub namespace: Arc<str>,
    /// Pod name.
    pub pod: Arc<str>,
    /// `metadata.uid` of the Pod: a StatefulSet's Pod keeps its name over re-creation.
    pub uid: Arc<str>,
    /// Container name.
    pub container: Arc<str>,
    /// Restarts so far.
    pub restarts: i32,
}

/// Where a command of a script ends.
const SEPARATORS: [&str; 7] = [";", "&", "&&", "|", "||", ">", "2>&1"];

/// The script that a shell gets with `-c`, and what follows it; `None` when no shell runs.
fn script_of<'a, 'b>(all: &'b [&'a String]) -> Option<(&'a str, &'b [&'a String])> {
    let shell =
        all.iter().position(|word| matches!(base_name(word), "sh" | "bash" | "ash" | "dash" | "zsh"))?;
    let is_c = |word: &&String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let option = all.iter().skip(shell + 1).position(is_c)? + shell + 1;
    let (script, rest) = all.get(option + 1..)?.split_first()?;
    Some((script.as_str(), rest))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

// === impl Workload ===

impl Container {
    /// Everything that the program gets as arguments: `command` without the program, then `args`. Of a
    /// shell's script those of the ExternalDNS in it.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let all: Vec<&String> = self.command.iter().chain(&self.args).collect();
        let of_script = script_of(&all).and_then(|(script, rest)| self.arguments_in(script, rest));
        of_script.unwrap_or_else(|| self.command.iter().skip(1).chain(&self.args).cloned().collect())
    }

    /// The arguments of the last command of a script that runs ExternalDNS; `None` when none does. The
    /// script's own arguments stand in for `"$@"`.
    fn arguments_in(&self, script: &str, rest: &[&String]) -> Option<Vec<String>> {
        // A line that goes on in the next one would end in an empty word.
        let words = shlex::split(&script.replace("\\\n", " "))?;
        let at = words.iter().rposition(|word| base_name(word) == "external-dns")?;
        let (mut arguments, mut length) = (Vec::new(), 0);
        for word in words.iter().skip(at + 1) {
            // However often a long value stands in a script, it is not written out for ever.
            if SEPARATORS.contains(&word.as_str()) || MAX_ARGUMENTS < length {
                break;
            }
            let before = arguments.len();
            let (word, is_last) = match word.strip_suffix(';') {
                Some(word) => (word, true),
                None => (word.as_str(), false),
            };
            match word {
                "$@" | "$*" => arguments.extend(rest.iter().skip(1).map(|one| (*one).clone())),
                word => arguments.push(self.with_variables(word)),
            }
            length += arguments.iter().skip(before).map(|one| one.len() + 1).sum::<usize>();
            if is_last {
                break;
            }
        }
        Some(arguments)
    }

    /// True if a shell runs a script with ExternalDNS in it. What variables it sets nobody can tell.
    #[must_use]
    pub fn runs_script(&self) -> bool {
        let all: Vec<&String> = self.command.iter().chain(&self.args).collect();
        script_of(&all).is_some_and(|(script, rest)| self.arguments_in(script, rest).is_some())
    }

    /// Replaces `${NAME}` and `$NAME` by what the environment holds. What only the shell knows is left as a
    /// reference, `$(NAME)`.
    fn with_variables(&self, word: &str) -> String {
        if word.contains('`') {
            return word
                .split_once('=')
                .map_or_else(|| word.to_owned(), |(flag, _)| format!("{flag}=$(script)"));
        }
        let mut out = String::with_capacity(word.len());
        let mut rest = word;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (name, tail) = reference(after);
            match self.env.get(name).filter(|value| out.len() + value.len() <= MAX_ARGUMENTS) {
                _ if name.is_empty() => out.push('$'),
                Some(value) => out.push_str(value),
                None => out.extend(["$(", name, ")"]),
            }
            rest = tail;
        }
        out + rest
    }
}

/// What stands after a `$`: the name of the variable, or the command, and the rest; without a name it is
/// no reference.
fn reference(after: &str) -> (&str, &str) {
    if let Some((inner, tail)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        // ${NAME:-default}
        return (inner.split(':').next().unwrap_or(inner), tail);
    }
    if let Some(inner) = after.strip_prefix('(') {
        // An argument may end within the command.
        return inner.split_once(')').unwrap_or(("script", ""));
    }
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    after.split_at(end)
}

impl Pod {
    /// State of the container of that name.
    #[must_use]
    pub fn status(&self, container: &str) -> Option<&ContainerStatus> {
        self.statuses.iter().find(|status| &*status.name == container)
    }

    /// True if the Pod has run to its end or was evicted: what remains is only its object. Nobody follows one
    /// that stands for itself, so that its failure is that of what it ran.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(&*self.phase, "Succeeded" | "Failed")
            && (self.owner.is_some() || *self.phase == *"Succeeded")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &[&str], args: &[&str], more_env: bool) -> Vec<String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let env = BTreeMap::from([("ZONE".to_owned(), "example.com".to_owned())]);
        Container { command: texts(command), args: texts(args), env, more_env, ..Container::default() }
            .arguments()
    }

    #[test]
    fn arguments_of_the_program_itself() {
        let check = |command: &[&str], args: &[&str], expected: &[&str]| {
            assert_eq!(arguments(command, args, false), expected, "{command:?} {args:?}");
        };
        check(&[], &["--source=ingress"], &["--source=ingress"]);
        check(&["/external-dns", "--once"], &["--source=ingress"], &["--once", "--source=ingress"]);
        // A shell that runs something else.
        check(&["sh", "-c"], &["sleep 1"], &["-c", "sleep 1"]);
        check(&["sh", "-c"], &["external-dns 'open"], &["-c", "external-dns 'open"]);
        check(&["sh"], &["--source=ingress"], &["--source=ingress"]);
    }

    #[test]
    fn arguments_in_a_script() {
        let check = |command: &[&str], args: &[&str], expected: &[&str]| {
            assert_eq!(arguments(command, args, false), expected, "{command:?} {args:?}");
        };
        check(
            &["/bin/sh", "-c"],
            &["exec /bin/external-dns --source=ingress --domain-filter=\"${ZONE}\"; echo done"],
            &["--source=ingress", "--domain-filter=example.com"],
        );
        check(
            &[
                "bash",
                "-euxc",
                "external-dns --version && external-dns \\\n  --source ingress \\\n --x=$ZONE/$NO || exit 1",
            ],
            &[],
            &["--source", "ingress", "--x=example.com/$(NO)"],
        );
        check(
            &["sh", "-c", "exec external-dns --once \"$@\"", "sh"],
            &["--source=ingress"],
            &["--once", "--source=ingress"],
        );
    }

    #[test]
    fn a_script_that_repeats_itself_stays_bounded() {
        let script = format!("external-dns {}", "\"$@\" ".repeat(1_000));
        let given = ["--source=ingress"; 1_000];
        let all: Vec<&str> = ["sh"].into_iter().chain(given).collect();
        let read = arguments(&["sh", "-c", &script], &all, false);
        let length: usize = read.iter().map(String::len).sum();
        assert!(length < 2 * MAX_ARGUMENTS, "{length}");
    }

    #[test]
    fn what_only_the_shell_knows() {
        let script = ". /etc/env; external-dns --txt-owner-id=${OWNER} --domain-filter=$ZONE --x=${A:-b} \
            --y=\"$(cat /z)\" --z=`cat /z` --regex=^a$ --last=$(cat /z)";
        let expected = [
            "--txt-owner-id=$(OWNER)",
            "--domain-filter=example.com",
            "--x=$(A)",
            "--y=$(cat /z)",
            "--z=$(script)",
            "/z`",
            "--regex=^a$",
            "--last=$(script)",
            "/z)",
        ];
        assert_eq!(arguments(&["sh", "-c"], &[script], false), expected);
    }
}
