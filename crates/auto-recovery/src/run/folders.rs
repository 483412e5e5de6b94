//! Joins the file that a tool named to the folder in which it ran, where that is another than the
//! command's. Two packages have files of the same name; a failure of one is not one of the other.
//!
//! It looks at names and at one line of a file. Refuses to join where nothing says which folder it
//! was, or where there is no such file.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::detect::places_of;
use crate::escape::strip_escapes;
use crate::failure::Failure;
use crate::files::{Links, read_small};
use crate::run::planning::Machine;
use crate::run::request::RunRequest;

/// Bytes of a file in which a line is looked for: larger sources are generated.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Output that is searched for announced commands and quoted lines.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// Joins the file of `failure`, which the `output` of `argv` shows, to the folder of its tool.
pub(super) fn join<'o>(
    failure: &mut Failure,
    request: &RunRequest,
    argv: &[String],
    output: impl FnOnce() -> Cow<'o, [u8]>,
) {
    let Some(file) = failure.file_path.clone() else {
        return;
    };
    if Path::new(&file).is_absolute() || failure.folder().is_some() {
        return;
    }
    let output = output();
    let output = strip_escapes(&output[..output.len().min(OUTPUT_BYTES_MAX)]);
    let output = String::from_utf8_lossy(&output);
    let places = places_of(argv, failure, &output);
    let folders = places.iter().filter_map(|place| request.folder(place));
    let mut folders: Vec<PathBuf> = folders
        .filter(|folder| folder.join(&file).is_file())
        .collect();
    folders.dedup();
    if folders.is_empty() && failure.line_number.is_some() {
        // Tools of a workspace name files from its top, wherever they were started.
        folders.extend(request.above_with(&file));
    }
    let fits = |folder: &PathBuf| shows(&folder.join(&file), failure, &output);
    let at = match folders.len() {
        0 => return,
        1 => 0,
        _ => folders.iter().position(fits).unwrap_or_default(),
    };
    if let Some(named) = request.named(&folders[at]) {
        failure.join_to(&named);
    }
}

/// Whether the line of `path` that `failure` points at has what its message or `output` quotes of
/// it.
fn shows(path: &Path, failure: &Failure, output: &str) -> bool {
    let Some(line) = failure.line_number.and_then(|number| line_of(path, number)) else {
        return false;
    };
    let number = failure.line_number.unwrap_or_default().to_string();
    let quoted = output.lines().find_map(|printed| {
        let rest = printed.trim_start().strip_prefix(&number)?.trim_start();
        Some(rest.strip_prefix(['|', '│'])?.trim())
    });
    let names = failure.message.split(['`', '\'', '"']).skip(1).step_by(2);
    let mut names = names.filter(|name| !name.is_empty()).peekable();
    match quoted.filter(|quoted| !quoted.is_empty()) {
        Some(quoted) => line.trim() == quoted,
        None => names.peek().is_some() && names.any(|name| line.contains(name)),
    }
}

/// Line `number` of the file, from 1.
fn line_of(path: &Path, number: u64) -> Option<String> {
    let text = read_small(path, Links::Follow, FILE_BYTES_MAX).ok()?;
    let at = usize::try_from(number).ok()?.checked_sub(1)?;
    let text = String::from_utf8_lossy(&text);
    text.lines().nth(at).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shows_what_is_quoted_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.py");
        std::fs::write(&path, "import sys\nimport os\n").unwrap();
        let check = |line: u64, message: &str, output: &str, expected: bool| {
            let failure = Failure {
                line_number: Some(line),
                ..Failure::new("F401", message, "ruff")
            };
            assert_eq!(shows(&path, &failure, output), expected, "{line} {message}");
        };
        check(2, "`os` imported but unused", "", true);
        check(1, "`os` imported but unused", "", false);
        check(1, "unused", "  |\n1 | import sys\n", true);
        check(2, "`os` unused", "1 | import sys\n2 | import re\n", false);
        check(9, "`os` imported but unused", "", false);
        check(1, "not formatted", "", false);
    }
}
