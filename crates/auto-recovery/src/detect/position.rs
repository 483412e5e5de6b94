//! Places in files, as the tools of the world write them: one grammar for every rule.
//!
//! A pattern says `{position}` where a place may stand; it captures `file` and `line`.

use std::borrow::Cow;

/// What a pattern says where a place may stand.
const NAME: &str = "{position}";

/// A place: `f:l:c`, `f(l,c)`, `f(l,c,l,c)`, `f: (l, c)`, `f[l, c]`, `f:line l`, `at f line l`,
/// `"f", line l`, `f @ l`, `file:///f:l`, `C:\with blanks\f(l)`, and what ends there: a range, a
/// bracket.
const POSITION: &str = concat!(
    r"(?:file://)?(?:/[A-Za-z]:)?",
    r#"["'`]?(?<file>(?:"#,
    // A path from a drive or from the root may hold blanks in the names of its folders.
    r#"[A-Za-z]:[\\/](?:(?:[^\s:*?"'<>|()\[\]]| [^\s:*?"'<>|\[\]-])*[\\/])?[^\s:*?"'<>|()\[\]\\/]+"#,
    r#"|/(?:(?:[^\s:"'`<>|()\[\]]| [^\s:"'`<>|()\[\]-])*/)?[^\s:"'`<>|()\[\]/]+"#,
    // So may a path whose beginning somebody masked, as in `<repository>/src/a.cs`.
    r#"|(?:<[\w-]+>[\\/])?[^\s:"'`()\[\]<>|,;=#]+?"#,
    r")",
    // An ending that is no number, or a name that is known to have none.
    r"(?:\.[A-Za-z]\w{0,11}|[\\/](?:Makefile|Dockerfile|Containerfile|Jenkinsfile|Gemfile|Rakefile|Caddyfile|Snakefile|Vagrantfile|Podfile|Fastfile|[Jj]ustfile|BUILD))",
    r"|\b(?:Makefile|Dockerfile|Containerfile|Jenkinsfile|Gemfile|Rakefile|Caddyfile|Snakefile|Vagrantfile|Podfile|Fastfile|[Jj]ustfile|BUILD))",
    r#"["'`]?"#,
    // What leads to the line.
    r"(?:: ?line |,? (?:(?:on|at) )?line:? |: ?\(|[(\[:]| ?@ ?|#L)",
    r"(?<line>\d+)",
    // Column, range, bracket.
    r"(?:(?:[:,.] ?|(?::|,)? (?:columns?|cols?|characters?|chars?)[ :])\d+)*",
    r"(?:-\d+(?:[:.,]\d+)?)?",
    r"[)\]]?",
);

/// The pattern with each `{position}` spelled out.
pub(super) fn spelled_out(pattern: &str) -> Cow<'_, str> {
    if pattern.contains(NAME) {
        Cow::Owned(pattern.replace(NAME, POSITION))
    } else {
        Cow::Borrowed(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule::compile;

    #[test]
    fn places_are_read_in_every_spelling() {
        let pattern = compile("{position}[ :,-]*(?<message>.*)").unwrap();
        let check = |text: &str, file: &str, line: &str| {
            let captures = pattern
                .captures(text.as_bytes())
                .unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (&captures["file"], &captures["line"], &captures["message"]),
                (file.as_bytes(), line.as_bytes(), "it is bad".as_bytes()),
                "{text}"
            );
        };
        check("src/a.c:3:7: it is bad", "src/a.c", "3");
        check("src/a.c:3: it is bad", "src/a.c", "3");
        check("src/a.cs(3,7): it is bad", "src/a.cs", "3");
        check("src/a.fs(3,7,3,9): it is bad", "src/a.fs", "3");
        check("src/a.pas(3): it is bad", "src/a.pas", "3");
        check("src/a.hx:3: characters 1-4 : it is bad", "src/a.hx", "3");
        check("a.coffee:3, col 7: it is bad", "a.coffee", "3");
        check("src/a.ts:(3:7): it is bad", "src/a.ts", "3");
        check("src/a.fs: (3, 7): it is bad", "src/a.fs", "3");
        check("lib/a.rb[3, 7]: it is bad", "lib/a.rb", "3");
        check("a.y:3.7-9: it is bad", "a.y", "3");
        check("a.v:3:7-4:9: it is bad", "a.v", "3");
        check("run.sh: line 3: it is bad", "run.sh", "3");
        check("at lib/A.pm line 3, it is bad", "lib/A.pm", "3");
        check("in lib/a.php on line 3: it is bad", "lib/a.php", "3");
        check(
            "File \"lib/a.ml\", line 3, characters 7: it is bad",
            "lib/a.ml",
            "3",
        );
        check("A.cs:line 3: it is bad", "A.cs", "3");
        check("spec/a_spec.lua @ 3: it is bad", "spec/a_spec.lua", "3");
        check("file:///srv/a.mjs:3:7: it is bad", "/srv/a.mjs", "3");
        check(
            r"C:\My Work\Own Tool\a.cs(3,7): it is bad",
            r"C:\My Work\Own Tool\a.cs",
            "3",
        );
        check("D:/shop/a.cpp:3: it is bad", "D:/shop/a.cpp", "3");
        check(
            "/srv/My Work/a.swift:3:7: it is bad",
            "/srv/My Work/a.swift",
            "3",
        );
        check("Makefile:3: it is bad", "Makefile", "3");
        check("docker/Dockerfile:3: it is bad", "docker/Dockerfile", "3");
        check("web: src/a.ts:3:7 - it is bad", "src/a.ts", "3");
        check(
            "in <work>/src/a.cs:line 3, it is bad",
            "<work>/src/a.cs",
            "3",
        );
    }

    #[test]
    fn addresses_and_times_are_no_places() {
        let pattern = compile("^{position}").unwrap();
        for text in [
            "10.0.0.1:80: refused",
            "12:00:01 it is bad",
            "localhost:80",
            "port 80",
        ] {
            assert!(!pattern.is_match(text.as_bytes()), "{text}");
        }
    }
}
