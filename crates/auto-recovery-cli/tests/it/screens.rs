//! Screens in pages: what a person sees, run anew and compared.
//!
//! A block of a page that begins with `<!-- screen: NAME -->` shows what the commands of
//! `docs/screens/NAME.story` print on a terminal of 80 columns. Lines of a story are a script that
//! prepares; those that begin with `$` are typed; `^C WORDS` after one is Ctrl-C, pressed once
//! WORDS are shown. `PAGES=write` writes the blocks. Ids and times
//! differ from run to run, and are not compared.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZero;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::harness::{Machine, writes_pages};
use crate::session::Session;

const COLUMNS: NonZero<u16> = NonZero::new(80).unwrap();
/// More lines than a story prints.
const LINES: NonZero<u16> = NonZero::new(200).unwrap();

/// How a line of a story begins that is Ctrl-C.
const INTERRUPT: &str = "^C ";
const CTRL_C: &[u8] = b"\x03";

const MARK: &str = "<!-- screen: ";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages that may show screens.
fn pages() -> Vec<PathBuf> {
    let root = repository();
    let guide = fs::read_dir(root.join("docs/guide")).expect("the guide");
    let guide = guide.map(|entry| entry.expect("an entry").path());
    [root.join("README.md"), root.join("docs/README.md")]
        .into_iter()
        .chain(guide)
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect()
}

/// The stories, each under its name.
fn stories() -> BTreeMap<String, String> {
    let found = fs::read_dir(repository().join("docs/screens")).expect("the stories");
    let found = found.map(|entry| entry.expect("an entry").path());
    found
        .filter(|path| path.extension().is_some_and(|ending| ending == "story"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            (
                name.into_owned(),
                fs::read_to_string(&path).expect("a story"),
            )
        })
        .collect()
}

/// What a person sees of each story. They are played at once: most of their time is waits.
fn all_played() -> BTreeMap<String, String> {
    let stories = stories();
    std::thread::scope(|scope| {
        let playing: Vec<_> = stories
            .iter()
            .map(|(name, story)| (name, scope.spawn(|| played(story))))
            .collect();
        let played = playing.into_iter();
        played
            .map(|(name, story)| (name.clone(), story.join().expect("it is played")))
            .collect()
    })
}

/// What a person sees who types the commands of `story`, each after its own line.
fn played(story: &str) -> String {
    let machine = Machine::new();
    let prepare = "mkdir ../bin && ln -s \"$RECOVER\" ../bin/recover";
    assert_eq!(machine.run(&mut machine.shell(prepare)).code, 0);
    let path = format!("{}:/usr/bin:/bin", tools().display());
    let path = format!("{}:{path}", machine.root().join("bin").display());
    let is_typed = |line: &&str| line.starts_with("$ ") || line.starts_with(INTERRUPT);
    let (typed, script): (Vec<_>, Vec<_>) = story.lines().partition(is_typed);
    let mut command = machine.shell(&format!("set -e\n{}\n:", script.join("\n")));
    assert_eq!(machine.run(command.env("PATH", &path)).code, 0, "{story}");
    let mut seen = String::new();
    let mut last = 0;
    let mut typed = typed.into_iter().peekable();
    while let Some(line) = typed.next() {
        let words = line
            .trim_start_matches("$ ")
            .replace("$?", &last.to_string());
        let mut command = machine.shell(&words);
        command.env("PATH", &path);
        let mut session = Session::sized(command, LINES.get(), COLUMNS.get());
        if let Some(shown) = typed.next_if(|next| next.starts_with(INTERRUPT)) {
            session.wait_for(shown.trim_start_matches(INTERRUPT));
            session.press(CTRL_C);
        }
        last = code(session.end());
        let mut terminal = vt100::Parser::new(LINES, COLUMNS, 0);
        terminal.process(session.bytes());
        seen.push_str(line);
        seen.push('\n');
        for row in terminal.screen().contents().trim_end().lines() {
            seen.push_str(row.trim_end());
            seen.push('\n');
        }
    }
    seen.replace(&machine.root().display().to_string(), "/home/you")
}

/// The exit code that a shell names, which is more than 128 for a program that a signal ended.
fn code(status: ExitStatus) -> i32 {
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).expect("an exit code or a signal")
}

/// Where the toolchain is that stories use, as this test was started with.
fn tools() -> PathBuf {
    let cargo = PathBuf::from(env!("CARGO"));
    cargo.parent().expect("a directory").to_owned()
}

/// The words of `text`, without what differs from run to run: ids, times, and who runs it where.
/// Where a line is folded depends on how long a time is, so words count and not lines.
fn masked(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("by  "));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    let mut masked = String::new();
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).map(|next| letters_and_digits(next));
        let is_time = matches!(next, Some("s" | "ms" | "min")) && word.parse::<f64>().is_ok();
        masked.push_str(match is_time || is_id(word) || is_unit(word) {
            true => "~",
            false => word,
        });
        masked.push('\n');
    }
    masked
}

fn letters_and_digits(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Short times have another unit than long ones.
fn is_unit(word: &str) -> bool {
    matches!(letters_and_digits(word), "s" | "ms" | "min")
}

fn is_id(word: &str) -> bool {
    let word = letters_and_digits(word);
    let digits = word.rsplit('_').next().unwrap_or(word);
    digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A block of a page: where its text begins and ends in the page.
struct Block {
    name: String,
    from: usize,
    to: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let marks = page.match_indices(MARK).map(|(at, _)| at);
    marks
        .map(|at| {
            let rest = &page[at + MARK.len()..];
            let (name, _) = rest.split_once(" -->").expect("the end of the mark");
            let fence = "```console\n";
            let from = at + page[at..].find(fence).expect("a block after the mark") + fence.len();
            let to = from + page[from..].find("```\n").expect("the end of the block");
            Block {
                name: name.to_owned(),
                from,
                to,
            }
        })
        .collect()
}

#[test]
fn pages_show_what_a_person_sees() {
    let stories = all_played();
    let writes = writes_pages();
    let mut shown = Vec::new();
    for path in pages() {
        let mut page = fs::read_to_string(&path).expect("a page");
        assert_eq!(
            page.matches("```console").count(),
            page.matches(MARK).count(),
            "{}: each screen is one that is run",
            path.display()
        );
        for block in blocks(&page).into_iter().rev() {
            let seen = stories.get(&block.name);
            let seen = seen.unwrap_or_else(|| panic!("no story {}", block.name));
            if writes {
                page.replace_range(block.from..block.to, seen);
            } else {
                let page = masked(&page[block.from..block.to]);
                assert_eq!(page, masked(seen), "{}: {}", path.display(), block.name);
            }
            shown.push(block.name);
        }
        if writes {
            fs::write(&path, page).expect("written");
        }
    }
    for name in stories.keys() {
        assert!(shown.contains(name), "no page shows the story {name}");
    }
}
