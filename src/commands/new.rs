//! `poolscope new`: writes a commented workload file to start from.

use std::io::Write as _;

use anyhow::Context as _;

use crate::cli::NewArgs;
use crate::commands::{Exit, write};

/// The file, with `NAME` for its name.
const STARTER: &str = include_str!("starter.yaml");

/// Writes `NAME.yaml` into the current folder; never over a file that is there.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &NewArgs) -> anyhow::Result<Exit> {
    let name = arguments.name.strip_suffix(".yaml").unwrap_or(&arguments.name);
    let sane =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    if !sane {
        write::say(&format!("error: {name:?} cannot be the name of a workload; letters, digits, '-', '_' and '.' can"));
        return Ok(Exit::BadInput);
    }
    let path = format!("{name}.yaml");
    let title = name.rsplit('/').next().unwrap_or(name);
    let file = std::fs::File::options().write(true).create_new(true).open(&path);
    let mut file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            write::say(&format!("error: {path} exists; it is left as it is"));
            return Ok(Exit::BadInput);
        }
        Err(error) => return Err(error).with_context(|| format!("writing {path}")),
    };
    file.write_all(STARTER.replace("NAME", title).as_bytes()).with_context(|| format!("writing {path}"))?;
    write::stdout(&format!("{path} written; look at it, then: poolscope {path}\n"))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_to_start_from_is_a_workload() {
        let text = STARTER.replace("NAME", "mine");
        let loaded = crate::workload::load::load(&text, "starter.yaml").unwrap();
        assert_eq!(loaded.workload.name, "mine");
        assert!(loaded.warnings.is_empty());
    }
}
