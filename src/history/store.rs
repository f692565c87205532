//! The open database: how it is opened, and what is written to it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Statement, Transaction, TransactionBehavior, params};

use super::HistoryError;
use super::record::{Arm, Begun, End, Run, SessionId, Start};
use super::schema::{self, Kind};

/// The open database.
pub(crate) struct Store {
    pub(super) connection: Connection,
    path: PathBuf,
    /// Device and number of the file that is open.
    file: Option<(u64, u64)>,
}

/// How a history is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// To add to it; where there is none, it is made. What is added is in its log, which is folded into the database now
    /// and then, and by [`Store::close`]: that waits for the disk, which a run must not.
    Adding,
    /// To read or change what is there.
    Reading,
}

/// How often it is tried again to open a database that another program is just making.
const RETRY: Duration = Duration::from_millis(2);

/// Pages of the log that are folded into the database by whoever adds beyond them. Opening a database that nobody has open
/// reads its whole log, so that this bounds what every session waits for; less would wait for the disk more often.
const LOG_PAGES: i64 = 256;

impl Store {
    /// Opens a history; `patience` is how long other programs are waited for.
    ///
    /// # Errors
    /// Whatever keeps it from being used. What is there is changed only if it is a history of this version or an older one.
    pub(crate) fn open(path: &Path, opening: Opening, patience: Duration) -> Result<Self, HistoryError> {
        place(path, opening)?;
        let deadline = Instant::now() + patience;
        loop {
            match Self::try_open(path, opening, deadline.saturating_duration_since(Instant::now())) {
                // Whoever makes it first has it for itself, which a waiting program is not told the end of.
                Err(HistoryError::Busy { .. }) if Instant::now() < deadline => std::thread::sleep(RETRY),
                opened => return opened,
            }
        }
    }

    fn try_open(path: &Path, opening: Opening, patience: Duration) -> Result<Self, HistoryError> {
        let failed = |error| HistoryError::of(path, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(patience).map_err(failed)?;
        let kind = schema::kind(&connection).map_err(failed)?;
        match kind {
            Kind::Foreign => return Err(HistoryError::Foreign { path: path.to_owned() }),
            Kind::History(found) if found > schema::VERSION => {
                return Err(HistoryError::Newer { path: path.to_owned(), found, known: schema::VERSION });
            }
            Kind::Empty | Kind::History(_) => {}
        }
        if opening == Opening::Adding {
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
        }
        let settings = connection
            .pragma_update(None, "foreign_keys", true)
            // In a log a crash of the machine can undo the last sessions, and damage nothing.
            .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"));
        settings.and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)).map_err(failed)?;
        if kind == Kind::Empty {
            // Where a file system cannot have it, it stays with the journal that it can have.
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).map_err(failed)?;
        }
        if kind != Kind::History(schema::VERSION) {
            schema::migrate(&mut connection, schema::STEPS).map_err(failed)?;
        }
        Ok(Self { connection, path: path.to_owned(), file: identity(path) })
    }

    /// Whether what is open is what is there: who has removed or replaced the database meanwhile would never see what is added.
    pub(crate) fn is_there(&self) -> bool {
        self.file.is_some() && self.file == identity(&self.path)
    }

    /// Sets how long other programs are waited for from now on.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(crate) fn wait_for(&self, patience: Duration) -> Result<(), HistoryError> {
        self.connection.busy_timeout(patience).map_err(|error| self.failed(error))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the database has said.
    pub(super) fn failed(&self, error: rusqlite::Error) -> HistoryError {
        HistoryError::of(&self.path, error)
    }

    /// Notes that a session begins.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn begin(&mut self, start: &Start) -> Result<Begun, HistoryError> {
        let inserted = insert(&self.connection, start);
        inserted.map_err(|error| self.failed(error))
    }

    /// Writes what a session has measured, in one transaction, in the place of what was written of it before. `begun` is what
    /// [`Self::begin`] gave, or what this gave before; the row is made anew where it is not there, as in another database that
    /// has come to be in the place of the first.
    ///
    /// # Errors
    /// When it cannot be written: then nothing of it is.
    pub(crate) fn finish(&mut self, begun: Option<&Begun>, start: &Start, end: &End) -> Result<Begun, HistoryError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let finished = transaction.and_then(|transaction| {
            let begun = write(&transaction, begun, start, end)?;
            transaction.commit().map(|()| begun)
        });
        finished.map_err(|error| self.failed(error))
    }

    /// Whether the row of a session is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn there(&self, begun: &Begun) -> Result<bool, HistoryError> {
        there(&self.connection, begun).map_err(|error| self.failed(error))
    }

    /// The row of a session that is over, began then, and is of this workload: its number alone could be another one's by
    /// now. None that is a baseline: later sessions are checked against what was measured when it was made one.
    pub(crate) fn to_complete(&self, id: SessionId, start: &Start, began_ms: i64) -> Option<Begun> {
        let query = "SELECT pid, boot FROM sessions WHERE id = ? AND started_ms = ? AND verb = ? AND workload_hash = ? AND \
                     ended_ms IS NOT NULL AND NOT EXISTS (SELECT 1 FROM baselines WHERE session = sessions.id)";
        let workload = &start.workload.hash;
        let found = self.connection.query_row(query, params![id, began_ms, start.verb, workload], |row| {
            Ok(Begun { id, began_ms, pid: row.get(0)?, boot: row.get(1)? })
        });
        found.optional().ok().flatten()
    }

    /// Takes back that a session has begun: nothing was measured in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn forget(&mut self, begun: &Begun) -> Result<(), HistoryError> {
        let Begun { id, began_ms, pid, boot } = begun;
        let forgotten = self.connection.execute(
            "DELETE FROM sessions WHERE id = ? AND started_ms = ? AND pid = ? AND boot = ? AND ended_ms IS NULL",
            params![id, began_ms, pid, boot],
        );
        forgotten.map(drop).map_err(|error| self.failed(error))
    }

    /// Folds the log into the database, which is one file then if nobody else has it open. Waits for the disk, and for nobody.
    pub(crate) fn close(self) {
        if !self.is_there() {
            return;
        }
        // What is not folded now is in the log, where whoever opens it next finds it.
        let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}

/// Sees to it that there is a file that may be opened: a pipe would be waited for, and a device might do anything.
fn place(path: &Path, opening: Opening) -> Result<(), HistoryError> {
    let not_created = |error| HistoryError::NotCreated { path: path.to_owned(), error };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(_) => return Err(HistoryError::Foreign { path: path.to_owned() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(not_created(error)),
        Err(_) if opening == Opening::Reading => return Err(HistoryError::NotThere { path: path.to_owned() }),
        Err(_) => {}
    }
    // Workloads and commands are their user's affair: for nobody else to read (and so the XDG specification).
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(not_created)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop).map_err(not_created)
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Identifies the start of the machine: process ids mean something within it alone.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

fn there(connection: &Connection, begun: &Begun) -> rusqlite::Result<bool> {
    let Begun { id, began_ms, pid, boot } = begun;
    let query = "SELECT 1 FROM sessions WHERE id = ? AND started_ms = ? AND pid = ? AND boot = ?";
    connection.query_row(query, params![id, began_ms, pid, boot], |_| Ok(())).optional().map(|found| found.is_some())
}

fn insert(connection: &Connection, start: &Start) -> rusqlite::Result<Begun> {
    let mut statement = connection.prepare(
        "INSERT INTO sessions (started_ms, pid, boot, verb, workload, title, workload_hash, seed, text, changes, host, \
         commit_id, dirty) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let workload = &start.workload;
    let commit = start.commit.as_ref();
    let (began_ms, pid, boot) = (start.at.as_millisecond(), std::process::id(), boot());
    let inserted = statement.insert(params![
        began_ms,
        pid,
        boot,
        start.verb,
        workload.name,
        workload.title,
        workload.hash,
        workload.seed.to_string(),
        workload.text,
        json(&workload.set),
        json(&start.host),
        commit.map(|commit| &commit.id),
        commit.and_then(|commit| commit.dirty),
    ]);
    inserted.map(|id| Begun { id, began_ms, pid, boot })
}

fn write(transaction: &Transaction<'_>, begun: Option<&Begun>, start: &Start, end: &End) -> rusqlite::Result<Begun> {
    let begun = match begun {
        Some(begun) if there(transaction, begun)? => begun.clone(),
        Some(_) | None => insert(transaction, start)?,
    };
    let id = begun.id;
    transaction.execute(
        "UPDATE sessions SET ended_ms = ?, aborted = ?, stream_hash = ?, latency = ?, sharing_cores = ?, result = ? \
         WHERE id = ?",
        params![end.at.as_millisecond(), end.aborted, end.stream_hash, end.latency, end.sharing_cores, end.result, id],
    )?;
    transaction.execute("DELETE FROM arms WHERE session = ?", [id])?;
    write_arms(transaction, id, &end.arms)?;
    Ok(begun)
}

fn write_arms(transaction: &Transaction<'_>, session: SessionId, arms: &[Arm]) -> rusqlite::Result<()> {
    let mut of_arm = transaction
        .prepare("INSERT INTO arms (session, name, engine, workers, settings, baseline) VALUES (?, ?, ?, ?, ?, ?)")?;
    let mut of_run = transaction.prepare(
        "INSERT INTO runs (arm, round, complete, wall_s, throughput, succeeded, unsuccessful, cores_used, p50_s, p95_s, \
         p99_s, peak_pss_bytes, results_hash, suspect, recording) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for Arm { name, engine, workers, settings, is_baseline, runs } in arms {
        let id = of_arm.insert(params![session, name, engine, workers, json(settings), is_baseline])?;
        runs.iter().try_for_each(|run| write_run(&mut of_run, id, run))?;
    }
    Ok(())
}

fn write_run(statement: &mut Statement<'_>, arm: i64, run: &Run) -> rusqlite::Result<()> {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    statement
        .execute(params![
            arm,
            run.round,
            run.complete,
            finite(run.wall_s).unwrap_or_default(),
            finite(run.throughput),
            whole(run.succeeded),
            whole(run.unsuccessful),
            finite(run.cores_used),
            run.p50_s,
            run.p95_s,
            run.p99_s,
            run.peak_pss_bytes.map(whole),
            run.results_hash,
            json(&run.suspect),
            run.recording,
        ])
        .map(drop)
}

fn json(value: &impl serde::Serialize) -> String {
    // Only maps with keys that are no text can fail, and there are none.
    serde_json::to_string(value).unwrap_or_default()
}

/// A moment as it is written.
pub(super) fn moment(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
