//! What the dashboard leaves on the terminal: what was measured last, and the command that measures it again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::analysis::silence;
use crate::analysis::tuning::found::Found;
use crate::cli::{ChangeArgs, DashboardArgs};
use crate::commands::{ExitReason, drive, headless, measured, write};
use crate::report::sweep::SweptArm;
use crate::report::tune::answers::Answered;
use crate::report::{self, ascii, shell};
use crate::session::stream::SharedStream;
use crate::session::view::{Answer, ArmView, Mode, SessionView};
use crate::tui::Measured;
use crate::workload::model::Work;
use crate::workload::source;
use crate::workload::units::format_duration;

/// Where a comparison came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat<'a> {
    /// File or bundled workload, as it is named on the command line.
    pub(crate) file: &'a str,
    /// Whether it was named there, so that the changes to it were for it.
    pub(crate) given: bool,
    /// What was asked for on the command line.
    pub(crate) changes: &'a ChangeArgs,
    /// The whole command line, where that is what says the workload.
    pub(crate) again: Option<&'a Again>,
}

/// A command line that says a workload.
#[derive(Clone, Debug)]
pub(super) struct Again {
    pub(crate) words: Vec<String>,
    /// Whether its items came through a pipe, which gives them once.
    pub(crate) piped: bool,
}

/// Writes both to standard output. Failures are told one by one where they are the exit code; elsewhere they were on screen,
/// and the command tells them. Returns the exit code that follows from what was measured.
pub(super) fn say(
    measured: &Measured,
    signal: Option<i32>,
    repeat: &Repeat<'_>,
    arguments: &DashboardArgs,
) -> ExitReason {
    let DashboardArgs { look, output, .. } = arguments;
    let view = &*measured.view;
    let hash = SharedStream::new(&view.workload).hash().to_owned();
    let results = measured::results_of(view, hash, drive::ending(view, signal.filter(|_| measured.cut_short)));
    let colour = write::colored_stdout(output.color);
    let usual = report::text::TextOptions { colour, width: write::stdout_width(), ..Default::default() };
    let options =
        report::text::TextOptions { attempts: if output.fail_on_error { usual.attempts } else { 0 }, ..usual };
    let mut text = report::text::render(&results, options);
    let swept = swept(view);
    if !swept.is_empty() {
        text.push_str("\nWorker counts that were tried\n");
        text.push_str(&report::sweep::text::counts(&swept, options));
    }
    text.push_str(&answers(view, options));
    let text = if look.ascii { ascii::text(&text) } else { write::shown_on(&text, true) };
    let again = format!("{}{}", repeat.lines(view, &measured.opened_with), notes(view, repeat.again.is_some()));
    // A terminal that is gone takes nothing, which is no loss.
    if let Err(error) = write::stdout(&format!("{text}\n{again}")) {
        write::say(&format!("error: {error:#}"));
    }
    if output.fail_on_error { headless::verdict(&results, output, true) } else { ExitReason::Done }
}

/// The arms of which more than one worker count was tried.
fn swept(view: &SessionView) -> Vec<SweptArm> {
    let tried = view.arms.iter().filter(|arm| arm.tuning.points.len() > 1);
    let arm = |arm: &ArmView| SweptArm {
        spec: arm.spec.clone(),
        base: arm.spec.name.clone(),
        settings: Vec::new(),
        group: 0,
        tuning: Arc::clone(&arm.tuning),
        partial: measured::partial(view, arm).map(|partial| (arm.measured, partial)),
    };
    tried.map(arm).collect()
}

/// What was found for each target that was looked for, with its reason; nothing where none was.
fn answers(view: &SessionView, options: report::text::TextOptions) -> String {
    let several = |answer: &Answer| answer.found.len() > 1;
    let of_arm = |answer: &Answer, (index, found): &(usize, Found)| Answered {
        arm: view.arms.get(*index).filter(|_| several(answer)).map(|arm| arm.spec.name.clone()),
        words: found.words(answer.target),
        why: found.why.clone(),
        met: found.met,
        is_best: answer.best == Some(*index),
        ended: answer.ended,
    };
    let all = view.answers.iter().flat_map(|answer| answer.found.iter().map(move |found| of_arm(answer, found)));
    report::tune::answers::render(&all.collect::<Vec<_>>(), options)
}

/// What is to be known of the user's own programs: that what they wrote is gone, and why they may not have answered.
fn notes(view: &SessionView, typed: bool) -> String {
    let lost = |work: &Work| matches!(work, Work::Command(command) if command.options.output.is_none());
    let is_lost = view.workload.classes.iter().any(|class| lost(&class.work));
    let silent = view.arms.iter().filter_map(ArmView::latest).any(|run| silence::is_silent(&view.workload, run));
    let mut notes = String::new();
    if is_lost && (typed || view.workload.has_items()) {
        notes.push_str("note: what the commands wrote was not kept: ");
        notes.push_str(match typed {
            true => "> FILE, --headless or keep_output (in a file)\n",
            false => "`poolscope run` gives it out, keep_output keeps it\n",
        });
    }
    if silent {
        notes.push_str(&format!("note: {}\n", silence::HINT));
    }
    notes
}

/// Command line with another number of workers, which is said before what is called.
fn with_workers(words: &[String], option: Vec<String>) -> Vec<String> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (own, rest) = words.split_at(end);
    let mut kept = Vec::new();
    let mut own = own.iter();
    while let Some(word) = own.next() {
        match word.as_str() {
            "--workers" => {
                own.next();
            }
            word if word.starts_with("--workers=") => {}
            _ => kept.push(word.clone()),
        }
    }
    kept.into_iter().chain(option).chain(rest.iter().cloned()).collect()
}

fn sweep_line(command: Option<Vec<String>>) -> String {
    command.map_or_else(String::new, |words| {
        format!("With all worker counts that were tried:\n  {}\n", shell::join(&words))
    })
}

/// All worker counts that were tried, where these are several.
fn tried(view: &SessionView) -> Option<String> {
    let points = view.arms.iter().filter(|arm| arm.tuning.points.len() > 1).flat_map(|arm| &arm.tuning.points);
    let counts: BTreeSet<u32> = points.map(|point| point.workers).collect();
    (counts.len() > 1).then(|| counts.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}

impl Repeat<'_> {
    /// A line that says what it is, and the command on a line of its own.
    fn lines(&self, view: &SessionView, opened_with: &[u32]) -> String {
        if let Some(Again { words, piped }) = self.again {
            let given = if *piped { ", given the same items once more" } else { "" };
            let counts = workers(view, opened_with, true);
            let words = match counts.is_empty() {
                true => words.clone(),
                false => {
                    with_workers(words, counts.into_iter().flat_map(|count| ["--set".to_owned(), count]).collect())
                }
            };
            let sweep = tried(view).map(|counts| with_workers(&words, vec!["--workers".to_owned(), counts]));
            return format!("To repeat it{given}:\n  {}\n{}", shell::join(&words), sweep_line(sweep));
        }
        let piped = is_piped(self.file);
        let again = if piped { "To repeat it, given the same workload once more:" } else { "To repeat it:" };
        let command = self.command(view, opened_with);
        let sweep = tried(view).map(|counts| with_workers(&command, vec!["--workers".to_owned(), counts]));
        format!("{again}\n  {}\n{}", shell::join(&command), sweep_line(sweep))
    }

    /// The command line that makes the same comparison without the dashboard.
    fn command(&self, view: &SessionView, opened_with: &[u32]) -> Vec<String> {
        // What looks like an option is none behind its folder.
        let folder = if self.file.starts_with('-') && !source::is_standard_input(self.file) { "./" } else { "" };
        let mut words = vec!["poolscope".to_owned(), "compare".to_owned(), format!("{folder}{}", self.file)];
        let counts = workers(view, opened_with, self.given && self.changes.workers.is_some());
        let everywhere = ChangeArgs { set: Vec::new(), seed: None, workers: None, ..self.changes.clone() };
        words.extend(changes(if self.given { self.changes } else { &everywhere }, &counts));
        if view.mode == Mode::Together {
            words.push("--together".to_owned());
        }
        words
    }
}

/// Whether what has this name gives what is in it once.
pub(super) fn is_piped(file: &str) -> bool {
    source::is_standard_input(file) || source::is_named_pipe(file) || is_descriptor(file)
}

/// A pipe that a shell made, as in `<(...)`.
fn is_descriptor(file: &str) -> bool {
    file.starts_with("/dev/fd/") || Path::new(file).starts_with("/proc")
}

/// Settings of the arms whose number of workers was changed. `all`: of every arm if of one, because an option for all of
/// them would have the last word.
fn workers(view: &SessionView, opened_with: &[u32], all: bool) -> Vec<String> {
    let arms = || view.arms.iter().zip(opened_with).enumerate();
    let any = arms().any(|(_, (arm, before))| arm.told.0 != *before);
    let named = |(arm, before): &(&crate::session::view::ArmView, &u32)| {
        arm.told.0 != **before || any && all && arm.spec.kind.has_worker_count()
    };
    arms().filter(|(_, arm)| named(arm)).map(|(at, (arm, _))| format!("engines.{at}.workers={}", arm.told.0)).collect()
}

/// The options that change a workload, and then those that set the number of workers of single arms.
pub(super) fn changes(changes: &ChangeArgs, workers: &[String]) -> Vec<String> {
    // Every option is looked at: a new one does not get lost.
    let ChangeArgs { set, seed, workers: everywhere, allow_exec, max_time, i_know } = changes;
    let mut words = Vec::new();
    let mut option = |name: &str, value: Option<String>| {
        words.push(format!("--{name}"));
        words.extend(value);
    };
    for change in set.iter().chain(workers) {
        // What begins like an option is a value only in the same word.
        match change.starts_with('-') {
            true => option(&format!("set={change}"), None),
            false => option("set", Some(change.clone())),
        }
    }
    if let Some(seed) = seed {
        option("seed", Some(seed.to_string()));
    }
    if let (Some(everywhere), []) = (everywhere, workers) {
        option("workers", Some(everywhere.to_string()));
    }
    if *allow_exec {
        option("allow-exec", None);
    }
    if let Some(max_time) = max_time {
        option("max-time", Some(format_duration(*max_time)));
    }
    if *i_know {
        option("i-know", None);
    }
    words
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};
    use crate::tui::fixture;
    use crate::tui::model;

    /// Everything that can be asked for.
    fn asked() -> ChangeArgs {
        ChangeArgs {
            set: vec!["total=100".to_owned(), "name=\"it's\"".to_owned(), "-x=1".to_owned()],
            seed: Some(5),
            workers: Some("4".parse().unwrap()),
            allow_exec: true,
            max_time: Some(Duration::from_millis(5_400_500)),
            i_know: true,
        }
    }

    fn repeat<'a>(file: &'a str, given: bool, changes: &'a ChangeArgs) -> Repeat<'a> {
        Repeat { file, given, changes, again: None }
    }

    /// The command line read back.
    fn read(words: &[String]) -> (String, ChangeArgs, bool) {
        match Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{words:?}: {error}")).command {
            Some(Verb::Compare(arguments)) => (arguments.file, arguments.changes, arguments.together),
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn the_command_asks_for_the_same_again() {
        let (view, asked) = (fixture::finished(), asked());
        let (file, changes, together) = read(&repeat("-my file.yaml", true, &asked).command(&view, &[4, 4]));
        assert_eq!((file.as_str(), together), ("./-my file.yaml", false));
        assert_eq!(format!("{changes:?}"), format!("{asked:?}"));
        // What was not named is run as it is, within the same limits.
        let (_, changes, _) = read(&repeat("mixed", false, &asked).command(&view, &[4, 4]));
        assert_eq!((changes.set.len(), changes.seed, changes.workers), (0, None, None));
        assert!(changes.allow_exec && changes.i_know && changes.max_time == asked.max_time);
        let plain = ChangeArgs::default();
        assert_eq!(repeat("mixed", true, &plain).command(&view, &[4, 4]), ["poolscope", "compare", "mixed"]);
        let (_, _, together) = read(&repeat("mixed", true, &plain).command(&fixture::together(), &[4, 4]));
        assert!(together);
        let piped = repeat("/dev/fd/63", true, &plain).lines(&view, &[4, 4]);
        assert!(piped.contains("given the same workload"), "{piped}");
    }

    #[test]
    fn worker_counts_that_were_changed_are_in_it() {
        let mut view = fixture::serial();
        view.arms[1].told.0 = 6;
        let plain = ChangeArgs::default();
        let command = |changes: &ChangeArgs| repeat("f", true, changes).command(&view, &[1, 4])[3..].to_vec();
        assert_eq!(command(&plain), ["--set", "engines.1.workers=6"]);
        // The option would set all arms, and last.
        let four = ChangeArgs {
            workers: Some("4".parse().unwrap()),
            set: vec!["total=9".to_owned()],
            ..ChangeArgs::default()
        };
        assert_eq!(command(&four), ["--set", "total=9", "--set", "engines.1.workers=6"]);
        let mut view = fixture::three_arms();
        view.arms[0].told.0 = 1;
        let words = repeat("f", true, &four).command(&view, &[4, 2, 4]);
        let counts = ["engines.0.workers=1", "engines.1.workers=2", "engines.2.workers=4"];
        assert_eq!(read(&words).1.set[1..], counts);
    }

    #[test]
    fn a_typed_command_line_gets_the_counts_before_what_it_calls() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut view = fixture::one_arm();
        let before = view.arms[0].told.0;
        view.arms[0].told.0 = before + 2;
        let again = Again { words: words("poolscope try --workers 4 --count 9 -- x --workers 5"), piped: false };
        let plain = ChangeArgs::default();
        let repeat = Repeat { again: Some(&again), ..repeat("try", true, &plain) };
        view.arms[0].tuning = Arc::default();
        let told = repeat.lines(&view, &[before]);
        let wanted = format!("try --count 9 --set engines.0.workers={} -- x --workers 5", before + 2);
        assert!(told.contains(&wanted) && !told.contains("tried"), "{told}");
        view.arms[0].tuning = Arc::clone(&fixture::tuned().arms[0].tuning);
        let told = repeat.lines(&view, &[before + 2]);
        assert!(told.contains("--workers 4 --count 9 -- x --workers 5"), "as it was: {told}");
        assert!(told.contains("tried:\n  poolscope try --count 9 --workers 1,2,4"), "{told}");
    }

    #[test]
    fn what_every_search_for_a_target_has_found_is_told() {
        let mut view = fixture::tuned();
        assert_eq!(answers(&view, report::text::TextOptions::default()), "");
        let found = |met, why: &str| Found { workers: Some(4), met, why: why.to_owned(), ..Found::default() };
        let answer = |target: &str, found: Vec<(usize, Found)>, best, ended| Answer {
            target: target.parse().unwrap(),
            found,
            best,
            ended,
        };
        let suspect = Found { suspect: true, ..found(Some(true), "below the limit") };
        view.answers = Arc::new(vec![
            answer("p99<40ms", vec![(0, found(Some(false), "none meets it")), (1, suspect)], Some(1), false),
            answer("memory<2GiB", vec![(0, found(None, "not told apart"))], None, true),
        ]);
        let told = answers(&view, report::text::TextOptions::default());
        for words in [
            "pool, p99<40ms IS NOT MET, 4 comes closest",
            "why: none meets it",
            "process, SUSPECT p99<40ms: USE 4, the faster engine",
            "why: below the limit",
            "memory<2GiB: 4 is the best so far; ended before it was through",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn nothing_measured_is_nothing_to_tell() {
        assert!(!model::was_measured(&fixture::ready()));
        let mut warming_up = fixture::first_run();
        warming_up.arms[0].finished = std::sync::Arc::default();
        assert!(!model::was_measured(&warming_up), "the first round is one to warm up");
        warming_up.position =
            crate::session::view::RunPosition::Round { round: 2, rounds: 6, warmup: 1, probes: false, open: false };
        assert!(model::was_measured(&warming_up));
        assert!(model::was_measured(&fixture::finished()));
    }
}
