//! Coding agents as fixers: how each is called, how it gets its prompt, and what bounds it.
//!
//! Presets are data. `presets.toml` has those that are built in; a user's come before them, and
//! change what they name of one with the same name. Pure: nothing is run here.

mod preset;
mod presets;
mod version;

pub use preset::{Preset, PresetChange, PromptBy};
pub use presets::Presets;
