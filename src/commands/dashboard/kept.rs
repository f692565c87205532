//! The sessions of a dashboard on their way into the history: each is kept when it is over, at the latest when the
//! dashboard ends. What cannot be kept is told then, below what was measured.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::cli::Keep;
use crate::commands::keep::{self, Keeper, Over};
use crate::commands::{drive, measured};
use crate::os::host::Host;
use crate::report;
use crate::session::stream::SharedStream;
use crate::session::view::SessionView;
use crate::tui::model;
use crate::workload::model::Workload;

/// Sessions that were opened and are not kept yet.
#[derive(Clone, Default)]
pub(super) struct KeptSessions(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    sessions: Vec<(Keeper, watch::Receiver<Arc<SessionView>>)>,
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
            open.sessions.push((keeper, view));
        });
    }

    /// Keeps all that is left; `hurry`: a signal wants the program to end.
    pub(super) fn close(self, hurry: bool) {
        self.with(|open| {
            open.close(hurry, |_| true);
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
        // Every session may meet the same.
        if !self.notes.iter().any(|told| told == note) {
            self.notes.push(note.to_owned());
        }
    }

    fn close(&mut self, hurry: bool, is_over: impl Fn(&watch::Receiver<Arc<SessionView>>) -> bool) {
        for (keeper, view) in self.sessions.extract_if(.., |(_, view)| is_over(view)).collect::<Vec<_>>() {
            let view = Arc::clone(&view.borrow());
            keep_one(keeper, &view, hurry, |note| self.note(note));
        }
    }
}

fn keep_one(mut keeper: Keeper, view: &SessionView, hurry: bool, told: impl FnOnce(&str)) {
    if !keeper.keeps() {
        return;
    }
    if !model::was_measured(view) {
        return keeper.forget();
    }
    let stream_hash = SharedStream::new(&view.workload).hash().to_owned();
    let ending = drive::ending(view, None);
    let result = report::json::text(&measured::results_of(view, stream_hash.clone(), ending.clone()));
    keeper.finish(Over { view, stream_hash, ending: &ending, result, hurry }, told);
}
