//! Every screen at the sizes people use, and every size that there is.

use std::sync::Arc;

use super::*;
use crate::analysis::tuning::found::Found;
use crate::session::view::Answer;
use crate::tui::fixture::{self, stories};
use crate::tui::goal_line::{Asks, GoalLine};
use crate::tui::state::{PickerFocus, Question};
use crate::tui::theme::{ColorDepth, ThemeName};
use crate::workload::model::{CommandLine, TaskClass, Work};

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 50)];

pub(super) fn theme() -> Theme {
    Theme::new(ThemeName::Dark, ColorDepth::Rgb, false)
}

pub(super) fn model(view: SessionView) -> Model {
    Model { catalogue: Arc::new(fixture::catalogue()), session: Some(Arc::new(view)), ..Model::default() }
}

pub(super) fn ui(model: &Model) -> UiState {
    let mut ui = UiState::default();
    ui.opened(model.session.as_deref().unwrap());
    ui
}

pub(super) fn render(model: &Model, ui: &UiState, theme: &Theme, (width, height): (u16, u16)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(model, ui, theme, area, &mut buf);
    buf
}

/// The text of a buffer, without what a wide character covers.
pub(super) fn picture(buf: &Buffer) -> String {
    let mut out = String::new();
    for line in buf.content().chunks(usize::from(buf.area.width)) {
        let mut covered = 0;
        let mut text = String::new();
        for cell in line {
            if covered > 0 {
                covered -= 1;
                continue;
            }
            text.push_str(cell.symbol());
            covered = crate::tui::text::width(cell.symbol()).saturating_sub(1);
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

fn snapshot(name: &str, model: &Model, ui: &UiState, sizes: &[(u16, u16)]) {
    for size in sizes {
        let buf = render(model, ui, &theme(), *size);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), picture(&buf));
    }
}

#[test]
fn main_screen() {
    let model = model(fixture::running());
    snapshot("main", &model, &ui(&model), &SIZES);
    snapshot("main", &model, &ui(&model), &[(60, 30), (100, 30)]);
}

#[test]
fn main_screen_in_every_situation() {
    for (name, view) in fixture::every() {
        let model = model(view);
        snapshot(&format!("situation_{name}"), &model, &ui(&model), &[(80, 24)]);
    }
    let large = [
        ("three_arms", fixture::three_arms()),
        ("one_arm", fixture::one_arm()),
        ("open_loop", fixture::open_loop()),
        ("many_workers", fixture::many_workers(64)),
    ];
    for (name, view) in large {
        let model = model(view);
        snapshot(&format!("situation_{name}"), &model, &ui(&model), &[(120, 40)]);
    }
    for (name, view) in [("classes", fixture::classes(2)), ("many_classes", fixture::classes(16))] {
        let model = model(view);
        snapshot(&format!("situation_{name}"), &model, &ui(&model), &[(120, 40), (200, 50)]);
    }
}

#[test]
fn what_a_kill_has_cost_stays_readable_at_every_size() {
    for (name, view) in [("killed", fixture::killed()), ("timed_out", fixture::timed_out())] {
        let model = model(view);
        snapshot(&format!("situation_{name}"), &model, &ui(&model), &[(120, 40), (200, 50)]);
    }
    let figures = [
        "run 2, 4.2 s",
        "POOL ×4",
        "pid 41208",
        "#312 LOST after 812 ms",
        "replaced after 14 ms",
        "3 others unaffected",
    ];
    for size in [(80, 24), (120, 40), (200, 50), (60, 30)] {
        let model = model(fixture::killed());
        let text = picture(&render(&model, &ui(&model), &theme(), size));
        for figure in figures {
            assert!(text.contains(figure), "{figure} at {size:?}\n{text}");
        }
    }
    // Numbers and names as wide as they get, and every way it can end.
    for name in ["工作工作工作工作工作工作", "pool-with-a-rather-long-name"] {
        for view in fixture::kills_of_every_kind(name) {
            let model = model(view);
            let ui = ui(&model);
            let scene_theme = theme();
            let scene = Scene::new(model.session.as_deref().unwrap(), &ui, &scene_theme);
            for width in [80, 120, 200] {
                let lines = kills::lines(&scene, width, false);
                assert!(lines.len() <= 3, "{lines:?}");
                assert!(lines.iter().all(|line| line.width() <= usize::from(width)), "{lines:?}");
            }
        }
    }
}

#[test]
fn other_screens() {
    let model = model(fixture::with_failures());
    let mut ui = ui(&model);
    ui.screen = Screen::Tasks;
    snapshot("tasks", &model, &ui, &SIZES);
    ui.screen = Screen::Detail;
    snapshot("detail", &model, &ui, &SIZES);
    ui.screen = Screen::Tasks;
    failing_commands(&ui);
    ui.screen = Screen::Main;
    ui.help = Some(0);
    snapshot("help", &model, &ui, &SIZES);
    ui.help = None;
    ui.question = Some(Question::Quit);
    snapshot("question", &model, &ui, &[(40, 10), (80, 24)]);
    ui.question = None;
    ui.screen = Screen::Picker;
    snapshot("picker", &model, &ui, &SIZES);
    ui.entry = 3;
    snapshot("picker_errors", &model, &ui, &[(80, 24)]);
}

#[test]
fn more_arms_than_panes() {
    let model = model(fixture::five_arms(3, 0));
    let mut ui = ui(&model);
    ui.settle(&model);
    snapshot("five_arms", &model, &ui, &SIZES);
}

#[test]
fn what_is_to_go_wrong() {
    let model = model(fixture::running());
    let mut ui = ui(&model);
    ui.question = Some(Question::Fault { arm: 1, chosen: 4 });
    snapshot("fault", &model, &ui, &SIZES);
}

#[test]
fn what_workloads_teach() {
    for (name, view) in fixture::lessons() {
        let model = model(view);
        snapshot(&format!("lesson_{name}"), &model, &ui(&model), &[(80, 24), (120, 40)]);
    }
}

#[test]
fn tune_view() {
    let model = model(fixture::tuned());
    let mut ui = ui(&model);
    ui.screen = Screen::Tune;
    snapshot("tune", &model, &ui, &SIZES);
    ui.focus = 1;
    ui.count[1] = Some(2);
    snapshot("tune_process", &model, &ui, &[(80, 24)]);
}

/// The Tune view with a search.
fn searched(view: SessionView, story: crate::tui::search::Story) -> (Model, UiState) {
    let model = Model { search: Some(Arc::new(story)), ..model(view) };
    let ui = UiState { screen: Screen::Tune, search_page: Some(0), ..ui(&model) };
    (model, ui)
}

#[test]
fn what_is_looked_for_is_typed_beside_what_is_offered() {
    let model = model(fixture::tuned());
    let mut ui = ui(&model);
    ui.screen = Screen::Tune;
    for (name, asks) in [("goal_line", Asks::Goal), ("sweep_line", Asks::Sweep)] {
        let view = model.session.as_deref().unwrap();
        ui.goal = Some(GoalLine::new(asks, view, &view.arms[0], None));
        snapshot(name, &model, &ui, &[(40, 10), (80, 24), (120, 40)]);
    }
    let line = ui.goal.as_mut().unwrap();
    line.paste("8..1");
    line.wrong = line.read().err();
    snapshot("sweep_line_wrong", &model, &ui, &[(80, 24)]);
}

#[test]
fn searches() {
    let mut live = fixture::running();
    live.arms.truncate(1);
    live.arms[0].live = true;
    for (name, view, story) in [
        ("search_knee", live, stories::knee()),
        ("search_found", fixture::finished(), stories::knee_found()),
        ("search_bars", fixture::finished(), stories::chunksizes()),
        ("search_table", fixture::finished(), stories::table()),
        ("search_refused", fixture::finished(), stories::refused()),
    ] {
        let (model, ui) = searched(view, story);
        snapshot(name, &model, &ui, &[(80, 24), (120, 40)]);
    }
    let (model, mut ui) = searched(fixture::finished(), stories::table());
    snapshot("search_table", &model, &ui, &[(200, 50)]);
    // All of it can be reached on a small screen.
    ui.size = (80, 12);
    let scroll = last_scroll(&model, &ui);
    assert!(scroll > 0);
    ui.search_page = Some(scroll);
    let end = picture(&render(&model, &ui, &theme(), ui.size));
    assert!(end.contains("fastest of its engine"), "{end}");
}

#[test]
fn a_target_is_what_the_tune_view_answers() {
    let mut view = fixture::tuned();
    let text = |view: &SessionView| {
        let model = model(view.clone());
        let ui = UiState { screen: Screen::Tune, focus: 1, ..ui(&model) };
        picture(&render(&model, &ui, &theme(), (80, 24)))
    };
    assert!(text(&view).contains("■ PROCESS  USE 4"), "{}", text(&view));
    view.target = Some("memory<5MiB".parse().unwrap());
    let found = text(&view);
    assert!(found.contains("■ PROCESS  memory<5MiB: USE 2"), "{found}");
    assert!(found.contains("service p95"), "{found}");
    // What is looked for is the figure that is shown, and what was found before stays there.
    let answer = |target: &str, words: &str| {
        let found = Found { workers: Some(2), met: Some(true), why: words.to_owned(), ..Found::default() };
        Answer { target: target.parse().unwrap(), found: vec![(1, found)], best: None, ended: false }
    };
    let now = answer("p99<900ms", "now");
    view.target = Some(now.target);
    view.answers = Arc::new(vec![answer("memory<5MiB", "it fits"), now]);
    let latency = text(&view);
    assert!(latency.contains("sojourn p99") && !latency.contains("p95"), "{latency}");
    assert!(latency.contains("before, memory<5MiB: USE 2: it fits") && !latency.contains(": now"), "{latency}");
    view.target = Some("memory<5MiB".parse().unwrap());
    view.phase = crate::session::view::SessionPhase::Running;
    view.position = crate::session::view::RunPosition::Sweep { arm: 1, workers: 2, run: 1, runs: 3 };
    let looking = text(&view);
    assert!(looking.contains("looking for memory<5MiB") && looking.contains("tune ×2 1/3"), "{looking}");
}

#[test]
fn long_and_wide_names_in_the_picker() {
    let mut view = fixture::finished();
    Arc::make_mut(&mut view.workload).name = "工作負載-with-a-name-that-is-longer-than-its-place".to_owned();
    let model =
        Model { catalogue: Arc::new(fixture::long_catalogue()), session: Some(Arc::new(view)), ..Model::default() };
    let ui = UiState { screen: Screen::Picker, entry: 1, ..UiState::default() };
    snapshot("picker_long", &model, &ui, &SIZES);
    // Whatever the size, a row says what there is or shows that something is left out, and stays within its frame.
    for width in 64..220 {
        let buf = render(&model, &ui, &theme(), (width, 24));
        let edge = (width * 2 / 5).min(80) - 1;
        for line in 3..6 {
            let text: String = (0..edge).map(|x| buf[(x, line)].symbol()).collect();
            assert!(text.contains("run") || text.contains(" ·") || text.contains('…'), "{width}: {text}");
            assert!(["┃", "│"].contains(&buf[(edge, line)].symbol()), "{width}");
        }
        let head: String = (0..width).map(|x| buf[(x, 0)].symbol()).collect();
        assert!(head.contains("1 with errors)  ") && head.trim_end().ends_with("FINISHED"), "{width}: {head}");
    }
}

/// Of several runs and classes, with a command line that is longer than a line; filtered, typed in, and known no longer.
fn failing_commands(ui: &UiState) {
    let mut view = fixture::failures_of_three_runs();
    let workload = Arc::make_mut(&mut view.workload);
    let argv =
        ["fetch", "--page={index}", "it's try {attempt}", "https://example.org/a/very/long/path?with=parameters"];
    let argv = argv.map(str::to_owned).to_vec();
    workload.classes[0].work = Work::Command(CommandLine::new(argv));
    workload.classes.push(TaskClass { name: "工作".to_owned(), ..workload.classes[0].clone() });
    let later = fixture::next_run(&view, 1_234_567, 3);
    let mut ui = ui.clone();
    ui.settle(&model(view.clone()));
    snapshot("tasks_runs", &model(view), &ui, &SIZES);
    snapshot("tasks_gone", &model(later.clone()), &ui, &[(80, 24)]);
    ui.tasks.filter.insert("status:failed,timeout \"not found\"");
    snapshot("tasks_filter", &model(later.clone()), &ui, &[(80, 24), (120, 40)]);
    ui.tasks.typing = true;
    ui.tasks.filter.insert(" 工作 and more words than there is room for");
    snapshot("tasks_typing", &model(later), &ui, &[(40, 10), (80, 24)]);
}

#[test]
fn chosen_workers_and_other_themes() {
    let model = model(fixture::many_workers(64));
    let mut ui = ui(&model);
    ui.worker = [Some(40), None];
    snapshot("chosen_worker", &model, &ui, &[(80, 24)]);
    ui.frozen = model.session.clone();
    ui.notice = Some("choose a worker first".to_owned());
    let ascii = Theme::new(ThemeName::Mono, ColorDepth::None, true);
    for size in [(80, 24), (120, 40)] {
        insta::assert_snapshot!(format!("ascii_{}x{}", size.0, size.1), picture(&render(&model, &ui, &ascii, size)));
    }
}

/// Runs of equal style with their text: what a picture cannot show.
fn styles(buf: &Buffer) -> String {
    let mut out = String::new();
    for line in buf.content().chunks(usize::from(buf.area.width)) {
        let mut runs: Vec<(ratatui::style::Style, String)> = Vec::new();
        for cell in line {
            match runs.last_mut() {
                Some((style, text)) if *style == cell.style() => text.push_str(cell.symbol()),
                _ => runs.push((cell.style(), cell.symbol().to_owned())),
            }
        }
        for (style, text) in runs.iter().filter(|(_, text)| !text.trim().is_empty()) {
            let fg = style.fg.map(|color| color.to_string()).unwrap_or_default();
            out.push_str(&format!("{fg:8} {:?} {:?}\n", style.add_modifier, text.trim()));
        }
    }
    out
}

#[test]
fn styles_of_the_classroom_screen() {
    let model = model(fixture::with_failures());
    insta::assert_snapshot!("styles_80x24", styles(&render(&model, &ui(&model), &theme(), (80, 24))));
}

/// All states that look different, for tests that draw everything.
fn every_state() -> Vec<(String, Model, UiState)> {
    let mut states = Vec::new();
    for (name, view) in fixture::every() {
        let model = model(view);
        let main = ui(&model);
        let screens = match name {
            "failures" => vec![Screen::Main, Screen::Tasks, Screen::Detail],
            "tuned" | "one_arm" | "ready" | "many_workers" => vec![Screen::Main, Screen::Tune],
            _ => vec![Screen::Main],
        };
        for screen in screens {
            states.push((format!("{name} {screen:?}"), model.clone(), UiState { screen, ..main.clone() }));
        }
        if name == "running" {
            let over = [
                ("help", UiState { help: Some(7), ..main.clone() }),
                ("question", UiState { question: Some(Question::Replace(2)), ..main.clone() }),
                ("picker", UiState { screen: Screen::Picker, ..main.clone() }),
                (
                    "preview",
                    UiState { screen: Screen::Picker, entry: 3, picker_focus: PickerFocus::Preview, ..main.clone() },
                ),
                ("worker", UiState { worker: [Some(3), Some(99)], focus: 1, ..main.clone() }),
            ];
            states.extend(over.into_iter().map(|(name, ui)| (name.to_owned(), model.clone(), ui)));
        }
    }
    for story in [stories::knee(), stories::knee_found(), stories::chunksizes(), stories::table(), stories::refused()] {
        let name = format!("search {}", story.wanted);
        let (model, ui) = searched(fixture::running(), story);
        states.push((name, model, ui));
    }
    for asks in [Asks::Goal, Asks::Sweep] {
        let model = model(fixture::tuned());
        let view = model.session.clone().unwrap();
        let goal = Some(GoalLine::new(asks, &view, &view.arms[0], None));
        let ui = UiState { screen: Screen::Tune, goal, ..ui(&model) };
        states.push((format!("line {asks:?}"), model, ui));
    }
    states.extend(history_tests::states());
    let empty = Model::default();
    states.push(("nothing".to_owned(), empty.clone(), UiState::default()));
    states.push(("no session".to_owned(), empty, UiState { screen: Screen::Detail, ..UiState::default() }));
    states
}

#[test]
fn every_size_draws() {
    let states = every_state();
    let ascii = Theme::new(ThemeName::Mono, ColorDepth::None, true);
    let color = theme();
    // All small sizes for some state, and some state for all sizes: the states take turns.
    let mut turn = 0;
    for width in 1..=220_u16 {
        for height in 1..=70_u16 {
            let dense = width <= 44 && height <= 14 || (width, height) == (80, 24) || (width, height) == (120, 36);
            let some = if dense { states.len() } else { 1 };
            for offset in 0..some {
                let (_, model, ui) = &states[(turn + offset) % states.len()];
                let _drawn = render(model, ui, if turn % 5 == 0 { &ascii } else { &color }, (width, height));
            }
            turn += 7;
        }
    }
}

#[test]
fn the_same_arguments_give_the_same_picture() {
    for (name, model, ui) in every_state() {
        let first = render(&model, &ui, &theme(), (120, 40));
        assert_eq!(first, render(&model, &ui, &theme(), (120, 40)), "{name}");
    }
}

#[test]
fn ascii_means_ascii() {
    let ascii = Theme::new(ThemeName::Mono, ColorDepth::None, true);
    for (name, model, ui) in every_state() {
        for size in SIZES {
            let buf = render(&model, &ui, &ascii, size);
            assert!(buf.content().iter().all(|cell| cell.symbol().is_ascii()), "{name} {size:?}");
        }
    }
}

#[test]
fn mono_has_no_colours() {
    let mono = Theme::new(ThemeName::Auto, ColorDepth::None, false);
    for (name, model, ui) in every_state() {
        let buf = render(&model, &ui, &mono, (120, 40));
        let plain = |cell: &ratatui::buffer::Cell| {
            cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset
        };
        assert!(buf.content().iter().all(plain), "{name}");
    }
}

#[test]
fn what_matters_is_on_the_classroom_screen() {
    let text = |view: SessionView| {
        let model = model(view);
        picture(&render(&model, &ui(&model), &theme(), (80, 24)))
    };
    let running = text(fixture::running());
    for word in ["POOL ×4 IS FASTER", "95% CI 2.9–3.3", "LIVE", "replay", "780/1000", "TIMEOUTS 1", "49.4", "15.9"] {
        assert!(running.contains(word), "{word}\n{running}");
    }
    assert!(text(fixture::first_run()).contains("TOO EARLY"));
    assert!(text(fixture::no_difference()).contains("NO CLEAR DIFFERENCE"));
    assert!(text(fixture::together()).contains("not a measurement"));
    let suspect = text(fixture::suspect());
    assert!(suspect.contains("SUSPECT ■ PROCESS ×4: other programs used 1.7 of 4 cores"), "{suspect}");
    assert!(text(fixture::paused()).contains("PAUSED"));
    let broken = text(fixture::broken());
    assert!(broken.contains("BROKEN: pool: the worker program could not be started: permission denied"), "{broken}");
}
