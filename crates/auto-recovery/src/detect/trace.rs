//! Stack traces: which lines are frames, and which frame is the project's own.

use std::borrow::Cow;
use std::sync::OnceLock;

use regex::bytes::Regex;

use super::line::{line_at, starts_above, starts_below, undecorated};
use super::rule::{Trace, compile};
use super::whose::is_go_root;

/// The longest stack trace that is kept.
const TRACE_BYTES_MAX: usize = 16 * 1024;

/// Lines without a frame that may stand between two frames of one trace: quoted source, carets.
const GAP_LINES_MAX: usize = 8;

/// Lines that may stand between the telling line and the first frame: a diff, a quoted function.
const LEAD_LINES_MAX: usize = 60;

/// Names of a package that tell whose it is, as in `com.example`.
const PACKAGE_NAMES: usize = 2;

/// Where one Python traceback begins, and so another one ends.
const TRACEBACK: &[u8] = b"Traceback (most recent call last)";

/// What a stack trace says.
#[derive(Debug, Default)]
pub(super) struct TraceRead {
    pub(super) text: Option<String>,
    /// The innermost frame in the project's own code: a file, a line.
    pub(super) own: Option<(String, Option<u64>)>,
    /// The innermost frame in anybody's code.
    pub(super) innermost: Option<(String, Option<u64>)>,
}

/// How a language writes its traces.
struct Shape {
    frame: &'static str,
    /// Where the frames stand, seen from the line that names the exception. Innermost is nearest.
    above: bool,
}

/// What a path of somebody else's code contains, in any language.
const LIBRARIES: &[&str] = &[
    "/site-packages/",
    "/dist-packages/",
    "/lib/python",
    "<frozen",
    "<string>",
    "<stdin>",
    "node:",
    "node_modules/",
    "internal/modules/",
    "/gems/",
    "/ruby/",
    "<internal:",
    "/vendor/",
    "/pkg/mod/",
    "/rustc/",
    "/.cargo/registry/",
    "/usr/lib/",
    "/usr/include/",
    "/usr/share/",
    "../sysdeps/",
    "../csu/",
    "/_/src/",
    "(erlang",
    "(elixir",
    "(stdlib",
    "(ex_unit",
    "/usr/bin/",
    "/usr/local/bin/",
    "_testmain.go",
    "asm_amd64.s",
    "asm_arm64.s",
];

/// What the class in front of a Java frame starts with when it is not the project's.
const JAVA_LIBRARIES: &[&str] = &[
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "org.junit.",
    "junit.",
    "org.apache.",
    "org.gradle.",
    "kotlin.",
    "scala.",
    "org.codehaus.",
    "worker.org.gradle",
    "org.testng.",
    "org.mockito.",
    "org.hamcrest.",
    "org.assertj.",
    "org.opentest4j.",
    "org.springframework.",
    "org.scalatest.",
    "org.specs2.",
    "org.scalacheck.",
    "munit.",
    "sbt.",
    "utest.",
    "weaver.",
    "zio.",
    "cats.effect.",
    "io.kotest.",
    "org.spockframework.",
    "groovy.",
    "org.hibernate.",
    "io.netty.",
    "reactor.",
    "io.reactivex.",
    "com.google.common.",
    "com.fasterxml.",
    "com.mysql.",
    "com.zaxxer.",
    "org.postgresql.",
    "clojure.",
];

/// Reads the trace of `language` that belongs to the line at `start`.
pub(super) fn read(language: Trace, text: &[u8], start: usize) -> TraceRead {
    let shape = shape(language);
    let pattern = frame_pattern(language);
    let frames = if shape.above {
        frames(pattern, text, starts_above(text, start))
    } else {
        // Ruby names the innermost frame in the line of the exception itself.
        let own = (language == Trace::Ruby).then_some(start);
        let starts = own.into_iter().chain(starts_below(text, start));
        frames(pattern, text, starts)
    };
    // Of chained exceptions one may lie wholly in libraries; the one it is chained to, on the other
    // side of the telling line, reaches the project.
    let chained = match frames.iter().any(|frame| frame.is_project(language)) {
        true => Vec::new(),
        false if shape.above => self::frames(pattern, text, starts_below(text, start)),
        false if language == Trace::Java => {
            let is_frame = |at: &usize| pattern.is_match(undecorated(line_at(text, *at)));
            let above = starts_above(text, start).take_while(is_frame);
            self::frames(pattern, text, above)
        }
        false => Vec::new(),
    };
    let started = match language {
        Trace::Java => program(frames.iter().rev()).or_else(|| program(chained.iter())),
        _ => None,
    };
    let is_program = |frame: &&Frame<'_>| {
        let package = started.as_deref();
        package.is_some_and(|package| java_class(&frame.whole_text()).starts_with(package))
    };
    let is_own = |frame: &&Frame<'_>| frame.is_project(language);
    let own = (frames.iter().find(is_program))
        .or_else(|| chained.iter().rev().find(is_program))
        .or_else(|| frames.iter().find(is_own))
        .or_else(|| chained.iter().rev().find(is_own));
    let named = |frame: Option<&Frame<'_>>| {
        frame.map(|frame| {
            (
                String::from_utf8_lossy(frame.file).into_owned(),
                frame.line_number,
            )
        })
    };
    TraceRead {
        text: extent(text, start, &frames),
        own: named(own),
        innermost: named(frames.iter().find(|frame| frame.is_a_file())),
    }
}

struct Frame<'a> {
    start: usize,
    whole: &'a [u8],
    file: &'a [u8],
    line_number: Option<u64>,
}

/// What the classes of a Java program start with: the package of the class whose `main` runs, two
/// names of it at most, as a vendor's library may not be known as one.
fn program<'a>(mut outermost_first: impl Iterator<Item = &'a Frame<'a>>) -> Option<String> {
    let main = outermost_first.find(|frame| {
        let whole = frame.whole_text();
        whole.contains(".main(") && !is_java_library(&whole)
    })?;
    let whole = main.whole_text();
    let names: Vec<&str> = java_class(&whole).split('.').collect();
    let class = names
        .iter()
        .position(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))?;
    let package = &names[..class.min(PACKAGE_NAMES)];
    (!package.is_empty()).then(|| package.join(".") + ".")
}

impl Frame<'_> {
    fn whole_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.whole)
    }

    /// Whether it names a file that a person can open, which may be a package's.
    fn is_a_file(&self) -> bool {
        let file = String::from_utf8_lossy(self.file);
        file.contains(['/', '\\'])
            && !NO_FILES.iter().any(|start| file.starts_with(start))
            && !TEST_TOOLS.iter().any(|part| file.contains(part))
    }

    fn is_project(&self, language: Trace) -> bool {
        let whole = String::from_utf8_lossy(self.whole);
        let file = String::from_utf8_lossy(self.file);
        if language == Trace::Java {
            return !is_java_library(&whole);
        }
        !is_go_root(&file)
            && !LIBRARIES
                .iter()
                .any(|part| file.contains(part) || (part.starts_with('(') && whole.contains(part)))
    }
}

/// What stands where a frame names no file that anybody could open.
const NO_FILES: &[&str] = &["<", "node:", "internal/", "native", "Unknown"];

/// What only runs tests, or compares for them: nothing is wrong there.
const TEST_TOOLS: &[&str] = &[
    "/unittest/",
    "/_pytest/",
    "/pluggy/",
    "/nose/",
    "/testtools/",
];

/// Whether a line is a Java frame of somebody else's class.
pub(super) fn is_java_library(frame: &str) -> bool {
    let class = java_class(frame);
    JAVA_LIBRARIES
        .iter()
        .any(|prefix| class.starts_with(prefix))
}

/// A Java frame from its class on.
fn java_class(frame: &str) -> &str {
    let class = frame.trim_start_matches("[error]").trim_start();
    let class = class.trim_start_matches("at ");
    class.rsplit_once('/').map_or(class, |(_, class)| class)
}

/// The frames in the order of `starts`, until the trace ends.
fn frames<'a>(
    pattern: &Regex,
    text: &'a [u8],
    starts: impl Iterator<Item = usize>,
) -> Vec<Frame<'a>> {
    let mut frames = Vec::new();
    let mut gap = 0;
    for start in starts {
        let line = undecorated(line_at(text, start));
        match pattern.captures(line) {
            Some(captures) => {
                gap = 0;
                let either = |one, other| captures.name(one).or_else(|| captures.name(other));
                if let Some(file) = either("file", "file2") {
                    frames.push(Frame {
                        start,
                        whole: line,
                        file: file.as_bytes(),
                        line_number: either("line", "line2")
                            .and_then(|digits| std::str::from_utf8(digits.as_bytes()).ok())
                            .and_then(|digits| digits.parse().ok()),
                    });
                }
            }
            None => gap += 1,
        }
        let gap_max = if frames.is_empty() {
            LEAD_LINES_MAX
        } else {
            GAP_LINES_MAX
        };
        if gap > gap_max || (!frames.is_empty() && line.starts_with(TRACEBACK)) {
            break;
        }
    }
    frames
}

/// The text from the first to the last line of the trace, bounded.
fn extent(text: &[u8], start: usize, frames: &[Frame<'_>]) -> Option<String> {
    let first = frames.iter().map(|frame| frame.start).min()?.min(start);
    let last = frames.iter().map(|frame| frame.start).max()?.max(start);
    let end = last + line_at(text, last).len();
    let from = first.max(end.saturating_sub(TRACE_BYTES_MAX));
    Some(String::from_utf8_lossy(&text[from..end]).into_owned())
}

fn shape(language: Trace) -> Shape {
    let (frame, above) = match language {
        Trace::Python => (
            r#"^[\s|E]*(?:File "?(?<file>[^",]+)"?, line (?<line>\d+)|(?<file2>[^\s:]+\.py):(?<line2>\d+): )"#,
            true,
        ),
        Trace::Faulthandler => (r#"^\s*File "(?<file>[^"]+)", line (?<line>\d+) in "#, false),
        Trace::Node => (
            r"^[#\s]*(?:at )?(?:.*\()?(?:async )?(?:file://)?(?<file>[^\s()]+?):(?<line>\d+):\d+\)?",
            false,
        ),
        Trace::Java => (
            r"^\s*at [\w.$/<>@-]+\((?<file>\w+\.\w+):(?<line>\d+)\)",
            false,
        ),
        Trace::Ruby => (r"^\s*(?:from |# )?(?<file>[^\s:]+):(?<line>\d+):in ", false),
        Trace::Php => (r"^#\d+ (?<file>[^()]+)\((?<line>\d+)\): ", false),
        Trace::Go => (r"^\s+(?<file>\S+\.go):(?<line>\d+)", false),
        Trace::Native => (r"^\s*#\d+ .*?(?<file>[^\s:()]+\.\w+):(?<line>\d+)", false),
        Trace::Dotnet => (r"^\s*at .* in (?<file>.+):line (?<line>\d+)", false),
        Trace::Elixir => (
            r"^\s*(?:\([\w ./-]+\) )?(?<file>[^\s:()]+\.exs?):(?<line>\d+): ",
            false,
        ),
    };
    Shape { frame, above }
}

fn frame_pattern(language: Trace) -> &'static Regex {
    static PATTERNS: [OnceLock<Regex>; 10] = [const { OnceLock::new() }; 10];
    PATTERNS[language as usize].get_or_init(|| {
        compile(shape(language).frame).expect("the patterns of this file are tested to compile")
    })
}
