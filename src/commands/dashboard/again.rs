//! The command line that looks again for what a search of the dashboard has looked for.

use crate::analysis::tuning::goal::Goal;
use crate::cli::ChangeArgs;
use crate::commands::farewell::{self, Again};
use crate::report::shell;
use crate::tui::search::Wanted;
use crate::workload::source;

/// What a search was of, and what for.
pub(super) struct Repeated<'a> {
    /// Name of the workload in the catalogue.
    pub(super) name: &'a str,
    /// The command line that says it, and whether it says all of it, where that is what the dashboard was begun with.
    pub(super) given: Option<(&'a Again, bool)>,
    pub(super) wanted: &'a Wanted,
    /// The arm that was chosen.
    pub(super) engine: &'a str,
    pub(super) changes: &'a ChangeArgs,
    pub(super) has_items: bool,
}

/// Where the items of a command line are to be kept that came through a pipe.
const ITEMS: &str = "items.txt";

impl Repeated<'_> {
    /// A line that says what it is, and the command on a line of its own.
    pub(super) fn lines(&self) -> String {
        match self.given {
            Some((again, true)) => self.of_typed(again),
            Some((again, false)) if again.piped => {
                format!(
                    "To look for it again, given the same items once more:\n  {}\n",
                    shell::join(&self.command(true))
                )
            }
            _ if farewell::is_piped(self.name) => {
                let command = shell::join(&self.command(true));
                format!("To look for it again, given the same workload once more:\n  {command}\n")
            }
            _ => format!("To look for it again:\n  {}\n", shell::join(&self.command(false))),
        }
    }

    /// Of a workload without a file: `try --print` writes it.
    fn of_typed(&self, again: &Again) -> String {
        let words = printing(&again.words);
        let with = if again.piped { format!(", with its items in {ITEMS}") } else { String::new() };
        let look = Repeated { name: "-", ..*self }.command(true);
        format!("To look for it again{with}:\n  {} | {}\n", shell::join(&words), shell::join(&look))
    }

    /// `piped`: nobody can be asked.
    fn command(&self, piped: bool) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        // What looks like an option is none behind its folder.
        let folder = if self.name.starts_with('-') && !source::is_standard_input(self.name) { "./" } else { "" };
        let name = format!("{folder}{}", self.name);
        // As it was called.
        let program = self.given.and_then(|(again, _)| again.words.first()).map_or("poolscope", String::as_str);
        let mut command = match self.wanted {
            Wanted::Edge(goal) => words(&[program, "tune", &name, "--target", &goal.to_string()]),
            Wanted::Sweep(fields) => {
                let fields = fields.iter().flat_map(|field| ["--sweep".to_owned(), field.to_string()]);
                words(&[program, "sweep", &name]).into_iter().chain(fields).collect()
            }
        };
        if *self.wanted == Wanted::Edge(Goal::Knee) {
            command.extend(words(&["--engine", self.engine]));
        }
        if piped && self.has_items {
            command.push("--yes".to_owned());
        }
        command.extend(farewell::changes(self.changes, &[]));
        command
    }
}

/// The command line that writes the workload which another one runs; items that came through a pipe are read from a file.
fn printing(words: &[String]) -> Vec<String> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (own, rest) = words.split_at(end);
    let piped = |source: &str| farewell::is_piped(source);
    let mut kept: Vec<String> = Vec::new();
    for word in own {
        let follows = kept.last().is_some_and(|before| before == "--items");
        match word.strip_prefix("--items=") {
            _ if follows && piped(word) => kept.push(ITEMS.to_owned()),
            Some(source) if piped(source) => kept.push(format!("--items={ITEMS}")),
            _ => kept.push(word.clone()),
        }
    }
    kept.into_iter().chain(["--print".to_owned()]).chain(rest.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn lines(given: Option<(&Again, bool)>, name: &str, wanted: &Wanted) -> String {
        let changes = ChangeArgs { set: words("engines.0.workers=3"), ..ChangeArgs::default() };
        Repeated { name, given, wanted, engine: "process", changes: &changes, has_items: true }.lines()
    }

    /// The command of the second line, each part of a pipe read back.
    fn read(lines: &str) -> Vec<Verb> {
        let command = lines.lines().nth(1).expect("a command").trim();
        let part = |part: &str| {
            let words: Vec<&str> = part.split(' ').map(|word| word.trim_matches('\'')).collect();
            Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{part}: {error}")).command.expect("a verb")
        };
        command.split(" | ").map(part).collect()
    }

    #[test]
    fn what_was_typed_is_written_as_a_file_for_the_search() {
        let knee = Wanted::Edge(Goal::Knee);
        let again = Again { words: words("poolscope try --items a.txt --workers 2 -- x {} --print"), piped: false };
        let told = lines(Some((&again, true)), "command line", &knee);
        assert!(told.contains("try --items a.txt --workers 2 --print -- x"), "{told}");
        let [Verb::Try(one), Verb::Tune(other)] = <[Verb; 2]>::try_from(read(&told)).expect("two commands") else {
            panic!("{told}")
        };
        assert!(one.print && one.items.as_deref() == Some("a.txt"), "{told}");
        assert_eq!((other.file.as_str(), other.goal, other.yes), ("-", Goal::Knee, true));
        assert_eq!((other.engine.as_deref(), other.changes.set), (Some("process"), words("engines.0.workers=3")));
        let piped = Again { words: words("poolscope try --items=- -- x {}"), piped: true };
        let told = lines(Some((&piped, true)), "command line", &Wanted::Sweep(vec!["workers=1,2".parse().unwrap()]));
        assert!(told.contains("with its items in items.txt:") && told.contains("--items=items.txt --print"), "{told}");
        assert!(matches!(read(&told).as_slice(), [Verb::Try(_), Verb::Sweep(sweep)] if sweep.file == "-"), "{told}");
    }

    #[test]
    fn a_file_is_named_and_what_came_through_a_pipe_is_to_be_given_again() {
        let break_even = Wanted::Edge(Goal::BreakEven);
        let told = lines(None, "-my.yaml", &break_even);
        assert!(
            matches!(read(&told).as_slice(), [Verb::Tune(tune)] if tune.file == "./-my.yaml" && !tune.yes),
            "{told}"
        );
        assert!(lines(None, "/dev/fd/63", &break_even).contains("given the same workload once more"));
        let items = Again { words: words("poolscope f.yaml"), piped: true };
        let told = lines(Some((&items, false)), "f.yaml", &break_even);
        assert!(told.contains("given the same items once more:\n  poolscope tune f.yaml"), "{told}");
    }
}
