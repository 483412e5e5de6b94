//! The options that every command takes, before or after its name.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::output::ColorChoice;

/// The options that every command takes.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Where trails live: `jsonl:DIR`, `sqlite:FILE`, `postgres://USER@HOST/DB`, `https://HOST`
    ///
    /// The default is the state directory: $RECOVER_STATE_DIR, else auto-recovery in
    /// $XDG_STATE_HOME (~/.local/state). Also RECOVER_STORE.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<OsString>,

    /// Read settings from FILE alone, not from recover.toml and your own config.toml
    ///
    /// Such a file may set everything. Also RECOVER_CONFIG.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours [default: auto]
    ///
    /// Also NO_COLOR, CLICOLOR_FORCE and TERM=dumb, which a terminal's user sets.
    #[arg(long, global = true, value_name = "WHEN", value_enum)]
    pub(crate) color: Option<ColorChoice>,

    /// Never show long output in a pager
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,

    /// Say nothing on stderr but errors and warnings
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more on stderr
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}
