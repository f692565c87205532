//! What was expected, and what became of it.

use crate::analysis::expectations::{Checked, Judgement};
use crate::report::text::table::{pad, width};
use crate::report::text::{Paint, line};
use crate::report::{clean, expectation};

/// A line for each, or two where one is too long; nothing without any.
pub(in crate::report) fn write(out: &mut String, all: &[Checked], most: usize, paint: Paint) {
    if all.is_empty() {
        return;
    }
    line(out, &format!("expected: {}", expectation::sum(all)));
    let longest = |text: fn(&Checked) -> &str| all.iter().map(|one| width(&clean::line(text(one)))).max().unwrap_or(0);
    let columns = [longest(|one| &one.engines).min(20), longest(|one| &one.text).min(44)];
    for one in all {
        let (mark, style) = match one.judgement {
            Judgement::Holds => ("✓", Paint::GOOD),
            Judgement::Fails(_) => ("✗", Paint::BAD),
            Judgement::TooNoisy(_) | Judgement::NotMeasured(_) => ("?", Paint::WARN),
            Judgement::Skipped(_) => ("–", Paint::DIM),
        };
        let head =
            format!("{} {}", pad(&clean::line(&one.engines), columns[0]), pad(&clean::line(&one.text), columns[1]));
        let word = expectation::word(&one.judgement);
        let why = one.judgement.why().map(|why| clean::line(why).into_owned()).unwrap_or_default();
        let rest = [why, expectation::measured(one)];
        let rest: Vec<&String> = rest.iter().filter(|part| !part.is_empty()).collect();
        let marked = paint.with(style, mark);
        let told = paint.with(style, word);
        let begin = format!("  {marked} {head}  {told}");
        let whole: usize = rest.iter().map(|part| width(part) + 2).sum::<usize>() + 6 + width(&head) + width(word);
        if whole <= most {
            line(out, &rest.iter().fold(begin, |text, part| format!("{text}  {part}")));
        } else {
            line(out, &begin);
            rest.iter().for_each(|part| line(out, &format!("      {part}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Unit;

    #[test]
    fn a_line_each_and_more_where_they_do_not_fit() {
        let one = |engines: &str, judgement| Checked {
            text: "sojourn_p99 < 250ms".to_owned(),
            engines: engines.to_owned(),
            unit: Unit::Seconds,
            measured: Some(0.2),
            ci95: Some((0.19, 0.26)),
            limit: Some(0.25),
            margin: Some(0.2),
            runs: 5,
            judgement,
        };
        let noisy = Judgement::TooNoisy("the limit lies within the interval".to_owned());
        let all = [one("pool", Judgement::Holds), one("pro\u{1b}[2Jcess", noisy)];
        let written = |columns: usize| {
            let mut out = String::new();
            write(&mut out, &all, columns, Paint(false));
            assert!(out.lines().all(|line| width(line) <= columns), "{out}");
            assert!(!out.contains('\u{1b}'), "{out:?}");
            out
        };
        let [narrow, wide] = [80, 160].map(written);
        assert_eq!((narrow.lines().count(), wide.lines().count()), (6, 3), "{narrow}{wide}");
        assert!(wide.starts_with("expected: 1 holds, 1 too noisy to say\n"), "{wide}");
        assert!(wide.contains("holds  200 ms (190 ms–260 ms), 20 % inside the limit, 5 runs"), "{wide}");
    }
}
