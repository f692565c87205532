//! What the dashboard shows of what was measured before: read from the history on a thread that may wait.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::kept::KeptSessions;
use crate::cli::Keep;
use crate::commands::history::{compare, list, show};
use crate::commands::new::{self, Refused};
use crate::history::place::Place;
use crate::history::query::Filter;
use crate::history::record::Session;
use crate::history::store::Opening;
use crate::history::{HistoryError, Store};
use crate::report::history::{Compared, markdown};
use crate::tui::history::{Archive, Page, Told, Unread, Wish};

/// Longest that other programs are waited for before that is said.
const PATIENCE: Duration = Duration::from_millis(300);
/// Names that are tried for a report.
const MOST_NAMES: u32 = 100;

/// Tells what was measured before; sessions of this dashboard that have come to an end are stored first.
///
/// # Errors
/// Why there is nothing to tell, in a sentence.
pub(super) fn archive(keep: &Keep, kept: KeptSessions) -> Result<Archive, String> {
    if keep.no_history {
        return Err("--no-history: nothing is kept of these sessions, and nothing is shown of others".to_owned());
    }
    match Place::find(keep.db.as_deref()) {
        Ok(Place::At(path)) => Ok(Arc::new(move |wish: &Wish| answer(&path, &kept, wish))),
        Ok(Place::Off) => Err("the history is switched off (POOLSCOPE_DB=off); --db PATH names one".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl From<HistoryError> for Unread {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::Busy { .. } => Self::Busy(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

fn answer(path: &Path, kept: &KeptSessions, wish: &Wish) -> Result<Told, Unread> {
    if let Wish::Page { before: None, .. } = wish {
        kept.keep();
    }
    let store = Store::open(path, Opening::Reading, PATIENCE)?;
    match wish {
        Wish::Page { before, most } => page(&store, kept, *before, *most),
        Wish::Open(id) => Ok(Told::Opened(show::lines(&store, &session(&store, *id)?)?)),
        Wish::Compare(a, b) => Ok(Told::Compared(compared(&store, *a, *b)?)),
        Wish::Write(a, b) => {
            let text = markdown(&compared(&store, *a, *b)?);
            Ok(Told::Written(written(&format!("history-{}-{}", a.0, b.0), &text)))
        }
    }
}

fn page(store: &Store, kept: &KeptSessions, before: Option<i64>, most: u32) -> Result<Told, Unread> {
    let filter = Filter { before, most: Some(most), brief: true, ..Filter::default() };
    let sessions = store.sessions(&filter)?;
    Ok(Told::Page(Page {
        lines: sessions.iter().flat_map(list::listed).collect(),
        sessions: store.extent()?.sessions,
        is_last: sessions.len() < most as usize,
        own: kept.ids(),
    }))
}

fn session(store: &Store, id: i64) -> Result<Session, Unread> {
    store.session(id)?.ok_or_else(|| Unread::Failed(format!("session {id} is not there any more")))
}

fn compared(store: &Store, a: (i64, usize), b: (i64, usize)) -> Result<Compared, Unread> {
    let (one, other) = (session(store, a.0)?, session(store, b.0)?);
    Ok(compare::of_places((&one, a.1), (&other, b.1)))
}

/// Writes a report under a name that is free, in the current folder.
fn written(name: &str, text: &str) -> String {
    let names =
        std::iter::once(format!("{name}.md")).chain((2..MOST_NAMES).map(|number| format!("{name}-{number}.md")));
    for path in names.map(PathBuf::from) {
        match new::create(&path, text) {
            Ok(()) => return format!("{} written", path.display()),
            Err(Refused::Exists) => {}
            Err(Refused::NotCreated(error) | Refused::NotWritten(error)) => {
                return format!("{} cannot be written: {error}", path.display());
            }
        }
    }
    format!("{name}.md and {} more are there already", MOST_NAMES - 2)
}
