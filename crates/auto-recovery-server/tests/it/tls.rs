//! TLS: what comes over it, and what comes over it that is none.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use auto_recovery::ErrorKind;
use auto_recovery::host::SystemHost;
use auto_recovery::mutex::lock;
use auto_recovery_server::{Log, LogLine, LogSink, TlsFiles};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::client::{LONG, connect};
use crate::machine::{Kind, Machine, Running};

/// A certificate for `localhost`, and its key.
#[expect(clippy::disallowed_methods, reason = "the test needs a certificate")]
pub(crate) fn certificate(dir: &Path, name: &str) -> TlsFiles {
    let file = |ending: &str| dir.join(format!("{name}.{ending}"));
    let files = TlsFiles {
        certificate: file("crt"),
        key: file("key"),
    };
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&files.key)
        .arg("-out")
        .arg(&files.certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    set_mode(&files.key, 0o600);
    files
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

struct Secure {
    machine: Machine,
    files: TlsFiles,
    _dir: TempDir,
}

impl Secure {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self {
            machine: Machine::new(Kind::Jsonl),
            files: certificate(dir.path(), "server"),
            _dir: dir,
        }
    }

    fn start(&self) -> Running {
        self.machine
            .try_start_with(|options| options.tls = Some(self.files.clone()))
            .unwrap()
    }

    /// The answer to `request` over a connection whose certificate is verified.
    fn ask(&self, server: &Running, request: &str) -> String {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(&self.files.certificate).unwrap();
        roots.add(root).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, connect(server.address));
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        answer
    }
}

#[test]
fn answers_and_logins_are_encrypted() {
    let secure = Secure::new();
    let server = secure.start();
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    let head = "Host: localhost\r\nConnection: close\r\n";
    let bearer = server.bearer();
    let answer = secure.ask(
        &server,
        &format!("GET /stats HTTP/1.1\r\n{head}{bearer}\r\n\r\n"),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let request = format!("GET {} HTTP/1.1\r\n{head}\r\n", server.login);
    let answer = secure.ask(&server, &request);
    assert!(
        answer.contains("SameSite=Strict") && answer.contains("; Secure"),
        "{answer}"
    );
}

/// The names and values of the lines that a server tells.
fn lines_of(log: &Mutex<Vec<LogLine>>) -> Vec<String> {
    lock(log).iter().map(LogLine::to_text).collect()
}

#[test]
fn a_certificate_that_is_replaced_counts_from_the_next_handshake_on_and_a_broken_one_does_not() {
    let mut secure = Secure::new();
    let told: Arc<Mutex<Vec<LogLine>>> = Arc::default();
    let kept = Arc::clone(&told);
    let sink: LogSink = Arc::new(move |line| lock(&kept).push(line.clone()));
    let files = secure.files.clone();
    let server = secure
        .machine
        .try_start_with(|options| {
            options.tls = Some(files.clone());
            options.log = Log::new(sink, Arc::new(SystemHost::new()));
        })
        .unwrap();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(secure.ask(&server, request).ends_with("ok\n"));
    // A half-written one: the old one is used on.
    let dir = TempDir::new().unwrap();
    let new = certificate(dir.path(), "new");
    let old = std::fs::read(&files.certificate).unwrap();
    std::fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    let first = dir.path().join("first.crt");
    std::fs::write(&first, &old).unwrap();
    secure.files.certificate = first;
    assert!(secure.ask(&server, request).ends_with("ok\n"));
    assert!(secure.ask(&server, request).ends_with("ok\n"));
    let lines = lines_of(&told);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("warning certificate_not_taken"),
        "{lines:?}"
    );
    // Both files, as whoever renews them puts them there.
    for (from, to) in [
        (&new.key, &files.key),
        (&new.certificate, &files.certificate),
    ] {
        std::fs::rename(from, to).unwrap();
    }
    secure.files.certificate = files.certificate.clone();
    assert!(secure.ask(&server, request).ends_with("ok\n"));
    let lines = lines_of(&told);
    assert!(lines[1].contains("info certificate_taken"), "{lines:?}");
}

#[test]
fn plain_http_is_told_where_to_go() {
    let secure = Secure::new();
    let server = secure.start();
    let mut stream = connect(server.address);
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("https://"),
        "{answer}"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the limit is one of real time")]
fn half_a_handshake_holds_no_place() {
    let secure = Secure::new();
    let server = secure.start();
    let half: Vec<TcpStream> = (0..1100)
        .map(|number| {
            let mut stream = connect(server.address);
            if number % 2 == 0 {
                stream.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
            }
            stream
        })
        .collect();
    let begin = Instant::now();
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(secure.ask(&server, request).ends_with("ok\n"));
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    for mut stream in half {
        stream.set_read_timeout(Some(LONG)).unwrap();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
    }
    assert!(
        begin.elapsed() < Duration::from_secs(15),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let secure = Secure::new();
    let dir = TempDir::new().unwrap();
    let other = certificate(dir.path(), "other");
    let start = |certificate: &PathBuf, key: &PathBuf| {
        let files = TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let started = secure
            .machine
            .try_start_with(|options| options.tls = Some(files));
        let refused = started.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "{refused}");
        refused.to_string()
    };
    let TlsFiles { certificate, key } = &secure.files;
    assert!(start(certificate, certificate).contains("private key"));
    assert!(start(key, key).contains("certificate"));
    assert!(start(certificate, &other.key).contains("together"));
    assert!(start(&other.key.with_extension("gone"), key).contains("gone"));
    set_mode(key, 0o644);
    assert!(start(certificate, key).contains("everybody can read"));
    set_mode(key, 0o640);
    let plain = secure.machine.try_start_with(|options| {
        options.tls = Some(secure.files.clone());
        options.public_url = Some("http://recover.example.org".to_owned());
    });
    assert!(plain.err().unwrap().to_string().contains("https"));
}
