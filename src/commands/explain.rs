//! `poolscope explain`: what a figure means.

use crate::cli::{ExplainArgs, Format};
use crate::commands::target::Target;
use crate::commands::{ExitReason, write};
use crate::report::clean;
use crate::report::definitions::{ALL, Definition, PARTS, find};

/// Explains the figures that were named, or lists all of them.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &ExplainArgs) -> anyhow::Result<ExitReason> {
    let name = arguments.metric.join(" ");
    let found: Vec<&Definition> = if name.is_empty() {
        ALL.iter().collect()
    } else {
        match find(&name) {
            Ok(found) => found,
            Err(meant) => {
                let hint = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
                write::say(&format!("error: no figure {:?}{hint} (poolscope explain lists them)", clean::line(&name)));
                return Ok(ExitReason::BadInput);
            }
        }
    };
    let target = match Target::open(arguments.output.as_deref(), &[]) {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    let text = match arguments.format {
        Format::Json => json(&found),
        Format::Text if name.is_empty() => list(&found),
        Format::Text => found.iter().map(|one| format!("{}\n", one.text)).collect::<Vec<_>>().join("\n"),
    };
    let text =
        if arguments.format == Format::Text { write::shown_on(&text, target.is_standard()) } else { text.into() };
    Ok(target.deliver(&text))
}

/// A line for each: its name and its unit.
fn list(all: &[&Definition]) -> String {
    let longest = all.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let line = |one: &&Definition| format!("{:longest$}  {}\n", one.name, one.part("unit"));
    all.iter().map(line).chain(["\npoolscope explain NAME says more\n".to_owned()]).collect()
}

fn json(all: &[&Definition]) -> String {
    let one = |one: &&Definition| {
        let parts = PARTS.map(|part| (part.replace(' ', "_"), one.part(part).into()));
        let name = [("name".to_owned(), one.name.into())];
        serde_json::Value::Object(name.into_iter().chain(parts).collect())
    };
    let metrics: Vec<serde_json::Value> = all.iter().map(one).collect();
    format!("{:#}\n", serde_json::json!({ "schema": "poolscope.explain/1", "metrics": metrics }))
}
