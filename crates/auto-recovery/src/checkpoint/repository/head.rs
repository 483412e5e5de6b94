//! The place of the user's HEAD: what git has begun with it, how it moved, and the way back.
//!
//! Read from git's files where their format is fixed, asked of git where it is not. Nothing here
//! writes: the way back is a command for a person.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::checkpoint::repository::stash;
use crate::checkpoint::repository::user_git::{common_dir, shortened, text_in};
use crate::checkpoint::tree::path::some_names;
use crate::checkpoint::tree::stamp::Stamp;
use crate::files::{Links, open_regular};
use crate::git::Git;

/// Symbolic references that are followed.
const REFERENCES_MAX: usize = 5;

/// Latest moves of a branch that are searched for a change of its name.
const RENAMES_MAX: &str = "100";

/// Bytes of the list of packed references that are searched: some 4 million references.
const PACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Commits that a message lists; more are counted.
const COMMITS_SHOWN: usize = 5;

/// The place of HEAD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::checkpoint) struct Head {
    /// The branch, as a whole reference; `None` when it is detached.
    pub(in crate::checkpoint) branch: Option<String>,
    /// The commit; `None` before the first.
    pub(in crate::checkpoint) commit: Option<String>,
    /// What git has begun with it.
    pub(in crate::checkpoint) begun: Option<Begun>,
    /// The commits of the user's stashes, oldest first.
    pub(in crate::checkpoint) stashes: Vec<String>,
}

/// What stops in the middle, and waits for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checkpoint) enum Begun {
    /// The commit that the file of this name has is merged, picked or taken back.
    With { file: &'static str, commit: String },
    /// A branch is rebased, or a detached HEAD, which was at a commit.
    Rebase { of: String, was: String },
}

impl Begun {
    fn of(git_dir: &Path) -> Option<Self> {
        let rebases = ["rebase-merge", "rebase-apply"].map(|name| git_dir.join(name));
        let rebase = rebases.iter().find_map(|dir| {
            let of = text_in(&dir.join("head-name"))?;
            let was = text_in(&dir.join("orig-head"))?;
            Some(Self::Rebase { of, was })
        });
        let with = |file| {
            let commit = text_in(&git_dir.join(file))?;
            let is_one = !commit.is_empty() && commit.bytes().all(|c| c.is_ascii_hexdigit());
            is_one.then_some(Self::With { file, commit })
        };
        rebase.or_else(|| STOPPED.into_iter().find_map(with))
    }

    /// The command that takes it up again.
    fn go_on(&self) -> Option<String> {
        match self {
            Self::With { file, commit } => Some(format!(
                "echo {commit} > \"$(git rev-parse --git-path {file})\""
            )),
            Self::Rebase { .. } => None,
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::With { file, commit } => {
                let commit = shortened(commit);
                let what = match *file {
                    "MERGE_HEAD" => "merge",
                    "REVERT_HEAD" => "revert",
                    _ => "cherry-pick",
                };
                format!("the {what} of {commit} that was under way")
            }
            Self::Rebase { of, .. } => {
                let of = of.trim_start_matches("refs/heads/");
                format!("the rebase of {of} that was under way")
            }
        }
    }
}

/// Git's files that name the commit which is merged, picked or taken back.
const STOPPED: [&str; 3] = ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD"];

/// The present place of HEAD.
pub(in crate::checkpoint) fn now(git: &Git, git_dir: &Path, root: &Path) -> Head {
    let Some(text) = text_in(&git_dir.join("HEAD")) else {
        return Head::default();
    };
    let begun = Begun::of(git_dir);
    let stashes = stash::all(git_dir);
    let Some(branch) = text.trim().strip_prefix("ref: ") else {
        return Head {
            branch: None,
            commit: Some(text.trim().to_owned()),
            begun,
            stashes,
        };
    };
    // If references are kept in tables, the file is a stand-in.
    if branch == "refs/heads/.invalid" {
        return Head {
            begun,
            stashes,
            ..asked_head(git, git_dir, root)
        };
    }
    Head {
        commit: resolved(git_dir, branch),
        branch: Some(branch.to_owned()),
        begun,
        stashes,
    }
}

fn asked_head(git: &Git, git_dir: &Path, root: &Path) -> Head {
    let ask = |args: &[&str]| {
        let answer = git.output(git.reading(git_dir, root, args), args[0]).ok()?;
        let answer = String::from_utf8_lossy(answer.trim_ascii()).into_owned();
        (!answer.is_empty()).then_some(answer)
    };
    Head {
        branch: ask(&["symbolic-ref", "--quiet", "HEAD"]),
        commit: ask(&["rev-parse", "--verify", "--quiet", "HEAD"]),
        begun: None,
        stashes: Vec::new(),
    }
}

/// The commit of a reference that is kept in files.
fn resolved(git_dir: &Path, reference: &str) -> Option<String> {
    let common = common_dir(git_dir);
    let mut reference = reference.to_owned();
    for _ in 0..REFERENCES_MAX {
        let loose = [git_dir, &common].map(|dir| text_in(&dir.join(&reference)));
        let Some(text) = loose.into_iter().flatten().next() else {
            break;
        };
        match text.trim().strip_prefix("ref: ") {
            Some(next) => reference = next.to_owned(),
            None => return Some(text.trim().to_owned()),
        }
    }
    let packed = open_regular(&common.join("packed-refs"), Links::Follow).ok()?;
    let packed = BufReader::new(packed.take(PACKED_BYTES_MAX));
    let mut lines = packed.split(b'\n').map_while(|line| line.ok());
    lines.find_map(|line| {
        let line = String::from_utf8(line).ok()?;
        let (commit, name) = line.split_once(' ')?;
        (name == reference).then(|| commit.to_owned())
    })
}

/// The meaning of a move of HEAD from `from`, where it was at `since_ns`, to `to`, and the stashes
/// that came and went, with the way back; `None` if nothing changed. The way back works whatever
/// the state of the files, and keeps them but where a rebase is ended.
pub(in crate::checkpoint) fn moved(
    git: &Git,
    git_dir: &Path,
    root: &Path,
    (from, to, since_ns): (&Head, &Head, Option<i64>),
) -> Option<String> {
    if from == to {
        return None;
    }
    if *to == Head::default() && !git_dir.join("HEAD").exists() {
        return Some(format!(
            "`{}` is gone, and with it what was committed: only a copy or a clone of it has that",
            git_dir.file_name()?.to_string_lossy()
        ));
    }
    let moved = head_moved(git, git_dir, root, (from, to, since_ns));
    let stashed = stash::changed(&from.stashes, &to.stashes);
    let told: Vec<_> = moved.into_iter().chain(stashed).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// The same of HEAD alone.
fn head_moved(
    git: &Git,
    git_dir: &Path,
    root: &Path,
    (from, to, since_ns): (&Head, &Head, Option<i64>),
) -> Option<String> {
    let ended = from.begun.as_ref().filter(|_| from.begun != to.begun);
    if let Some(told) = rebased(from, to, ended) {
        return Some(told);
    }
    let old = from.commit.as_deref().unwrap_or_default();
    let new = to.commit.as_deref().filter(|_| from.commit != to.commit);
    let commits = new.and_then(|new| Commits::between(git, git_dir, root, (old, new, since_ns)));
    let ended = ended.and_then(|ended| Some((ended.in_words(), ended.go_on()?)));
    if from.branch != to.branch {
        let commits = commits.map(|commits| format!(", {}", commits.in_words()));
        let back = way_back(git, git_dir, root, (from, to));
        let go_on = ended.map(|(_, go_on)| format!(" && {go_on}"));
        return Some(format!(
            "HEAD moved from {} ({}) to {} ({}){}: `{back}{}` goes back",
            branch(from),
            short(from),
            branch(to),
            short(to),
            commits.unwrap_or_default(),
            go_on.unwrap_or_default(),
        ));
    }
    let Some(commits) = commits else {
        let (what, go_on) = ended?;
        return Some(format!("{what} has ended: `{go_on}` takes it up again"));
    };
    // Git refuses a soft one in the middle of a merge; and the commits of others that came are no
    // work of this tree.
    let is_mixed = matches!(to.begun, Some(Begun::With { .. })) || commits.older > 0;
    let back = match old {
        "" => "git update-ref -d HEAD".to_owned(),
        _ if is_mixed && ended.is_none() => format!("git reset -q {}", short(from)),
        _ => format!("git reset --soft {}", short(from)),
    };
    let words = commits.in_words();
    Some(match ended {
        Some((what, go_on)) => format!(
            "{words}, and so {what} has ended: `{back} && {go_on}` takes that back, keeps the work \
             and takes it up again"
        ),
        None => format!("{words}: `{back}` takes that back and keeps the work"),
    })
}

/// What is said of a rebase that began or `ended` between `from` and `to`, with the way back.
fn rebased(from: &Head, to: &Head, ended: Option<&Begun>) -> Option<String> {
    let (was, is) = (short(from), short(to));
    if began_rebase(to, from) && from.begun != to.begun {
        let by_hand = match &from.branch {
            Some(branch) => format!("git symbolic-ref HEAD {branch} && git reset -q {was}"),
            None => format!("git reset -q {was}"),
        };
        // Git does not abort over files that an undo put back.
        return Some(format!(
            "a rebase is under way, HEAD moved from {was} to {is}: `git rebase --abort` goes back; \
             where git refuses that, `git rebase --quit && {by_hand}` does"
        ));
    }
    let ended = ended?;
    let Begun::Rebase { of, was } = ended else {
        return None;
    };
    let old = shortened(was);
    let switch = match to.branch.as_deref().unwrap_or(DETACHED) == of {
        true => String::new(),
        false => format!("git switch {} && ", of.trim_start_matches("refs/heads/")),
    };
    Some(format!(
        "{} has ended, HEAD moved to {} ({is}): `{switch}git reset -q {old}` goes back to before \
         it began",
        ended.in_words(),
        branch(to),
    ))
}

fn short(head: &Head) -> String {
    match &head.commit {
        Some(commit) => shortened(commit).to_owned(),
        None => "no commit".to_owned(),
    }
}

fn branch(head: &Head) -> &str {
    match &head.branch {
        Some(branch) => branch.trim_start_matches("refs/heads/"),
        None => "a detached HEAD",
    }
}

/// What git calls HEAD where it is detached.
const DETACHED: &str = "detached HEAD";

/// Whether a rebase of HEAD's branch or commit began and has not ended.
fn began_rebase(to: &Head, from: &Head) -> bool {
    let branch = from.branch.as_deref().unwrap_or(DETACHED);
    let commit = from.commit.as_deref().unwrap_or_default();
    matches!(&to.begun, Some(Begun::Rebase { of, was }) if of == branch && was == commit)
}

/// The command that puts HEAD back on its former branch. If the commit differs too, `git switch`
/// would refuse to touch undone or mended files.
fn way_back(git: &Git, git_dir: &Path, root: &Path, (from, to): (&Head, &Head)) -> String {
    let was = short(from);
    let is_moved = from.commit != to.commit;
    let to_commit = match &from.commit {
        Some(_) => format!(" && git reset -q {was}"),
        None => String::new(),
    };
    let reset = if is_moved { &*to_commit } else { "" };
    let Some(old) = &from.branch else {
        return match is_moved {
            true => format!("git switch --detach{reset}"),
            false => format!("git switch --detach {was}"),
        };
    };
    let ask = |args: &[&str]| {
        let answer = git.output(git.reading(git_dir, root, args), args[0]).ok();
        answer.map(|answer| String::from_utf8_lossy(&answer).into_owned())
    };
    if let Some(new) = &to.branch {
        let log = [
            "log",
            "-g",
            "--no-color",
            "--format=%gs",
            "-n",
            RENAMES_MAX,
            new,
            "--",
        ];
        let renamed = format!("Branch: renamed {old} to {new}");
        if ask(&log).is_some_and(|log| log.lines().any(|line| line == renamed)) {
            return format!("git branch -m {} {}{reset}", branch(to), branch(from));
        }
    }
    let now = ask(&["rev-parse", "--verify", "--quiet", old]);
    if !is_moved && now.as_deref().map(str::trim) == from.commit.as_deref() {
        return format!("git switch {}", branch(from));
    }
    format!("git symbolic-ref HEAD {old}{to_commit}")
}

/// The commits that came to HEAD.
struct Commits {
    /// Those that were made meanwhile, newest first: short names and subjects, quoted.
    made: Vec<String>,
    /// How many others came with them, or alone.
    older: usize,
    /// The newest of those.
    newest_older: String,
    /// The commit that HEAD is at.
    new: String,
}

impl Commits {
    /// The commits of `new` that `old` has not; an empty `old` has none. Made are those that were
    /// committed since: by git's whole seconds, and by the finer time of an object's own file.
    fn between(
        git: &Git,
        git_dir: &Path,
        root: &Path,
        (old, new, since_ns): (&str, &str, Option<i64>),
    ) -> Option<Self> {
        let not_old = format!("^{old}");
        let mut args = vec!["log", "--no-color", "--format=%ct %H %h %s", new];
        if !old.is_empty() {
            args.push(&not_old);
        }
        let listing = git.output(git.reading(git_dir, root, &args), "git log");
        let listing = String::from_utf8_lossy(&listing.ok()?).into_owned();
        let objects = common_dir(git_dir).join("objects");
        let is_made = |at: &str, commit: &str| {
            let Some(since_ns) = since_ns else {
                return true;
            };
            let seconds = since_ns.div_euclid(1_000_000_000);
            let is_since = at.parse().is_ok_and(|at: i64| at >= seconds);
            is_since && written_ns(&objects, commit).is_none_or(|written| written >= since_ns)
        };
        let mut commits = Self {
            made: Vec::new(),
            older: 0,
            newest_older: String::new(),
            new: shortened(new).to_owned(),
        };
        for line in listing.lines() {
            let mut parts = line.splitn(3, ' ');
            let (Some(at), Some(commit), Some(said)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if is_made(at, commit) {
                commits.made.push(format!("{said:?}"));
            } else {
                commits.older += 1;
                if commits.older == 1 {
                    commits.newest_older = format!("{said:?}");
                }
            }
        }
        Some(commits)
    }

    fn in_words(&self) -> String {
        let more = match self.older {
            0 => String::new(),
            1 => format!("1 older commit, {}", self.newest_older),
            more => format!("{more} older commits, the newest {}", self.newest_older),
        };
        match (self.made.is_empty(), self.older) {
            (true, 0) => format!(
                "committed nothing new, but moved the branch to {}",
                self.new
            ),
            (true, _) => format!("brought in {more}"),
            (false, 0) => format!("committed {}", some_names(&self.made, COMMITS_SHOWN)),
            (false, _) => format!(
                "committed {}, and brought in {more}",
                some_names(&self.made, COMMITS_SHOWN)
            ),
        }
    }
}

/// When the file of an object was written; `None` where it has none of its own.
fn written_ns(objects: &Path, id: &str) -> Option<i64> {
    let (dir, name) = id.split_at_checked(2)?;
    let stat = rustix::fs::lstat(objects.join(dir).join(name)).ok()?;
    Some(Stamp::of(&stat).mtime_ns)
}
