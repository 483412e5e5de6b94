//! How many cores there are for us.

use std::sync::LazyLock;
use std::thread;

/// How many threads may run at once. Finding out reads several files, so it is done once.
pub(super) fn cores() -> usize {
    static CORES: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    *CORES
}
