//! Hash tables for what a round looks up a million times. Pure.
//!
//! The hash of the standard library is made to withstand whoever chooses the keys and can see how long a
//! look-up takes; here it costs more than the look-up itself. This one is seeded for each table as well,
//! and nobody outside can time one.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// A map under a fast hash; made with `default`, which is cheap.
pub type Table<K, V> = HashMap<K, V, RandomState>;

/// A set under a fast hash; made with `default`, which is cheap.
pub type TableSet<T> = HashSet<T, RandomState>;
