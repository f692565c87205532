//! `poolscope history`: what was measured before. One file per verb.

mod baseline;
mod check;
pub(crate) mod compare;
mod contrast;
mod export;
pub(crate) mod list;
mod prune;
pub(crate) mod show;
mod table;
mod whole;

use std::path::Path;
use std::time::Duration;

use crate::cli::{Format, HistoryArgs, HistoryVerb, Place as Options};
use crate::commands::prepare::Prepared;
use crate::commands::target::Target;
use crate::commands::{ExitReason, write};
use crate::history::place::Place;
use crate::history::record::{Session, SessionId};
use crate::history::store::Opening;
use crate::history::{HistoryError, Store};
use crate::report::clean;

/// Name of the schema of everything that these verbs print.
const SCHEMA: &str = "poolscope.history/1";

/// Longest that other programs are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Does what a verb asks for.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &HistoryArgs) -> anyhow::Result<ExitReason> {
    let done = match &arguments.verb {
        HistoryVerb::List(arguments) => list::execute(arguments),
        HistoryVerb::Show(arguments) => show::execute(arguments),
        HistoryVerb::Compare(arguments) => compare::execute(arguments),
        HistoryVerb::Baseline(arguments) => baseline::execute(arguments),
        HistoryVerb::Check(arguments) => check::execute(arguments),
        HistoryVerb::Export(arguments) => export::execute(arguments),
        HistoryVerb::Prune(arguments) => prune::execute(arguments),
    };
    Ok(done.unwrap_or_else(|exit| exit))
}

/// Opens the history that is meant.
fn open(db: Option<&Path>) -> Prepared<Store> {
    let place = match Place::find(db) {
        Ok(Place::At(path)) => Store::open(&path, Opening::Reading, PATIENCE),
        Ok(Place::Off) => {
            write::say("error: the history is switched off (POOLSCOPE_DB=off); --db PATH names one");
            return Err(ExitReason::BadInput);
        }
        Err(error) => Err(error),
    };
    place.map_err(refused)
}

/// Says why it cannot be used.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to `map_err`")]
fn refused(error: HistoryError) -> ExitReason {
    write::say(&format!("error: {}", clean::line(&error.to_string())));
    ExitReason::BadInput
}

/// A session that was named.
fn session(store: &Store, id: SessionId) -> Prepared<Session> {
    store.session(id).map_err(refused)?.ok_or_else(|| no_session(store, id))
}

/// Says that there is no session of a number.
fn no_session(store: &Store, id: SessionId) -> ExitReason {
    let place = store.path().display().to_string();
    write::say(&format!("error: there is no session {id} in {} (poolscope history list)", clean::line(&place)));
    ExitReason::BadInput
}

/// Writes what a verb has to say of a history where it belongs.
fn deliver(
    options: &Options,
    store: &Store,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> serde_json::Value,
) -> Prepared<ExitReason> {
    Ok(deliver_to(target(options, store)?, options, text, json))
}

/// Where it belongs. Verbs that change the history ask before they do.
fn target(options: &Options, store: &Store) -> Prepared<Target> {
    Target::beside_history(options.output.as_deref(), store.path())
}

/// The same, of a place that is known to be one.
fn deliver_to(
    target: Target,
    options: &Options,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> serde_json::Value,
) -> ExitReason {
    let page = match options.format {
        Format::Json => format!("{:#}\n", json()),
        Format::Text => write::shown_on(&text(), target.is_standard()).into_owned(),
    };
    target.deliver(&page)
}
