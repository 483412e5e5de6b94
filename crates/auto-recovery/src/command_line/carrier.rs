//! What a runner of several tasks puts before each line of theirs.

/// The text of `line` behind what carries it, and the folder that this names, if it does.
pub(super) fn uncarried(line: &str) -> (Option<&str>, &str) {
    let line = line.trim_start_matches(['┃', '│']).trim_start();
    if let Some((name, rest)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        && is_name(name)
    {
        return (None, rest.trim_start_matches(':').trim_start());
    }
    if let Some((head, rest)) = line.split_once(" | ")
        && is_name(head.trim_end())
    {
        return (None, rest.trim_start());
    }
    match line.split_once(": ") {
        Some((head, rest)) => match head.split(' ').collect::<Vec<_>>()[..] {
            [name] if is_name(name) => (None, rest),
            [folder, task] if is_folder(folder) && is_name(task) => (Some(folder), rest),
            _ => (None, line),
        },
        None => (None, line),
    }
}

/// A command that a runner of a package's workspaces announces, as `packages/a lint$ eslint .`.
pub(super) fn in_folder(line: &str) -> Option<(&str, &str)> {
    let (head, command) = line.split_once("$ ")?;
    let (folder, task) = head.split_once(' ')?;
    (is_folder(folder) && is_name(task)).then_some((folder, command))
}

fn is_name(word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "@/._:#-".contains(c);
    !word.is_empty() && word.chars().all(is_part)
}

fn is_folder(word: &str) -> bool {
    is_name(word) && (word.contains('/') || word == ".") && !word.contains(':')
}
