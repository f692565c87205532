//! What is in the database, and how one of an older version becomes one of this.

use rusqlite::{Connection, TransactionBehavior};

/// Tells a history from databases of other programs ("pool" in ASCII).
pub(super) const APPLICATION: i64 = 0x706f_6f6c;

/// Step n makes version n + 1 of version n. Steps that were released stay as they are.
pub(super) const STEPS: &[&str] = &[
    "
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        pid INTEGER NOT NULL,
        boot TEXT NOT NULL,
        verb TEXT NOT NULL,
        aborted TEXT,
        workload TEXT NOT NULL,
        title TEXT NOT NULL,
        workload_hash TEXT NOT NULL,
        stream_hash TEXT,
        seed TEXT NOT NULL,
        text TEXT NOT NULL,
        changes TEXT NOT NULL,
        latency TEXT,
        host TEXT NOT NULL,
        commit_id TEXT,
        dirty INTEGER,
        sharing_cores INTEGER NOT NULL DEFAULT 0,
        result TEXT
    ) STRICT;
    CREATE INDEX sessions_by_workload ON sessions (workload);
    CREATE TABLE arms (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        name TEXT NOT NULL,
        engine TEXT NOT NULL,
        workers INTEGER NOT NULL,
        settings TEXT NOT NULL,
        baseline INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX arms_by_session ON arms (session);
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        arm INTEGER NOT NULL REFERENCES arms ON DELETE CASCADE,
        round INTEGER NOT NULL,
        complete INTEGER NOT NULL,
        wall_s REAL NOT NULL,
        throughput REAL,
        succeeded INTEGER NOT NULL,
        unsuccessful INTEGER NOT NULL,
        cores_used REAL,
        p50_s REAL,
        p95_s REAL,
        p99_s REAL,
        peak_pss_bytes INTEGER,
        results_hash TEXT,
        suspect TEXT NOT NULL,
        recording BLOB
    ) STRICT;
    CREATE INDEX runs_by_arm ON runs (arm);
",
    "
    CREATE TABLE baselines (
        workload TEXT NOT NULL,
        host TEXT NOT NULL,
        session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
        PRIMARY KEY (workload, host)
    ) STRICT;
    CREATE INDEX baselines_by_session ON baselines (session);
",
];

/// The version that this program reads and writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing is in it.
    Empty,
    /// A history of this version; 0 does not occur.
    History(i64),
    /// Something else.
    Foreign,
}

/// What a database is.
pub(super) fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    // At one moment: another program may be just making it.
    let moment = connection.unchecked_transaction()?;
    let number = |pragma: &str| moment.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let tables: i64 = moment.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (application, version) = (number("application_id")?, number("user_version")?);
    moment.finish()?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Kind::Empty,
        (APPLICATION, 1.., _) => Kind::History(version),
        _ => Kind::Foreign,
    })
}

/// Makes the missing steps in one transaction: a database is never between two versions, whatever ends the program.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another program may have been faster.
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    for step in steps.get(done..).unwrap_or_default() {
        transaction.execute_batch(step)?;
    }
    if done < steps.len() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", steps.len() as i64)?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn made(versions: &[usize]) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        versions.iter().for_each(|version| migrate(&mut connection, &STEPS[..*version]).unwrap());
        connection
    }

    #[test]
    fn every_older_version_becomes_the_newest_one() {
        let newest = objects(&made(&[STEPS.len()]));
        for version in 1..STEPS.len() {
            assert_eq!(kind(&made(&[version])).unwrap(), Kind::History(version as i64));
            assert_eq!(objects(&made(&[version, STEPS.len()])), newest, "from {version}");
        }
        assert_eq!(kind(&made(&[STEPS.len(), STEPS.len()])).unwrap(), Kind::History(VERSION));
    }

    #[test]
    fn a_step_that_fails_leaves_everything_as_it_was() {
        let mut connection = made(&[1]);
        let before = objects(&connection);
        let broken = [STEPS[0], "CREATE TABLE more (id INTEGER) STRICT; CREATE TABLE more (id INTEGER)"];
        migrate(&mut connection, &broken).unwrap_err();
        assert_eq!((objects(&connection), kind(&connection).unwrap()), (before, Kind::History(1)));
    }

    #[test]
    fn what_is_no_history_is_seen() {
        assert_eq!(kind(&made(&[])).unwrap(), Kind::Empty);
        for statements in ["CREATE TABLE a (b)", "PRAGMA user_version = 1", "PRAGMA application_id = 5"] {
            let connection = Connection::open_in_memory().unwrap();
            connection.execute_batch(statements).unwrap();
            assert_eq!(kind(&connection).unwrap(), Kind::Foreign, "{statements}");
        }
    }
}
