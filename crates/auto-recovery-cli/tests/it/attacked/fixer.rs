//! Trees and fixers, drawn at random.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use auto_recovery::testing::Random;

use super::{make_link, try_to_give};

/// The modes of files.
const FILE_MODES: [u32; 7] = [0o644, 0o600, 0o755, 0o444, 0o664, 0o000, 0o4755];

/// The modes of directories.
const DIRECTORY_MODES: [&str; 5] = ["000", "111", "500", "555", "700"];

/// A drawn tree.
#[derive(Debug)]
pub(super) struct Ground {
    files: Vec<String>,
    directories: Vec<String>,
    has_git: bool,
}

impl Ground {
    /// Draws a tree and makes it below `root`.
    pub(super) fn draw(root: &Path, random: &mut Random) -> Self {
        let mut directories = vec![".".to_owned()];
        for number in 0..random.below(6) {
            let above = directories[random.index(directories.len())].clone();
            directories.push(format!("{above}/d{number}"));
        }
        for directory in &directories {
            fs::create_dir_all(root.join(directory)).expect("make a directory");
        }
        let mut files: Vec<String> = Vec::new();
        for number in 0..3 + random.below(12) {
            let directory = &directories[random.index(directories.len())];
            let file = format!("{directory}/f{number}");
            let at = root.join(&file);
            match random.below(10) {
                0 if !files.is_empty() => {
                    let other = root.join(&files[random.index(files.len())]);
                    fs::hard_link(other, at).expect("make a hard link");
                }
                1 => fs::hard_link(root.join("../outside/a"), at).expect("make a hard link"),
                2 => {
                    make_link("f0", &at);
                    continue;
                }
                _ => fs::write(&at, format!("text {number}\n")).expect("write a file"),
            }
            files.push(file);
        }
        fs::write(root.join(".gitignore"), "node_modules/\n.env\n").expect("write a file");
        fs::create_dir_all(root.join("node_modules/p")).expect("make a directory");
        fs::write(root.join("node_modules/p/i.js"), "1\n").expect("write a file");
        fs::write(root.join(".env"), "K=1\n").expect("write a file");
        fs::write(root.join("server.key"), "K=3\n").expect("write a file");
        let has_git = random.chance(50);
        if has_git {
            git_init(root);
        }
        for file in &files {
            let at = root.join(file);
            if random.chance(10) && rustix::process::geteuid().is_root() {
                try_to_give(&at, 1_234);
            }
            if random.chance(40) {
                let mode = fs::Permissions::from_mode(random.one_of(&FILE_MODES));
                fs::set_permissions(&at, mode).expect("set a mode");
            }
        }
        Self {
            files,
            directories,
            has_git,
        }
    }

    fn file<'a>(&'a self, random: &mut Random) -> &'a str {
        &self.files[random.index(self.files.len())]
    }

    fn directory<'a>(&'a self, random: &mut Random) -> &'a str {
        &self.directories[random.index(self.directories.len())]
    }

    /// Draws a directory that is not the root itself, if there is one.
    fn inner<'a>(&'a self, random: &mut Random) -> &'a str {
        match self.directories.len() {
            1 => "made",
            length => &self.directories[1 + random.index(length - 1)],
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test makes a repository")]
fn git_init(root: &Path) {
    let made = Command::new("git")
        .args(["init", "-q"])
        .current_dir(root)
        .stdin(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "git init");
}

/// A fixer: a few moves, each a line of a shell script.
pub(super) struct Fixer(Vec<String>);

impl fmt::Debug for Fixer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ {} }}", self.0.join(" ;; "))
    }
}

impl Fixer {
    /// Draws a fixer for `ground`; one that `helps` leaves nothing running.
    pub(super) fn draw(ground: &Ground, random: &mut Random, may_mount: bool, helps: bool) -> Self {
        let mut moves = Vec::new();
        for number in 0..1 + random.below(7) {
            let drawn = match random.below(100) {
                0..=29 => a_write(ground, random, number),
                30..=49 => a_mode(ground, random, number),
                50..=64 => a_link(ground, random, number),
                65..=79 => a_swap(ground, random, number),
                80..=84 => a_secret_one(ground, random, number),
                85..=89 => an_ignored_one(ground, random, number),
                90..=94 if may_mount => a_mount(ground, random, number),
                95..=99 if !helps => a_writer(random, number),
                _ => an_awkward_one(ground, random, number),
            };
            moves.push(drawn);
        }
        if helps {
            moves.push("touch cured".to_owned());
        }
        Self(moves)
    }

    /// The moves as a script that survives a failing move.
    pub(super) fn script(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|line| format!("{{ {line}; }} 2>/dev/null || :"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn a_write(ground: &Ground, random: &mut Random, number: u64) -> String {
    let (file, directory) = (ground.file(random), ground.directory(random));
    match random.below(7) {
        0 => format!("echo new{number} > {file}"),
        1 => format!("echo more >> {file}"),
        2 => format!("rm -rf {file}"),
        3 => format!("mv {file} {directory}/moved{number}"),
        // Neither its size nor its time reveals the change.
        4 => format!(
            "cp -p {file} ../ref{number}; printf X | dd of={file} bs=1 count=1 conv=notrunc; \
             touch -r ../ref{number} {file}"
        ),
        5 => format!(
            "cp {file} {directory}/copy{number}; rm -f {file}; mv {directory}/copy{number} {file}"
        ),
        _ => format!("mkdir -p {directory}/n{number}/m; echo x > {directory}/n{number}/m/f"),
    }
}

fn a_mode(ground: &Ground, random: &mut Random, number: u64) -> String {
    let (file, directory) = (ground.file(random), ground.directory(random));
    let closed = random.one_of(&DIRECTORY_MODES);
    match random.below(6) {
        0 => format!("chmod {:o} {file}", random.one_of(&FILE_MODES)),
        1 => format!(
            "mkdir {directory}/c{number}; echo x > {directory}/c{number}/f; \
             chmod {closed} {directory}/c{number}"
        ),
        2 => format!("echo x > {directory}/z{number}; chmod 000 {directory}/z{number}"),
        3 => format!(
            "echo x > {directory}/y{number}; chmod {closed} {}",
            ground.inner(random)
        ),
        4 => format!(
            "mkdir -p {directory}/k{number}/l; echo x > {directory}/k{number}/l/f; \
             chmod {closed} {directory}/k{number}/l {directory}/k{number}"
        ),
        _ => format!("chown 1234:1234 {file}; chmod 4755 {file}"),
    }
}

fn a_link(ground: &Ground, random: &mut Random, number: u64) -> String {
    let (file, other) = (ground.file(random), ground.file(random));
    let directory = ground.directory(random);
    match random.below(8) {
        0 => format!("ln {file} {directory}/h{number}"),
        1 => format!("ln -f {file} {other}"),
        2 => format!("ln {file} {directory}/h{number}; echo via > {directory}/h{number}"),
        3 => format!("ln ../outside/a {directory}/o{number}"),
        4 => format!("ln -f ../outside/a {file}"),
        5 => format!("ln -sf ../outside/d/b {file}"),
        6 => format!("ln {file} {directory}/h{number}; chmod 711 {directory}/h{number}"),
        _ => format!("ln -f {file} .env"),
    }
}

fn a_swap(ground: &Ground, random: &mut Random, number: u64) -> String {
    let (file, inner) = (ground.file(random), ground.inner(random));
    match random.below(6) {
        0 => format!("rm -f {file}; mkdir {file}; echo x > {file}/in"),
        1 => format!("rm -f {file}; mkdir -p {file}/node_modules; echo x > {file}/node_modules/in"),
        2 => format!("rm -rf {inner}; echo x > {inner}"),
        3 => format!("rm -rf {inner}; ln -s ../outside {inner}"),
        4 => format!("mv {inner} {inner}.moved{number}"),
        _ => format!("mv {inner} t{number}; ln -s t{number} {inner}"),
    }
}

fn an_ignored_one(ground: &Ground, random: &mut Random, number: u64) -> String {
    let directory = ground.directory(random);
    match random.below(7) {
        0 => format!("printf '*\\n' > {directory}/.gitignore; echo x > {directory}/i{number}"),
        1 => "rm -f .gitignore".to_owned(),
        2 => "echo 2 > node_modules/p/i.js".to_owned(),
        3 => "rm -rf node_modules".to_owned(),
        4 => "echo K=2 > .env".to_owned(),
        5 => "mv .env .env.old".to_owned(),
        _ => format!("mv node_modules {directory}/modules{number}"),
    }
}

/// A move with a file that is watched for its name.
fn a_secret_one(ground: &Ground, random: &mut Random, number: u64) -> String {
    let (file, directory) = (ground.file(random), ground.directory(random));
    match random.below(11) {
        0 => "echo K=4 > server.key".to_owned(),
        1 => "rm -f server.key".to_owned(),
        2 => format!("mv server.key {directory}/moved{number}"),
        3 => format!("mv server.key {file}"),
        4 => "mv server.key server.key.old; echo K=5 > server.key".to_owned(),
        5 => format!("ln server.key {directory}/h{number}"),
        6 => format!("cp -p server.key {directory}/copy{number}.pem"),
        7 => format!("mv {file} {directory}/id_rsa"),
        8 => "mv server.key .env".to_owned(),
        9 => format!("chmod {:o} server.key", random.one_of(&FILE_MODES)),
        _ => format!("echo x > {directory}/new{number}.pem"),
    }
}

fn a_mount(ground: &Ground, random: &mut Random, number: u64) -> String {
    let inner = ground.inner(random);
    match random.below(4) {
        0 => format!("mkdir m{number}; mount --bind ../outside m{number}"),
        1 => format!("mount --bind ../outside {inner}"),
        2 => format!("mkdir m{number}; mount -t tmpfs none m{number}; echo x > m{number}/f"),
        _ => format!("mkdir m{number}; mount --bind {inner} m{number}"),
    }
}

/// A program that continues to write after the fixer has ended.
fn a_writer(random: &mut Random, number: u64) -> String {
    let write = format!(
        "i=0; while [ $i -lt 3000 ]; do echo l >> log{number}; i=$((i+1)); sleep 0.01; done"
    );
    let start = random.one_of(&["", "setsid ", "setsid env -i PATH=/usr/bin:/bin "]);
    format!("{start}sh -c '{write}' >/dev/null 2>&1 & sleep 0.05")
}

fn an_awkward_one(ground: &Ground, random: &mut Random, number: u64) -> String {
    let directory = ground.directory(random);
    match random.below(7) {
        0 => format!("mkfifo {directory}/p{number}"),
        1 => format!("echo x > \"$(printf '{directory}/\\377odd')\""),
        2 => format!("echo x > {directory}/.recover-restore-0123456789ab.tmp"),
        3 => format!("mkdir {directory}/.GIT; echo x > {directory}/.GIT/config"),
        4 => format!("truncate -s 11M {directory}/large{number}"),
        5 if ground.has_git => {
            "git add -A; git -c user.name=a -c user.email=a@b commit -qm x".to_owned()
        }
        5 => format!("rmdir {directory}/*"),
        _ => format!("echo x > '{directory}/with space{number}'"),
    }
}
