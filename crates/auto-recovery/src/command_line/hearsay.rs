//! The part of a command shown by an output that may be run again. Anybody can print a command, so
//! the words before a tool are taken from it only if they say how to start it, not what: no
//! variables, no other configuration or package, nothing that would be fetched.

use super::name::base_name;
use super::wrapper::{IN_FOLDER, is_assignment};

/// Options of starters that change neither the tool nor its origin, or that name a folder or a
/// file, which the person who runs it looks at.
const OPTIONS: [&str; 26] = [
    "--",
    "-m",
    "-n",
    "-T",
    "--no-TTY",
    "-q",
    "--quiet",
    "-s",
    "--silent",
    "--no",
    "--no-install",
    "--offline",
    "--no-sync",
    "--frozen",
    "--locked",
    "-C",
    "--dir",
    "--cwd",
    "--directory",
    "--project",
    "--prefix",
    "-d",
    "--working-dir",
    "-w",
    "--workspace",
    "-f",
];

/// Starters that fetch a missing package, or run in a container that may be anybody's.
const REFUSED: [&str; 3] = ["pnpx", "pipx", "dlx"];
const CONTAINERS: [&str; 3] = ["docker", "podman", "nerdctl"];

/// Options that keep a starter from fetching: the starter, the verb before the option if any, and
/// the option.
const KEPT_HERE: [(&str, Option<&str>, &str); 6] = [
    ("npx", None, "--no-install"),
    ("bunx", None, "--no-install"),
    ("uvx", None, "--offline"),
    ("npm", Some("exec"), "--offline"),
    ("npm", Some("x"), "--offline"),
    ("uv", Some("run"), "--no-sync"),
];

/// The words before a tool as they may be run again; `None` if they may not.
pub(super) fn repeatable(before: &[String]) -> Option<Vec<String>> {
    let mut made: Vec<String> = Vec::new();
    let mut rest = before;
    while let Some((word, after)) = rest.split_first() {
        if rest.len() > IN_FOLDER.len() && rest.iter().zip(IN_FOLDER).all(|(one, own)| one == own) {
            made.extend(rest[..=IN_FOLDER.len()].iter().cloned());
            rest = &rest[IN_FOLDER.len() + 1..];
            continue;
        }
        rest = after;
        let name = base_name(word);
        if name == "env" || is_assignment(word) {
            continue;
        }
        let is_strange = word.starts_with('-') && !OPTIONS.contains(&word.as_str());
        let is_any_container = CONTAINERS.contains(&name) && after.first()? != "compose";
        if is_strange || is_any_container || REFUSED.contains(&name) {
            return None;
        }
        made.push(word.clone());
        let begun = made.iter().rev().skip(1).map(|one| base_name(one));
        let own = KEPT_HERE.iter().find(|(starter, verb, _)| match verb {
            None => name == *starter,
            Some(verb) => name == *verb && begun.clone().any(|one| one == *starter),
        });
        let says_so = |option: &str| before.iter().any(|one| one == option);
        if let Some((_, _, option)) = own.filter(|(_, _, option)| !says_so(option)) {
            made.push((*option).to_owned());
        }
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_a_tool_is_run_again_as_far_as_it_says_how() {
        let check = |before: &str, expected: Option<&str>| {
            let words: Vec<_> = before.split_ascii_whitespace().map(str::to_owned).collect();
            let made = repeatable(&words).map(|words| words.join(" "));
            assert_eq!(made.as_deref(), expected, "{before}");
        };
        check("", Some(""));
        check("npx", Some("npx --no-install"));
        check("npx --no-install", Some("npx --no-install"));
        check("python3 -m", Some("python3 -m"));
        check("poetry -C api run", Some("poetry -C api run"));
        check("uv run", Some("uv run --no-sync"));
        check("npm exec --", Some("npm exec --offline --"));
        check(
            "docker compose exec -T app",
            Some("docker compose exec -T app"),
        );
        check("nice -n 5", Some("nice -n 5"));
        check("env PATH=/evil:/bin LD_PRELOAD=/x.so", Some(""));
        check("npx --yes --package=evil@latest", None);
        check("npx --prefix=/evil", None);
        check("uv run --with evil", None);
        check("uvx --from evil", None);
        check("pnpm dlx", None);
        check("pipx run", None);
        check("docker exec box", None);
        check("docker compose -H tcp://evil exec -T app", None);
    }
}
