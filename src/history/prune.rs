//! Which sessions a history no longer needs.

use jiff::Timestamp;

use super::record::SessionId;
use super::{HistoryError, Store};

/// What is to be kept. A session goes that any of them lets go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    /// Only sessions of this workload go.
    pub(crate) workload: Option<String>,
    /// Those that began before.
    pub(crate) before: Option<Timestamp>,
    /// Those beyond so many, the newest staying.
    pub(crate) most: Option<u64>,
    /// The oldest, until what is left takes so many bytes.
    pub(crate) bytes: Option<u64>,
}

/// A session as far as it matters here.
struct Candidate {
    id: SessionId,
    started: i64,
    bytes: u64,
    is_baseline: bool,
}

impl Store {
    /// Sessions that these limits let go, the oldest first. Baselines stay, and so do sessions under way.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn beyond(&self, limits: &Limits) -> Result<Vec<SessionId>, HistoryError> {
        let candidates = self.candidates(limits.workload.as_deref())?;
        let before = limits.before.map(Timestamp::as_millisecond);
        let (mut count, mut bytes) = (0u64, 0u64);
        let mut gone = Vec::new();
        let mut full = false;
        // The newest first: what it takes is what stays with it.
        for candidate in candidates {
            let is_old = before.is_some_and(|before| candidate.started < before);
            let too_many = limits.most.is_some_and(|most| count >= most);
            // What is older than one that goes for its size goes too.
            full |= limits.bytes.is_some_and(|most| bytes + candidate.bytes > most) && !candidate.is_baseline;
            if (is_old || too_many || full) && !candidate.is_baseline {
                gone.push(candidate.id);
            } else {
                count += 1;
                bytes += candidate.bytes;
            }
        }
        gone.reverse();
        Ok(gone)
    }

    fn candidates(&self, workload: Option<&str>) -> Result<Vec<Candidate>, HistoryError> {
        let query = "
            SELECT id, started_ms, ended_ms IS NULL, pid, boot,
                   length(text) + coalesce(length(result), 0) + coalesce((SELECT sum(coalesce(length(recording), 0) + 200)
                       FROM runs JOIN arms ON arms.id = runs.arm WHERE arms.session = sessions.id), 0),
                   EXISTS (SELECT 1 FROM baselines WHERE baselines.session = sessions.id)
            FROM sessions WHERE ?1 IS NULL OR workload = ?1 ORDER BY id DESC";
        let read = || -> rusqlite::Result<Vec<Candidate>> {
            let mut statement = self.connection.prepare(query)?;
            let mut rows = statement.query([workload])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let is_open: bool = row.get(2)?;
                if is_open && super::query::lives(row.get(3)?, &row.get::<_, String>(4)?) {
                    continue;
                }
                let bytes = u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0);
                found.push(Candidate { id: row.get(0)?, started: row.get(1)?, bytes, is_baseline: row.get(6)? });
            }
            Ok(found)
        };
        read().map_err(|error| self.failed(error))
    }

    /// Removes sessions and gives their room back to the disk.
    ///
    /// # Errors
    /// When it cannot be written; sessions go all together or not at all.
    pub(crate) fn remove(&mut self, sessions: &[SessionId]) -> Result<(), HistoryError> {
        let removed = self.connection.transaction().and_then(|transaction| {
            let mut statement = transaction.prepare("DELETE FROM sessions WHERE id = ?")?;
            for id in sessions {
                statement.execute([id])?;
            }
            drop(statement);
            transaction.commit()
        });
        removed.map_err(|error| self.failed(error))?;
        // They are gone; that the file keeps its size where there is no room to write it anew is no failure of that.
        let _ = self.connection.execute_batch("VACUUM");
        Ok(())
    }
}
