//! Lines of an output: where they end, which lie above and below, and what only decorates them.

use std::sync::OnceLock;

use memchr::{memchr2, memrchr2};
use regex::bytes::Regex;

use super::rule::compile;

/// The longest part of a line that patterns see.
const LINE_BYTES_MAX: usize = 4 * 1024;

/// How many lines above or below a telling one may say more about it.
const NEIGHBOURS_MAX: usize = 200;

/// The line that starts at `start`, without its end, cut to a bounded length.
pub(super) fn line_at(text: &[u8], start: usize) -> &[u8] {
    let rest = &text[start..text.len().min(start + LINE_BYTES_MAX)];
    let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
    &rest[..end]
}

/// The starts of the lines below the one at `start`, nearest first, bounded.
pub(super) fn starts_below(text: &[u8], start: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(start), |&at| {
        let newline = memchr2(b'\n', b'\r', &text[at..])?;
        let next = at + newline + 1;
        (next < text.len()).then_some(next)
    })
    .skip(1)
    .take(NEIGHBOURS_MAX)
}

/// The starts of the lines above the one at `start`, nearest first, bounded.
pub(super) fn starts_above(text: &[u8], start: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(start), |&at| {
        let end = at.checked_sub(1)?;
        Some(memrchr2(b'\n', b'\r', &text[..end]).map_or(0, |newline| newline + 1))
    })
    .skip(1)
    .take(NEIGHBOURS_MAX)
}

/// Whether the line reports nothing by itself: a warning, a note, a retry that was announced, an
/// assertion's text, a line of source code that somebody quoted.
pub(super) fn is_aside(line: &[u8]) -> bool {
    static ASIDE: OnceLock<Regex> = OnceLock::new();
    ASIDE
        .get_or_init(|| compile(ASIDE_PATTERN).expect("the tests of this file try the pattern"))
        .is_match(line)
}

/// See [`is_aside`].
const ASIDE_PATTERN: &str = concat!(
    r"(?i)^(?:",
    // Levels below error, perhaps behind a bracketed time or the name of the program.
    r"[\W\d]*(?:[\w./-]+[: ] ?)?[\[(<]?(?:warn|warning|info|debug|trace|notice|note|hint|help)\b[^/]",
    // Quoted code: `12 | let x`, `> 12 | x`, pytest's `>` and `E`, an assertion.
    r"|\s*(?:>\s*)?\d+\s*\||>\s\s|E\s|\s*assert|\s*expected\b|\s*(?:received|actual|got)(?: \w+)?\s*(?:\(\))?:",
    r"|AssertionError|not ok\b|(?-i:FAIL)",
    r")|\b(?:retrying|will retry|retry in|trying again|reconnecting)\b",
);

/// Whether a line with a place says no more than a warning or a note.
pub(super) fn only_warns(line: &[u8]) -> bool {
    static WARNS: OnceLock<Regex> = OnceLock::new();
    WARNS
        .get_or_init(|| compile(WARNS_PATTERN).expect("the tests of this file try the pattern"))
        .is_match(line)
}

/// See [`only_warns`].
const WARNS_PATTERN: &str =
    r"(?i)(?:^|[\s:)\]\[(])(?:warning|warn|note|remark|info|hint|help)(?:$|[\s:\]\[(])";

/// The line without what a carrier put before it: a time stamp, a build step, a service name, a
/// box. Carriers carry each other: what is left is looked at once more.
pub(super) fn undecorated(line: &[u8]) -> &[u8] {
    let once = without_one_of_each(line);
    if once.len() == line.len() {
        line
    } else {
        without_one_of_each(once)
    }
}

fn without_one_of_each(line: &[u8]) -> &[u8] {
    let line = without_quotes(line);
    let line = without_timestamp(line);
    let line = without_carrier(line);
    let line = without_logger(line);
    let line = without_project(line);
    let line = without_node(line);
    let line = without_build_step(line);
    let line = without_service(line);
    let line = without_command(line);
    match line.strip_prefix("│".as_bytes()) {
        Some(rest) => rest.strip_prefix(b" ").unwrap_or(rest),
        None => line,
    }
}

/// `` `text` ``, as each line stands in some reports.
fn without_quotes(line: &[u8]) -> &[u8] {
    let inner = line
        .strip_prefix(b"`")
        .and_then(|line| line.strip_suffix(b"`"));
    match inner {
        Some(inner) if !inner.contains(&b'`') => inner,
        _ => line,
    }
}

/// `2024-01-31T12:00:00.1234567Z text`, as CI services write it, or with the hours of a zone.
fn without_timestamp(line: &[u8]) -> &[u8] {
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let dated = line.len() > shape.len()
        && shape.iter().zip(line).all(|(want, got)| match want {
            b'd' => got.is_ascii_digit(),
            other => got == other,
        });
    if !dated {
        return line;
    }
    let rest = &line[shape.len()..];
    let end = rest
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'Z'))
        .count();
    let text = without_zone(&rest[end..]);
    text.strip_prefix(b" ")
        .or_else(|| text.strip_prefix(b"\t"))
        .unwrap_or(line)
}

/// `+0100 text`, the hours by which a time is ahead.
fn without_zone(text: &[u8]) -> &[u8] {
    match text {
        [b'+' | b'-', zone @ ..] if zone.len() > 4 && zone[..4].iter().all(u8::is_ascii_digit) => {
            &zone[4..]
        }
        _ => text,
    }
}

/// `##[error]text` and `##vso[task.logissue type=error]text`, as build agents mark lines.
fn without_command(line: &[u8]) -> &[u8] {
    if let Some(text) = line.strip_prefix(b"##[error]") {
        return text;
    }
    match line.strip_prefix(b"##vso[task.logissue ") {
        Some(issue) => memchr::memchr(b']', issue).map_or(line, |end| &issue[end + 1..]),
        None => line,
    }
}

/// What log collectors and runners of several tasks put before each line.
fn without_carrier(line: &[u8]) -> &[u8] {
    static CARRIER: OnceLock<Regex> = OnceLock::new();
    let carrier = CARRIER
        .get_or_init(|| compile(CARRIER_PATTERN).expect("the tests of this file try the pattern"));
    match carrier.find(line) {
        Some(prefix) => &line[prefix.end()..],
        None => line,
    }
}

/// See [`without_carrier`].
const CARRIER_PATTERN: &str = concat!(
    // `12:00:00.123 | text`, `[2024-01-31T12:00:00.123Z] text`, `12:00:00 text`, `[12:00:00] text`
    r"^(?:\d\d:\d\d:\d\d\.\d{3} \|(?: |$)|\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z?\] |\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?:? +(?:[AP]M: )?",
    // `2024-01-31 12:00:00,123 text`, `2024/01/31 12:00:00 text`, with the program: `tool[12:34] `
    r"|\[?\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:[+-]\d{4}|UTC|Z))?\]? +(?:[\w-]+\[\d+:\w+\] )?",
    // `Jan 31 12:00:00 host unit[123]: text`
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s:\[]+(?:\[\d+\])?: ",
    // `[Wed Jan 31 12:00:00.123 2024] [php:error] [pid 1:tid 2] [client 1.2.3.4:5] text`
    r"|\s*\[(?:[A-Z][a-z]{2} ){2}[ \d]\d \d\d:\d\d:\d\d[\d.]* \d{4}\] (?:\[[\w:.-]*(?: [^\]]+)?\] )+(?:AH\d{5}: )?",
    // `Got error 'PHP message: text`, `FastCGI sent in stderr: "PHP message: text`
    r#"|.{0,80}\b(?:Got error|sent in stderr:) ['"]PHP message: "#,
    // `job<TAB>step<TAB>2024-01-31T12:00:00.123Z text`, `error<TAB>31-Jan-2024 12:00:00<TAB>text`
    r"|[^\t]{1,80}\t[^\t]{1,80}\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z ?",
    r"|\w+\t\d\d-\w{3}-\d{4} \d\d:\d\d:\d\d\t",
    // `[12:00:00]W:\t [Step 1/2] text`, `[step:12] text`
    r"|\[\d\d:\d\d:\d\d\][A-Z]?:\s+(?:\[Step \d+/\d+\] )?|\[[\w-]+:\d+\] ",
    // `[0] text`, `01E text`, `[        ] text`, `[  +12 ms] text`, `0.512 text`
    r"|\[\d+\] |\d\d[OE] |\[ +(?:\+? *\d+ ms)?\] |\[\+\d+ ms\] |\d{1,4}\.\d{3} ",
    // `[  530s] text`, as builders of distributions count seconds; `[ant:checkstyle] text`
    r"|\[ *\d+s\] |\[ant:\w+\] ",
    // `web:build: text`, `packages/web build: text`, `@scope/web: text`, `[@scope/web]: text`
    r"|(?:[@a-z][\w./-]*:|[\w@.-]+/[\w@./-]+ )(?:build|test|tests|lint|check|typecheck|type-check|check-types|types|compile|dev|start|format|fmt|e2e|bundle|codegen|generate|prepare|prebuild|postbuild|release|deploy|docs|storybook|ci)(?::[\w-]+)?: ",
    r"|@[\w-]+/[\w.-]+: |\[@?[\w.-]+(?:/[\w.-]+)?\]: ",
    // `    [javac] text`, `[info] [error] text`, `stderr: [   ] text`
    r"|\s*\.{3} |\s{2,}\[[a-z][a-z0-9-]*\] |\[info\] (?:\[\w+\] )?\[(?:error|warn|info)\] |std(?:err|out): (?:\[ *(?:\+? *\d+ ms)?\] )?",
    // `       > text`, as nix quotes a build's log; `(12:00:00) text`; `10:12:13 AM: text`
    r"| {7}> |\(\d\d:\d\d:\d\d\) |\d:\d\d:\d\d [AP]M: ",
    // `stderr F text`, `[pod/name/container] text`, `[Container] 2024/01/31 12:00:00 text`
    // `Remote: text`, as a backup quotes its other side
    r"|Remote: |std(?:err|out) [FP] |\[pod/[\w.-]+/[\w.-]+\] |\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d[\d.]* ",
    // `remote:        text`, `2024-01-31T12:00:00+00:00 app[web.1]: text`, `app[1a] ord [info]text`
    r"|remote: {5,}(?:! +)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*[+-]\d\d:\d\d (?:\w+\[[\w.-]+\]: )?",
    r"|app\[\w+\] \w{3} \[\w+\] ?",
    // `🦋  error text`, `[2024-01-31, 12:00:00 UTC] {runner.py:154} INFO - text`
    r"|🦋  (?:info|warn|error|success) +|\[\d{4}-\d\d-\d\d[T, ][^\]]{6,24}\] \{[\w.]+\.py:\d+\} [A-Z]+ - ",
    // `[task 2024-01-31T12:00:00.123Z] text`, `['error'] text`, `EXEC : text`, `137[stderr] text`
    r"|\s*\[(?:task|vcs|fetches|setup|taskcluster) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z\] |\['error'\] |EXEC : |\d*\[stderr\] ",
    // `[RUN_GRADLEW] text`, as builders of apps name their phases
    r"|\[(?:RUN_GRADLEW|RUN_FASTLANE|INSTALL_DEPENDENCIES|INSTALL_PODS|PREBUILD|EAGER_BUNDLE|PREPARE_PROJECT|P(?:RE|OST)_INSTALL_HOOK)\] ",
    // `[ERROR] [org.gradle.api.Task] text`, as Gradle logs with --debug
    r"|\[[A-Z]+\] \[(?:org\.gradle|system\.(?:out|err))[\w.]*\] ",
    // `➤ YN0000: │ text`, `==> machine: text`
    r"|➤ YN0000: (?:\[[^\]]+\]: )?(?:│ )?|==> [\w.-]+: )",
);

/// `name 2024-01-31T12:00:00.123Z ERROR part`: the level and what follows stay. Without a level, a
/// name before a time is a part of the text.
fn without_logger(line: &[u8]) -> &[u8] {
    static LOGGER: OnceLock<Regex> = OnceLock::new();
    let logger = LOGGER
        .get_or_init(|| compile(LOGGER_PATTERN).expect("the tests of this file try the pattern"));
    let level = logger.captures(line).and_then(|found| found.get(1));
    level.map_or(line, |level| &line[level.start()..])
}

/// See [`without_logger`].
const LOGGER_PATTERN: &str = concat!(
    r"^ ?[A-Za-z][\w./-]*(?: [\w./-]+)? \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*Z[ \t]+",
    r"(TRACE|DEBUG|INFO|WARN|ERROR|FATAL|PANIC)\b",
);

/// `[project] [error] text`, as builds of several projects mark lines. The level stays.
fn without_project(line: &[u8]) -> &[u8] {
    let Some(rest) = line.strip_prefix(b"[") else {
        return line;
    };
    let name = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        .count();
    let levels: [&[u8]; 4] = [b"[error] ", b"[warn] ", b"[info] ", b"[success] "];
    match rest[name..].strip_prefix(b"] ") {
        Some(text) if name > 0 && levels.iter().any(|level| text.starts_with(level)) => text,
        _ => line,
    }
}

/// `12>text` and `12:7>text`, as parallel builds number their nodes. What quotes and redirects, as
/// in `2>&1` and `12 > text`, is left.
fn without_node(line: &[u8]) -> &[u8] {
    let trimmed = line.trim_ascii_start();
    let number = trimmed
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b':')
        .count();
    match trimmed[number..].strip_prefix(b">") {
        Some(text) if (1..=7).contains(&number) => match text.first() {
            Some(b'&' | b'>' | b'/') => line,
            _ => text.trim_ascii_start(),
        },
        _ => line,
    }
}

/// `#12 3.456 text`, as image builders write it.
fn without_build_step(line: &[u8]) -> &[u8] {
    let Some(rest) = line.strip_prefix(b"#") else {
        return line;
    };
    let mut words = rest.splitn(3, |&byte| byte == b' ');
    let (Some(step), Some(time), Some(text)) = (words.next(), words.next(), words.next()) else {
        return line;
    };
    let number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    let seconds = |word: &[u8]| {
        let mut parts = word.splitn(2, |&byte| byte == b'.');
        parts.next().is_some_and(number) && parts.next().is_some_and(number)
    };
    if number(step) && seconds(time) {
        text
    } else {
        line
    }
}

/// `web-1  | text`, as compose tools write it. Compilers quote source as `12 | text`: a name has a
/// letter first, a line number has not.
fn without_service(line: &[u8]) -> &[u8] {
    let name = line
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        .count();
    if name == 0 || !line[0].is_ascii_alphabetic() {
        return line;
    }
    let rest = &line[name..];
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    match rest[spaces..].strip_prefix(b"| ") {
        Some(text) if spaces > 0 => text,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_aside, undecorated};

    #[test]
    fn asides_are_told_from_reports() {
        let check = |line: &str, expected: bool| {
            assert_eq!(is_aside(line.as_bytes()), expected, "{line}");
        };
        check("npm warn exec The following package was not found", true);
        check("WARN connection pool: retrying after timeout", true);
        check("[12:00:01] WARN timeout", true);
        check("[3] WARN connection pool: timeout", true);
        check("12 | connect(timeout)", true);
        check("> 12 | connect(timeout)", true);
        check("E       assert 'timed out' == 'x'", true);
        check("connection refused, retrying in 3 s", true);
        check("Received: 502", true);
        check("Received unexpected error: timed out", false);
        check("error: connection refused", false);
        check("app: error: connection timed out", false);
        check("information.txt: No such file or directory", false);
        check("fatal: unable to access", false);
    }

    /// The line without its carrier's prefix is this.
    fn check(input: &str, expected: &str) {
        let left = String::from_utf8_lossy(undecorated(input.as_bytes()));
        assert_eq!(left, expected, "{input}");
    }

    #[test]
    fn prefixes_of_services_that_build_and_run_are_left_out() {
        check("       > error: x", "error: x");
        check("      > error: x", "      > error: x");
        check("(12:00:00) ERROR: x", "ERROR: x");
        check("10:12:13 AM: error: x", "error: x");
        check("9:12:13 PM: error: x", "error: x");
        check("2024-01-31T12:00:00.1Z stderr F error: x", "error: x");
        check("[pod/web-1/app] error: x", "error: x");
        check("  [task 2024-01-31T12:00:00.123Z] error: x", "error: x");
        check("[task 7] error: x", "[task 7] error: x");
        check("[2024-01-31T12:00:00.1Z] ['error'] error: x", "error: x");
        check("7>EXEC : npm ERR! x", "npm ERR! x");
        check("137[stderr] error: x", "error: x");
        check("[RUN_GRADLEW] [stderr] error: x", "error: x");
        check("[MISSING_EXPORT] x", "[MISSING_EXPORT] x");
        check("2024-01-31T12:00:00.1Z\tFATAL\tx", "FATAL\tx");
        check("[Container] 2024/01/31 12:00:00 error: x", "error: x");
        check("[Container] 2024/01/31 12:00:00.123 error: x", "error: x");
        check("remote:        npm error x", "npm error x");
        check(
            "remote:  !     Push rejected",
            "remote:  !     Push rejected",
        );
        check("remote: error: x", "remote: error: x");
        check(
            "2024-01-31T12:00:00.1+00:00 app[web.1]: error: x",
            "error: x",
        );
        check(
            "2024-01-31T12:00:00Z app[1a2b] ord [info]error: x",
            "error: x",
        );
    }

    #[test]
    fn carriers_prefixes_are_left_out() {
        check("2024-01-31T12:00:00.1234567Z error: x", "error: x");
        check("#12 3.456 error: x", "error: x");
        check("#12 CACHED", "#12 CACHED");
        check("web-1  | error: x", "error: x");
        check("12 | let x = 1;", "12 | let x = 1;");
        check("│ Error: x", "Error: x");
        check("🦋  error npm error code E1", "npm error code E1");
        check(
            "[2024-01-31, 12:00:00 UTC] {subprocess.py:93} INFO - Database Error in model x",
            "Database Error in model x",
        );
        check("##[error]failed", "failed");
        check("error: x", "error: x");
        check("[2024-01-31T12:00:00.123Z] error: x", "error: x");
        check("2024-01-31T12:00:00.123456Z 01E error: x", "error: x");
        check("12:00:00 web.1  | error: x", "error: x");
        check("[12:00:00] error: x", "error: x");
        check("Jan  1 12:00:00 host app[77]: error: x", "error: x");
        check("[0] error: x", "error: x");
        check("[1/2] compile", "[1/2] compile");
        check("web:build: error: x", "error: x");
        check("packages/web build: error: x", "error: x");
        check("error: test: x", "error: test: x");
        check("3>a.cpp(7): error C1: x", "a.cpp(7): error C1: x");
        check("  12:7>a.cs(3,4): error CS1: x", "a.cs(3,4): error CS1: x");
        check("2>&1 is missing", "2>&1 is missing");
        check(
            "lint\tRun checks\t2024-01-31T12:00:00.1234567Z error: x",
            "error: x",
        );
        check("error\t31-Jan-2024 12:00:00\terror: x", "error: x");
        check("[12:00:00]W:\t [Step 1/2] error: x", "error: x");
        check("[web:12] error: x", "error: x");
        check("[        ] > error: x", "> error: x");
        check("[  +12 ms] error: x", "error: x");
        check("0.512 error: x", "error: x");
        check("#9 0.512 error: x", "error: x");
        check("2024-01-31 12:00:00,123 error: x", "error: x");
        check("2024-01-31 12:00:00.123 tool[12:34ab] error: x", "error: x");
        check("web-1  | 2024-01-31T12:00:00.1Z error: x", "error: x");
        check("web:test:unit: error: x", "error: x");
        check("@acme/web: error: x", "error: x");
        check("[@acme/web]: error: x", "error: x");
        check("➤ YN0000: │ error: x", "error: x");
        check("==> default: error: x", "error: x");
        check("##vso[task.logissue type=error]error: x", "error: x");
        check("[error] x: y", "[error] x: y");
        check("`[ERROR] a.java:[1,2] x`", "[ERROR] a.java:[1,2] x");
        check("`a` and `b`", "`a` and `b`");
        check("    [javac] /w/A.java:7: x", "/w/A.java:7: x");
        check("[info] [error] Test A failed", "Test A failed");
        check("[info] a", "[info] a");
        check("stderr: [        ] > x", "> x");
    }

    #[test]
    fn prefixes_that_name_a_project_or_a_logger_are_left_out() {
        check(
            "[shop-core] [error] /w/A.scala:7: x",
            "[error] /w/A.scala:7: x",
        );
        check("[shop-core] [info] done", "[info] done");
        check("[shop-core] error: x", "[shop-core] error: x");
        check("[error] [core] x", "[error] [core] x");
        check("[  530s] error: x", "error: x");
        check("[12s] error: x", "error: x");
        check("[ 12 s] error: x", "[ 12 s] error: x");
        check(
            "[ant:checkstyle] [ERROR] /w/A.java:7: x",
            "[ERROR] /w/A.java:7: x",
        );
        check("[ant] x", "[ant] x");
        check("12:05:15.719 | error: x", "error: x");
        check("12:05:15.719 |", "");
        check("12:05:15 | let x = 1;", "| let x = 1;");
        check(
            "stack 2024-01-31T12:00:00.123Z ERROR\tserver\tx",
            "ERROR\tserver\tx",
        );
        check(" shop api 2024-01-31T12:00:00Z WARN  x", "WARN  x");
        check(
            "started 2024-01-31T12:00:00Z and failed",
            "started 2024-01-31T12:00:00Z and failed",
        );
    }
}
