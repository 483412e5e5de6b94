//! Files that import each other in a circle: nobody can read one of them without the others.
//!
//! Imports are resolved through re-exports to the file that defines a name. Circles are the
//! strongly connected components of that graph. Tests are free, as they are for the arrows; calls
//! of methods are not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::rust;
use super::tree::{File, Tree};

/// How many re-exports a name may pass through; more is a circle of re-exports.
const REEXPORTS_MAX: usize = 16;

pub(super) fn among_files(tree: &Tree) -> Vec<String> {
    let circles = circles(tree).into_iter();
    let found = circles.map(|circle| {
        format!(
            "these files import each other in a circle: {}: move what both need below them",
            circle.join(", ")
        )
    });
    found.collect()
}

/// Every circle, as sorted paths below `crates/`.
fn circles(tree: &Tree) -> Vec<Vec<String>> {
    let mut crates: BTreeMap<&str, Crate<'_>> = BTreeMap::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let below = file.path.strip_prefix("crates/");
        if let Some((name, place)) = below.and_then(|path| path.split_once("/src/")) {
            crates.entry(name).or_default().add(place, file);
        }
    }
    let mut found = Vec::new();
    for (name, krate) in crates {
        for circle in components(&krate.graph()) {
            let path = |place: &String| format!("{name}/{place}");
            found.push(circle.iter().map(path).collect());
        }
    }
    found
}

/// The modules of one crate by their paths; the root is the empty path.
#[derive(Default)]
struct Crate<'a> {
    modules: BTreeMap<Vec<String>, Module<'a>>,
}

struct Module<'a> {
    place: String,
    file: &'a File,
    /// What its `use` lines name: each path and the name it gets here, `*` for all.
    uses: Vec<(Vec<String>, String)>,
}

impl<'a> Crate<'a> {
    fn add(&mut self, place: &str, file: &'a File) {
        let steps = place.strip_suffix(".rs").unwrap_or(place);
        let mut path: Vec<_> = steps.split('/').map(str::to_owned).collect();
        let is_table = matches!(
            path.last().map(String::as_str),
            Some("mod" | "lib" | "main")
        );
        if is_table {
            path.pop();
        }
        let uses = uses(&file.shipped_code());
        let place = place.to_owned();
        self.modules.insert(path, Module { place, file, uses });
    }

    /// Each file and the files whose names it uses. Tables of contents import nothing: they
    /// re-export.
    fn graph(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut graph = BTreeMap::new();
        for (path, module) in &self.modules {
            let targets: &mut BTreeSet<String> = graph.entry(module.place.clone()).or_default();
            if is_table_of_contents(&module.place) {
                continue;
            }
            let code = module.file.shipped_code();
            let mut used = paths(&code);
            for (path, known) in &module.uses {
                let below = paths_from(&code, known).into_iter();
                used.extend(below.map(|below| [path, &below[1..]].concat()));
                used.push(path.clone());
            }
            for used in used {
                if let Some(target) = self.definer(path, &used, REEXPORTS_MAX)
                    && *target != module.place
                {
                    targets.insert(target.clone());
                }
            }
        }
        graph
    }

    /// The file that defines what `used` means in the module `at`; `None` if it is none of ours.
    fn definer(&self, at: &[String], used: &[String], depth: usize) -> Option<&String> {
        let (mut place, mut rest) = self.start(at, used)?;
        while let Some((name, tail)) = rest.split_first() {
            let below = [&place[..], std::slice::from_ref(name)].concat();
            let module = self.modules.get(&place)?;
            // A function may be named as the module that it is re-exported from.
            let is_reexported =
                tail.is_empty() && module.uses.iter().any(|(_, known)| known == name);
            if !is_reexported && self.modules.contains_key(&below) {
                (place, rest) = (below, tail);
                continue;
            }
            let through = module.uses.iter().filter(|(_, known)| known == name);
            let all = module.uses.iter().filter(|(_, known)| known == "*");
            let exact = through.map(|(path, _)| path.clone());
            let star = all.map(|(path, _)| [&path[..], std::slice::from_ref(name)].concat());
            for path in exact.chain(star).filter(|_| depth > 0) {
                let path = [&path[..], tail].concat();
                if let Some(found) = self.definer(&place, &path, depth - 1) {
                    return Some(found);
                }
            }
            break;
        }
        self.modules.get(&place).map(|module| &module.place)
    }

    /// Where the path `used`, written in the module `at`, begins, and what of it is left.
    fn start<'p>(&self, at: &[String], used: &'p [String]) -> Option<(Vec<String>, &'p [String])> {
        let (first, mut rest) = used.split_first()?;
        let mut place = at.to_vec();
        match first.as_str() {
            "crate" => place.clear(),
            "self" => {}
            "super" => {
                place.pop();
                while let Some(("super", tail)) = rest
                    .split_first()
                    .map(|(first, tail)| (first.as_str(), tail))
                {
                    place.pop();
                    rest = tail;
                }
            }
            _ => {
                // The name of a module that is declared here.
                place.push(first.clone());
                return self.modules.contains_key(&place).then_some((place, rest));
            }
        }
        Some((place, rest))
    }
}

fn is_table_of_contents(place: &str) -> bool {
    place == "lib.rs" || place == "mod.rs" || place.ends_with("/mod.rs")
}

/// The paths that `code` writes out, from `crate`, `super` or `self`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let roots = ["crate", "super", "self"].into_iter();
    roots.flat_map(|root| paths_from(code, root)).collect()
}

/// The paths of at least two names that begin with `root`.
fn paths_from(code: &str, root: &str) -> Vec<Vec<String>> {
    let begins = |at: &usize| {
        let follows_path = code[..*at].trim_end().ends_with("::");
        !follows_path && code[at + root.len()..].trim_start().starts_with("::")
    };
    let begun = rust::words(code, root).filter(begins);
    begun
        .flat_map(|at| tree_of(&code[at..]))
        .map(|(path, _)| path)
        .collect()
}

/// What the `use` lines of `code` name.
fn uses(code: &str) -> Vec<(Vec<String>, String)> {
    let lines = rust::words(code, "use").filter(|at| {
        let before = code[..*at].trim_end();
        before.is_empty() || before.ends_with([';', '}', ']', ')', '{']) || before.ends_with("pub")
    });
    lines.flat_map(|at| tree_of(&code[at + 3..])).collect()
}

/// The paths of the use tree or path that `code` begins with, each with the name it gets.
fn tree_of(code: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    collect(code, &[], &mut found);
    found
}

fn collect(code: &str, above: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = above.to_vec();
    let mut rest = code.trim_start();
    loop {
        rest = rest.trim_start().trim_start_matches("::").trim_start();
        if rest.starts_with('{') {
            let group = rust::close_of(rest, 0).map_or("", |close| &rest[1..close]);
            for item in items(group).filter(|item| !item.trim().is_empty()) {
                collect(item, &path, found);
            }
            return;
        }
        if rest.starts_with('*') {
            found.push((path, "*".to_owned()));
            return;
        }
        let word = rust::first_word(rest);
        if word.is_empty() {
            return;
        }
        let is_self = word == "self" && !path.is_empty();
        if !is_self {
            path.push(word.to_owned());
        }
        rest = rest[word.len()..].trim_start();
        if !rest.starts_with("::") {
            let alias = rest.strip_prefix("as ").map(rust::first_word);
            let last = path.last().cloned().unwrap_or_default();
            found.push((path, alias.map_or(last, str::to_owned)));
            return;
        }
    }
}

/// The items of a group, split at its own commas.
fn items(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    group.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
}

/// The strongly connected components of more than one node, each sorted.
fn components(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let mut reached = BTreeSet::new();
        let mut waiting = vec![from];
        while let Some(node) = waiting.pop() {
            for next in graph.get(node).into_iter().flatten() {
                if reached.insert(next) {
                    waiting.push(next);
                }
            }
        }
        reached
    };
    let reached: BTreeMap<_, _> = graph.keys().map(|node| (node, reach(node))).collect();
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for (node, from_here) in &reached {
        let circle = from_here
            .iter()
            .filter(|other| reached[**other].contains(node));
        let circle: Vec<String> = circle.map(|other| (*other).clone()).collect();
        if circle.len() > 1 && done.insert(circle.clone()) {
            found.push(circle);
        }
    }
    found
}

#[test]
fn finds_circles() {
    let check = |files: &[(&str, &str)], expected: &[&[&str]]| {
        let named: Vec<_> = files
            .iter()
            .map(|(place, text)| (format!("crates/a/src/{place}"), *text))
            .collect();
        let named: Vec<_> = named.iter().map(|(path, text)| (&**path, *text)).collect();
        let expected: Vec<Vec<String>> = expected
            .iter()
            .map(|circle| circle.iter().map(|file| format!("a/{file}")).collect())
            .collect();
        assert_eq!(circles(&Tree::of(&named)), expected, "{files:?}");
    };
    let (root, circle): (_, &[&[&str]]) = (("lib.rs", "mod b; mod c;"), &[&["b.rs", "c.rs"]]);
    check(&[root, ("b.rs", "use crate::c::C;"), ("c.rs", "")], &[]);
    check(
        &[
            root,
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "fn f() -> super::b::B {}"),
        ],
        circle,
    );
    check(
        &[
            root,
            ("b.rs", "use crate::{c::{C, D}};"),
            ("c.rs", "use super::b::{self};"),
        ],
        circle,
    );
    check(
        &[
            root,
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "#[cfg(test)] mod t { use crate::b::B; }"),
        ],
        &[],
    );
    let inside = |mod_file: &'static str, b: &'static str, c: &'static str| {
        [
            ("lib.rs", "mod m;"),
            ("m/mod.rs", mod_file),
            ("m/b.rs", b),
            ("m/c.rs", c),
        ]
    };
    let circle: &[&[&str]] = &[&["m/b.rs", "m/c.rs"]];
    let reexport = "mod b; mod c; pub(crate) use b::B; pub use self::c::C as Renamed;";
    check(
        &inside(reexport, "use crate::m::Renamed;", "use super::B;"),
        circle,
    );
    check(&inside(reexport, "use crate::m::C;", "use super::B;"), &[]);
    let through = "use crate::m; fn f() { m::Renamed::new() }";
    check(&inside(reexport, through, "use super::B;"), circle);
    check(
        &inside(
            "mod b; mod c; pub use c::*;",
            "use super::C;",
            "use super::b::B;",
        ),
        circle,
    );
}
