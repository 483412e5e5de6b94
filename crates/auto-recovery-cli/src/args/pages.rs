//! The commands of the pages: each of them can be typed.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

use crate::args::Cli;
use crate::build::OF_SERVER;

/// Every page below `dir`, and what stands beside.
fn pages(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

/// The command lines that a page tells people to type: lines of its blocks that begin with
/// `recover`, perhaps after a prompt or a variable, and what stands between backquotes.
fn command_lines(page: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_block = false;
    for line in page.lines() {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            lines.push(trimmed.trim_start_matches("$ ").to_owned());
        } else {
            let quoted = line.split('`').skip(1).step_by(2);
            lines.extend(quoted.map(|text| text.replace("\\|", "|")));
        }
    }
    lines.retain(|line| line.starts_with("recover "));
    lines
}

/// The words of `line` up to what is a shell's: a pipe, a list, a redirection, a remark.
fn words(line: &str) -> Vec<OsString> {
    let mut words: Vec<String> = Vec::new();
    let mut quote = None;
    let mut is_word = false;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => words.last_mut().expect("a word").push(c),
            (None, ' ') => is_word = false,
            (None, '|' | ';' | '&' | '>' | '#' | '<') if !is_word => break,
            (None, _) => {
                if !is_word {
                    words.push(String::new());
                    is_word = true;
                }
                match c {
                    '\'' | '"' => quote = Some(c),
                    _ => words.last_mut().expect("a word").push(c),
                }
            }
        }
    }
    words.into_iter().map(OsString::from).collect()
}

#[test]
fn every_command_of_the_pages_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    pages(&root.join("docs"), &mut found);
    let (mut count, mut wrong) = (0, Vec::new());
    for path in found {
        let page = fs::read_to_string(&path).expect("a page");
        for line in command_lines(&page) {
            let words = words(&line);
            // What stands for anything, and names of the program alone.
            if words.len() < 2 || line.contains('…') {
                continue;
            }
            // A build without the server has no command of it.
            let of_server = OF_SERVER.map(OsString::from);
            if !cfg!(feature = "serve") && of_server.contains(&words[1]) {
                continue;
            }
            let asks_server = words.iter().any(|word| word == "--server");
            if !cfg!(feature = "remote") && asks_server {
                continue;
            }
            count += 1;
            // A name alone stands for the command; whoever types it adds the rest.
            if let Err(error) = Cli::read(&words)
                && error.use_stderr()
                && error.kind() != ErrorKind::MissingRequiredArgument
            {
                let why = error.to_string();
                let why = why.lines().next().unwrap_or_default();
                wrong.push(format!("{}: `{line}`: {why}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert!(count > 100, "only {count} were found");
}
