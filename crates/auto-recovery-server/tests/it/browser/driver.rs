//! WebDriver over plain HTTP, as much of it as is needed here.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use auto_recovery::mutex::lock;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, ask};
use crate::machine::Running;

/// What keeps a browser from doing anything but showing pages of ours.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
];

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser and its driver; both end with it.
pub(super) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    server: String,
    _home: TempDir,
    /// One browser at a time: what one measures another does not disturb.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) is_dark: bool,
    pub(super) has_script: bool,
}

pub(super) const DESK: Look = Look {
    width: 1280,
    height: 900,
    is_dark: false,
    has_script: true,
};

pub(super) const TELEPHONE: Look = Look {
    width: 390,
    height: 844,
    ..DESK
};

impl Browser {
    /// A new browser that is logged in to `server`.
    pub(super) fn of(server: &Running) -> Self {
        let turn = lock(&TURN);
        let home = TempDir::new().unwrap();
        let (driver, address) = start_driver(home.path());
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([&*profile]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": 20_000, "pageLoad": 20_000},
        }}});
        let mut browser = Self {
            driver,
            address,
            session: String::new(),
            server: format!("http://{}", server.address),
            _home: home,
            _turn: turn,
        };
        let begun = browser.post("", &wanted);
        browser.session = format!("/{}", begun["sessionId"].as_str().unwrap());
        browser.log_in(&server.token);
        browser
    }

    /// Logs in with the token: a link is good for a minute, and others may have had their turn.
    fn log_in(&self, token: &str) {
        self.open("/login");
        let form = "
            document.querySelector('input[name=token]').value = arguments[0];
            document.querySelector('input[name=token]').form.submit();
            return null;
        ";
        self.run(form, &[json!(token)]);
        while self.run("return location.pathname", &[]) != "/" {
            std::thread::yield_now();
        }
    }

    /// Opens `path` of the server.
    pub(super) fn open(&self, path: &str) {
        self.post("/url", &json!({"url": self.server.clone() + path}));
    }

    /// What `script`, the body of a function, returns for `arguments`.
    pub(super) fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let what = json!({"script": script, "args": arguments});
        self.post("/execute/sync", &what)
    }

    /// What `script` gives to its last argument, a function.
    pub(super) fn wait_for(&self, script: &str, arguments: &[Value]) -> Value {
        let what = json!({"script": script, "args": arguments});
        self.post("/execute/async", &what)
    }

    /// Types `keys`, wherever the focus is.
    pub(super) fn press(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let what = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.post("/actions", &what);
    }

    /// Clicks on the first element that `selector` finds.
    pub(super) fn click(&self, selector: &str) {
        let what = json!({"using": "css selector", "value": selector});
        let found = self.post("/element", &what);
        let element = found[ELEMENT].as_str().unwrap();
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Looks at pages as `look` says from now on.
    pub(super) fn look(&self, look: Look) {
        let size = json!({
            "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let scheme = if look.is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", &features);
        let disabled = json!({"value": !look.has_script});
        self.command("Emulation.setScriptExecutionDisabled", &disabled);
    }

    /// Sends a command of the browser's own protocol.
    pub(super) fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": name, "params": parameters}),
        )
    }

    /// What the browser complained of since it was last asked.
    pub(super) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let lines = log.as_array().unwrap().iter();
        let bad = lines.filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG");
        bad.map(|line| line["message"].to_string()).collect()
    }

    /// The page as a picture, as large as the look.
    pub(super) fn picture(&self) -> Vec<u8> {
        let taken = self.get("/screenshot");
        base64(taken.as_str().unwrap())
    }

    /// Opens one more tab and goes to it.
    pub(super) fn new_tab(&self) -> String {
        let tab = self.post("/window/new", &json!({"type": "tab"}));
        let handle = tab["handle"].as_str().unwrap().to_owned();
        self.go_to(&handle);
        handle
    }

    /// Goes to the tab `handle`.
    pub(super) fn go_to(&self, handle: &str) {
        self.post("/window", &json!({"handle": handle}));
    }

    /// Closes the tab that it is in.
    pub(super) fn close_tab(&self) {
        self.request("DELETE", "/window", b"");
    }

    /// The tab that it is in.
    pub(super) fn tab(&self) -> String {
        self.get("/window").as_str().unwrap().to_owned()
    }

    fn get(&self, path: &str) -> Value {
        value(path, &self.request("GET", path, b""))
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        value(
            path,
            &self.request("POST", path, body.to_string().as_bytes()),
        )
    }

    fn request(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let line = format!("{method} /session{}{path}", self.session);
        ask(
            self.address,
            &line,
            &["Content-Type: application/json"],
            body,
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is told to end itself, and only then.
        if let Ok(mut stream) = std::net::TcpStream::connect(self.address) {
            let line = format!("GET /shutdown HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
            let _ = stream.write_all(line.as_bytes());
            let _ = self.driver.wait();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests start the programs they test with"
)]
fn start_driver(home: &Path) -> (Child, SocketAddr) {
    let path = std::env::var_os("PATH").unwrap();
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .env_clear()
        .env("PATH", path)
        .env("HOME", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("chromedriver, which scripts/test installs: {error}"));
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.by_ref().map(Result::unwrap).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    let port = port.expect("a driver that says where it listens");
    (driver, SocketAddr::from(([127, 0, 0, 1], port)))
}

fn value(path: &str, answer: &Answer) -> Value {
    let value = answer.json()["value"].take();
    assert_eq!(answer.status, 200, "{path}: {value}");
    value
}

/// The bytes that `text` is of.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let values = digits.map(|byte| DIGITS.find(char::from(byte)).unwrap() as u32);
    let values: Vec<u32> = values.collect();
    let mut bytes = Vec::with_capacity(values.len() * 3 / 4);
    for four in values.chunks(4) {
        let bits = (0..4).fold(0, |bits, place| bits << 6 | four.get(place).unwrap_or(&0));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}

/// The text of the file that `npm` installed among the tools of the tests.
pub(super) fn of_npm(path: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    install(&folder);
    let file = folder.join("node_modules").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests start the programs they test with"
)]
fn install(folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/tools");
    let installed = Command::new(script).arg(folder).output();
    let installed = installed.expect("start scripts/tools");
    let said = String::from_utf8_lossy(&installed.stderr);
    assert!(installed.status.success(), "scripts/tools: {said}");
}
