//! The view of what was measured before at the sizes people use.

use super::tests::{model, picture, render, theme, ui};
use super::*;
use crate::tui::fixture;
use crate::tui::fixture::past::{self, A, B};
use crate::tui::history::{Past, Told, Wish};

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 50)];

/// The view with this past.
pub(super) fn with(past: Past) -> (Model, UiState) {
    let model = Model { past, ..model(fixture::finished()) };
    let ui = UiState { screen: Screen::History, ..ui(&model) };
    (model, ui)
}

/// All that look different.
pub(super) fn states() -> Vec<(String, Model, UiState)> {
    let mut all = Vec::new();
    let mut add = |name: &str, past: Past, change: &dyn Fn(&mut UiState)| {
        let (model, mut ui) = with(past);
        change(&mut ui);
        all.push((format!("history {name}"), model, ui));
    };
    let both = |ui: &mut UiState| ui.history.sides = [Some(A), Some(B)];
    add("list", past::past(), &|_| {});
    add("one side", past::past(), &|ui| ui.history.sides[0] = Some(A));
    add("compared", past::with_comparison(&[]), &both);
    add("refused", past::with_comparison(&["they did not run the same tasks: stream A: 1, B: 2"]), &both);
    add("differences", past::with_comparison(&[]), &|ui| {
        both(ui);
        ui.history.differences = true;
    });
    add("enlarged", past::with_comparison(&[]), &|ui| {
        both(ui);
        (ui.history.on_comparison, ui.history.scroll) = (true, 3);
    });
    add("typing", past::past(), &|ui| {
        ui.history.typing = true;
        ui.history.filter.insert("io 工作 and more words than there is room for in a line");
    });
    add("nothing fits", past::past(), &|ui| ui.history.filter.insert("nothing-like-it"));
    add("reading", Past::default(), &|_| {});
    add("none", Past::none("the history is switched off (POOLSCOPE_DB=off)".to_owned()), &|_| {});
    let mut waiting = Past::default();
    waiting.waits("the history at /x is in use by another program".to_owned());
    add("waiting", waiting, &|_| {});
    let mut opened = past::past();
    let lines: Vec<String> = (0..60).map(|number| format!("line {number} of a session \x1b[31m工作")).collect();
    opened.take(&Wish::Open(12), Ok(Told::Opened(lines)));
    add("session", opened, &|ui| {
        (ui.screen, ui.history.open, ui.history.scroll) = (Screen::Session, Some(12), 4);
    });
    add("session to come", past::past(), &|ui| (ui.screen, ui.history.open) = (Screen::Session, Some(12)));
    // Without a workload that is open.
    let empty = Model { past: past::past(), ..Model::default() };
    all.push(("history alone".to_owned(), empty, UiState { screen: Screen::History, ..UiState::default() }));
    all
}

#[test]
fn history_view() {
    for (name, model, ui) in states() {
        let sizes: &[(u16, u16)] = match name.as_str() {
            "history compared" => &SIZES,
            "history list" => &[(40, 10), (80, 24)],
            "history enlarged" => &[(40, 10)],
            "history refused" | "history typing" | "history waiting" | "history session" => &[(80, 24)],
            _ => &[],
        };
        for size in sizes {
            let ui = UiState { size: *size, ..ui.clone() };
            let name = format!("{}_{}x{}", name.replace(' ', "_"), size.0, size.1);
            insta::assert_snapshot!(name, picture(&render(&model, &ui, &theme(), *size)));
        }
    }
}

#[test]
fn what_matters_of_a_comparison_is_on_the_classroom_screen() {
    let text = |past: Past, change: &dyn Fn(&mut UiState)| {
        let (model, mut ui) = with(past);
        ui.history.sides = [Some(A), Some(B)];
        change(&mut ui);
        picture(&render(&model, &ui, &theme(), (80, 24)))
    };
    let compared = text(past::with_comparison(&[]), &|_| {});
    for word in
        ["B is slower: 0.95×", "−6.2 % to −3.7 %", "too few runs", "unclear", "worse", "12 compare", "suspended for"]
    {
        assert!(compared.contains(word), "{word}\n{compared}");
    }
    let refused = text(past::with_comparison(&["they did not run the same tasks"]), &|_| {});
    assert!(refused.contains("NOT COMPARABLE: they did not run") && !refused.contains("B is slower"), "{refused}");
    let clear = text(past::with_comparison(&[]), &|ui| ui.history.differences = true);
    assert!(clear.contains("p50") && !clear.contains("p95   ") && !clear.contains("p99"), "{clear}");
    let (small, mut small_ui) = with(past::with_comparison(&[]));
    small_ui.history.sides = [Some(A), Some(B)];
    let small = picture(&render(&small, &small_ui, &theme(), (40, 10)));
    assert!(small.contains("B is slower: 0.95×"), "{small}");
    // Scrolled to its end, nothing of it is missing.
    let (model, mut ui) = with(past::with_comparison(&[]));
    (ui.history.sides, ui.history.on_comparison, ui.size) = ([Some(A), Some(B)], true, (40, 10));
    ui.history.scroll = last_scroll(&model, &ui);
    let end = picture(&render(&model, &ui, &theme(), ui.size));
    assert!(end.contains("every ratio.") && !end.contains("more"), "{end}");
}
