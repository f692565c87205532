//! `poolscope` and `poolscope FILE`: the dashboard; without a terminal the same as `compare`.

mod again;
mod catalogue;
mod kept;
mod past;
mod search;

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::{ChangeArgs, CompareArgs, DashboardArgs, Output, ResultFormat, SweepArgs, Theme};
use crate::commands::console::Console;
use crate::commands::dashboard::kept::KeptSessions;
use crate::commands::dashboard::search::{Found, Origin};
use crate::commands::farewell::{self, Again, Repeat};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::{ExitReason, compare, leave, list, new, process, python, sweep, write};
use crate::os::terminal_input;
use crate::session::conductor::{JoinOnDrop, Session};
use crate::tui::{self, CatalogueEntry, DashboardEnd, DashboardOptions, Left, ThemeName};
use crate::workload::model::Workload;
use crate::workload::source::{self, Source};

/// Prepares, shows the dashboard, in which sessions are run, and says what was measured.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &DashboardArgs) -> anyhow::Result<ExitReason> {
    let console = Console::detect();
    if !has_terminal(console) {
        return without_terminal(arguments, console);
    }
    if std::io::stdin().is_terminal() {
        return show(arguments, None);
    }
    match with_items_of_input(arguments) {
        Ok(Some(given)) => {
            // What was standard input has been read; keys come from the terminal.
            match terminal_input::take(process()?) {
                Ok(()) => show(arguments, Some(given)),
                Err(_) => without_terminal(arguments, console),
            }
        }
        Ok(None) => without_terminal(arguments, console),
        Err(exit) => Ok(exit),
    }
}

/// The workload that is named, where its items are on standard input.
fn with_items_of_input(arguments: &DashboardArgs) -> Prepared<Option<Given>> {
    let DashboardArgs { file, changes, output, .. } = arguments;
    let Some(file) = file.as_ref().filter(|file| !source::is_standard_input(file)) else { return Ok(None) };
    let (source, workload) = prepare::source_and_workload(file, changes, output.color)?;
    Ok(source::input_was_read().then(|| Given {
        source,
        workload,
        again: Again { words: command_line(), piped: true },
        typed: false,
    }))
}

/// The words that this program was called with. What cannot be shown as text is not typed again either.
pub(super) fn command_line() -> Vec<String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()
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
    pub(crate) again: Again,
    /// Whether the command line says all of it.
    pub(crate) typed: bool,
}

/// The dashboard of what the command line names, or of what is given.
pub(super) fn show(arguments: &DashboardArgs, given: Option<Given>) -> anyhow::Result<ExitReason> {
    let console = Console::detect();
    let again = given.as_ref().map(|given| given.again.clone());
    let Offer { platform, catalogue, named, origin } = match prepared(arguments, given) {
        Ok(offer) => offer,
        Err(exit) => return Ok(exit),
    };
    if let Err(exit) = search::check_sweep(&platform, origin.as_ref(), arguments) {
        return Ok(exit);
    }
    // Measured before the screen is taken: it may say something, and it must not be disturbed.
    platform.run_context(arguments.changes.i_know)?;
    let names: Vec<String> = catalogue.iter().map(|entry| entry.name.clone()).collect();
    let (sessions, kept, found) = (Sessions::default(), KeptSessions::default(), Found::default());
    let Left { ended, measured } = tui::run(DashboardOptions {
        process: process()?,
        save: Arc::new(saved),
        search: search::starter(platform.clone(), names.clone(), origin, found.clone(), arguments),
        history: past::archive(&arguments.output.keep, kept.clone()),
        start: starter(platform, Arc::clone(&sessions), kept.clone(), arguments),
        catalogue,
        initial: named,
        sweep: arguments.sweep.clone(),
        theme: theme(arguments.look.theme),
        ascii: arguments.look.ascii || console.ascii(true),
        fps: u32::from(arguments.look.fps),
    })?;
    let mut exit = exit(ended);
    // Where the terminal is gone, so is its user.
    if let Some(measured) = measured.filter(|_| ended.signal != Some(libc::SIGHUP)) {
        let file = names.get(measured.entry).map_or("", String::as_str);
        let given = Some(measured.entry) == named;
        let again = again.as_ref().filter(|_| given);
        let repeat = Repeat { file, given, changes: &arguments.changes, again };
        exit = exit.or_graver(farewell::say(&measured, ended.signal, &repeat, arguments));
    }
    exit = exit.or_graver(found.tell(&arguments.output, arguments.look.ascii, ended.left_behind));
    kept.close(ended.signal.is_some());
    let exit = leave(exit, ended.left_behind);
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
    /// Where that came from.
    origin: Option<Origin>,
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
        return Ok(Offer { catalogue: catalogue::catalogue(&platform, changes), platform, named: None, origin: None });
    };
    let typed = given.as_ref().is_some_and(|given| given.typed);
    let again = given.as_ref().map(|given| given.again.clone());
    let (source, workload) = match given {
        Some(given) => (given.source, given.workload),
        None => prepare::source_and_workload(file, changes, *color)?,
    };
    prepare::envelope(&workload, &platform, changes, false)?;
    let mut catalogue = catalogue::catalogue(&platform, changes);
    let mut entry = catalogue::entry_of(file, &source, Arc::clone(&workload), &platform, changes);
    if typed {
        entry.source = TYPED.to_owned();
    }
    let named = catalogue::offer(&mut catalogue, entry, &source);
    let origin = Some(Origin { entry: named, source, workload, changes: changes.clone(), again, typed });
    Ok(Offer { platform, catalogue, named: Some(named), origin })
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
    let verb = if arguments.sweep.is_empty() { "compare" } else { "sweep" };
    if !output.quiet {
        let dumb =
            if std::io::stdout().is_terminal() && console.is_dumb() { " that can be drawn on (TERM)" } else { "" };
        write::say(&format!("no terminal{dumb}: running headless, as poolscope {verb} {file}"));
    }
    if !arguments.sweep.is_empty() {
        let sweep = SweepArgs::of_all(file.clone(), arguments.sweep.clone(), changes.clone(), output.clone());
        return sweep::execute(&sweep);
    }
    compare::execute(&CompareArgs::of_all(file.clone(), changes.clone(), output.clone()))
}

/// The sessions that were started; dropping them waits for their ends.
type Sessions = Arc<Mutex<Vec<JoinOnDrop>>>;

fn starter(platform: Platform, sessions: Sessions, kept: KeptSessions, arguments: &DashboardArgs) -> tui::Start {
    let ChangeArgs { i_know, max_time, .. } = arguments.changes;
    let (keep, set) = (arguments.output.keep.clone(), arguments.changes.set.clone());
    Arc::new(move |workload: Arc<Workload>| {
        let plan = prepare::plan(&workload, &platform, max_time);
        if let Some(note) = plan.impossible.first() {
            anyhow::bail!("{}: {}", note.key, note.message);
        }
        if let (Some(refusal), false) = (plan.refusals.first(), i_know) {
            anyhow::bail!("{}: {}; --i-know runs it all the same", refusal.key, refusal.message);
        }
        let workload = python::ready(workload).map_err(|unfit| anyhow::anyhow!("{}", unfit.reason()))?;
        let mut keeper = kept.begin(&keep, &workload, &platform.host, &set);
        let opened = prepare::session(workload, &platform, i_know).map_err(anyhow::Error::from);
        let session = match opened.and_then(|spec| Ok(Session::start(spec)?)) {
            Ok(session) => session,
            Err(error) => {
                keeper.forget();
                return Err(error);
            }
        };
        let (handle, ending) = session.into_parts();
        kept.opened(keeper, handle.view.clone());
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
