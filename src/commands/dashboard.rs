//! `poolscope` and `poolscope FILE`: the dashboard; without a terminal the same as `compare`.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{Changes, CompareArgs, DashboardArgs, Format, Output, Theme};
use crate::commands::console::Console;
use crate::commands::{Exit, compare, list, prepare, write};
use crate::report;
use crate::session::conductor::{Ending, Session};
use crate::tui::{self, Entry, Options, ThemeName};
use crate::workload::model::Workload;

/// Shows the dashboard.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &DashboardArgs) -> anyhow::Result<Exit> {
    if let Err(exit) = prepare::one_count(&arguments.changes, "the dashboard", arguments.file.as_deref()) {
        return Ok(exit);
    }
    let console = Console::detect();
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) || console.is_dumb() {
        return without_terminal(arguments, console);
    }
    let Output { output, format, strict, .. } = &arguments.output;
    if output.is_some() || *format == Format::Json || *strict {
        write::say(
            "error: --output, --format json and --strict are for headless runs: poolscope compare FILE --output ...",
        );
        return Ok(Exit::BadInput);
    }
    let initial = match &arguments.file {
        Some(file) => match prepare::workload(file, &arguments.changes, arguments.output.color) {
            Ok(workload) => Some(workload),
            Err(exit) => return Ok(exit),
        },
        None => None,
    };
    let place = prepare::Place::detect();
    if let Some(workload) = &initial
        && let Err(exit) = prepare::envelope(workload, &place, &arguments.changes, false)
    {
        return Ok(exit);
    }
    // Measured before the screen is taken: it may say something, and it must not be disturbed.
    place.surroundings(arguments.changes.i_know)?;
    let endings: Arc<Mutex<Vec<Ending>>> = Arc::default();
    let catalogue = catalogue(&place, arguments.changes.max_time);
    let options = Options {
        start: starter(place, Arc::clone(&endings), &arguments.changes),
        initial,
        catalogue,
        theme: theme(arguments.theme),
        ascii: arguments.ascii || console.ascii(true),
        fps: u32::from(arguments.fps),
    };
    let ended = tui::run(options)?;
    let exit = match ended.signal {
        Some(signal) => Exit::Signal(signal),
        None if ended.left_behind => Exit::Aborted,
        None => Exit::Done,
    };
    if ended.left_behind {
        // Its workers end with this process; waiting for its thread could take for ever.
        std::process::exit(exit.code().into());
    }
    // Nothing that was started is left behind.
    drop(endings);
    Ok(exit)
}

fn without_terminal(arguments: &DashboardArgs, console: Console) -> anyhow::Result<Exit> {
    let Some(file) = &arguments.file else {
        write::say(
            "error: the dashboard needs a terminal that it can draw on; without one: poolscope compare FILE, poolscope list, or --help",
        );
        return Ok(Exit::BadInput);
    };
    if !arguments.output.quiet {
        let dumb =
            if std::io::stdout().is_terminal() && console.is_dumb() { " that can be drawn on (TERM)" } else { "" };
        write::say(&format!("no terminal{dumb}: running headless, as poolscope compare {file}"));
    }
    compare::execute(&CompareArgs {
        file: file.clone(),
        engines: Vec::new(),
        repeats: None,
        warmup: None,
        together: false,
        changes: arguments.changes.clone(),
        output: arguments.output.clone(),
    })
}

fn starter(place: prepare::Place, endings: Arc<Mutex<Vec<Ending>>>, changes: &Changes) -> tui::Start {
    let Changes { i_know, max_time, .. } = *changes;
    Box::new(move |workload: Arc<Workload>| {
        let plan = prepare::plan(&workload, &place, max_time);
        if let (Some(refusal), false) = (plan.refusals.first(), i_know) {
            anyhow::bail!("{}: {}; --i-know runs it all the same", refusal.key, refusal.message);
        }
        let arms = workload.engines.clone();
        let session =
            Session::start(prepare::session(workload, arms, &place, i_know)?).context("starting the session")?;
        let (handle, ending) = session.into_parts();
        // A poisoned list is only a list.
        endings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(ending);
        Ok(handle)
    })
}

fn catalogue(place: &prepare::Place, max_time: Option<Duration>) -> Vec<Entry> {
    list::known(false)
        .into_iter()
        .map(|known| Entry {
            title: known.outcome.as_ref().map(|workload| workload.title.clone()).unwrap_or_default(),
            summary: known.outcome.as_ref().map(|workload| summary(workload, place, max_time)).unwrap_or_default(),
            name: known.name,
            source: known.source,
            outcome: known.outcome.map(Arc::new),
            text: known.text,
        })
        .collect()
}

/// What is worth knowing of a workload before it is run, a line each.
fn summary(workload: &Workload, place: &prepare::Place, max_time: Option<Duration>) -> Vec<String> {
    report::plan::lines(workload, &prepare::plan(workload, place, max_time))
}

fn theme(theme: Theme) -> ThemeName {
    match theme {
        Theme::Auto => ThemeName::Auto,
        Theme::Dark => ThemeName::Dark,
        Theme::Light => ThemeName::Light,
        Theme::HighContrast => ThemeName::HighContrast,
        Theme::Mono => ThemeName::Mono,
    }
}
