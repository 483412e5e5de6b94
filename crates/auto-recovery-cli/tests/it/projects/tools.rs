//! The programs that the projects are worked on with, in versions of ours.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Installed tools.
pub(crate) struct Tools {
    /// Their folder.
    pub(crate) folder: PathBuf,
    /// Where programs are looked for.
    pub(crate) path: OsString,
}

impl Tools {
    /// The tools; the first caller installs what is missing.
    pub(crate) fn get() -> &'static Self {
        static TOOLS: OnceLock<Tools> = OnceLock::new();
        TOOLS.get_or_init(Self::install)
    }

    /// Whether `program` is there.
    pub(super) fn has(&self, program: &str) -> bool {
        env::split_paths(&self.path).any(|folder| folder.join(program).is_file())
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "tests start the programs they test with"
    )]
    fn install() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/tools");
        let installed = Command::new(script).arg(&folder).output();
        let installed = installed.expect("start scripts/tools");
        assert!(
            installed.status.success(),
            "scripts/tools: {}",
            String::from_utf8_lossy(&installed.stderr)
        );
        // Rust's own programs rather than rustup's stand-ins, which look for toolchains in HOME.
        let cargo = Path::new(env!("CARGO")).with_file_name("");
        let inherited = env::var_os("PATH").expect("a PATH");
        let folders = [folder.join("venv/bin"), cargo];
        let path = env::join_paths(folders.into_iter().chain(env::split_paths(&inherited)));
        Self {
            folder,
            path: path.expect("folders without a colon"),
        }
    }
}
