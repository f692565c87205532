//! `poolscope` and `poolscope FILE`: the dashboard; without a terminal the same as `compare`.

mod catalogue;

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::{ChangeArgs, CompareArgs, DashboardArgs, Output, ResultFormat, Theme};
use crate::commands::console::Console;
use crate::commands::farewell::{self, Repeat};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::{ExitReason, compare, leave, list, new, process, python, write};
use crate::session::conductor::{JoinOnDrop, Session};
use crate::tui::{self, CatalogueEntry, DashboardEnd, DashboardOptions, Left, ThemeName};
use crate::workload::model::Workload;
use crate::workload::source::Source;

/// Prepares, shows the dashboard, in which sessions are run, and says what was measured.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &DashboardArgs) -> anyhow::Result<ExitReason> {
    let console = Console::detect();
    if !has_terminal(console) || !std::io::stdin().is_terminal() {
        return without_terminal(arguments, console);
    }
    show(arguments, None)
}

/// Whether there is a terminal that can be drawn on.
pub(super) fn has_terminal(console: Console) -> bool {
    std::io::stdout().is_terminal() && !console.is_dumb()
}

/// What a workload from the command line has for a source.
const TYPED: &str = "command line";

/// A workload that is there already.
pub(super) struct Given {
    pub(crate) source: Source,
    pub(crate) workload: Arc<Workload>,
    /// The command line that says the same again.
    pub(crate) again: Vec<String>,
}

/// The dashboard of what the command line names, or of what is given.
pub(super) fn show(arguments: &DashboardArgs, given: Option<Given>) -> anyhow::Result<ExitReason> {
    let console = Console::detect();
    let again = given.as_ref().map(|given| given.again.clone());
    let Offer { platform, catalogue, named } = match prepared(arguments, given) {
        Ok(offer) => offer,
        Err(exit) => return Ok(exit),
    };
    // Measured before the screen is taken: it may say something, and it must not be disturbed.
    platform.run_context(arguments.changes.i_know)?;
    let names: Vec<String> = catalogue.iter().map(|entry| entry.name.clone()).collect();
    let sessions = Sessions::default();
    let Left { ended, measured } = tui::run(DashboardOptions {
        process: process()?,
        save: Arc::new(saved),
        start: starter(platform, Arc::clone(&sessions), &arguments.changes),
        catalogue,
        initial: named,
        theme: theme(arguments.look.theme),
        ascii: arguments.look.ascii || console.ascii(true),
        fps: u32::from(arguments.look.fps),
    })?;
    // Where the terminal is gone, so is its user.
    if let Some(measured) = measured.filter(|_| ended.signal != Some(libc::SIGHUP)) {
        let file = names.get(measured.entry).map_or("", String::as_str);
        let given = Some(measured.entry) == named;
        let again = again.as_deref().filter(|_| given);
        let repeat = Repeat { file, given, changes: &arguments.changes, again };
        farewell::say(&measured, ended.signal, &repeat, arguments);
    }
    let exit = leave(exit(ended), ended.left_behind);
    // Nothing that was started is left behind.
    drop(sessions);
    Ok(exit)
}

/// What the picker offers: everything was checked, and nothing was started.
struct Offer {
    platform: Platform,
    catalogue: Vec<CatalogueEntry>,
    /// The entry that was named on the command line: it is opened at once.
    named: Option<usize>,
}

fn prepared(arguments: &DashboardArgs, given: Option<Given>) -> Prepared<Offer> {
    let DashboardArgs { file, changes, output: Output { output, events, trace, format, strict, color, .. }, .. } =
        arguments;
    prepare::one_count(changes, "the dashboard", file.as_deref())?;
    if output.is_some() || events.is_some() || trace.is_some() || *format != ResultFormat::Text || *strict {
        write::say(
            "error: --output, --events, --trace, --format and --strict are for headless runs: poolscope compare FILE --output ...",
        );
        return Err(ExitReason::BadInput);
    }
    let platform = Platform::detect();
    let Some(file) = file else {
        return Ok(Offer { catalogue: catalogue::catalogue(&platform, changes), platform, named: None });
    };
    let typed = given.is_some();
    let (source, workload) = match given {
        Some(given) => (given.source, given.workload),
        None => prepare::source_and_workload(file, changes, *color)?,
    };
    prepare::envelope(&workload, &platform, changes, false)?;
    let mut catalogue = catalogue::catalogue(&platform, changes);
    let mut entry = catalogue::entry_of(file, &source, workload, &platform, changes);
    if typed {
        entry.source = TYPED.to_owned();
    }
    let named = Some(catalogue::offer(&mut catalogue, entry, &source));
    Ok(Offer { platform, catalogue, named })
}

fn without_terminal(arguments: &DashboardArgs, console: Console) -> anyhow::Result<ExitReason> {
    let DashboardArgs { file, changes, output, .. } = arguments;
    if let Err(exit) = prepare::one_count(changes, "the dashboard", file.as_deref()) {
        return Ok(exit);
    }
    let Some(file) = file else {
        write::say(
            "error: the dashboard needs a terminal that it can draw on; without one: poolscope compare FILE, poolscope list, or --help",
        );
        return Ok(ExitReason::BadInput);
    };
    if !output.quiet {
        let dumb =
            if std::io::stdout().is_terminal() && console.is_dumb() { " that can be drawn on (TERM)" } else { "" };
        write::say(&format!("no terminal{dumb}: running headless, as poolscope compare {file}"));
    }
    compare::execute(&CompareArgs::of_all(file.clone(), changes.clone(), output.clone()))
}

/// The sessions that were started; dropping them waits for their ends.
type Sessions = Arc<Mutex<Vec<JoinOnDrop>>>;

fn starter(platform: Platform, sessions: Sessions, changes: &ChangeArgs) -> tui::Start {
    let ChangeArgs { i_know, max_time, .. } = *changes;
    Arc::new(move |workload: Arc<Workload>| {
        let plan = prepare::plan(&workload, &platform, max_time);
        if let Some(note) = plan.impossible.first() {
            anyhow::bail!("{}: {}", note.key, note.message);
        }
        if let (Some(refusal), false) = (plan.refusals.first(), i_know) {
            anyhow::bail!("{}: {}; --i-know runs it all the same", refusal.key, refusal.message);
        }
        let workload = python::ready(workload).map_err(|unfit| anyhow::anyhow!("{}", unfit.reason()))?;
        let session = Session::start(prepare::session(workload, &platform, i_know)?)?;
        let (handle, ending) = session.into_parts();
        // A poisoned list is only a list.
        sessions.lock().unwrap_or_else(PoisonError::into_inner).push(ending);
        Ok(handle)
    })
}

/// Writes the file of a workload that is built in or was typed, under a name that is free.
fn saved(entry: &CatalogueEntry) -> String {
    let Ok(workload) = &entry.outcome else { return "a file with errors is not written".to_owned() };
    if entry.source != list::BUILT_IN && entry.source != TYPED {
        return format!("its file is {}", entry.source);
    }
    let sane = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = workload.name.chars().map(sane).collect();
    let name = name.trim_matches(['-', '.']);
    let name = if name.is_empty() { "workload" } else { name };
    let names = std::iter::once(format!("{name}.yaml")).chain((2..100).map(|number| format!("{name}-{number}.yaml")));
    for path in names {
        match new::create(Path::new(&path), &entry.text) {
            Ok(()) => return format!("{path} written, as the workload was opened"),
            Err(new::Refused::Exists) => {}
            Err(new::Refused::NotCreated(error) | new::Refused::NotWritten(error)) => {
                return format!("{path} cannot be written: {error}");
            }
        }
    }
    format!("{name}.yaml and 98 more are there already")
}

fn exit(ended: DashboardEnd) -> ExitReason {
    match ended.signal {
        Some(signal) => ExitReason::Signal(signal),
        None if ended.left_behind => ExitReason::Aborted,
        None => ExitReason::Done,
    }
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
