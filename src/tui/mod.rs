//! The dashboard: draws a session's view and sends its commands; it never looks inside an engine and never waits for one.
//!
//! * [`model`], [`arms`], [`state`], [`keys`]: what is shown, what the user chose, what a key means; `update`, and `tune` for
//!   the keys of worker counts, change the choice as a key asks. Pure. For the list of failures also [`failures`], [`filter`],
//!   [`task_list`] and [`line_edit`].
//!   A search beside the comparison that is open: [`search`], and [`goal_line`] for what is typed.
//! * [`history`]: what was measured before, asked for on a thread of its own.
//! * [`draw`], [`widgets`], [`theme`], [`text`], [`mod@format`]: one frame from these. Pure.
//! * `event_loop`, with `terminal`, `screen`, `input`, `notice` and `pacer`: the only parts that touch the terminal, the
//!   clock and signals.

pub(crate) mod arms;
#[cfg(test)]
mod cost_tests;
pub(crate) mod draw;
mod event_loop;
pub(crate) mod failures;
pub(crate) mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod format;
pub(crate) mod glossary;
pub(crate) mod goal_line;
pub(crate) mod history;
mod input;
pub(crate) mod keys;
pub(crate) mod line_edit;
mod look;
pub(crate) mod model;
mod notice;
mod opening;
mod pacer;
#[cfg(test)]
mod pty_tests;
mod screen;
pub(crate) mod search;
pub(crate) mod state;
mod take_over;
pub(crate) mod task_list;
mod terminal;
pub(crate) mod text;
pub(crate) mod theme;
mod tune;
mod update;
pub(crate) mod widgets;
pub(crate) mod work;

use std::sync::Arc;

pub(crate) use event_loop::run;
pub(crate) use model::CatalogueEntry;
pub(crate) use theme::ThemeName;

use crate::os::process_owner::ProcessOwner;
use crate::session::handle::SessionHandle;
use crate::session::view::SessionView;
use crate::tui::search::StartSearch;
use crate::workload::model::{Dimension, Workload};

/// Opens a session for a workload; must not start anything before it is told to run. It may take its time.
pub(crate) type Start = Arc<dyn Fn(Arc<Workload>) -> anyhow::Result<SessionHandle> + Send + Sync>;

/// Writes the file of a workload that has none, and says in a few words what became of it.
pub(crate) type Save = Arc<dyn Fn(&CatalogueEntry) -> String + Send + Sync>;

/// What the dashboard is started with.
pub(crate) struct DashboardOptions {
    /// The terminal, signals and panics of the whole process are the dashboard's as long as it is shown.
    pub(crate) process: ProcessOwner,
    /// Opens a session.
    pub(crate) start: Start,
    /// Starts a search.
    pub(crate) search: StartSearch,
    /// Writes a workload's file.
    pub(crate) save: Save,
    /// Tells what was measured before, or why nobody does.
    pub(crate) history: Result<history::Archive, String>,
    /// The workloads of the picker.
    pub(crate) catalogue: Vec<CatalogueEntry>,
    /// Which of them is opened and run at once; otherwise the picker comes first.
    pub(crate) initial: Option<usize>,
    /// Fields that are swept in it, in the place of that run.
    pub(crate) sweep: Vec<Dimension>,
    /// Colours to begin with.
    pub(crate) theme: ThemeName,
    /// Whether only ASCII is drawn.
    pub(crate) ascii: bool,
    /// Most frames per second for data, 1 to 30; keys are answered at once.
    pub(crate) fps: u32,
}

/// What the dashboard leaves to the command that started it.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) ended: DashboardEnd,
    /// The comparison that was on screen last, or else the last one in which something was measured.
    pub(crate) measured: Option<Measured>,
}

/// A comparison in which something was measured.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Index of its workload in the catalogue.
    pub(crate) entry: usize,
    /// Its last view.
    pub(crate) view: Arc<SessionView>,
    /// Workers of each arm when it was opened.
    pub(crate) opened_with: Vec<u32>,
    /// Whether a signal ended it before its time.
    pub(crate) cut_short: bool,
}

/// How the dashboard ended. The terminal is given back in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct DashboardEnd {
    /// This signal, or its key, ended it; the exit code is 128 plus its number.
    pub(crate) signal: Option<i32>,
    /// Whether a session that has not ended was left behind: waiting for it may take for ever.
    pub(crate) left_behind: bool,
}

impl DashboardEnd {
    /// The user left.
    pub(crate) const QUIT: Self = Self { signal: None, left_behind: false };
    /// The user left with Ctrl-C.
    pub(crate) const INTERRUPTED: Self = Self::by(libc::SIGINT);

    /// A signal came.
    pub(crate) const fn by(signal: i32) -> Self {
        Self { signal: Some(signal), left_behind: false }
    }

    /// The same, without waiting for what still runs.
    pub(crate) const fn at_once(self) -> Self {
        Self { left_behind: true, ..self }
    }
}
