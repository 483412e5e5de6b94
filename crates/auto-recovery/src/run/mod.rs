//! Recovering a command: run it, and if it fails, recover it.
