//! `poolscope schema`: the format of workload files as a JSON Schema, for editors.

use crate::cli::SchemaArgs;
use crate::commands::ExitReason;
use crate::commands::target::Target;
use crate::workload::load::schema;

/// Prints it.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &SchemaArgs) -> anyhow::Result<ExitReason> {
    let target = match Target::open(arguments.output.as_deref(), &[]) {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    Ok(target.deliver(&format!("{:#}\n", schema::schema())))
}
