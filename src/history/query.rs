//! What is read from the history.

use std::ops::ControlFlow;

use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::de::DeserializeOwned;

use super::record::{Arm, Commit, End, Run, Session, SessionId, Start, State, WorkloadFacts};
use super::store::{boot, moment};
use super::{HistoryError, Store};

/// Which sessions are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of this workload, by name.
    pub(crate) workload: Option<String>,
    /// At most so many, the newest.
    pub(crate) most: Option<u32>,
    /// Only those with smaller numbers.
    pub(crate) before: Option<SessionId>,
    /// Without what makes them large: the text of the workload and the result are empty.
    pub(crate) brief: bool,
}

/// In which order sessions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    NewestFirst,
    OldestFirst,
    /// The newest first as [`Session::newness`] has it, whatever their numbers.
    ByEnd,
}

/// The size of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) sessions: u64,
    pub(crate) runs: u64,
    /// Of the database, without its log.
    pub(crate) bytes: u64,
}

const SESSION: &str = "id, started_ms, ended_ms, pid, boot, verb, aborted, workload, title, workload_hash, stream_hash, seed, \
                       changes, latency, host, commit_id, dirty, sharing_cores";
const LARGE: &str = "text, result";
const WITHOUT: &str = "'' AS text, NULL AS result";
const RUN: &str = "round, complete, wall_s, throughput, succeeded, unsuccessful, cores_used, p50_s, p95_s, p99_s, \
                   peak_pss_bytes, results_hash, suspect";

impl Store {
    /// Sessions, the newest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn sessions(&self, filter: &Filter) -> Result<Vec<Session>, HistoryError> {
        let mut all = Vec::new();
        self.each(filter, Order::NewestFirst, |session| {
            all.push(session);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Hands out one session after the other, as they were at one moment, until no more are wanted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn each(
        &self,
        filter: &Filter,
        order: Order,
        mut with: impl FnMut(Session) -> ControlFlow<()>,
    ) -> Result<(), HistoryError> {
        let large = if filter.brief { WITHOUT } else { LARGE };
        let order = match order {
            Order::NewestFirst => "id DESC",
            Order::OldestFirst => "id ASC",
            Order::ByEnd => "coalesce(ended_ms, started_ms) DESC, id DESC",
        };
        let query = format!(
            "SELECT {SESSION}, {large} FROM sessions WHERE (?1 IS NULL OR workload = ?1) AND (?2 IS NULL OR id < ?2) \
             ORDER BY {order} LIMIT ?3"
        );
        let most = filter.most.map_or(-1, i64::from);
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(&query)?;
            let mut rows = statement.query(params![filter.workload, filter.before, most])?;
            while let Some(row) = rows.next()? {
                if with(self.session_of(row)?).is_break() {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|error| self.failed(error))
    }

    /// One session; `None` if there is none of this number.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn session(&self, id: SessionId) -> Result<Option<Session>, HistoryError> {
        let query = format!("SELECT {SESSION}, {LARGE} FROM sessions WHERE id = ?");
        let found = self.connection.query_row(&query, [id], |row| self.session_of(row)).optional();
        found.map_err(|error| self.failed(error))
    }

    /// Whether there is a session of a number.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn has(&self, id: SessionId) -> Result<bool, HistoryError> {
        let found = self.connection.query_row("SELECT 1 FROM sessions WHERE id = ?", [id], |_| Ok(())).optional();
        found.map(|found| found.is_some()).map_err(|error| self.failed(error))
    }

    /// How much there is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn extent(&self) -> Result<Extent, HistoryError> {
        let query = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM runs), \
                     (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size())";
        let number = |row: &Row<'_>, at| row.get::<_, i64>(at).map(|number| u64::try_from(number).unwrap_or(0));
        let found = self.connection.query_row(query, [], |row| {
            Ok(Extent { sessions: number(row, 0)?, runs: number(row, 1)?, bytes: number(row, 2)? })
        });
        found.map_err(|error| self.failed(error))
    }

    /// The recordings of the runs of a session, in the order of its arms and runs.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn recordings(&self, id: SessionId) -> Result<Vec<Option<Vec<u8>>>, HistoryError> {
        let query =
            "SELECT recording FROM runs JOIN arms ON arms.id = runs.arm WHERE session = ? ORDER BY arms.id, runs.id";
        let read = || -> rusqlite::Result<Vec<Option<Vec<u8>>>> {
            self.connection.prepare(query)?.query_map([id], |row| row.get(0))?.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    fn session_of(&self, row: &Row<'_>) -> rusqlite::Result<Session> {
        let id: SessionId = row.get("id")?;
        let commit_id: Option<String> = row.get("commit_id")?;
        let dirty = row.get("dirty")?;
        let start = Start {
            at: moment(row.get("started_ms")?),
            verb: row.get("verb")?,
            workload: WorkloadFacts {
                name: row.get("workload")?,
                title: row.get("title")?,
                hash: row.get("workload_hash")?,
                seed: row.get::<_, String>("seed")?.parse().unwrap_or(0),
                text: row.get("text")?,
                set: json(row, "changes")?,
            },
            host: json(row, "host")?,
            commit: commit_id.map(|id| Commit { id, dirty }),
        };
        let ended: Option<i64> = row.get("ended_ms")?;
        let state = match ended {
            None if lives(row.get("pid")?, &row.get::<_, String>("boot")?) => State::Running,
            None => State::DidNotEnd,
            Some(at) => State::Ended(Box::new(End {
                at: moment(at),
                aborted: row.get("aborted")?,
                stream_hash: row.get::<_, Option<String>>("stream_hash")?.unwrap_or_default(),
                latency: row.get::<_, Option<String>>("latency")?.unwrap_or_default(),
                sharing_cores: row.get("sharing_cores")?,
                result: row.get::<_, Option<String>>("result")?.unwrap_or_default(),
                arms: self.arms(id)?,
            })),
        };
        Ok(Session { id, start, state })
    }

    fn arms(&self, session: SessionId) -> rusqlite::Result<Vec<Arm>> {
        let query = "SELECT id, name, engine, workers, settings, baseline FROM arms WHERE session = ? ORDER BY id";
        let mut statement = self.connection.prepare(query)?;
        let arms = statement.query_map([session], |row| {
            Ok(Arm {
                name: row.get("name")?,
                engine: row.get("engine")?,
                workers: row.get("workers")?,
                settings: json(row, "settings")?,
                is_baseline: row.get("baseline")?,
                runs: self.runs(row.get("id")?)?,
            })
        })?;
        arms.collect()
    }

    fn runs(&self, arm: i64) -> rusqlite::Result<Vec<Run>> {
        let mut statement = self.connection.prepare(&format!("SELECT {RUN} FROM runs WHERE arm = ? ORDER BY id"))?;
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        let runs = statement.query_map([arm], |row| {
            Ok(Run {
                round: row.get("round")?,
                complete: row.get("complete")?,
                wall_s: row.get("wall_s")?,
                throughput: row.get::<_, Option<f64>>("throughput")?.unwrap_or(f64::NAN),
                succeeded: whole(row.get("succeeded")?),
                unsuccessful: whole(row.get("unsuccessful")?),
                cores_used: row.get::<_, Option<f64>>("cores_used")?.unwrap_or(f64::NAN),
                p50_s: row.get("p50_s")?,
                p95_s: row.get("p95_s")?,
                p99_s: row.get("p99_s")?,
                peak_pss_bytes: row.get::<_, Option<i64>>("peak_pss_bytes")?.map(whole),
                results_hash: row.get("results_hash")?,
                suspect: json(row, "suspect")?,
                recording: None,
            })
        })?;
        runs.collect()
    }
}

/// A column that holds JSON.
fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| FromSqlError::other(error).into())
}

/// Whether a process of this start of the machine is there.
pub(super) fn lives(pid: i32, of: &str) -> bool {
    let process = rustix::process::Pid::from_raw(pid);
    let there = |pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH);
    of == boot() && process.is_some_and(there)
}
