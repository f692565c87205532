//! The sessions of a dashboard on their way into the history: each is kept when it is over, at the latest when the
//! dashboard ends. What cannot be kept is told then, below what was measured.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::cli::Keep;
use crate::commands::keep::{self, Keeper, Over};
use crate::commands::{drive, measured};
use crate::history::record::SessionId;
use crate::os::host::Host;
use crate::report;
use crate::session::stream::SharedStream;
use crate::session::view::SessionView;
use crate::tui::model;
use crate::workload::model::Workload;

/// A session that may go on.
struct Pending {
    keeper: Keeper,
    view: watch::Receiver<Arc<SessionView>>,
    /// What was kept of it.
    kept: Option<Arc<SessionView>>,
}

impl Pending {
    /// Whether this is what was kept of it.
    fn has_kept(&self, view: &Arc<SessionView>) -> bool {
        self.kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, view))
    }
}

/// Sessions that were opened and are not kept yet.
#[derive(Clone, Default)]
pub(super) struct KeptSessions(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    sessions: Vec<Pending>,
    /// Numbers in the history of those that are kept.
    ids: Vec<SessionId>,
    notes: Vec<String>,
}

impl KeptSessions {
    /// Notes that a session begins.
    pub(super) fn begin(&self, keep: &Keep, workload: &Workload, host: &Host, set: &[String]) -> Keeper {
        let verb = keep.verb.unwrap_or("dashboard");
        Keeper::begin(keep, verb, workload, host, set, |note| self.with(|open| open.note(note)))
    }

    /// A session was opened. Those before it are kept that have come to their ends.
    pub(super) fn opened(&self, keeper: Keeper, view: watch::Receiver<Arc<SessionView>>) {
        self.with(|open| {
            open.close(false, |view| view.has_changed().is_err());
            open.sessions.push(Pending { keeper, view, kept: None });
        });
    }

    /// Keeps what was measured until now in sessions in which nothing runs; they may go on. What cannot be kept now is tried
    /// again, at the latest when the dashboard ends, and told only then.
    pub(super) fn keep(&self) {
        self.with(|open| {
            for pending in &mut open.sessions {
                let view = Arc::clone(&pending.view.borrow());
                let is_known = pending.has_kept(&view);
                if pending.keeper.keeps() && view.phase.is_over() && model::was_measured(&view) && !is_known {
                    let kept = keep_one(&mut pending.keeper, &view, true, |_| {});
                    pending.kept = kept.then_some(view).or(pending.kept.take());
                }
            }
        });
    }

    /// The numbers of all of them in the history.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.with(|open| {
            let pending = open.sessions.iter().filter_map(|pending| pending.keeper.id());
            open.ids.iter().copied().chain(pending).collect()
        })
    }

    /// Keeps all that is left; `hurry`: a signal wants the program to end.
    pub(super) fn close(self, hurry: bool) {
        self.with(|open| {
            let over = open.close(hurry, |_| true);
            over.into_iter().for_each(Keeper::close);
            open.notes.iter().for_each(|note| keep::say(note));
        });
    }

    fn with<T>(&self, change: impl FnOnce(&mut Open) -> T) -> T {
        // A poisoned list is only a list.
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Open {
    fn note(&mut self, note: &str) {
        add(&mut self.notes, note);
    }

    /// Keeps those that are over.
    fn close(&mut self, hurry: bool, is_over: impl Fn(&watch::Receiver<Arc<SessionView>>) -> bool) -> Vec<Keeper> {
        let mut over: Vec<_> = self.sessions.extract_if(.., |pending| is_over(&pending.view)).collect();
        for pending in over.iter_mut().filter(|pending| pending.keeper.keeps()) {
            let view = Arc::clone(&pending.view.borrow());
            if !model::was_measured(&view) {
                pending.keeper.forget();
                continue;
            }
            if !pending.has_kept(&view) {
                keep_one(&mut pending.keeper, &view, hurry, |note| self.note(note));
            }
            self.ids.extend(pending.keeper.id());
        }
        over.into_iter().map(|pending| pending.keeper).collect()
    }
}

/// Every session may meet the same.
fn add(notes: &mut Vec<String>, note: &str) {
    if !notes.iter().any(|told| told == note) {
        notes.push(note.to_owned());
    }
}

/// Says whether it is kept.
fn keep_one(keeper: &mut Keeper, view: &SessionView, hurry: bool, told: impl FnOnce(&str)) -> bool {
    let stream_hash = SharedStream::new(&view.workload).hash().to_owned();
    let ending = drive::ending(view, None);
    let result = report::json::text(&measured::results_of(view, stream_hash.clone(), ending.clone()));
    keeper.finish(Over { view, stream_hash, ending: &ending, result, hurry }, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    #[test]
    fn what_could_not_be_kept_for_a_while_is_tried_again_and_told_only_where_it_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("history.db");
        let keep = Keep { db: Some(db.clone()), no_history: false, verb: None };
        let view = fixture::finished();
        let sessions = KeptSessions::default();
        let keeper = sessions.begin(&keep, &view.workload, &view.host, &[]);
        let (shown, seen) = watch::channel(Arc::new(view.clone()));
        sessions.opened(keeper, seen);
        let other = rusqlite::Connection::open(&db).unwrap();
        let over = || -> i64 {
            other.query_row("SELECT count(*) FROM sessions WHERE ended_ms IS NOT NULL", [], |row| row.get(0)).unwrap()
        };
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        sessions.keep();
        assert_eq!(over(), 0, "another program has it");
        other.execute_batch("ROLLBACK").unwrap();
        sessions.keep();
        assert_eq!(over(), 1, "it is tried again");
        let notes = |sessions: &KeptSessions| sessions.with(|open| open.notes.clone());
        assert_eq!(notes(&sessions), [""; 0]);
        // What is kept stays so; that the rest is not is told at the end.
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        shown.send_replace(Arc::new(view));
        sessions.with(|open| open.close(true, |_| true));
        assert!(matches!(notes(&sessions).as_slice(), [one] if one.contains("since it was last looked at")));
    }

    #[test]
    fn what_is_kept_already_is_not_written_again_and_the_database_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("history.db");
        let keep = Keep { db: Some(db.clone()), no_history: false, verb: None };
        let view = fixture::finished();
        let sessions = KeptSessions::default();
        let keeper = sessions.begin(&keep, &view.workload, &view.host, &[]);
        let (_shown, seen) = watch::channel(Arc::new(view));
        sessions.opened(keeper, seen);
        sessions.keep();
        let other = rusqlite::Connection::open(&db).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let keepers = sessions.with(|open| {
            let keepers = open.close(true, |_| true);
            assert_eq!(open.notes, [""; 0], "nothing is left to be kept");
            keepers
        });
        assert_eq!(sessions.ids(), [1]);
        // Whoever has it open does not have to be the last one to leave.
        drop(other);
        keepers.into_iter().for_each(Keeper::close);
        let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["history.db"]);
    }
}
