//! The folder in which the tool ran that reported a failure: a file that it named is meant from
//! there. Read from the command line and from what task runners say; whether a folder or the file
//! is there is the caller's to find out. Refuses to guess: what nothing tells is not named.

use super::tools::Tools;
use crate::command_line::{Announced, Announcements, Place, Words, option};
use crate::failure::Failure;

/// Options of tools and their starters that name the folder to go into.
const INTO: &[&str] = &["--directory", "--dir", "--cwd", "--prefix", "-C"];

/// Options that name a file in the folder.
const INTO_FOLDER_OF: &[&str] = &["--manifest-path", "--project"];

/// Where what reported `failure` may have run, seen from where `argv` did, the likeliest first; the
/// `output` is that of `argv`. Empty where nothing says.
pub(crate) fn places_of(argv: &[String], failure: &Failure, output: &str) -> Vec<Place> {
    let source = match failure.source.as_str() {
        // Cargo runs them, in a folder that it names from its own.
        "rustc" | "clippy" | "rustdoc" => "cargo",
        other => other,
    };
    // A verb may be known as a tool of its own; what is further inside is a command by itself.
    let is_it = |tool: &[String]| {
        Tools::of(tool)
            .names()
            .iter()
            .take(2)
            .any(|name| name == source)
    };
    let line = line_of(failure, output);
    let announcements = Announcements::of(argv, output);
    let mut places = Vec::new();
    let mut add = |place: Place| {
        if !places.contains(&place) {
            places.push(place);
        }
    };
    let announced = |one: &&Announced| Announcements::may_come_from(argv) && is_it(&one.argv);
    if let Some(one) = announcements.nearest(line).find(announced) {
        add(led(one.place.clone(), &one.argv));
    }
    let entered = announcements.place_at(line);
    if !entered.is_here() {
        add(entered);
    }
    let mut readings = Words::readings(argv);
    readings.retain(|one| one.shell_with_text().is_none());
    let depth = readings.iter().map(Words::depth).max().unwrap_or_default();
    let inner = || {
        readings
            .iter()
            .filter(|one| one.depth() == depth || is_it(&one.tool))
    };
    let own: Vec<&Words> = inner().filter(|one| is_it(&one.tool)).collect();
    for one in &own {
        add(led(led(one.place.clone(), &one.before), &one.tool));
    }
    if own.is_empty() {
        // Whatever it was ran there, if all did.
        let mut all = inner().map(|one| led(led(one.place.clone(), &one.before), &one.tool));
        if let Some(first) = all.next()
            && all.all(|place| place == first)
        {
            add(first);
        }
    }
    places
}

/// `place`, and from there into the folder that the options of `words` name.
fn led(place: Place, words: &[String]) -> Place {
    let of_file = option(words, INTO_FOLDER_OF);
    let folder = of_file.and_then(|file| Some(file.rsplit_once('/')?.0.to_owned()));
    match folder.or_else(|| option(words, INTO)) {
        Some(folder) => place.into_folder(&folder),
        None => place,
    }
}

/// The number of the first line of `output` that reports `failure`, from 0.
pub(crate) fn line_of(failure: &Failure, output: &str) -> Option<usize> {
    let message = failure.message.lines().next().map(str::trim);
    let message = message.filter(|message| !message.is_empty());
    let file = failure.file_as_named();
    let both = message.zip(file);
    let mut lines = output.lines();
    let with_both = both.and_then(|(message, file)| {
        lines.position(|line| line.contains(message) && line.contains(file))
    });
    with_both.or_else(|| {
        [message, file].into_iter().flatten().find_map(|text| {
            let mut lines = output.lines();
            lines.position(|line| line.contains(text))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(argv: &str, source: &str, output: &str, expected: &[Place]) {
        let argv: Vec<String> = argv.split('¦').map(str::to_owned).collect();
        let failure = Failure {
            file_path: Some("m.py".to_owned()),
            ..Failure::new("F401", "`os` imported", source)
        };
        assert_eq!(places_of(&argv, &failure, output), expected, "{argv:?}");
    }

    #[test]
    fn the_folder_is_that_of_the_tool_that_reported() {
        let here = Place::default();
        let into = |folder: &str| here.clone().into_folder(folder);
        check(
            "sh¦-c¦cd sub && cargo build -q",
            "rustc",
            "",
            &[into("sub")],
        );
        check(
            "cargo¦build¦--manifest-path¦sub/Cargo.toml",
            "rustc",
            "",
            &[into("sub")],
        );
        check(
            "cargo¦build¦--manifest-path=Cargo.toml",
            "rustc",
            "",
            std::slice::from_ref(&here),
        );
        check("sh¦-c¦cd sub && ./build", "rustc", "", &[into("sub")]);
        check(
            "sh¦-c¦(cd a && ruff check .) && (cd b && ruff check .)",
            "ruff",
            "",
            &[into("a"), into("b")],
        );
        check(
            "sh¦-c¦(cd a && mypy .); (cd b && ruff check .)",
            "ruff",
            "",
            &[into("b")],
        );
        check("sh¦-c¦(cd a && ./x); (cd b && ./y)", "ruff", "", &[]);
        check(
            "uv¦--directory¦api¦run¦ruff¦check",
            "ruff",
            "",
            &[into("api")],
        );
        check(
            "make",
            "ruff",
            "make -C sub\nmake[1]: Entering directory '/w/sub'\nruff check .\nm.py:1:8: F401 `os` imported\n",
            &[into("/w/sub"), here.clone()],
        );
        check(
            "make",
            "ruff",
            "cd sub && ruff check .\nm.py:1:8: F401 `os` imported\n",
            &[into("sub"), here.clone()],
        );
        check(
            "npm¦run¦lint¦-ws",
            "prettier",
            "> a@1.0.0 lint\n> prettier --check .\n\n[warn] m.py\nnpm error location /w/a\n\
             npm error workspace a@1.0.0\nnpm error command sh -c prettier --check .\n",
            &[
                into("/w/a"),
                here.clone().up_to(&["package.json"]),
                here.clone(),
            ],
        );
    }
}
