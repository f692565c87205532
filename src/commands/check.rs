//! `poolscope check`: validates workload files and explains what they would do, without running anything.

use serde_json::json;

use crate::cli::{CheckArgs, Format};
use crate::commands::{Exit, prepare, write};
use crate::workload::load::load;
use crate::workload::plan::Plan;
use crate::workload::source;

/// Checks every file; one bad one is bad input.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &CheckArgs) -> anyhow::Result<Exit> {
    let machine = prepare::Place::detect().machine();
    let colored = write::colored_stdout(arguments.color);
    let mut documents = Vec::new();
    let mut text = String::new();
    let mut exit = Exit::Done;
    for name in &arguments.files {
        let source = match source::open(name, arguments.allow_exec) {
            Ok(source) => source,
            Err(error) => {
                exit = Exit::BadInput;
                text.push_str(&format!("error: {error}\n"));
                documents.push(json!({ "file": name, "valid": false, "error": error.to_string() }));
                continue;
            }
        };
        match load(&source.text, &source.name) {
            Ok(loaded) => {
                let plan = Plan::new(&loaded.workload, &machine);
                let refused = !plan.refusals.is_empty() && !arguments.i_know;
                if refused {
                    exit = Exit::BadInput;
                }
                for warning in &loaded.warnings {
                    text.push_str(&warning.render(colored));
                    text.push('\n');
                }
                text.push_str(&plan.explain());
                documents.push(json!({
                    "file": source.name, "valid": !refused, "warnings": loaded.warnings, "plan": plan,
                }));
            }
            Err(diagnostics) => {
                exit = Exit::BadInput;
                text.push_str(&diagnostics.render(colored));
                text.push('\n');
                documents.push(json!({ "file": source.name, "valid": false, "diagnostics": diagnostics }));
            }
        }
    }
    match arguments.format {
        Format::Text => write::stdout(&text)?,
        Format::Json => {
            write::stdout(&format!("{:#}\n", json!({ "schema": "poolscope.check/1", "files": documents })))?
        }
    }
    Ok(exit)
}
