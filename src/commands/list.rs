//! `poolscope list`: workload files in the current folder, those in ./workloads, and the bundled ones.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::cli::{Format, ListArgs};
use crate::commands::target::Target;
use crate::commands::{ExitReason, write};
use crate::report::{clean, shell};
use crate::tui::model::READS_INPUT;
use crate::workload::diagnostic::DiagnosticSeverity;
use crate::workload::model::Workload;
use crate::workload::{bundled, source};

/// Folder whose files are listed beside the bundled ones.
pub(super) const FOLDER: &str = "workloads";

/// What the source of a bundled workload is called.
pub(super) const BUILT_IN: &str = "built in";

/// A workload that can be named on the command line.
pub(super) struct ListedWorkload {
    /// Name to give.
    pub(crate) name: String,
    /// A path, or "built in".
    pub(crate) source: String,
    /// Its text; empty if it could not be read.
    pub(crate) text: String,
    /// The workload, or what is wrong, rendered.
    pub(crate) outcome: Result<Workload, String>,
    /// Whether that is no error: it has items on standard input, which it gets where it is run.
    pub(crate) reads_input: bool,
}

/// Everything that can be named: files of the current folder that look like workloads, those in ./workloads, and the
/// bundled workloads. Opening runs nothing. `allow_exec`: commands of a file that everybody may change may be run.
pub(super) fn known(colored: bool, allow_exec: bool) -> Vec<ListedWorkload> {
    let mut list = Vec::new();
    for (folder, all) in [("", false), (FOLDER, true)] {
        let paths = match files(Path::new(folder)) {
            Ok(paths) => paths,
            // The user did not say that there is anything in the current folder.
            Err(_) if !all => continue,
            Err(error) => {
                list.push(ListedWorkload {
                    name: folder.to_owned(),
                    source: folder.to_owned(),
                    text: String::new(),
                    outcome: Err(format!("{folder}: the folder cannot be read: {error}")),
                    reads_input: false,
                });
                continue;
            }
        };
        list.extend(paths.iter().filter_map(|path| file(path, all, colored, allow_exec)));
    }
    list.extend(bundled::all().iter().map(|bundled| {
        let outcome = source::load_bundled(bundled).map(|loaded| loaded.workload);
        ListedWorkload {
            name: bundled.name.to_owned(),
            source: BUILT_IN.to_owned(),
            text: bundled.text.to_owned(),
            outcome: outcome.map_err(|diagnostics| diagnostics.render(colored)),
            reads_input: false,
        }
    }));
    list
}

/// A file that can be named. Unless `all` are wanted, `None` if it does not look like a workload.
pub(super) fn file(path: &Path, all: bool, colored: bool, allow_exec: bool) -> Option<ListedWorkload> {
    // A name that the command line would take for something else is given with its folder.
    let shown = path.display().to_string();
    let shown = if typed_back(&shown) { shown } else { format!("./{shown}") };
    let mut reads_input = false;
    let (text, outcome) = match source::read(path) {
        Ok(source) if !all && !looks_like_a_workload(&source.text) => return None,
        Ok(source) => {
            let allowed = |workload| match source.exec_refusal(&workload, allow_exec) {
                Some(refusal) => Err(refusal.into()),
                None => Ok(workload),
            };
            let outcome = source.load(&[]).and_then(|loaded| allowed(loaded.workload));
            let outcome = outcome.map_err(|diagnostics| {
                let mut errors = diagnostics.iter().filter(|one| one.severity == DiagnosticSeverity::Error).peekable();
                reads_input =
                    errors.peek().is_some() && errors.all(|one| one.message.contains(source::WAITS_FOR_INPUT));
                match reads_input {
                    true => {
                        format!("{READS_INPUT}: ... | poolscope run {}\n", shell::join(std::slice::from_ref(&shown)))
                    }
                    false => diagnostics.render(colored),
                }
            });
            (source.text, outcome)
        }
        // What cannot be read does not look like anything.
        Err(_) if !all => return None,
        Err(error) => (String::new(), Err(error.diagnostic().render(colored))),
    };
    // The bundled files, seen from the project's own folder, are not listed twice.
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let same = bundled::get(&stem).is_some_and(|bundled| bundled.name == stem && bundled.text == text);
    (!same).then(|| ListedWorkload { name: shown.clone(), source: shown, text, outcome, reads_input })
}

/// Whether a name means this file wherever a workload is asked for.
fn typed_back(name: &str) -> bool {
    !name.starts_with('-')
}

/// Whether a YAML file has the two keys that every workload has and few others have together, at the start of a line:
/// that can be said of one that is broken, too.
fn looks_like_a_workload(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let has = |key: &str| {
        text.lines().any(|line| {
            let rest = line.strip_prefix(key).or_else(|| line.strip_prefix(&format!("\"{key}\"")));
            rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    };
    has("version") && has("tasks")
}

/// The YAML files of a folder (the current one if it has no name), sorted; none if there is no such folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let here = folder.as_os_str().is_empty();
    let entries = match std::fs::read_dir(if here { Path::new(".") } else { folder }) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        other => other?,
    };
    let mut paths = entries.map(|entry| Ok(folder.join(entry?.file_name()))).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    paths.sort();
    Ok(paths)
}

/// Prints the list.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &ListArgs) -> anyhow::Result<ExitReason> {
    let target = match Target::open(arguments.output.as_deref(), &[]) {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    // Nothing is run from here.
    let list = known(false, true);
    let text = match arguments.format {
        Format::Json => format!("{:#}\n", json(&list)),
        Format::Text => write::shown_on(&text(&list), target.is_standard()).into_owned(),
    };
    Ok(target.deliver(&text))
}

fn json(list: &[ListedWorkload]) -> Value {
    let workloads = list.iter().map(|known| match &known.outcome {
        Ok(workload) => json!({
            "name": known.name, "source": known.source, "title": workload.title, "teaches": workload.teaches,
            "valid": true,
        }),
        Err(error) => json!({ "name": known.name, "source": known.source, "valid": false, "error": error }),
    });
    json!({ "schema": "poolscope.list/1", "workloads": workloads.collect::<Vec<_>>() })
}

/// Columns of the list: what every terminal has.
const WIDTH: usize = 80;
/// Longest name that has others beside it.
const LONGEST_NAME: usize = 24;

fn text(list: &[ListedWorkload]) -> String {
    // A file may be called anything.
    let names: Vec<_> = list.iter().map(|known| clean::line(&known.name)).collect();
    let widths = names.iter().map(|name| name.width()).filter(|width| *width <= LONGEST_NAME);
    let indent = widths.max().unwrap_or(0) + 2;
    let mut text = String::new();
    for (known, name) in list.iter().zip(&names) {
        let (title, lessons) = match &known.outcome {
            Ok(workload) => (clean::line(&workload.title).into_owned(), workload.teaches.as_slice()),
            Err(error) => {
                let first = error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let mark = if known.reads_input { "" } else { "ERROR: " };
                (format!("{mark}{}", clean::line(first)), &[][..])
            }
        };
        let mut lines = wrap(name, WIDTH);
        let mut beside = wrap(&title, WIDTH - indent);
        if name.width() + 2 <= indent {
            let gap = " ".repeat(indent - name.width());
            let first = if beside.is_empty() { String::new() } else { beside.remove(0) };
            lines = vec![format!("{name}{gap}{first}").trim_end().to_owned()];
        }
        for lesson in lessons {
            let mut lesson = wrap(&clean::line(lesson), WIDTH - indent - 4).into_iter();
            beside.extend(lesson.next().map(|line| format!("  - {line}")));
            beside.extend(lesson.map(|line| format!("    {line}")));
        }
        lines.extend(beside.into_iter().map(|line| format!("{:indent$}{line}", "")));
        lines.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
    }
    text.push_str("\npoolscope NAME opens one in the dashboard; poolscope check NAME explains it\n");
    text
}

/// A text in lines of at most so many columns, broken between words if they are not longer than that.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= room {
                line.push_str(&" ".repeat(gap));
                line.push_str(word);
                break;
            }
            if !line.is_empty() {
                lines.push(String::new());
                continue;
            }
            let mut taken = 0;
            let end = word.char_indices().find(|(_, character)| {
                taken += character.width().unwrap_or(0);
                taken > room
            });
            let end = end.map_or(word.len(), |(end, _)| end);
            line.push_str(&word[..end]);
            word = &word[end..];
            lines.push(String::new());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(name: &str) -> ListedWorkload {
        let outcome = Err("\nf.yaml:1:1: tasks: missing\n  |\n1 | x\n".to_owned());
        let (name, source) = (name.to_owned(), name.to_owned());
        ListedWorkload { name, source, text: String::new(), outcome, reads_input: false }
    }

    #[test]
    fn every_bundled_workload_says_what_it_teaches() {
        let list = known(false, true);
        let text = text(&list);
        for bundled in bundled::all() {
            assert!(text.lines().any(|line| line.starts_with(&format!("{} ", bundled.name))), "{}", bundled.name);
            let entry = list.iter().find(|known| known.name == bundled.name).unwrap();
            for lesson in &entry.outcome.as_ref().unwrap().teaches {
                let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(words.contains(lesson.as_str()), "{lesson}");
            }
        }
    }

    #[test]
    fn a_workload_is_known_by_its_keys_even_when_it_is_broken() {
        for text in ["version: 1\ntasks: []\n", "\u{feff}tasks:\n  - [\n\"version\" : 7\n", "version:\t1\r\ntasks:\r\n"]
        {
            assert!(looks_like_a_workload(text), "{text:?}");
        }
        for text in ["", "version: 3\nservices:\n  tasks: 1\n", "# version: 1\ntasks: []\n", "versions: 1\ntasks: []\n"]
        {
            assert!(!looks_like_a_workload(text), "{text:?}");
        }
    }

    #[test]
    fn a_broken_file_is_listed_with_its_first_error() {
        let list = [broken("bad.yaml")];
        assert!(text(&list).starts_with("bad.yaml  ERROR: f.yaml:1:1: tasks: missing\n"), "{}", text(&list));
        assert_eq!(json(&list)["workloads"][0]["valid"], false);
    }

    #[test]
    fn no_line_is_wider_than_a_terminal() {
        let mut list = known(false, true);
        list.extend(["n".repeat(300), "日本".repeat(60), "two words ".repeat(20)].map(|name| broken(&name)));
        let text = text(&list);
        let widest = text.lines().max_by_key(|line| line.width()).unwrap();
        assert!(widest.width() <= 80, "{widest}");
        let whole: usize = text.lines().filter(|line| line.chars().all(|letter| letter == 'n')).map(str::len).sum();
        assert_eq!(whole, 300, "nothing is cut off: {text}");
        assert_eq!(wrap("ab cde fghijklm", 4), ["ab", "cde", "fghi", "jklm"]);
    }

    #[test]
    fn a_file_name_cannot_control_the_terminal_and_columns_line_up() {
        let list = [broken("e\x1b[31mvil\x07.yaml"), broken("日本.yaml"), broken("long-name.yaml")];
        let text = text(&list);
        assert!(!text.replace('\n', "").contains(clean::is_control), "{text:?}");
        let columns: Vec<_> = text.lines().filter_map(|line| Some(line.split_once("ERROR")?.0.width())).collect();
        assert_eq!(columns, [16, 16, 16], "{text}");
    }

    #[test]
    fn commands_of_a_file_that_everybody_may_change_are_offered_only_with_a_word() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.yaml");
        std::fs::write(&path, "version: 1\ntasks: [{ name: t, kind: command, command: [\"true\"], count: 1 }]\n")
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        let outcome = |allow_exec| file(&path, true, false, allow_exec).unwrap().outcome;
        assert!(outcome(false).unwrap_err().contains("--allow-exec"));
        assert!(outcome(true).is_ok());
    }

    #[test]
    fn a_folder_that_is_not_there_has_no_files_and_one_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "c.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            files(folder.path()).unwrap().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.yml", "b.yaml"]);
        assert!(files(&folder.path().join("nowhere")).unwrap().is_empty());
        let long = folder.path().join("x".repeat(300));
        assert!(files(&long).is_err());
    }
}
