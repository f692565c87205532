//! All arms in one line, fastest first, where there are more than the two on screen.

use super::Scene;
use crate::analysis::verdict::Finding;
use crate::engine::event::RunState;
use crate::session::view::{ArmView, Mode, SessionView};
use crate::tui::{format, model, text};

/// An arm in its place.
struct RankedArm {
    /// From 1; `None` where nothing was measured yet.
    place: Option<usize>,
    label: String,
    figure: String,
    /// Whether it is not told apart from the last one that has a place. It has none of its own then: that of the other would
    /// say that they are equal, which is not known either.
    unclear: bool,
}

/// The ranking in at most so many columns; before two were measured, what there is. `None` with fewer than three arms.
pub(crate) fn line(scene: &Scene<'_>, columns: usize) -> Option<String> {
    let view = scene.view;
    if view.arms.len() < 3 || view.mode == Mode::Together {
        return None;
    }
    let mut measured: Vec<(usize, &ArmView, f64)> =
        (0..).zip(&view.arms).filter_map(|(index, arm)| Some((index, arm, rate(arm)?))).collect();
    measured.sort_by(|a, b| b.2.total_cmp(&a.2));
    let Some((first, _, best)) = measured.first().copied().filter(|_| measured.len() > 1) else {
        return Some(names(view, columns));
    };
    let mut entries: Vec<RankedArm> = Vec::new();
    // Everyone is held against the first of a place, so that small steps do not add up to a tie.
    let (mut leader, mut early, mut suspect) = (first, false, false);
    for (number, (arm, arm_view, rate)) in (1..).zip(measured) {
        let verdict = model::between(view, arm, leader);
        suspect |= verdict.is_some_and(|verdict| verdict.suspect > 0);
        let finding = verdict.map(|verdict| verdict.finding);
        let ratio = model::between(view, arm, first).and_then(|verdict| verdict.ratio);
        early |= number > 1 && matches!(finding, None | Some(Finding::TooEarly));
        let unclear = finding == Some(Finding::NoClearDifference);
        let place = (!unclear).then_some(number);
        let figure = if number == 1 {
            format!("{}/s", format::rate(rate))
        } else {
            format!("×{}", format::ratio(ratio.unwrap_or(rate / best)))
        };
        entries.push(RankedArm { place, label: model::label(arm_view), figure, unclear });
        if !unclear {
            leader = arm;
        }
    }
    let without = view.arms.iter().filter(|arm| rate(arm).is_none());
    entries.extend(without.map(|arm| {
        let figure = "no run yet".to_owned();
        RankedArm { place: None, label: model::label(arm), figure, unclear: false }
    }));
    let head = match (early, view.phase.is_over()) {
        (false, _) => "",
        (true, false) => "so far: ",
        (true, true) => "too few runs: ",
    };
    let head = format!("{}{head}", if suspect { "SUSPECT " } else { "" });
    Some(fitted(&head, &entries, columns))
}

/// Every arm, and how to see it.
fn names(view: &SessionView, columns: usize) -> String {
    let entry =
        |arm: &ArmView| RankedArm { place: None, label: model::label(arm), figure: String::new(), unclear: false };
    let entries: Vec<RankedArm> = view.arms.iter().map(entry).collect();
    fitted("a shows each of: ", &entries, columns)
}

/// Mean rate of the counted runs with the count that is shown.
fn rate(arm: &ArmView) -> Option<f64> {
    let whole = || arm.finished.iter().filter(|run| run.state == RunState::Finished);
    let runs = whole().count();
    (runs > 0).then(|| whole().map(|run| run.throughput_whole).sum::<f64>() / runs as f64)
}

/// How much is said of each arm.
#[derive(Clone, Copy)]
struct Form {
    /// Most columns of a name.
    name: usize,
    unclear: &'static str,
    /// Whether the name has its worker count.
    counted: bool,
    /// Whether more than the first have their figures.
    figures: bool,
}

/// With fewer and fewer words; what then does not fit is counted.
fn fitted(head: &str, entries: &[RankedArm], columns: usize) -> String {
    let pieces = |form: Form| -> Vec<String> {
        let words = |(number, entry): (usize, &RankedArm)| {
            let unclear = if entry.unclear { form.unclear } else { "" };
            let place = entry.place.map_or_else(String::new, |place| format!("{place} "));
            let name = entry.label.rsplit_once(" ×").map_or(entry.label.as_str(), |(name, _)| name);
            let label = model::short_label(if form.counted { &entry.label } else { name }, form.name);
            let figure = if form.figures || number == 0 { entry.figure.as_str() } else { "" };
            let gap = if figure.is_empty() { "" } else { " " };
            format!("{place}{label}{gap}{figure}{unclear}")
        };
        entries.iter().enumerate().map(words).collect()
    };
    let form = |name, unclear, counted, figures| Form { name, unclear, counted, figures };
    let forms = [
        form(usize::MAX, " no clear difference", true, true),
        form(usize::MAX, " unclear", true, true),
        form(12, " unclear", true, true),
        form(8, " unclear", true, true),
        form(12, " unclear", false, true),
        form(8, " unclear", false, true),
        // All of them by name says more than some of them by figure.
        form(12, " unclear", false, false),
        form(8, " unclear", false, false),
    ];
    let lines = forms.into_iter().map(|form| format!("{head}{}", pieces(form).join(" · ")));
    if let Some(line) = lines.into_iter().find(|line| text::width(line) <= columns) {
        return line;
    }
    let pieces = pieces(form(8, " unclear", true, true));
    let cut = |shown: usize| {
        let shown_pieces = pieces.get(..shown).unwrap_or_default().join(" · ");
        format!("{head}{shown_pieces} · {} more", pieces.len() - shown)
    };
    let line = (1..pieces.len()).rev().map(cut).find(|line| text::width(line) <= columns);
    line.unwrap_or_else(|| text::fit(&cut(1), columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(place: usize, label: &str, figure: &str, unclear: bool) -> RankedArm {
        let place = (!unclear).then_some(place);
        RankedArm { place, label: label.to_owned(), figure: figure.to_owned(), unclear }
    }

    #[test]
    fn words_go_before_figures_do() {
        let entries = [
            entry(1, "pool-8", "49.4/s", false),
            entry(1, "process-8", "×0.98", true),
            entry(3, "a-pool-with-a-long-name ×2", "×0.31", false),
        ];
        let widest = "1 pool-8 49.4/s · process-8 ×0.98 no clear difference · 3 a-pool-with-a-long-name ×2 ×0.31";
        assert_eq!(fitted("", &entries, 100), widest);
        assert_eq!(
            fitted("", &entries, 80),
            "1 pool-8 49.4/s · process-8 ×0.98 unclear · 3 a-pool-with-a-long-name ×2 ×0.31"
        );
        assert_eq!(fitted("", &entries, 70), "1 pool-8 49.4/s · process-8 ×0.98 unclear · 3 a-pool-w… ×2 ×0.31");
        assert_eq!(fitted("", &entries, 59), "1 pool-8 49.4/s · process… ×0.98 unclear · 3 a-po… ×2 ×0.31");
        assert_eq!(fitted("", &entries, 52), "1 pool-8 49.4/s · process-8 unclear · 3 a-pool-with…");
        assert_eq!(fitted("", &entries, 47), "1 pool-8 49.4/s · process… unclear · 3 a-pool-…");
        assert_eq!(fitted("", &entries, 40), "1 pool-8 49.4/s · 2 more");
        for columns in 0..120 {
            assert!(text::width(&fitted("so far: ", &entries, columns)) <= columns);
        }
    }
}
