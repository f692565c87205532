//! Baselines: the session that later ones of the same workload on the same machine are checked against.

use rusqlite::{OptionalExtension as _, params};

use super::record::{Session, SessionId};
use super::{HistoryError, Store};

/// A session that others are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Baseline {
    pub(crate) workload: String,
    /// Of the machine, as [`super::record::HostFacts::fingerprint`] says it.
    pub(crate) host: String,
    pub(crate) session: SessionId,
}

impl Store {
    /// Makes a session the baseline of its workload on its machine, instead of another one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn set_baseline(&mut self, session: &Session) -> Result<Baseline, HistoryError> {
        let (workload, host) = (session.start.workload.name.clone(), session.start.host.fingerprint());
        let set = self.connection.execute(
            "INSERT INTO baselines (workload, host, session) VALUES (?, ?, ?) \
             ON CONFLICT (workload, host) DO UPDATE SET session = excluded.session",
            params![workload, host, session.id],
        );
        set.map_err(|error| self.failed(error))?;
        Ok(Baseline { workload, host, session: session.id })
    }

    /// Baselines, of one workload or all, by name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn baselines(&self, workload: Option<&str>) -> Result<Vec<Baseline>, HistoryError> {
        let query = "SELECT workload, host, session FROM baselines WHERE ?1 IS NULL OR workload = ?1 ORDER BY 1, 2";
        let read = || -> rusqlite::Result<Vec<Baseline>> {
            let mut statement = self.connection.prepare(query)?;
            let rows = statement.query_map([workload], |row| {
                Ok(Baseline { workload: row.get(0)?, host: row.get(1)?, session: row.get(2)? })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    /// The baseline of a workload on a machine.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn baseline(&self, workload: &str, host: &str) -> Result<Option<SessionId>, HistoryError> {
        let query = "SELECT session FROM baselines WHERE workload = ? AND host = ?";
        let found = self.connection.query_row(query, [workload, host], |row| row.get(0)).optional();
        found.map_err(|error| self.failed(error))
    }

    /// Takes the baselines of a workload away; how many there were.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn clear_baselines(&mut self, workload: &str) -> Result<usize, HistoryError> {
        let cleared = self.connection.execute("DELETE FROM baselines WHERE workload = ?", [workload]);
        cleared.map_err(|error| self.failed(error))
    }
}
