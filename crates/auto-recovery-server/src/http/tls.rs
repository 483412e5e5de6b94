//! TLS of our own, by rustls.
//!
//! Nobody waits for a client that begins no handshake or does not finish one, and who speaks plain
//! HTTP is told so.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::mutex::lock;
use auto_recovery::{Error, ErrorKind, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::log::Log;

/// The time that a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The first byte of a handshake.
const HANDSHAKE_BYTE: u8 = 0x16;

/// What is answered to who speaks plain HTTP.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 46\r\nConnection: close\r\n\r\nthis is an HTTPS port: ask for https:// there\n";

/// What connections are encrypted with: what the files have. One that is replaced counts from the
/// next handshake on; what cannot be used is told, and what was used before stays.
#[derive(Clone)]
pub struct Tls(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    used: Mutex<Used>,
    log: Log,
}

struct Used {
    acceptor: TlsAcceptor,
    /// The files as they were when they were last read.
    stamps: [Option<Stamp>; 2],
}

/// The number, the size and the time of a file: another file has others.
type Stamp = (u64, u64, i64, i64);

impl Tls {
    /// With the chain of certificates in the file `certificate`, its own first, and the private key
    /// in the file `key`, both PEM.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if they cannot be used, do not belong together, or everybody can
    /// read the key.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self> {
        // Before they are read: what is written meanwhile is read once more.
        let stamps = [stamp(certificate), stamp(key)];
        let acceptor = acceptor(certificate, key)?;
        Ok(Self(Arc::new(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            used: Mutex::new(Used { acceptor, stamps }),
            log: Log::default(),
        })))
    }

    /// The same, which tells `log` of files that were replaced.
    pub(crate) fn telling(self, log: &Log) -> Self {
        let files = &self.0;
        let used = lock(&files.used);
        let (acceptor, stamps) = (used.acceptor.clone(), used.stamps);
        Self(Arc::new(Files {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            used: Mutex::new(Used { acceptor, stamps }),
            log: log.clone(),
        }))
    }

    /// The encrypted connection over `stream`; `None` if none came about in time.
    pub(super) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        tokio::time::timeout(HANDSHAKE, self.shake_hands(stream))
            .await
            .ok()?
            .ok()
    }

    async fn shake_hands(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE_BYTE {
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let files = Arc::clone(&self.0);
        let acceptor = tokio::task::spawn_blocking(move || files.acceptor()).await;
        acceptor.map_err(io::Error::other)?.accept(stream).await
    }
}

impl Files {
    /// What the files have by now; what they had, where that cannot be used.
    fn acceptor(&self) -> TlsAcceptor {
        let mut used = lock(&self.used);
        let stamps = [stamp(&self.certificate), stamp(&self.key)];
        if stamps != used.stamps {
            let file = json!(self.certificate.display().to_string());
            match acceptor(&self.certificate, &self.key) {
                Ok(acceptor) => {
                    used.acceptor = acceptor;
                    self.log.info("certificate_taken", vec![("file", file)]);
                }
                Err(error) => {
                    let why = json!(error.chain());
                    let fields = vec![("file", file), ("why", why)];
                    self.log.warn("certificate_not_taken", fields);
                }
            }
            used.stamps = stamps;
        }
        used.acceptor.clone()
    }
}

fn stamp(file: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor> {
    let refused = |path: &Path, why: &str| {
        Error::new(ErrorKind::InvalidInput, format!("{} {why}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| {
            refused(certificate, "is no file of PEM certificates").with_source(error)
        })?;
    if chain.is_empty() {
        return Err(refused(certificate, "has no PEM certificate"));
    }
    let found = std::fs::metadata(key);
    let found = found.map_err(|error| refused(key, "cannot be read").with_source(error))?;
    if found.permissions().mode() & 0o007 != 0 {
        let why = "is a private key that everybody can read: take that away with chmod o=";
        return Err(refused(key, why));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| refused(key, "has no PEM private key").with_source(error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::new(ErrorKind::Io, "set up encrypted connections").with_source(error)
        })?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| {
            let why = format!("and {} cannot be used together", key.display());
            refused(certificate, &why).with_source(error)
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_has_the_length_that_it_says() {
        let text = std::str::from_utf8(PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    }
}
