//! `kubernetes/*.yaml|*.json`: objects as the API serves them, still raw.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::recording::file::{self, FileError};
use crate::snapshot::Problem;

/// Folder of the objects within a round.
pub const FOLDER: &str = "kubernetes";

/// Lists within lists that are opened.
const MAX_NESTING: usize = 8;

/// Kinds without a namespace, as far as they are read. Everything else lies in one.
const CLUSTER_WIDE: [&str; 4] = ["Node", "Namespace", "ClusterRole", "ClusterRoleBinding"];

/// What some documents hold.
#[derive(Default)]
struct Flat {
    objects: Vec<Value>,
    /// Kinds whose list goes on elsewhere; empty for a list of several kinds.
    cut: BTreeSet<String>,
}

/// Reads the objects of a round; `None` if the round has no `kubernetes` folder.
///
/// Takes single objects, several documents in a file, and lists (`kind: List`, and typed ones
/// such as `IngressList`, whose items get the kind that they leave out). As for `kubectl`, an object
/// that names no namespace lies in `default`. A bad file becomes a problem of the whole view, because
/// nobody knows which objects it had, and one page of several a problem of its kind.
#[must_use]
pub fn read_kubernetes(round: &Path) -> (Option<Vec<Value>>, Vec<Problem>) {
    let paths = match file::files(&round.join(FOLDER), &["yaml", "yml", "json"]) {
        Ok(Some(paths)) => paths,
        Ok(None) => return (None, Vec::new()),
        Err(error) => return (None, vec![file::problem("all", &error)]),
    };
    let (objects, problems) = read_all(paths);
    (Some(objects), problems)
}

fn read_all(paths: Vec<PathBuf>) -> (Vec<Value>, Vec<Problem>) {
    let mut flat = Flat::default();
    let mut problems = Vec::new();
    for path in paths {
        let documents = match documents(&path) {
            Ok(documents) => documents,
            Err(error) => {
                problems.push(file::problem("all", &error));
                continue;
            }
        };
        for document in documents {
            if flatten(document, None, MAX_NESTING, &mut flat).is_none() {
                let text = format!("{} holds something that is no object: it has no kind", path.display());
                problems.push(file::parse_problem("all", &text));
            }
            for kind in std::mem::take(&mut flat.cut) {
                let text = format!("{} is cut; list all objects, without a limit", path.display());
                problems.push(file::parse_problem(if kind.is_empty() { "all" } else { &kind }, &text));
            }
        }
    }
    (flat.objects, problems)
}

/// Reads objects of one file, or of all files of a folder; in the same forms.
#[must_use]
pub fn read_objects(path: &Path) -> (Vec<Value>, Vec<Problem>) {
    let paths = if path.is_dir() { file::files(path, &["yaml", "yml", "json"]) } else { Ok(None) };
    match paths {
        Ok(paths) => read_all(paths.unwrap_or_else(|| vec![path.to_owned()])),
        Err(error) => (Vec::new(), vec![file::problem("all", &error)]),
    }
}

fn documents(path: &Path) -> Result<Vec<Value>, FileError> {
    if path.extension().is_some_and(|extension| extension == "json") {
        let text = file::text(path)?;
        return serde_json::Deserializer::from_str(&text)
            .into_iter::<Value>()
            .filter(|value| !matches!(value, Ok(Value::Null)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| FileError::Json { path: path.to_owned(), source });
    }
    let mut documents = file::yaml_documents::<Value>(path)?;
    documents.retain(|document| !document.is_null());
    Ok(documents)
}

/// Appends the objects in `value`; `None` if something in it is no object.
fn flatten(mut value: Value, list: Option<(&str, &str)>, nesting: usize, flat: &mut Flat) -> Option<()> {
    let fields = value.as_object_mut()?;
    if let Some((version, kind)) = list {
        fields.entry("apiVersion").or_insert_with(|| version.into());
        fields.entry("kind").or_insert_with(|| kind.into());
    }
    let kind = fields.get("kind")?.as_str()?.to_owned();
    let Some(element) = kind.strip_suffix("List").filter(|_| fields.get("items").is_some()) else {
        if !CLUSTER_WIDE.contains(&&*kind) {
            put_in_a_namespace(&mut value);
        }
        flat.objects.push(value);
        return Some(());
    };
    let goes_on = fields.get("metadata").and_then(|metadata| metadata.get("continue"));
    if goes_on.and_then(Value::as_str).is_some_and(|token| !token.is_empty()) {
        flat.cut.insert(element.to_owned());
    }
    let nesting = nesting.checked_sub(1)?;
    let version = fields.get("apiVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    let inherited = Some((version.as_str(), element)).filter(|(_, element)| !element.is_empty());
    let items = match fields.remove("items") {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return None,
    };
    let mut whole = Some(());
    for item in items {
        whole = flatten(item, inherited, nesting, flat).and(whole);
    }
    whole
}

/// Where `kubectl apply` puts an object whose manifest does not say it.
fn put_in_a_namespace(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let namespace = metadata.entry("namespace").or_insert(Value::Null);
    if namespace.as_str().unwrap_or_default().is_empty() {
        *namespace = "default".into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_a_list_is_a_problem_and_no_namespace_means_default() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).expect("folder");
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
        write(
            "a.json",
            r#"{"kind":"IngressList","metadata":{"continue":"x"},"items":[{"metadata":{"name":"a"}}]}"#,
        );
        write(
            "b.json",
            r#"{"kind":"NodeList","metadata":{"continue":""},"items":[{"metadata":{"name":"b"}}]}"#,
        );
        write("c.json", r#"{"kind":"List","metadata":{"continue":"x"},"items":[]}"#);
        let (objects, problems) = read_kubernetes(dir.path());
        let space = |object: &Value| object.pointer("/metadata/namespace").cloned();
        let spaces: Vec<_> = objects.expect("read").iter().map(space).collect();
        assert_eq!(spaces, [Some("default".into()), None]);
        let scopes: Vec<_> = problems.iter().map(|problem| problem.scope.as_str()).collect();
        assert_eq!(scopes, ["Ingress", "all"]);
    }

    fn read(files: &[(&str, &str)]) -> (Vec<String>, Vec<Problem>) {
        let dir = tempfile::tempdir().expect("folder");
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).expect("folder");
        for (name, text) in files {
            std::fs::write(folder.join(name), text).expect("written");
        }
        let (objects, problems) = read_kubernetes(dir.path());
        let names = objects
            .expect("read")
            .iter()
            .map(|object| {
                let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
                format!("{} {} {}", text("/apiVersion"), text("/kind"), text("/metadata/name"))
            })
            .collect();
        (names, problems)
    }

    #[test]
    fn every_form_that_the_tools_print() {
        let (names, problems) = read(&[
            (
                "a.yaml",
                "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n",
            ),
            (
                "b.json",
                r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}]}]}"#,
            ),
            ("c.yml", "apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems:\n- metadata: {name: d}\n"),
            ("d.yaml", ""),
            ("e.yaml", "apiVersion: v1\nkind: List\nitems:\n"),
            ("readme.txt", "not looked at"),
        ]);
        assert_eq!(names, ["v1 Service a", "v1 Service b", "v1 Pod c", "networking.k8s.io/v1 Ingress d"]);
        assert_eq!(problems, []);
    }

    #[test]
    fn a_bad_file_is_named_with_its_place_and_hides_no_other() {
        let (names, problems) = read(&[
            ("a.yaml", "kind: Service\nmetadata: [\n"),
            ("b.json", "{\"kind\":\n}"),
            ("c.yaml", "kind: Service\nmetadata: {name: c}\n"),
            ("d.yaml", "- 1\n"),
        ]);
        assert_eq!(names, ["- Service c"]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(
            problems[0].message.contains("a.yaml") && problems[0].message.contains("line"),
            "{problems:?}"
        );
        assert!(
            problems[1].message.contains("b.json") && problems[1].message.contains("line 2"),
            "{problems:?}"
        );
        assert!(problems[2].message.contains("d.yaml"), "{problems:?}");
    }

    #[test]
    fn times_stay_text_and_bombs_do_not_go_off() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).expect("folder");
        std::fs::write(
            folder.join("a.yaml"),
            "kind: Pod\nmetadata: {creationTimestamp: 2026-11-23T10:00:00Z, annotations: {on: \"yes\"}}\n",
        )
        .expect("written");
        let (objects, _) = read_kubernetes(dir.path());
        let metadata = &objects.expect("read")[0]["metadata"];
        assert_eq!(metadata["creationTimestamp"], "2026-11-23T10:00:00Z");
        assert_eq!(metadata["annotations"]["on"], "yes");

        let mut bomb = "kind: Pod\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            let line = format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(","));
            bomb.push_str(&line);
        }
        std::fs::write(folder.join("a.yaml"), bomb).expect("written");
        let (objects, problems) = read_kubernetes(dir.path());
        assert_eq!((objects.expect("read").len(), problems.len()), (0, 1));
    }
}
