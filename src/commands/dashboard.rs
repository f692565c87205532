//! `poolscope` and `poolscope FILE`: the dashboard; without a terminal the same as `compare`.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cli::{ChangeArgs, CompareArgs, DashboardArgs, Format, Output, Theme};
use crate::commands::console::Console;
use crate::commands::farewell::{self, Repeat};
use crate::commands::{ExitReason, compare, list, prepare, process, write};
use crate::report::{self, shell};
use crate::session::conductor::{JoinOnDrop, Session};
use crate::tui::model::Brief;
use crate::tui::{self, CatalogueEntry, DashboardOptions, Left, ThemeName};
use crate::workload::model::Workload;
use crate::workload::source::Source;

/// Shows the dashboard.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &DashboardArgs) -> anyhow::Result<ExitReason> {
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
        return Ok(ExitReason::BadInput);
    }
    let opened = match &arguments.file {
        Some(file) => match prepare::source_and_workload(file, &arguments.changes, arguments.output.color) {
            Ok(opened) => Some(opened),
            Err(exit) => return Ok(exit),
        },
        None => None,
    };
    let platform = prepare::Platform::detect();
    if let Some((_, workload)) = &opened
        && let Err(exit) = prepare::envelope(workload, &platform, &arguments.changes, false)
    {
        return Ok(exit);
    }
    // Measured before the screen is taken: it may say something, and it must not be disturbed.
    platform.run_context(arguments.changes.i_know)?;
    let endings: Arc<Mutex<Vec<JoinOnDrop>>> = Arc::default();
    let mut catalogue = catalogue(&platform, &arguments.changes);
    let initial = opened.zip(arguments.file.as_deref()).map(|((source, workload), file)| {
        let entry = entry_of(file, &source, workload, &platform, &arguments.changes);
        offer(&mut catalogue, entry, &source)
    });
    let names: Vec<String> = catalogue.iter().map(|entry| entry.name.clone()).collect();
    let options = DashboardOptions {
        process: process()?,
        start: starter(platform, Arc::clone(&endings), &arguments.changes),
        catalogue,
        initial,
        theme: theme(arguments.theme),
        ascii: arguments.ascii || console.ascii(true),
        fps: u32::from(arguments.fps),
    };
    let Left { ended, measured } = tui::run(options)?;
    // Where the terminal is gone, so is its user.
    if let Some(measured) = measured.filter(|_| ended.signal != Some(libc::SIGHUP)) {
        let given = Some(measured.entry) == initial;
        let file = names.get(measured.entry).map_or("", String::as_str);
        farewell::say(&measured, ended.signal, &Repeat { file, given, changes: &arguments.changes }, arguments);
    }
    let exit = match ended.signal {
        Some(signal) => ExitReason::Signal(signal),
        None if ended.left_behind => ExitReason::Aborted,
        None => ExitReason::Done,
    };
    if ended.left_behind {
        // Its workers end with this process; waiting for its thread could take for ever.
        std::process::exit(exit.code().into());
    }
    // Nothing that was started is left behind.
    drop(endings);
    Ok(exit)
}

fn without_terminal(arguments: &DashboardArgs, console: Console) -> anyhow::Result<ExitReason> {
    let Some(file) = &arguments.file else {
        write::say(
            "error: the dashboard needs a terminal that it can draw on; without one: poolscope compare FILE, poolscope list, or --help",
        );
        return Ok(ExitReason::BadInput);
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

fn starter(platform: prepare::Platform, endings: Arc<Mutex<Vec<JoinOnDrop>>>, changes: &ChangeArgs) -> tui::Start {
    let ChangeArgs { i_know, max_time, .. } = *changes;
    Box::new(move |workload: Arc<Workload>| {
        let plan = prepare::plan(&workload, &platform, max_time);
        if let (Some(refusal), false) = (plan.refusals.first(), i_know) {
            anyhow::bail!("{}: {}; --i-know runs it all the same", refusal.key, refusal.message);
        }
        let session = Session::start(prepare::session(workload, &platform, i_know)?)?;
        let (handle, ending) = session.into_parts();
        // A poisoned list is only a list.
        endings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(ending);
        Ok(handle)
    })
}

fn catalogue(platform: &prepare::Platform, changes: &ChangeArgs) -> Vec<CatalogueEntry> {
    let entry = |known: list::ListedWorkload| match known.outcome {
        Ok(workload) => entry(known.name, known.source, known.text, Arc::new(workload), platform, changes.max_time),
        Err(problems) => CatalogueEntry {
            name: known.name,
            title: String::new(),
            source: known.source,
            summary: Vec::new(),
            brief: Brief::default(),
            outcome: Err(problems),
            text: known.text,
        },
    };
    list::known(false, changes.allow_exec).into_iter().map(entry).collect()
}

fn entry(
    name: String,
    source: String,
    text: String,
    workload: Arc<Workload>,
    platform: &prepare::Platform,
    max_time: Option<Duration>,
) -> CatalogueEntry {
    let plan = prepare::plan(&workload, platform, max_time);
    let arms = workload.engines.iter().zip(&plan.engines);
    let brief = Brief {
        arms: arms.map(|(arm, plan)| (arm.kind, arm.name.clone(), plan.workers)).collect(),
        runs: workload.measure.repeats.get(),
        at_least: plan.at_least_s.and_then(|least| Duration::try_from_secs_f64(least).ok()),
    };
    let title = workload.title.clone();
    CatalogueEntry {
        name,
        title,
        source,
        summary: report::plan::lines(&workload, &plan),
        brief,
        outcome: Ok(workload),
        text,
    }
}

/// The workload that was named on the command line, with the changes that were asked for there.
fn entry_of(
    file: &str,
    source: &Source,
    workload: Arc<Workload>,
    platform: &prepare::Platform,
    changes: &ChangeArgs,
) -> CatalogueEntry {
    let name = file.to_owned();
    let mut entry = entry(name.clone(), name, source.text.clone(), workload, platform, changes.max_time);
    let changed = farewell::changes(changes, &[]);
    if !changed.is_empty() {
        entry.summary.insert(0, format!("changed   by {}", shell::join(&changed)));
    }
    entry
}

/// Puts an entry in the place of the one that is the same file or bundled workload, or else before all others. Its index.
fn offer(catalogue: &mut Vec<CatalogueEntry>, entry: CatalogueEntry, source: &Source) -> usize {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let path = source.path.as_deref().and_then(real);
    let same = |known: &CatalogueEntry| match &path {
        Some(path) => known.source != list::BUILT_IN && real(Path::new(&known.name)).as_ref() == Some(path),
        None => known.source == list::BUILT_IN && source.name == format!("{}.yaml", known.name),
    };
    match catalogue.iter().position(same) {
        Some(place) => {
            if let Some(known) = catalogue.get_mut(place) {
                let (name, source) = (known.name.clone(), known.source.clone());
                *known = CatalogueEntry { name, source, ..entry };
            }
            place
        }
        None => {
            catalogue.insert(0, entry);
            0
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 5 }]\n";

    fn opened(name: &str, changes: &ChangeArgs, platform: &prepare::Platform) -> (CatalogueEntry, Source) {
        let (source, workload) = prepare::source_and_workload(name, changes, crate::cli::Color::Never).unwrap();
        (entry_of(name, &source, workload, platform, changes), source)
    }

    #[test]
    fn the_workload_that_was_named_has_one_place_in_the_picker() {
        let platform = prepare::Platform::detect();
        let changes = ChangeArgs { set: vec!["measure.repeats=2".to_owned()], ..ChangeArgs::default() };
        let mut list = catalogue(&platform, &changes);
        let before = list.len();
        let (entry, source) = opened("cpu_uniform.yml", &changes, &platform);
        let at = offer(&mut list, entry, &source);
        assert_eq!((list.len(), list[at].name.as_str()), (before, "cpu-uniform"), "whatever it was called");
        assert_eq!(list[at].brief.runs, 2, "with its changes");
        assert!(list[at].summary.iter().any(|line| line.contains("--set measure.repeats=2")));
        // A file of another folder is offered first, and only once.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("elsewhere.yaml");
        std::fs::write(&path, FILE).unwrap();
        for _ in 0..2 {
            let (entry, source) = opened(path.to_str().unwrap(), &ChangeArgs::default(), &platform);
            assert_eq!(offer(&mut list, entry, &source), 0);
            assert_eq!((list.len(), list[0].name.as_str()), (before + 1, path.to_str().unwrap()));
        }
    }
}
