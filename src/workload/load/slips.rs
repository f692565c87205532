//! Slips that YAML's parsers tell in their own words, and often a line too late. Nothing here decides what is YAML: it is
//! asked only when a parser has refused a text.

use crate::workload::diagnostic::{Diagnostic, DiagnosticSeverity, Lines};
use crate::workload::scan::Mark;

/// The slip that explains a complaint, from the most certain to the least.
pub(super) fn explain(lines: &Lines<'_>, mark: Mark, plain: impl Fn(&str) -> String) -> Option<Diagnostic> {
    let error = |line: usize, col: usize, message: &str, advice: &str| {
        let mark = Mark { line, col: col + 1, len: 1 };
        Some(Diagnostic::new(DiagnosticSeverity::Error, lines, mark, "", message).allowed(advice))
    };
    // Wherever it stands: parsers refuse the text before they know the line.
    for (number, text) in lines.numbered() {
        if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| c.is_ascii_control() && !matches!(c, '\t' | '\r'))
        {
            let message = format!("a control character (U+{:04X}), which YAML forbids", u32::from(c));
            return error(number, at, &message, "remove it, or write it in double quotes as `\\xNN`");
        }
    }
    let near = |number: usize| (mark.line.saturating_sub(1)..=mark.line).contains(&number);
    for (number, text) in lines.numbered().filter(|(number, _)| near(*number)) {
        let plain: Vec<char> = plain(text).chars().collect();
        let begin = plain.iter().position(|c| !matches!(c, ' ' | '-')).unwrap_or(plain.len());
        let key = plain.iter().skip(begin).take_while(|c| c.is_alphanumeric() || **c == '_').count();
        let colon = begin + key;
        if key == 0 || plain.get(colon) != Some(&':') {
            continue;
        }
        let Some(next) = plain.get(colon + 1) else { continue };
        if *next != ' ' {
            return error(number, colon, "no space after the colon", "write a space after it, as in `count: 4`");
        }
        let Some(value) = (colon + 1..plain.len()).find(|at| plain.get(*at) != Some(&' ')) else { continue };
        let first = plain.get(value).copied().unwrap_or(' ');
        if matches!(first, '@' | '`' | '%') {
            let message = format!("a value cannot begin with `{first}`");
            return error(number, value, &message, "write the value in quotes");
        }
        let rest = plain.get(value..).unwrap_or_default();
        let count = |wanted: char| rest.iter().filter(|c| **c == wanted).count();
        if (first == '[' && count('[') > count(']')) || (first == '{' && count('{') > count('}')) {
            return error(number, value, &format!("this `{first}` is never closed"), "close it on the same line");
        }
        if !matches!(first, '[' | '{' | '"' | '\'' | '_')
            && let Some(at) = rest.windows(2).position(|pair| pair == [':', ' '])
        {
            return error(number, value + at, "a colon inside of a value", "write the value in quotes");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::workload::load::load;

    /// What is said first of a file with these lines from the second one on.
    fn said(lines: &str) -> String {
        let text = format!("version: 1\n{lines}\n");
        let problems = load(&text, "w.yaml").map(|_| ()).unwrap_err().to_string();
        problems.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn slips_are_told_in_plain_words_where_they_are() {
        let tasks = "tasks:\n  - name: x\n    kind: sleep\n";
        for (lines, place, words) in [
            (format!("{tasks}    count:4\n    service_time: 4 s"), "w.yaml:5:10:", "no space after the colon"),
            (format!("{tasks}    count: [4\n    service_time: 4 s"), "w.yaml:5:12:", "`[` is never closed"),
            ("description: a: b\ntasks: []".to_owned(), "w.yaml:2:15:", "a colon inside of a value"),
            ("description: @x\ntasks: []".to_owned(), "w.yaml:2:14:", "cannot begin with `@`"),
            ("description: a\u{1}b\ntasks: []".to_owned(), "w.yaml:2:15:", "U+0001"),
        ] {
            let said = said(&lines);
            assert!(said.starts_with(place) && said.contains(words), "{lines}\n{said}");
        }
    }
}
