//! Text that is not YAML, or not one document of it.

use crate::workload::diagnostic::{Diagnostic, DiagnosticSeverity, Diagnostics, Lines};
use crate::workload::load::slips;
use crate::workload::lookalike;
use crate::workload::scan::{Mark, ScanProblem};
use crate::workload::yaml::YamlError;

/// What the marked scan refused.
pub(crate) fn refused_by_scan(lines: &Lines<'_>, problem: ScanProblem) -> Diagnostics {
    if problem.allowed.is_none()
        && let Some(cause) = unseen(lines, problem.mark)
    {
        return cause.into();
    }
    let message = if problem.allowed.is_some() { problem.message } else { format!("not YAML: {}", problem.message) };
    let mut error = Diagnostic::new(DiagnosticSeverity::Error, lines, problem.mark, "", &message);
    if let Some(allowed) = problem.allowed {
        error = error.allowed(allowed);
    }
    error.into()
}

/// What the deserialiser refused although the scan accepted it.
pub(crate) fn refused_by_deserialiser(lines: &Lines<'_>, error: &YamlError) -> Diagnostics {
    let (line, col) = error.position.unwrap_or((1, 1));
    let mark = Mark { line: line.max(1), col: col.max(1), len: 1 };
    if let Some(cause) = unseen(lines, mark) {
        return cause.into();
    }
    Diagnostic::new(DiagnosticSeverity::Error, lines, mark, "", &format!("not YAML: {}", error.message)).into()
}

/// A file without a value.
pub(crate) fn empty(lines: &Lines<'_>) -> Diagnostic {
    Diagnostic::new(DiagnosticSeverity::Error, lines, Mark::START, "", "the file is empty")
        .allowed("a workload needs at least `version`, `tasks` and what they do")
}

/// What cannot be seen in the lines around a complaint and explains it.
fn unseen(lines: &Lines<'_>, mark: Mark) -> Option<Diagnostic> {
    tab_indentation(lines, mark.line)
        .or_else(|| tab(lines, mark))
        .or_else(|| lookalike(lines, mark.line))
        .or_else(|| slips::explain(lines, mark, plain))
}

/// A tab at the very place of the complaint: libyaml takes one only after a value or a colon.
fn tab(lines: &Lines<'_>, mark: Mark) -> Option<Diagnostic> {
    lines.part(mark).starts_with('\t').then(|| {
        Diagnostic::new(DiagnosticSeverity::Error, lines, mark, "", "a tab where YAML has a space")
            .allowed("write a space")
    })
}

/// A character that looks like a space, a colon or nothing, outside of quotes and comments.
fn lookalike(lines: &Lines<'_>, line: usize) -> Option<Diagnostic> {
    (line.saturating_sub(1)..=line + 1).find_map(|number| {
        let plain: String = plain(lines.get(number)?);
        let found = lookalike::first(&plain).filter(|found| !found.letter)?;
        let mark = Mark { line: number, col: found.at + 1, len: 1 };
        let mut error =
            Diagnostic::new(DiagnosticSeverity::Error, lines, mark, "", &found.name).allowed(found.advice());
        // It would say the same once more.
        error.help = None;
        Some(error)
    })
}

/// The line with `_` for what is inside of quotes, and without its comment.
fn plain(line: &str) -> String {
    let mut quote = None;
    let mut before = ' ';
    let mut plain = String::with_capacity(line.len());
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '#' && before.is_whitespace() => break,
            None if matches!(c, '"' | '\'') && !before.is_alphanumeric() => quote = Some(c),
            _ => {}
        }
        plain.push(if quote.is_some() { '_' } else { c });
        before = c;
    }
    plain
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
    let error = Diagnostic::new(DiagnosticSeverity::Error, lines, mark, "", "a tab in the indentation");
    Some(error.allowed("YAML is indented with spaces"))
}
