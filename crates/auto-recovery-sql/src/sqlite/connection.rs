//! Connections: one that writes, and some that read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use auto_recovery::audit::Durability;
use auto_recovery::error::Result;
use auto_recovery::files::FileId;
use auto_recovery::host::Host;
use auto_recovery::patience::Waiting;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::failure::{At, failed, gave_up};
use super::file;
use super::migrations::{self, Format};
use super::recent::Recent;
use auto_recovery::mutex::lock;

/// Statements kept ready: more than there are.
const STATEMENTS_MAX: usize = 128;

/// Connections for reading that are kept. More are opened when more read at once.
const READERS_KEPT: usize = 4;

/// The place of the database, and the connections to it that are kept.
pub(super) struct Database {
    pub(super) path: PathBuf,
    pub(super) durability: Durability,
    pub(super) host: Arc<dyn Host>,
    readers: Mutex<Vec<Link>>,
    pub(super) writer: Mutex<Option<Link>>,
}

/// A connection.
pub(super) struct Link {
    pub(super) connection: Connection,
    /// The process that opened it. Its child must not use it.
    pid: u32,
    /// The file that it is connected to.
    file: FileId,
    /// Whether it is open as an immutable file.
    is_immutable: bool,
    /// Its last writes, if it is the one that writes.
    pub(super) recent: Recent,
}

/// A connection for reading, kept for the next who reads.
pub(super) struct Reader<'d> {
    database: &'d Database,
    link: Option<Link>,
}

impl Database {
    pub(super) fn new(path: PathBuf, durability: Durability, host: Arc<dyn Host>) -> Self {
        Self {
            path,
            durability,
            host,
            readers: Mutex::default(),
            writer: Mutex::default(),
        }
    }

    /// A connection for writing. Makes the file, and brings an older one to the newest format.
    pub(super) fn open_writer(&self) -> Result<Link> {
        file::make(&self.path)?;
        let mut link = self.open()?;
        let database = &link.connection;
        migrations::migrate(database, &self.path)?;
        link.recent = Recent::new(database).at("read", &self.path)?;
        let synchronous = match self.durability {
            Durability::Sync => "FULL",
            Durability::Flush => "NORMAL",
        };
        database
            .pragma_update(None, "synchronous", synchronous)
            .at("open", &self.path)?;
        // What is deleted leaves nothing on its page: a key that is gone is gone.
        database
            .pragma_update(None, "secure_delete", true)
            .at("open", &self.path)?;
        if self.durability == Durability::Sync {
            file::sync_names(&self.path)?;
        }
        Ok(link)
    }

    /// A connection for reading, in a transaction: it sees the database as it is now. `None` if
    /// there is nothing yet.
    pub(super) fn reader(&self) -> Result<Option<Reader<'_>>> {
        let Some(found) = file::find(&self.path)? else {
            return Ok(None);
        };
        let link = loop {
            let kept = lock(&self.readers).pop();
            match kept {
                Some(link) if link.is_usable(found) => break link,
                Some(link) => link.discard(),
                None => match self.open_reader()? {
                    Some(link) => break link,
                    None => return Ok(None),
                },
            }
        };
        link.connection
            .prepare_cached("BEGIN")
            .and_then(|mut begin| begin.execute([]))
            .at("read", &self.path)?;
        let reader = Reader {
            database: self,
            link: Some(link),
        };
        migrations::check(reader.database(), &self.path)?;
        Ok(Some(reader))
    }

    /// Brings what was committed to the disk. It is in the log or, where SQLite synced the log and
    /// then the database, in that.
    pub(super) fn sync(&self) -> Result<()> {
        file::sync_log(&self.path)
    }

    /// A connection for reading that is its caller's own; `None` if there is nothing yet.
    pub(super) fn watcher(&self) -> Result<Option<Link>> {
        match file::find(&self.path)? {
            Some(_) => self.open_reader(),
            None => Ok(None),
        }
    }

    /// Whether `link` is connected to the file that has the name, by this process.
    pub(super) fn is_current(&self, link: &Link) -> Result<bool> {
        let found = file::find(&self.path)?;
        Ok(found.is_some_and(|found| link.is_usable(found)))
    }

    /// The busy handler: waits for other writers, for as long as the user waits.
    fn waiting(&self) -> impl FnMut(i32) -> bool + Send + use<> {
        let (host, path) = (Arc::clone(&self.host), self.path.clone());
        let mut waiting = Waiting::default();
        move |before| {
            if before == 0 {
                waiting = Waiting::default();
            }
            let what = || format!("{}, {}", path.display(), file::holder(&path));
            match waiting.pause(&*host, &what) {
                Ok(()) => true,
                Err(error) => {
                    gave_up(error);
                    false
                }
            }
        }
    }

    /// A connection for reading, to a database of the newest format; `None` if nothing is in it.
    fn open_reader(&self) -> Result<Option<Link>> {
        let link = self.connect_to_read()?;
        match migrations::format(&link.connection, &self.path)? {
            Format::Ours => Ok(Some(link)),
            Format::Older if link.is_immutable => Err(migrations::older(&self.path)),
            Format::Older => {
                migrations::migrate(&link.connection, &self.path)?;
                Ok(Some(link))
            }
            Format::Empty => Ok(None),
        }
    }

    /// A connection for reading. On a read-only file system SQLite opens only files declared
    /// immutable: otherwise it wants to make files beside the database.
    fn connect_to_read(&self) -> Result<Link> {
        if !file::is_frozen(&self.path) {
            return self.open();
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut link = self.connect(&file::immutable_uri(&self.path), flags)?;
        link.is_immutable = true;
        Ok(link)
    }

    fn open(&self) -> Result<Link> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        self.connect(&self.path, flags)
    }

    fn connect(&self, name: &Path, flags: OpenFlags) -> Result<Link> {
        self.discard_inherited();
        let opened = Connection::open_with_flags(name, flags);
        let mut connection = opened.at("open", &self.path)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection
            .busy_handler(Some(self.waiting()))
            .at("open", &self.path)?;
        connection
            .pragma_update(None, "foreign_keys", true)
            .at("open", &self.path)?;
        // One plan for a statement, whatever it is asked with: a new one takes longer than most
        // answers.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .at("open", &self.path)?;
        let Some(file) = file::find(&self.path)? else {
            let gone = rusqlite::Error::InvalidPath(self.path.clone());
            return Err(failed("open", &self.path, gone));
        };
        Ok(Link {
            connection,
            pid: std::process::id(),
            file,
            is_immutable: false,
            recent: Recent::default(),
        })
    }
}

impl Database {
    /// Closes what the parent of this process had opened. SQLite knows by it which locks its
    /// process has, and this one has none of them.
    fn discard_inherited(&self) {
        let pid = std::process::id();
        let mut readers = lock(&self.readers);
        let inherited: Vec<Link> = readers.extract_if(.., |link| link.pid != pid).collect();
        drop(readers);
        inherited.into_iter().for_each(Link::discard);
        // A thread that holds the lock does this itself.
        if let Ok(mut writer) = self.writer.try_lock()
            && writer.as_ref().is_some_and(|link| link.pid != pid)
        {
            writer.take().into_iter().for_each(Link::discard);
        }
    }
}

impl Link {
    fn is_usable(&self, file: FileId) -> bool {
        self.file == file && self.pid == std::process::id()
    }

    /// Closes it. A child that closes what its parent opened must leave the log alone: the parent,
    /// and every other connection, still uses it.
    pub(super) fn discard(self) {
        if self.pid != std::process::id() {
            let flag = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            drop(self.connection.set_db_config(flag, true));
        }
    }
}

impl Reader<'_> {
    /// The connection.
    pub(super) fn database(&self) -> &Connection {
        let link = self.link.as_ref();
        &link.expect("it is there until it is dropped").connection
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let Some(link) = self.link.take() else {
            return;
        };
        let ended = link
            .connection
            .prepare_cached("COMMIT")
            .and_then(|mut end| end.execute([]));
        let mut kept = lock(&self.database.readers);
        // The next may find that the file can be changed after all.
        if ended.is_ok() && !link.is_immutable && kept.len() < READERS_KEPT {
            kept.push(link);
        }
    }
}
