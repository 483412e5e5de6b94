//! Accepting connections, so that none holds a place for ever and all end when the server does.
//!
//! `axum::serve` has no limit on the time that a request's head takes, and waits for streams at its
//! end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::mutex::lock;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::guard::Peer;
use super::tls::Tls;

/// The time that a request's head may take, and that a connection may be idle.
const HEAD: Duration = Duration::from_secs(5);

/// The time that answers under way have to end with the server.
const DRAIN: Duration = Duration::from_millis(700);

/// The pause after a connection could not be accepted, for want of descriptors as a rule.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection that is open.
struct Open {
    /// Whether it ever sent the whole head of a request.
    has_asked: AtomicBool,
    /// Told to end.
    end: Notify,
}

/// The connections that are open, the oldest first.
type Opened = Arc<Mutex<BTreeMap<u64, Arc<Open>>>>;

/// Answers connections of `listener`, at most `connections_max` at once and encrypted by `tls` if
/// there is some, with `router` until `shutdown` becomes true, then lets answers end that do so
/// soon.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    connections_max: usize,
    shutdown: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
    let opened = Opened::default();
    let mut tasks = JoinSet::new();
    let mut number = 0;
    let mut over = pin!(ended(shutdown.clone()));
    loop {
        let accepted = tokio::select! {
            () = &mut over => break,
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let place = tokio::select! {
            () = &mut over => break,
            place = place(&places, &opened) => place,
        };
        let Some(place) = place else { break };
        number += 1;
        let open = Arc::new(Open {
            has_asked: AtomicBool::new(false),
            end: Notify::new(),
        });
        lock(&opened).insert(number, Arc::clone(&open));
        let (opened, router, shutdown) = (Arc::clone(&opened), router.clone(), shutdown.clone());
        let tls = tls.clone();
        tasks.spawn(async move {
            // What is sent is whole; waiting for more would only delay it.
            let _slower = stream.set_nodelay(true);
            match tls {
                None => connection(stream, peer, router, &open, shutdown).await,
                Some(tls) => encrypted((stream, tls), peer, router, &open, shutdown).await,
            }
            lock(&opened).remove(&number);
            drop(place);
        });
    }
    drop(listener);
    let drained = async { while tasks.join_next().await.is_some() {} };
    let _late = tokio::time::timeout(DRAIN, drained).await;
}

/// Waits until `shutdown` is true, or nobody can make it so.
pub(crate) async fn ended(mut shutdown: watch::Receiver<bool>) {
    let _nobody = shutdown.wait_for(|is_over| *is_over).await;
}

/// A place for one more connection. Where there is none, the oldest that never asked for anything
/// makes room.
async fn place(places: &Arc<Semaphore>, opened: &Opened) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    {
        let opened = lock(opened);
        let silent = opened
            .values()
            .find(|one| !one.has_asked.load(Ordering::Relaxed));
        if let Some(silent) = silent {
            silent.end.notify_one();
        }
    }
    Arc::clone(places).acquire_owned().await.ok()
}

/// Answers what comes over `stream` once it is encrypted.
async fn encrypted(
    (stream, tls): (TcpStream, Tls),
    peer: SocketAddr,
    router: Router,
    open: &Open,
    shutdown: watch::Receiver<bool>,
) {
    let accepted = tokio::select! {
        accepted = tls.accept(stream) => accepted,
        () = open.end.notified() => None,
        () = ended(shutdown.clone()) => None,
    };
    if let Some(stream) = accepted {
        connection(stream, peer, router, open, shutdown).await;
    }
}

/// Answers what comes over `stream`.
async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    open: &Open,
    shutdown: watch::Receiver<bool>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        open.has_asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Peer(peer.ip()));
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = open.end.notified() => return,
        () = ended(shutdown) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Whether the other side heard the end is its own business.
    let _gone = connection.await;
}
