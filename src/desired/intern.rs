//! Texts that many objects repeat, kept once. Pure.

use std::sync::Arc;

use crate::desired::kinds::Row;
use crate::limits::MAX_SHARED_TEXTS;
use crate::model::ObjectRef;
use crate::model::table::TableSet;

/// Longer texts are hardly ever equal.
const MAX_SHARED_LENGTH: usize = 64;

/// The texts that are shared by the rows of one kind.
#[derive(Debug, Default)]
pub struct Interner(TableSet<Arc<str>>);

impl Interner {
    /// An equal text, shared if there is one already.
    pub fn share(&mut self, text: &Arc<str>) -> Arc<str> {
        if MAX_SHARED_LENGTH < text.len() {
            return Arc::clone(text);
        }
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        if self.0.len() < MAX_SHARED_TEXTS {
            self.0.insert(Arc::clone(text));
        }
        Arc::clone(text)
    }

    /// Shares the texts of an object's row with those of other rows, and its reference with the key
    /// under which it is kept.
    pub fn share_row(&mut self, key: ObjectRef, row: Row) -> (ObjectRef, Row) {
        let key =
            ObjectRef { kind: self.share(&key.kind), namespace: self.share(&key.namespace), name: key.name };
        let Row::Object(mut shared) = row else { return (key, row) };
        // A row that was just made is held by nobody else.
        if let Some(object) = Arc::get_mut(&mut shared) {
            object.reference = key.clone();
            object.labels.share(|text| self.share(text));
            object.annotations.share(|text| self.share(text));
        }
        (key, Row::Object(shared))
    }

    /// Forgets what no row holds any more.
    pub fn forget_unused(&mut self) {
        self.0.retain(|text| 1 < Arc::strong_count(text));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::desired::kinds::Kind;

    fn row(interner: &mut Interner, name: &str) -> (ObjectRef, Row) {
        let ingress = json!({"metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"}}});
        let row = Kind::Ingress.decode(ingress).expect("decoded").expect("kept");
        interner.share_row(ObjectRef::new("Ingress", "shop", name), row)
    }

    #[test]
    fn equal_texts_are_one() {
        let mut interner = Interner::default();
        let (a, b) = (row(&mut interner, "a"), row(&mut interner, "b"));
        assert!(Arc::ptr_eq(&a.0.namespace, &b.0.namespace) && Arc::ptr_eq(&a.0.kind, &b.0.kind));
        let Row::Object(object) = &a.1 else { panic!("an object") };
        assert!(Arc::ptr_eq(&object.reference.name, &a.0.name));
        let before = interner.0.len();
        drop((a, b));
        interner.forget_unused();
        assert_eq!((before, interner.0.len()), (4, 0));
    }

    #[test]
    fn a_flood_of_different_texts_is_not_kept() {
        let mut interner = Interner::default();
        for number in 0..MAX_SHARED_TEXTS + 10 {
            let text: Arc<str> = number.to_string().into();
            assert_eq!(interner.share(&text), text);
        }
        assert_eq!(interner.0.len(), MAX_SHARED_TEXTS);
        assert!(!interner.0.contains("x".repeat(MAX_SHARED_LENGTH + 1).as_str()));
    }
}
