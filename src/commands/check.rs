//! `poolscope check`: validates workload files and explains what they would do, without running anything of theirs.

use serde_json::{Value, json};

use crate::cli::{ChangeArgs, CheckArgs, Format};
use crate::commands::python_check::PythonCheck;
use crate::commands::sweep::cells;
use crate::commands::target::Target;
use crate::commands::{ExitReason, prepare, programs, write};
use crate::report::{clean, plan};
use crate::workload::diagnostic::DiagnosticSeverity;
use crate::workload::source;

/// Checks every file; one bad one is bad input.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &CheckArgs) -> anyhow::Result<ExitReason> {
    let inputs: Vec<&str> = arguments.files.iter().map(String::as_str).collect();
    let target = match Target::open(arguments.output.as_deref(), &inputs) {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    let platform = prepare::Platform::detect();
    let checks: Vec<Check> = arguments.files.iter().map(|name| Check::of(name, arguments, &platform)).collect();
    let text = match arguments.format {
        Format::Text => {
            let texts: Vec<&str> = checks.iter().map(|check| check.text.as_str()).collect();
            write::shown_on(&texts.join("\n"), target.is_standard()).into_owned()
        }
        Format::Json => {
            let files: Vec<&Value> = checks.iter().map(|check| &check.document).collect();
            format!("{:#}\n", json!({ "schema": "poolscope.check/1", "files": files }))
        }
    };
    let valid = checks.iter().all(|check| check.valid);
    Ok(target.deliver(&text).or_graver(if valid { ExitReason::Done } else { ExitReason::BadInput }))
}

struct Check {
    valid: bool,
    text: String,
    document: Value,
}

impl Check {
    fn of(name: &str, arguments: &CheckArgs, platform: &prepare::Platform) -> Self {
        let colored = write::colored_stdout(arguments.color) && arguments.output.is_none();
        prepare::announce(name);
        let (source, loaded) = match source::load(name, arguments.allow_exec, &[], false) {
            Ok(loaded) => loaded,
            Err(diagnostics) => {
                return Self {
                    valid: false,
                    text: format!("{}\n", diagnostics.render(colored).trim_end()),
                    document: json!({ "file": name, "valid": false, "diagnostics": diagnostics }),
                };
            }
        };
        let mut plan = prepare::plan(&loaded.workload, platform, arguments.max_time);
        let mut pythons = PythonCheck::of(&loaded.workload);
        plan.impossible.append(&mut pythons.impossible);
        let changes = ChangeArgs::default();
        let origin = cells::Origin { source: &source, base: &loaded.workload, changes: &changes };
        let sweep = cells::check(&origin, &loaded.workload.sweep);
        let valid =
            sweep.wrong.is_empty() && plan.impossible.is_empty() && (plan.refusals.is_empty() || arguments.i_know);
        let mut text = String::new();
        for warning in &loaded.warnings {
            debug_assert_eq!(warning.severity, DiagnosticSeverity::Warning);
            text.push_str(warning.render(colored).trim_end());
            text.push('\n');
        }
        text.push_str(&format!("{}: {}\n", clean::line(&source.name), if valid { "valid" } else { "REFUSED" }));
        for line in plan::lines(&loaded.workload, &plan) {
            text.push_str(&format!("  {line}\n"));
        }
        for (word, said) in [("note", &sweep.notes), ("error", &sweep.wrong)] {
            for line in said
                .iter()
                .flat_map(|said| format!("{word}: sweep: {said}").lines().map(str::to_owned).collect::<Vec<_>>())
            {
                text.push_str(&format!("  {}\n", clean::line(&line)));
            }
        }
        for line in pythons.lines() {
            text.push_str(&format!("  {}\n", clean::line(&line)));
        }
        let programs = programs::of(&loaded.workload);
        for line in programs.iter().flat_map(programs::Programs::lines) {
            text.push_str(&format!("  {line}\n"));
        }
        let document = json!({
            "file": source.name, "valid": valid, "warnings": loaded.warnings, "plan": plan, "commands": programs,
            "skipped": pythons.skipped, "expectations": plan::expectations(&loaded.workload),
            "sweep": plan::sweep(&loaded.workload), "sweep_refused": sweep.wrong,
        });
        Self { valid, text, document }
    }
}
