//! What a workload is there to show, in its own words, for whoever compares its arms: first what it is, then what it
//! teaches, right before what the figures of this comparison bear out.

use super::{Paint, line, table};
use crate::analysis::gil;
use crate::report::{ArmResult, Results, clean};

/// No line is longer, however wide the page is: it is prose.
const WIDEST: usize = 100;

/// What it is, below its title.
pub(super) fn description(out: &mut String, results: &Results, width: usize, paint: Paint) {
    if results.arms.len() < 2 || results.workload.description.trim().is_empty() {
        return;
    }
    for text in wrapped(&results.workload.description, width.min(WIDEST)) {
        line(out, &paint.with(Paint::DIM, &text));
    }
    out.push('\n');
}

/// What it teaches; `borne_out` says whether figures follow that say something.
pub(super) fn lessons(out: &mut String, results: &Results, borne_out: bool, width: usize, paint: Paint) {
    let lessons = &results.workload.teaches;
    if results.arms.len() < 2 || lessons.is_empty() {
        return;
    }
    out.push('\n');
    line(out, &paint.with(Paint::BOLD, "What this workload teaches"));
    for lesson in lessons {
        for (place, text) in wrapped(lesson, width.min(WIDEST).saturating_sub(4)).iter().enumerate() {
            line(out, &format!("  {} {text}", if place == 0 { "•" } else { " " }));
        }
    }
    if borne_out {
        line(out, &paint.with(Paint::BOLD, "What these figures show of it"));
    }
}

/// What the runs show of the lock of an interpreter: a sentence for an audience, and what it rests on.
pub(super) fn of_the_lock(out: &mut String, results: &Results, paint: Paint) {
    let evidence = results.gil();
    let probed = |arm: &ArmResult| Some((clean::line(&arm.spec.name).into_owned(), gil::probe_words(&arm.gil_probe?)));
    let probes: Vec<(String, String)> = results.arms.iter().filter_map(probed).collect();
    if evidence.is_empty() && probes.is_empty() {
        return;
    }
    out.push('\n');
    if evidence.is_empty() {
        line(out, &paint.with(Paint::BOLD, "GIL"));
    }
    for evidence in &evidence {
        let doubt = if evidence.suspect.is_some() { paint.suspect() } else { String::new() };
        line(out, &format!("{doubt}{}", paint.with(Paint::BOLD, &clean::line(&evidence.sentence))));
        if let Some(reason) = &evidence.suspect {
            line(out, &format!("  suspect: {reason}"));
        }
        evidence.details.iter().for_each(|detail| line(out, &format!("  {}", clean::line(detail))));
    }
    probes.iter().for_each(|(name, words)| line(out, &format!("  {name}: {words}")));
}

/// Words in lines of at most so many columns; a word that is longer has a line of its own.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = clean::line(word);
        let Some(last) = lines.last_mut() else { continue };
        if last.is_empty() {
            last.push_str(&word);
        } else if table::width(last) + 1 + table::width(&word) <= columns {
            last.push(' ');
            last.push_str(&word);
        } else {
            lines.push(word.into_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two  three\nfour", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("unbreakable word", 4), ["unbreakable", "word"]);
        assert_eq!(wrapped("a\u{1b}[2Jb", 80), ["ab"]);
    }
}
