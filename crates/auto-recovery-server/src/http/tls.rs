//! TLS of our own, by rustls.
//!
//! Nobody waits for a client that begins no handshake or does not finish one, and who speaks plain
//! HTTP is told so.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::{Error, ErrorKind, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The time that a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The first byte of a handshake.
const HANDSHAKE_BYTE: u8 = 0x16;

/// What is answered to who speaks plain HTTP.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Content-Length: 46\r\nConnection: close\r\n\r\nthis is an HTTPS port: ask for https:// there\n";

/// What connections are encrypted with.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// With the chain of certificates in the file `certificate`, its own first, and the private key
    /// in the file `key`, both PEM.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if they cannot be used, do not belong together, or everybody can
    /// read the key.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self> {
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
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
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
        self.0.accept(stream).await
    }
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
