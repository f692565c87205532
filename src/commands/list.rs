//! `poolscope list`: the bundled workloads and those in ./workloads.

use serde_json::json;

use crate::cli::{Format, ListArgs};
use crate::commands::{Exit, write};
use crate::report::{clean, units};
use crate::workload::load::load;
use crate::workload::model::Workload;
use crate::workload::{bundled, source};

/// Folder whose files are listed beside the bundled ones.
pub(super) const FOLDER: &str = "workloads";

/// A workload that can be named on the command line.
pub(super) struct Known {
    /// Name to give.
    pub name: String,
    /// A path, or "built in".
    pub source: String,
    /// Its text; empty if it could not be read.
    pub text: String,
    /// The workload, or what is wrong, rendered.
    pub outcome: Result<Workload, String>,
}

/// Everything that can be named: files in ./workloads hide bundled ones of the same name. Opening runs nothing.
pub(super) fn known(colored: bool) -> Vec<Known> {
    let mut list: Vec<Known> = bundled::all()
        .iter()
        .map(|bundled| {
            let outcome = load(bundled.text, bundled.name).map(|loaded| loaded.workload);
            Known {
                name: bundled.name.to_owned(),
                source: "built in".to_owned(),
                text: bundled.text.to_owned(),
                outcome: outcome.map_err(|diagnostics| diagnostics.render(colored)),
            }
        })
        .collect();
    let Ok(folder) = std::fs::read_dir(FOLDER) else { return list };
    let mut paths: Vec<_> = folder.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    paths.sort();
    for path in paths {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let shown = path.display().to_string();
        let (text, outcome) = match source::open(&shown, true) {
            Ok(source) => {
                let outcome = load(&source.text, &shown).map(|loaded| loaded.workload);
                (source.text, outcome.map_err(|diagnostics| diagnostics.render(colored)))
            }
            Err(error) => (String::new(), Err(error.to_string())),
        };
        // The bundled files, seen from the project's own folder, are not listed twice.
        let same = |known: &Known| known.name == name && known.text == text;
        if !list.iter().any(same) {
            list.push(Known { name: shown.clone(), source: shown, text, outcome });
        }
    }
    list
}

/// Prints the list.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &ListArgs) -> anyhow::Result<Exit> {
    let list = known(false);
    match arguments.format {
        Format::Json => {
            let workloads: Vec<_> = list
                .iter()
                .map(|known| match &known.outcome {
                    Ok(workload) => json!({
                        "name": known.name, "source": known.source, "title": workload.title, "teaches": workload.teaches,
                        "valid": true,
                    }),
                    Err(error) => json!({ "name": known.name, "source": known.source, "valid": false, "error": error }),
                })
                .collect();
            write::stdout(&format!("{:#}\n", json!({ "schema": "poolscope.list/1", "workloads": workloads })))?;
        }
        Format::Text => {
            let width = list.iter().map(|known| known.name.chars().count()).max().unwrap_or(0);
            let mut text = String::new();
            for known in &list {
                match &known.outcome {
                    Ok(workload) => {
                        text.push_str(&format!("{:width$}  {}\n", known.name, clean::line(&workload.title)));
                        for line in &workload.teaches {
                            text.push_str(&format!("{:width$}    - {}\n", "", clean::line(line)));
                        }
                    }
                    Err(error) => {
                        let first = error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                        text.push_str(&format!("{:width$}  ERROR: {}\n", known.name, clean::line(first)));
                    }
                }
            }
            text.push_str("\npoolscope NAME opens one in the dashboard; poolscope check NAME explains it\n");
            write::stdout(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// What is worth knowing of a workload before it is run, a line each.
pub(super) fn summary(workload: &Workload) -> Vec<String> {
    let engines: Vec<&str> = workload.engines.iter().map(|engine| engine.name.as_str()).collect();
    let mut lines = vec![format!("engines   {}", engines.join(", "))];
    let measure = &workload.measure;
    lines.push(format!("runs      {} of each, after {} to warm up", measure.repeats, measure.warmup));
    for class in workload.classes.iter().take(6) {
        let timeout = class.timeout.map(|time| format!(", timeout {}", units::duration(time))).unwrap_or_default();
        lines.push(format!("task      {}{timeout}", clean::line(&class.name)));
    }
    lines
}
