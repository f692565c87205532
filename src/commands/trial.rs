//! `poolscope try`: work that is named on the command line, without a file.
//!
//! A workload is written in memory ([`text`]) and goes the way of any other: the dashboard on a terminal, headless without
//! one. What it does is done for real, so that it says how often before it begins, and asks where that is more than once.

mod consent;
mod text;

use anyhow::Context as _;

use crate::cli::{CompareArgs, DashboardArgs, SweepArgs, TryArgs};
use crate::commands::console::Console;
use crate::commands::dashboard::{self, Given};
use crate::commands::prepare::{self, Prepared};
use crate::commands::{ExitReason, compare, process, sweep, write};
use crate::os::terminal_input;

/// What the verb is called where a workload has the name of its file.
const NAME: &str = "try";

/// Makes the workload and runs it.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &TryArgs) -> anyhow::Result<ExitReason> {
    let text = match text::workload(arguments) {
        Ok(text) => text,
        Err(reason) => {
            write::say(&format!("error: {reason}"));
            return Ok(ExitReason::BadInput);
        }
    };
    if arguments.print {
        write::stdout(&text)?;
        return Ok(ExitReason::Done);
    }
    match prepared(arguments, text) {
        Ok(given) => run(arguments, given),
        Err(exit) => Ok(exit),
    }
}

fn prepared(arguments: &TryArgs, text: String) -> Prepared<Given> {
    let TryArgs { changes, output, .. } = arguments;
    let (source, workload) = prepare::typed(text, changes, output.color)?;
    let counts = changes.workers.as_ref().map_or(1, |counts| counts.all().len());
    let work = consent::Extent::of(&workload, counts);
    if !output.quiet || work.runs() > 1 {
        write::say(&work.words());
        if let Some(note) = text::advice(arguments) {
            write::say(&note);
        }
    }
    if work.runs() > 1 && !arguments.yes {
        consent::ask()?;
    }
    // What cannot be shown as text is not typed again either.
    let again = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    Ok(Given { source, workload, again })
}

fn run(arguments: &TryArgs, given: Given) -> anyhow::Result<ExitReason> {
    let TryArgs { changes, output, .. } = arguments;
    let mut output = output.clone();
    output.fail_on_error = !arguments.allow_failures;
    if changes.workers.as_ref().is_some_and(|counts| counts.single().is_none()) {
        let (file, changes) = (NAME.to_owned(), changes.clone());
        let (engines, sweep) = (Vec::new(), Vec::new());
        let arguments =
            SweepArgs { file, engines, sweep, full: false, resume: None, repeats: None, warmup: None, changes, output };
        let loaded = Ok((given.source, given.workload));
        return sweep::of(loaded, Vec::new(), &arguments, |workload| workload.measure.repeats.get());
    }
    if arguments.headless || !dashboard::has_terminal(Console::detect()) {
        let arguments = CompareArgs::of_all(NAME.to_owned(), changes.clone(), output);
        return compare::of(Ok(given.workload), &arguments);
    }
    // What was standard input has been read; keys come from the terminal.
    terminal_input::take(process()?).context("the dashboard needs a terminal for its keys; --headless goes without")?;
    let options = DashboardArgs { file: Some(NAME.to_owned()), look: arguments.look, changes: changes.clone(), output };
    dashboard::show(&options, Some(given))
}
