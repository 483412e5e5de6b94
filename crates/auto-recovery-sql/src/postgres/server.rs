//! The way to the server: connections whose tables are as this release wants them, and writes on
//! one. What becomes of a write that the server does not take is the outbox's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auto_recovery::Result;
use auto_recovery::host::Host;
use auto_recovery::spool::Notice;

use super::address::Address;
use super::failure::explain;
use super::group::Group;
use super::link::{Lease, Link};
use super::options::PostgresOptions;
use super::probe::Probe;
use super::write::Failed;
use super::{migrate, write};
use auto_recovery::mutex::lock;

/// How much longer a write may take for each thing in it.
const ITEM_TIMEOUT: Duration = Duration::from_millis(1);

/// A store's way to its server.
pub(super) struct Server {
    pub address: Arc<Address>,
    pub options: PostgresOptions,
    pub host: Arc<dyn Host>,
    link: Mutex<Option<Arc<Link>>>,
    is_migrated: AtomicBool,
}

impl Server {
    pub(super) fn new(url: &str, options: PostgresOptions, host: &Arc<dyn Host>) -> Result<Self> {
        Ok(Self {
            address: Arc::new(Address::parse(url, options.connect_timeout)?),
            options,
            host: Arc::clone(host),
            link: Mutex::default(),
            is_migrated: AtomicBool::new(false),
        })
    }

    /// The way to the server, in this process.
    pub(super) fn link(&self) -> Result<Arc<Link>> {
        let mut link = lock(&self.link);
        if let Some(link) = &*link
            && link.pid == std::process::id()
        {
            return Ok(Arc::clone(link));
        }
        let new = Arc::new(Link::new(
            Arc::clone(&self.address),
            self.options.durability,
            self.options.read_timeout,
            self.options.connect_timeout,
            self.options.connections_max,
            Arc::clone(&self.host),
        )?);
        if let Some(of_parent) = link.replace(Arc::clone(&new)) {
            // Its locks may be held by threads that a fork did not take along: it is never touched
            // again.
            Box::leak(Box::new(of_parent));
        }
        Ok(new)
    }

    /// A connection to a server whose tables are as this release wants them.
    pub(super) fn connection(&self) -> Result<Lease> {
        let lease = self.link()?.connection()?;
        if !self.is_migrated.load(Ordering::Acquire) {
            let (link, doing) = (lease.link(), "look at the tables");
            let looked = migrate::is_there(&self.address, &lease);
            let is_there = link.run(doing, self.options.write_timeout, looked)?;
            // Tables that are made or changed may take their time.
            let ensured = migrate::ensure(&self.address, &lease, is_there);
            link.run(doing, self.options.read_timeout, ensured)?;
            self.is_migrated.store(true, Ordering::Release);
        }
        Ok(lease)
    }

    /// Takes back what was begun on a connection, so that others can use it.
    pub(super) fn take_back(&self, lease: Lease) {
        let failed = |error| explain(&self.address, "take back a write", error);
        let taking_back = async { lease.batch("ROLLBACK").await.map_err(failed) };
        let limit = self.options.write_timeout;
        if lease
            .link()
            .run("take back a write", limit, taking_back)
            .is_ok()
        {
            lease.give_back();
        }
    }

    /// Writes `group` on a connection.
    pub(super) fn write_on(&self, lease: &Lease, group: &mut Group) -> Result<(), Failed> {
        // What is much may take its time.
        let limit = self.options.write_timeout + ITEM_TIMEOUT * group.items.len() as u32;
        let mut result = Ok(());
        let writing = async {
            result = write::write(&self.address, lease, group).await;
            Ok(())
        };
        let ran = lease.link().run("write", limit, writing);
        match ran {
            Ok(()) => result,
            Err(error) => Err(Failed {
                error,
                probe: Probe::of(group),
            }),
        }
    }

    /// Tells who wants to know.
    pub(super) fn tell(&self, notice: &Notice) {
        if let Some(on_notice) = &self.options.on_notice {
            on_notice(notice);
        }
    }
}
