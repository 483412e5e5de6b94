//! Whole runs: real commands, real files, a real store. Only the clock's sleeps take no time.

mod anew;
mod cure;
mod endings;
mod others;
mod retries;
mod support;
mod told;
mod tree;

use support::Project;
