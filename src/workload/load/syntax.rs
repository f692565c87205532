//! Text that is not YAML, or not one document of it.

use crate::workload::diagnostic::{Diagnostic, Diagnostics, Lines, Severity};
use crate::workload::scan::{Mark, ScanProblem};
use crate::workload::yaml::YamlError;

/// What the marked scan refused.
pub(crate) fn refused_by_scan(lines: &Lines<'_>, problem: ScanProblem) -> Diagnostics {
    if problem.allowed.is_none()
        && let Some(tab) = tab_indentation(lines, problem.mark.line)
    {
        return tab.into();
    }
    let message = if problem.allowed.is_some() { problem.message } else { format!("not YAML: {}", problem.message) };
    let mut error = Diagnostic::new(Severity::Error, lines, problem.mark, "", &message);
    if let Some(allowed) = problem.allowed {
        error = error.allowed(allowed);
    }
    error.into()
}

/// What the deserialiser refused although the scan accepted it.
pub(crate) fn refused_by_deserialiser(lines: &Lines<'_>, error: &YamlError) -> Diagnostics {
    let (line, col) = error.position.unwrap_or((1, 1));
    if let Some(tab) = tab_indentation(lines, line) {
        return tab.into();
    }
    let mark = Mark { line: line.max(1), col: col.max(1), len: 1 };
    Diagnostic::new(Severity::Error, lines, mark, "", &format!("not YAML: {}", error.message)).into()
}

/// A file without a value.
pub(crate) fn empty(lines: &Lines<'_>) -> Diagnostic {
    Diagnostic::new(Severity::Error, lines, Mark::START, "", "the file is empty")
        .allowed("a workload needs at least `version`, `tasks` and what they do")
}

/// YAML forbids tabs in indentation, and parsers then complain about something else, somewhere near. The tab at or
/// before the place of the complaint is what the writer has to know about.
fn tab_indentation(lines: &Lines<'_>, line: usize) -> Option<Diagnostic> {
    let indent = |text: &str| text.chars().take_while(|c| matches!(c, ' ' | '\t')).position(|c| c == '\t');
    let near = |number: usize| (line.saturating_sub(1)..=line + 1).contains(&number);
    let (number, col) = lines
        .numbered()
        .filter(|(number, _)| near(*number))
        .find_map(|(number, text)| Some((number, indent(text)?)))?;
    let mark = Mark { line: number, col: col + 1, len: 1 };
    let error = Diagnostic::new(Severity::Error, lines, mark, "", "a tab in the indentation");
    Some(error.allowed("YAML is indented with spaces"))
}
