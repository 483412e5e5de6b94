//! What a project says of itself in its `project.toml`: what is broken, and how `recover` must end.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// The file's name.
pub(super) const FILE: &str = "project.toml";

/// A small project that is broken in one known way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Project {
    /// What is broken, in a sentence.
    #[serde(rename = "about")]
    _about: String,
    /// What runs the tool, if that is not the command itself.
    #[serde(default)]
    pub(super) behind: String,
    /// The project whose files this one has, too, and whose setup it needs.
    #[serde(default)]
    pub(super) like: String,
    /// The folder that those are in.
    #[serde(default)]
    pub(super) into: String,
    /// Files of its own, in the place of others.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    /// The command that fails.
    pub(super) command: Vec<String>,
    /// Programs that it takes.
    pub(super) needs: Vec<String>,
    /// The folder it runs in.
    #[serde(default)]
    pub(super) cwd: String,
    /// Whether the project is a git repository with everything committed.
    #[serde(default = "yes")]
    pub(super) git: bool,
    /// A shell script that makes what cannot stand in a folder of this repository: odd names, other
    /// repositories, a staging area. It finds the tools in `$TOOLS`.
    #[serde(default)]
    pub(super) setup: String,
    /// A shell command that runs meanwhile, such as a server; it is ready once `$HOME/ready`
    /// exists.
    #[serde(default)]
    pub(super) meanwhile: String,
    /// Whether the command never ends by itself.
    #[serde(default)]
    pub(super) hangs: bool,
    /// How runs of `recover`, one after another, must end.
    pub(super) run: Vec<Expected>,
}

/// How a run must end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// Its flags; none but for what cannot be shown without.
    #[serde(default)]
    pub(super) flags: Vec<String>,
    /// The exit code; 128 and the signal's number for a signal.
    pub(super) exit: i32,
    /// The strategy that cures it; empty if nothing does.
    #[serde(default)]
    pub(super) cured_by: String,
    /// Whether that is another command that stands in for this one, which still fails.
    #[serde(default)]
    pub(super) stands_in: bool,
    /// What the failure must be found to be.
    pub(super) category: String,
    /// Its type, where that can be told.
    #[serde(default)]
    pub(super) error_type: String,
    /// The paths that the cure changes, in order.
    #[serde(default)]
    pub(super) changes: Vec<String>,
    /// Whether the command changed them itself before it failed, and no attempt did.
    #[serde(default)]
    pub(super) by_itself: bool,
    /// How many attempts it takes.
    pub(super) attempts: usize,
    /// How many of them changed files and must have been undone.
    #[serde(default)]
    pub(super) undone: usize,
    /// Whether there is a session of it: not where nothing could be started, or tried.
    #[serde(default = "yes")]
    pub(super) recorded: bool,
    /// What a person must be told.
    #[serde(default)]
    pub(super) says: Vec<String>,
}

impl Expected {
    pub(super) fn is_cure(&self) -> bool {
        !self.cured_by.is_empty()
    }
}

impl Project {
    /// One that has the files of another in the folder `into`, and some of its own.
    pub(super) fn made(
        behind: &str,
        like: &str,
        into: &str,
        command: Vec<String>,
        files: BTreeMap<String, String>,
    ) -> Self {
        Self {
            _about: String::new(),
            behind: behind.to_owned(),
            like: like.to_owned(),
            into: into.to_owned(),
            files,
            command,
            needs: Vec::new(),
            cwd: String::new(),
            git: true,
            setup: "ln -sfn \"$TOOLS/node_modules\" node_modules".to_owned(),
            meanwhile: String::new(),
            hangs: false,
            run: Vec::new(),
        }
    }

    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

fn yes() -> bool {
    true
}
