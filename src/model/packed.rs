//! Large sorted maps without holes. Pure.

use std::collections::BTreeMap;

/// Makes a map anew that has grown by more than a quarter since it had `before` entries. One that is filled
/// in the order of its keys, as most here are, leaves each node half empty; one that is made at once does not.
pub(crate) fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>, before: usize) {
    if before / 4 < map.len().saturating_sub(before) {
        *map = std::mem::take(map).into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        for before in [0, 80, 100, 200] {
            let mut map: BTreeMap<u8, u8> = (0..100).map(|key| (key, key + 1)).collect();
            pack(&mut map, before);
            assert!(map.into_iter().eq((0..100).map(|key| (key, key + 1))));
        }
    }
}
