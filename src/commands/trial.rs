//! `poolscope try`: work that is named on the command line, without a file.
//!
//! A workload is written in memory ([`text`]) and goes the way of any other: the dashboard on a terminal, headless without
//! one. What it does is done for real, so that it says how often before it begins, and asks where that is more than once.

mod consent;
mod text;

use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::{CompareArgs, DashboardArgs, HiddenBatchArgs, Output, ResultFormat, SweepArgs, TryArgs};
use crate::commands::batch::{self, Batch};
use crate::commands::console::Console;
use crate::commands::dashboard::{self, Given};
use crate::commands::farewell::{self, Again};
use crate::commands::prepare::{self, Prepared};
use crate::commands::{ExitReason, claims, compare, process, programs, sweep, write};
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
        return print(arguments, &text);
    }
    match prepared(arguments, text) {
        Ok((given, batch)) => run(arguments, given, batch),
        Err(exit) => Ok(exit),
    }
}

/// Writes the file, if it is one.
fn print(arguments: &TryArgs, text: &str) -> anyhow::Result<ExitReason> {
    // What comes through standard input is for whoever runs it.
    let readable = text::without_input(text);
    if let Err(exit) = prepare::typed(readable, &arguments.changes, arguments.output.color, false) {
        return Ok(exit);
    }
    if let Some(rest) = text::not_in_it(arguments) {
        write::say(&format!("note: a file does not say all of it; to be run with: {rest}"));
    }
    write::stdout(text)?;
    Ok(ExitReason::Done)
}

fn prepared(arguments: &TryArgs, text: String) -> Prepared<(Given, Option<Batch>)> {
    let TryArgs { changes, output, .. } = arguments;
    // The dashboard may run it again, and tells what there is.
    let one_count = changes.workers.as_ref().is_none_or(|counts| counts.single().is_some());
    let (source, workload) = prepare::typed(text, changes, output.color, is_headless(arguments) && one_count)?;
    let mut workload = Arc::new(batch::live::settled(Arc::unwrap_or_clone(workload), &arguments.batch)?);
    // A file may be meant for another machine; what is typed is meant for this one.
    if let Some(programs) = programs::of(&workload).filter(|programs| !programs.warnings().is_empty()) {
        programs.warnings().iter().for_each(|warning| write::say(&format!("error: {warning}")));
        return Err(ExitReason::BadInput);
    }
    let counts = changes.workers.as_ref().map_or(1, |counts| counts.all().len());
    if consent::Extent::of(&workload, counts).runs() > 1 {
        let instead = "use one engine, one number of workers and one repeat";
        batch::refused(&arguments.batch, "this would run each more than once", instead)?;
    }
    // Several runs write the same several times, and the dashboard is where standard output is.
    let once = consent::Extent::of(&workload, counts).runs() == 1;
    let free = once && is_headless(arguments) && (output.format == ResultFormat::Text || !is_standard(output));
    claims::check(NAME, &workload, output, Some(&arguments.batch), None)?;
    let batch = batch::prepare(&arguments.batch, Arc::make_mut(&mut workload), free)?;
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
    let piped = arguments.items.as_deref().is_some_and(farewell::is_piped);
    let again = Again { words: dashboard::command_line(), piped };
    Ok((Given { source, workload, again, typed: true }, batch))
}

fn run(arguments: &TryArgs, given: Given, batch: Option<Batch>) -> anyhow::Result<ExitReason> {
    let TryArgs { changes, output, .. } = arguments;
    let mut output = output.clone();
    output.fail_on_error = !arguments.allow_failures;
    output.keep.verb = Some(NAME);
    if changes.workers.as_ref().is_some_and(|counts| counts.single().is_none()) {
        let (file, changes) = (NAME.to_owned(), changes.clone());
        let (engines, sweep, batch) = (Vec::new(), Vec::new(), HiddenBatchArgs::default());
        let (full, resume, repeats, warmup) = (false, None, None, None);
        let arguments = SweepArgs { file, engines, sweep, full, resume, repeats, warmup, batch, changes, output };
        let loaded = Ok((given.source, given.workload));
        return sweep::of(loaded, Vec::new(), &arguments, |workload| workload.measure.repeats.get());
    }
    if is_headless(arguments) {
        let arguments = CompareArgs::of_all(NAME.to_owned(), changes.clone(), output);
        return compare::of(Ok(given.workload), &arguments, batch);
    }
    // What was standard input has been read; keys come from the terminal.
    terminal_input::take(process()?).context("the dashboard needs a terminal for its keys; --headless goes without")?;
    let sweep = Vec::new();
    let options =
        DashboardArgs { file: Some(NAME.to_owned()), sweep, look: arguments.look, changes: changes.clone(), output };
    dashboard::show(&options, Some(given))
}

fn is_headless(arguments: &TryArgs) -> bool {
    arguments.headless || arguments.batch.first().is_some() || !dashboard::has_terminal(Console::detect())
}

/// Whether the result goes to standard output.
fn is_standard(output: &Output) -> bool {
    let own = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    output.output.as_ref().is_none_or(|path| own.iter().any(|own| path.as_os_str() == *own))
}
