//! Keeps a row of every task while runs go on, for `--format csv`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::commands::run_log::begun;
use crate::engine::event::{EngineView, Event, Moment, Observer};
use crate::report::csv::Table;
use crate::session::observing::{ObserveRuns, RunBegins};

/// The rows so far.
#[derive(Clone, Debug)]
pub(super) struct TaskRows {
    table: Arc<Mutex<Table>>,
    began: Instant,
}

impl TaskRows {
    pub(super) fn new() -> Self {
        Self { table: Arc::default(), began: Instant::now() }
    }

    /// The table, and how many rows had no place in it.
    pub(super) fn text(&self) -> (String, u64) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        (table.text(), table.left_out)
    }
}

impl ObserveRuns for TaskRows {
    fn of_run(&self, begins: &RunBegins<'_>) -> Option<Box<dyn Observer>> {
        let begun = begun(begins, self.began.elapsed());
        let run = self.table.lock().unwrap_or_else(PoisonError::into_inner).begin(begun);
        Some(Box::new(RowsOfRun { table: Arc::clone(&self.table), run }))
    }
}

struct RowsOfRun {
    table: Arc<Mutex<Table>>,
    run: u32,
}

impl Observer for RowsOfRun {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        if matches!(event, Event::Succeeded(_) | Event::Attempt(_) | Event::Expired { .. }) {
            // Nobody else wants it while a run goes on, unless arms run together.
            self.table.lock().unwrap_or_else(PoisonError::into_inner).event(self.run, now, event);
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}
