//! A program that is not there, and the one that was probably meant.
//!
//! Asked only once a program could not be found: it reads the directories of the search path, and
//! runs nothing.

use std::collections::BTreeSet;
use std::path::Path;

use crate::run::request::{RunRequest, display_command};
use crate::wording::{Nearness, nearness};

/// How what is said begins.
pub const MEANT: &str = "did you mean ";

/// Names that are looked at: ten times what large machines have on their search path.
const NAMES_MAX: usize = 100_000;

/// Names that are told.
const TOLD_MAX: usize = 3;

/// What was meant by the program of `request`, which could not be found, if anything is near.
pub(super) fn did_you_mean(request: &RunRequest) -> Option<String> {
    let typed = request.command.argv.first()?.to_str()?;
    if request.command.cwd.join(typed).exists() && typed.contains('/') {
        // It is there, and what it needs to run is not.
        return None;
    }
    let is_installed = |program: &str| request.is_installed(program, &request.command.cwd);
    let meant = match typed.rsplit_once('/') {
        Some((dir, name)) => {
            let dir = format!("{dir}/");
            let mut near = Near::to(name);
            near.look_in(&request.command.cwd.join(&dir));
            near.told(|name| {
                let path = format!("{dir}{name}");
                is_installed(&path).then_some(path)
            })
        }
        None => {
            let here = format!("./{typed}");
            if is_installed(&here) {
                vec![here]
            } else {
                let mut near = Near::to(typed);
                let path = request.command.search_path.as_deref().unwrap_or_default();
                for dir in std::env::split_paths(path) {
                    near.look_in(&request.command.cwd.join(dir));
                }
                near.told(|name| is_installed(name).then(|| name.to_owned()))
            }
        }
    };
    let quoted: Vec<_> = meant
        .iter()
        .map(|name| format!("`{}`", display_command(&[name])))
        .collect();
    let (last, before) = quoted.split_last()?;
    Some(match before {
        [] => format!("{MEANT}{last}?"),
        before => format!("{MEANT}{} or {last}?", before.join(", ")),
    })
}

/// Names that are near to one that was typed.
struct Near<'a> {
    typed: &'a str,
    looked_at: usize,
    found: BTreeSet<(Nearness, String)>,
}

impl<'a> Near<'a> {
    fn to(typed: &'a str) -> Self {
        Self {
            typed,
            looked_at: 0,
            found: BTreeSet::new(),
        }
    }

    /// Looks at the names in `dir`; one that cannot be read has none.
    fn look_in(&mut self, dir: &Path) {
        let Ok(names) = dir.read_dir() else {
            return;
        };
        for name in names.flatten() {
            if self.looked_at == NAMES_MAX {
                return;
            }
            self.looked_at += 1;
            if let Some(name) = name.file_name().to_str() {
                self.look_at(name);
            }
        }
    }

    fn look_at(&mut self, name: &str) {
        if let Some(nearness) = nearness(self.typed, name) {
            self.found.insert((nearness, name.to_owned()));
        }
    }

    /// The nearest, all as far as each other, of those that `is_one` knows.
    fn told(self, is_one: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut told = Vec::new();
        let mut nearest = None;
        for (how_near, name) in self.found {
            if nearest.is_some_and(|nearest| nearest != how_near) || told.len() == TOLD_MAX {
                break;
            }
            if let Some(name) = is_one(&name) {
                nearest = Some(how_near);
                told.push(name);
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_told() {
        let check = |typed: &str, names: &[&str], expected: &[&str]| {
            let mut near = Near::to(typed);
            names.iter().for_each(|name| near.look_at(name));
            assert_eq!(
                near.told(|name| (name != "gone").then(|| name.to_owned())),
                expected,
                "{typed}"
            );
        };
        check("gti", &["git", "gtk", "go"], &["git", "gtk"]);
        check("pyhton", &["python", "python3", "ruby"], &["python"]);
        check("crago", &["cargo", "cargo-fmt"], &["cargo"]);
        check("gonee", &["gone", "gene"], &["gene"]);
        check("ls", &["lz", "cs", "lsof", "id"], &["lz"]);
        check("x", &["y", ""], &[]);
        check("", &["y"], &[]);
        check("abcdef", &["abcxyz"], &[]);
        check("make", &["a", "b"], &[]);
        check(
            "aaaaa",
            &["aaaab", "aaaac", "aaaad", "aaaae"],
            &["aaaab", "aaaac", "aaaad"],
        );
        check("größer", &["grösser"], &["grösser"]);
    }
}
