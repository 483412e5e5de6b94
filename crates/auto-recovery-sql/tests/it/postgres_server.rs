//! A PostgreSQL of the tests' own: made in a temporary directory, gone when the tests are.
#![expect(clippy::disallowed_methods, reason = "the tests need a real server")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::audit::Recorder;
use auto_recovery::host::{Host, SystemHost};
use auto_recovery_sql::{PostgresOptions, PostgresStore};
use tempfile::TempDir;

/// Debian's directory of the programs that are not in PATH.
const DEBIAN: &str = "/usr/lib/postgresql";

pub(crate) const PASSWORD: &str = "the%20secret";

/// The message where no server is installed.
const MISSING: &str = "PostgreSQL is not installed: install the package `postgresql` (`scripts/test` does), then run this again";

/// Waits for the server for at most 60 s.
const LOOKS_MAX: u32 = 1200;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The script that runs the server: it ends when the test process does, however that ends, then
/// stops the server and removes its directory. Told to `keep`, it leaves the directory. `$1` is the
/// data directory, `$2` the program, the rest are its arguments.
const GUARD: &str = r#"
data=$1; shift
"$@" >> "$data.log" 2>&1 < /dev/null &
server=$!
word=$(cat)
kill -QUIT "$server" 2> /dev/null
wait "$server"
[ "$word" = keep ] || rm -rf "$(dirname "$data")"
"#;

/// A server.
pub(crate) struct Server {
    dir: TempDir,
    port: u16,
    guard: Mutex<Option<Child>>,
    databases: AtomicU64,
}

/// The server that tests share which do not kill it. It waits for no disk.
pub(crate) fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(false, &[]))
}

impl Server {
    /// A new server with these settings; `is_safe` if its disk must survive what the tests do to
    /// it.
    pub(crate) fn start(is_safe: bool, settings: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        open_to_all(dir.path());
        let server = Self {
            port: free_port(),
            guard: Mutex::default(),
            databases: AtomicU64::new(0),
            dir,
        };
        let password = server.dir.path().join("password");
        fs::write(&password, PASSWORD.replace("%20", " ")).unwrap();
        own(server.dir.path());
        own(&password);
        // What SCRAM asks of the client takes longer than most tests, unoptimised as it is there.
        let auth = match settings.is_empty() {
            true => "--auth=password",
            false => "--auth=scram-sha-256",
        };
        let made = as_user(&program("initdb"))
            .arg("--pgdata")
            .arg(server.data())
            .args(["--username=postgres", auth, "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "--pwfile"])
            .arg(&password)
            .output()
            .unwrap();
        assert_done("initdb", &made);
        let mut config = settings.join("\n");
        if !is_safe {
            config.push_str("\nfsync = off\nfull_page_writes = off\n");
        }
        let file = fs::OpenOptions::new()
            .append(true)
            .open(server.data().join("postgresql.conf"));
        writeln!(file.unwrap(), "{config}").unwrap();
        server.run();
        server
    }

    /// Starts it, again if it was stopped.
    pub(crate) fn run(&self) {
        let guard = as_user(Path::new("sh"))
            .args(["-c", GUARD, "sh"])
            .arg(self.data())
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.data())
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=200",
            ])
            .arg("-c")
            .arg(format!("port={}", self.port))
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                self.dir.path().display()
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for _ in 0..LOOKS_MAX {
            if self.psql("postgres", "SELECT 1").status.success() {
                *self.guard.lock().unwrap() = Some(guard);
                return;
            }
            let _ = SystemHost::new().sleep(LOOK_PAUSE);
        }
        end(Some(guard));
        panic!("the server does not start: {}", self.log());
    }

    /// Kills it as the end of the world would: every process, none of them asked.
    pub(crate) fn kill(&self) {
        let guard = self.guard.lock().unwrap().take();
        let pid = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        // The parent first: it follows those that die by new ones.
        kill_all(&[pid]);
        loop {
            let left = processes_in(&self.data());
            if left.is_empty() {
                break;
            }
            kill_all(&left);
        }
        end(guard);
    }

    /// Stops it; who is connected is disconnected.
    pub(crate) fn stop(&self) {
        end(self.guard.lock().unwrap().take());
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.data().with_extension("log")).unwrap_or_default()
    }

    /// A new empty database.
    pub(crate) fn database(&'static self) -> Database {
        self.database_of(Some(self))
    }

    fn database_of(&self, server: Option<&'static Server>) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("d{number}");
        let made = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        assert_done("CREATE DATABASE", &made);
        Database {
            url: format!(
                "postgres://postgres:{PASSWORD}@127.0.0.1:{}/{name}",
                self.port
            ),
            name,
            server,
        }
    }

    /// A copy of `original`, which nobody may be connected to.
    pub(crate) fn copy_of(&'static self, original: &Database) -> Database {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("d{number}");
        let sql = format!("CREATE DATABASE {name} TEMPLATE {}", original.name);
        for _ in 0..LOOKS_MAX {
            // Whoever left may still be about to.
            if self.psql("postgres", &sql).status.success() {
                break;
            }
            let _ = SystemHost::new().sleep(LOOK_PAUSE);
        }
        Database {
            url: original.url.replace(&original.name, &name),
            name,
            server: Some(self),
        }
    }

    /// A new empty database of a server that is not shared.
    pub(crate) fn own_database(&self) -> Database {
        self.database_of(None)
    }

    /// Runs `sql` in psql, and returns its output.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> Output {
        Command::new(program("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
            ])
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .env("PGPASSWORD", PASSWORD.replace("%20", " "))
            .env("PGCONNECT_TIMEOUT", "5")
            .output()
            .unwrap()
    }

    /// The lines that `sql` gives.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        assert_done(sql, &output);
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A database of a server.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) name: String,
    server: Option<&'static Server>,
}

impl Database {
    /// The store in it.
    pub(crate) fn open(&self, options: PostgresOptions) -> PostgresStore {
        PostgresStore::open(
            &self.url,
            options,
            Recorder::new(Arc::new(SystemHost::new())),
        )
        .unwrap()
    }

    /// The lines that `sql` gives, where the server is shared.
    pub(crate) fn ask(&self, sql: &str) -> String {
        self.server.unwrap().ask(&self.name, sql)
    }
}

fn kill_all(pids: &[String]) {
    let killed = Command::new("sh")
        .args(["-c", "kill -9 \"$@\" 2> /dev/null; true", "sh"])
        .args(pids)
        .status();
    assert!(killed.unwrap().success());
}

/// The processes working in `dir`, as all of a server do, that have not ended.
fn processes_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap() {
        let process = process.unwrap();
        if fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == dir) {
            found.push(process.file_name().into_string().unwrap());
        }
    }
    found
}

/// Ends a guard, and with it the server.
fn end(guard: Option<Child>) {
    if let Some(mut guard) = guard {
        // It may have died.
        drop(guard.stdin.take().map(|mut guard| guard.write_all(b"keep")));
        guard.wait().unwrap();
    }
}

/// The program of this name of the newest PostgreSQL.
fn program(name: &str) -> PathBuf {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&in_path).collect();
    let mut versions: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .map(|found| found.map(|one| one.unwrap().path()).collect())
        .unwrap_or_default();
    versions.sort();
    places.extend(versions.iter().rev().map(|version| version.join("bin")));
    let found = places
        .iter()
        .map(|place| place.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{MISSING}"))
}

/// `program` as a user that PostgreSQL does not refuse to run as: it refuses root.
fn as_user(program: &Path) -> Command {
    let mut command = match user() {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", user, "--regid", user, "--clear-groups", "--"])
                .arg(program);
            command
        }
    };
    command.current_dir("/");
    command
}

/// User to run the server as, if not the one who runs the tests.
fn user() -> Option<&'static str> {
    static USER: OnceLock<Option<String>> = OnceLock::new();
    let user = USER.get_or_init(|| {
        let id = Command::new("id").arg("-u").output().unwrap();
        if id.stdout.trim_ascii() != b"0" {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let of = |name: &str| {
            let line = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            line.split(':').nth(2).map(str::to_owned)
        };
        Some(of("postgres").or_else(|| of("nobody")).unwrap())
    });
    user.as_deref()
}

/// Gives `path` to the user that the server runs as.
pub(crate) fn own(path: &Path) {
    if let Some(user) = user() {
        let id = user.parse().unwrap();
        std::os::unix::fs::chown(path, Some(id), None).unwrap();
    }
}

/// Lets the server's user through to what it owns.
fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn assert_done(what: &str, output: &Output) {
    let mut words = String::new();
    output.stderr.as_slice().read_to_string(&mut words).unwrap();
    assert!(output.status.success(), "{what}: {words}");
}
