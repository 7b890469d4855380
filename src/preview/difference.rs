//! The difference between two listings of one stage.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What another version or other flags would change.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Difference {
    /// Rows that are only there afterwards.
    pub added: Vec<Value>,
    /// Rows that are only there before.
    pub removed: Vec<Value>,
    /// Rows of one name, type and set identifier with another content.
    pub changed: Vec<Change>,
    /// How many stay as they are.
    pub unchanged: usize,
    /// Rows after the change that Route 53 would refuse, each with its reason in `refused`.
    pub refused: Vec<Value>,
}

/// One row with another content.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Before.
    pub before: Value,
    /// Afterwards.
    pub after: Value,
}

/// Compares by zone, name, type and set identifier; several rows of one key go in order.
#[must_use]
pub fn difference(before: Vec<Value>, after: Vec<Value>) -> Difference {
    let mut out = Difference {
        refused: after.iter().filter(|row| row.get("refused").is_some()).cloned().collect(),
        ..Difference::default()
    };
    let mut left: BTreeMap<Vec<String>, Vec<Value>> = BTreeMap::new();
    for row in before.into_iter().rev() {
        left.entry(key(&row)).or_default().push(row);
    }
    for row in after {
        match left.get_mut(&key(&row)).and_then(Vec::pop) {
            None => out.added.push(row),
            Some(old) if old == row => out.unchanged += 1,
            Some(old) => out.changed.push(Change { before: old, after: row }),
        }
    }
    out.removed = left.into_values().flatten().collect();
    out
}

fn key(row: &Value) -> Vec<String> {
    ["zone", "name", "dnsName", "type", "recordType", "set_identifier", "setIdentifier"]
        .iter()
        .map(|member| row.get(member).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn added_removed_changed() {
        let row = |name: &str, ttl: u32| json!({"zone": "Z1", "name": name, "type": "A", "ttl": ttl});
        let refused = json!({"zone": "Z1", "name": "d", "type": "A", "refused": "alias_on_ip"});
        let found = difference(
            vec![row("a", 1), row("b", 1), row("c", 1)],
            vec![row("a", 1), row("b", 2), refused.clone()],
        );
        assert_eq!(found.unchanged, 1);
        assert_eq!(found.changed, [Change { before: row("b", 1), after: row("b", 2) }]);
        assert_eq!(found.removed, [row("c", 1)]);
        assert_eq!((found.added, found.refused), (vec![refused.clone()], vec![refused]));
    }
}
