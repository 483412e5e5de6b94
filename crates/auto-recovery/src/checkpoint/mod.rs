//! Snapshots of a working tree, kept outside of it, and putting them back.
