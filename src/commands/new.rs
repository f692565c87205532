//! `poolscope new`: writes a commented workload file to start from.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;

use crate::cli::NewArgs;
use crate::commands::{ExitReason, write};
use crate::workload::load::load;

/// The file, with `NAME` for its name and `PATH` for how the command line calls it.
const STARTER: &str = include_str!("starter.yaml");

/// Writes `NAME.yaml`; never over a file that is there.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &NewArgs) -> anyhow::Result<ExitReason> {
    let refuse = |message: String| {
        write::say(&format!("error: {message}"));
        Ok(ExitReason::BadInput)
    };
    let Some((path, text)) = starter(&arguments.name) else {
        return refuse(format!(
            "{:?} cannot be the name of a workload; letters, digits, '-', '_' and '.' can, after a folder if wanted",
            arguments.name
        ));
    };
    match create(Path::new(&path), &text) {
        Ok(()) => {}
        Err(Refused::Exists) => return refuse(format!("{path} exists; it is left as it is")),
        Err(Refused::NotCreated(error)) => return refuse(format!("{path} cannot be created: {error}")),
        Err(Refused::NotWritten(error)) => return Err(error).with_context(|| format!("writing {path}")),
    }
    write::stdout(&format!("{path} written; look at it, then: poolscope {}\n", argument(&path)))?;
    Ok(ExitReason::Done)
}

/// Path and text of the file for a name; `None` if a workload cannot be called that.
fn starter(name: &str) -> Option<(String, String)> {
    let plain = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name);
    let title = plain.rsplit('/').next().unwrap_or(plain);
    let sane = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !plain.chars().all(sane) || !title.contains(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let path = format!("{plain}.yaml");
    // In this order: a name may contain PATH, but no path has quotes.
    let text = STARTER.replace("PATH", &argument(&path)).replace("\"NAME\"", &format!("{title:?}"));
    // Whatever is written can be read, as what it was meant to be.
    load(&text, name).is_ok_and(|loaded| loaded.workload.name == title).then_some((path, text))
}

/// The path so that a shell and the command line take it for a file.
fn argument(path: &str) -> String {
    if path.starts_with('-') { format!("./{path}") } else { path.to_owned() }
}

/// Why a file was not created.
pub(super) enum Refused {
    Exists,
    NotCreated(io::Error),
    NotWritten(io::Error),
}

/// Creates a file, whole or not at all.
pub(super) fn create(path: &Path, text: &str) -> Result<(), Refused> {
    let mut file = File::options().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Refused::Exists,
        _ => Refused::NotCreated(error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| {
        // It is ours: it was not there a moment ago.
        let _ = std::fs::remove_file(path);
        Refused::NotWritten(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::{Machine, Room, plan};

    #[test]
    fn whatever_name_is_taken_gives_a_workload_of_that_name_without_a_warning() {
        for (name, path, title) in [
            ("mine", "mine.yaml", "mine"),
            ("mine.yaml", "mine.yaml", "mine"),
            ("mine.yml", "mine.yaml", "mine"),
            ("../a/b_c.2", "../a/b_c.2.yaml", "b_c.2"),
            ("NAME", "NAME.yaml", "NAME"),
            // YAML would take these for something else than text.
            ("123", "123.yaml", "123"),
            ("1e3", "1e3.yaml", "1e3"),
            ("0x1f", "0x1f.yaml", "0x1f"),
            ("true", "true.yaml", "true"),
            ("null", "null.yaml", "null"),
            (".inf", ".inf.yaml", ".inf"),
            ("-x", "-x.yaml", "-x"),
        ] {
            let (written, text) = starter(name).unwrap_or_else(|| panic!("{name} was refused"));
            let loaded = load(&text, name).unwrap();
            assert_eq!((written.as_str(), loaded.workload.name.as_str()), (path, title));
            assert_eq!(loaded.warnings, [], "{name}");
            for cores in [1, 2, 16, 256] {
                let (processes, memory_bytes) = (Room::of(10_000), 1 << 40);
                let machine = Machine { cores, memory_bytes, memory_source: "", processes, descriptors: None };
                let plan = plan(&loaded.workload, machine);
                assert_eq!((plan.warnings, plan.refusals), (vec![], vec![]), "{cores} cores");
            }
            assert!(text.contains(&format!("`poolscope check {}`", argument(path))), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in ["", "/", "a/", ".", "..", "-", ".yaml", "a b", "a\nb", "a\"", "é", "a:b", "\x1b[31m", "a/.."] {
            assert_eq!(starter(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.yaml");
        assert!(create(&path, "one").is_ok());
        assert!(matches!(create(&path, "two"), Err(Refused::Exists)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        let dangling = folder.path().join("link.yaml");
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(create(&dangling, "x"), Err(Refused::Exists)), "nothing is written through a link");
        assert!(matches!(create(&folder.path().join("no/w.yaml"), "x"), Err(Refused::NotCreated(_))));
    }
}
