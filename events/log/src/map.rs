//! Maps with a hash that costs less than the standard one. It is seeded at random too, so that
//! whoever chooses keys can't choose how they collide.

use foldhash::fast::RandomState;

pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;
pub(crate) type HashSet<T> = std::collections::HashSet<T, RandomState>;
