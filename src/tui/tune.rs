//! Worker counts by key: what each key asks of the session, and what is said about it. No I/O, no clock.

use crate::analysis::tuning::{MORE, RUNS, Tuning, most_counts};
use crate::session::view::{ArmView, Change, Mode, SessionCommand, SessionPhase, SessionView, Sweep, SweepCounts};
use crate::tui::model::{self, Model};
use crate::tui::state::{Asked, Question, UiEffect, UiState};
use crate::tui::{format, take_over};
use crate::workload::model::{Work, Workload};

/// The arm in the chosen pane.
pub(super) fn chosen<'a>(ui: &UiState, model: &'a Model) -> Option<(usize, &'a SessionView, &'a ArmView)> {
    let view = model.session.as_deref()?;
    let arm = *ui.pair.get(ui.focus)?;
    Some((arm, view, view.arms.get(arm)?))
}

pub(super) fn none(ui: &mut UiState) -> Vec<UiEffect> {
    ui.say("no workload is open")
}

/// `+ - ] [`: in any state. The session knows the count at the moment, so that keys in a row add up.
pub(super) fn change(ui: &mut UiState, model: &Model, change: Change) -> Vec<UiEffect> {
    let Some((arm, _, arm_view)) = chosen(ui, model) else { return none(ui) };
    if !has_worker_count(arm_view) {
        return ui.say(&format!("{} has one worker: Tab chooses the other engine", arm_view.spec.kind.word()));
    }
    let now = arm_view.workers_now();
    let more = matches!(change, Change::Double) || matches!(change, Change::By(by) if by > 0);
    if more && now >= arm_view.most_workers {
        return ui.say(&format!("no more than {} workers make sense here", arm_view.most_workers));
    }
    if !more && now == 1 {
        return ui.say("one worker is the least");
    }
    if let Some(count) = ui.count.get_mut(ui.focus) {
        *count = None;
    }
    if take_over::goes_on(model) {
        return take_over::with(ui, model, SessionCommand::ChangeWorkers { arm, change });
    }
    if arm_view.live && !arm_view.capabilities.resize {
        ui.notice = Some(format!("{} cannot be resized while it runs: its next run", model::name(arm_view)));
    }
    vec![UiEffect::Send(SessionCommand::ChangeWorkers { arm, change })]
}

/// `E`.
pub(super) fn same(ui: &mut UiState, model: &Model) -> Vec<UiEffect> {
    let Some((arm, _, view)) = chosen(ui, model) else { return none(ui) };
    let workers = view.workers_now();
    ui.count = [None; 2];
    if take_over::goes_on(model) {
        return take_over::with(ui, model, SessionCommand::SameWorkers(arm));
    }
    let others = model.session.as_deref().map(|view| view.arms.as_slice()).unwrap_or_default();
    let single = others.iter().find(|arm| !has_worker_count(arm));
    let but = single.map(|arm| format!(" but {}", arm.spec.kind.word())).unwrap_or_default();
    ui.notice = Some(format!("{workers} worker{} in every engine{but}", if workers == 1 { "" } else { "s" }));
    vec![UiEffect::Send(SessionCommand::SameWorkers(arm))]
}

/// `m`.
pub(super) fn baseline(ui: &mut UiState, model: &Model) -> Vec<UiEffect> {
    let Some((arm, of, view)) = chosen(ui, model) else { return none(ui) };
    if model.searching().is_some() {
        return busy(ui);
    }
    if of.arms.len() < 2 {
        return ui.say("there is no other engine to compare with");
    }
    ui.notice = Some(format!("compared with {}", model::label(view)));
    vec![UiEffect::Send(SessionCommand::Baseline(arm))]
}

pub(super) fn busy(ui: &mut UiState) -> Vec<UiEffect> {
    ui.say("something is running: x stops it")
}

/// Tasks of one run.
pub(super) fn tasks(view: &SessionView) -> u64 {
    format::tasks_of_a_run(view)
}

/// `s`: both arms on screen, in turn.
pub(super) fn sweep(ui: &mut UiState, model: &Model) -> Vec<UiEffect> {
    let Some((_, view, _)) = chosen(ui, model) else { return none(ui) };
    if model.searching().is_some() {
        return busy(ui);
    }
    ui.search_page = None;
    if on_screen(ui, view).next().is_none() {
        let kind = view.arms.get(ui.pair[0]).map_or("it", |arm| arm.spec.kind.word());
        return ui.say(&format!("{kind} has one worker: there is nothing to sweep"));
    }
    if model::is_running(view) && view.measures_by_itself {
        ui.question = Some(Question::Commands(Asked::SweepInstead));
        return Vec::new();
    }
    if model::is_running(view) {
        return busy(ui);
    }
    let complete = |arm: usize| view.arms.get(arm).is_some_and(|arm| arm.tuning.complete);
    if on_screen(ui, view).all(complete) {
        return ui.say("a sweep would try nothing more: Enter measures the chosen count again");
    }
    if !view.measures_by_itself {
        ui.question = Some(Question::Commands(Asked::Sweep {
            tasks: tasks(view),
            runs: u64::from(RUNS * MORE),
            counts: on_screen(ui, view)
                .filter_map(|arm| view.arms.get(arm))
                .map(|arm| most_counts(arm.most_workers))
                .sum(),
        }));
        return Vec::new();
    }
    begin_sweep(ui, view)
}

/// The arms in the panes that have a worker count.
pub(super) fn on_screen(ui: &UiState, view: &SessionView) -> impl Iterator<Item = usize> {
    let panes = view.arms.len().min(2);
    let resizable: Vec<bool> = view.arms.iter().map(has_worker_count).collect();
    ui.pair.into_iter().take(panes).filter(move |arm| resizable.get(*arm) == Some(&true))
}

fn begin_sweep(ui: &mut UiState, view: &SessionView) -> Vec<UiEffect> {
    let arms: Vec<usize> = on_screen(ui, view).collect();
    ui.frozen = None;
    ui.count = [None; 2];
    vec![UiEffect::Send(SessionCommand::Sweep(Sweep {
        arms,
        counts: SweepCounts::Found,
        groups: Vec::new(),
        runs: RUNS,
        show_best: view.measures_by_itself,
    }))]
}

fn has_worker_count(arm: &ArmView) -> bool {
    arm.spec.kind.has_worker_count()
}

/// Enter on the main screen: the engines whose worker count was changed. [`pending`] has said how much that is.
pub(super) fn measure_changed(ui: &mut UiState, model: &Model) -> Vec<UiEffect> {
    match model.session.as_deref() {
        Some(view) if pending(view).is_some() => changed(ui, view),
        _ => Vec::new(),
    }
}

/// Measures what was changed; where that runs somebody's commands again, asks first.
fn changed(ui: &mut UiState, view: &SessionView) -> Vec<UiEffect> {
    if view.measures_by_itself {
        return vec![UiEffect::Send(SessionCommand::Measure(None))];
    }
    let runs: u32 = view.arms.iter().map(|arm| arm.owed).sum();
    ui.question = Some(Question::Commands(Asked::MeasureChanged { all: tasks(view) * u64::from(runs) }));
    Vec::new()
}

/// Enter in the Tune view: the chosen count once more, or what was changed.
pub(super) fn measure(ui: &mut UiState, model: &Model) -> Vec<UiEffect> {
    let Some((arm, view, arm_view)) = chosen(ui, model) else { return none(ui) };
    if model::is_running(view) {
        return busy(ui);
    }
    let workers = ui.count.get(ui.focus).copied().flatten().unwrap_or(arm_view.workers);
    let repeats = u64::from(view.workload.measure.repeats.get());
    if workers == arm_view.workers && pending(view).is_some() {
        return changed(ui, view);
    }
    if !view.measures_by_itself {
        ui.question = Some(Question::Commands(Asked::Measure { arm, workers, all: tasks(view) * repeats }));
        return Vec::new();
    }
    ui.frozen = None;
    vec![UiEffect::Send(SessionCommand::Measure(Some((arm, workers))))]
}

/// The user agreed that commands are run.
pub(super) fn agreed(ui: &mut UiState, model: &Model, asked: Asked) -> Vec<UiEffect> {
    match (asked, model.session.as_deref()) {
        (Asked::Sweep { .. } | Asked::SweepInstead, Some(view)) => begin_sweep(ui, view),
        (Asked::Measure { arm, workers, .. }, Some(_)) => {
            vec![UiEffect::Send(SessionCommand::Measure(Some((arm, workers))))]
        }
        (Asked::MeasureChanged { .. }, Some(_)) => vec![UiEffect::Send(SessionCommand::Measure(None))],
        (Asked::RunAgain { mode, .. }, Some(_)) => ui.begin(mode),
        // What was typed is looked for by who has read it.
        (Asked::Look { .. } | Asked::LookInstead, Some(_)) => Vec::new(),
        (_, None) => none(ui),
    }
}

/// Whether it is somebody's own work, of which not even they may want more than they have asked for.
pub(super) fn changes_the_world(workload: &Workload) -> bool {
    workload.classes.iter().any(|class| class.items.is_some() || matches!(class.work, Work::Command(_)))
}

/// Tasks of all arms and all their runs.
pub(super) fn tasks_of_all_runs(view: &SessionView, mode: Mode) -> u64 {
    let measure = &view.workload.measure;
    let runs = match mode {
        Mode::Together => 1,
        Mode::Interleaved => u64::from(measure.warmup) + u64::from(measure.repeats.get()),
    };
    tasks(view).saturating_mul(runs).saturating_mul(view.arms.len() as u64)
}

/// `j k`: through the counts that were tried.
pub(super) fn step(ui: &mut UiState, model: &Model, by: isize) {
    let Some((_, _, arm)) = chosen(ui, model) else { return };
    let counts: Vec<u32> = counts(&arm.tuning, arm.workers);
    let now = ui.count.get(ui.focus).copied().flatten().unwrap_or(arm.workers);
    let place = counts.iter().position(|count| *count >= now).unwrap_or(0);
    let next = counts.get(place.saturating_add_signed(by).min(counts.len().saturating_sub(1))).copied();
    if let Some(count) = ui.count.get_mut(ui.focus) {
        *count = next;
    }
}

/// The counts that were tried and the one that is wanted, ascending.
pub(super) fn counts(tuning: &Tuning, wanted: u32) -> Vec<u32> {
    let mut counts: Vec<u32> = tuning.points.iter().map(|point| point.workers).chain([wanted]).collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// What is to be measured because a worker count was changed, and what makes it begin; `None` while something runs.
pub(super) fn pending(view: &SessionView) -> Option<String> {
    if !view.phase.is_over() {
        return None;
    }
    let changed: Vec<&ArmView> = view.arms.iter().filter(|arm| arm.owed > 0).collect();
    let names: Vec<String> = changed.iter().map(|arm| model::labelled(arm, arm.workers)).collect();
    let names = names.join(" and ");
    let runs: u32 = changed.iter().map(|arm| arm.owed).sum();
    let many = format!("{runs} run{}", if runs == 1 { "" } else { "s" });
    match (&view.phase, view.measures_by_itself) {
        _ if changed.is_empty() => None,
        (SessionPhase::Finished, true) if view.mode == Mode::Interleaved => {
            Some(format!("measured as soon as the keys rest: {names}"))
        }
        (_, true) => Some(format!("Enter measures {names}: {many}")),
        (_, false) => {
            let commands = format::count(tasks(view) * u64::from(runs));
            Some(format!("Enter measures {names}: {many}, {commands} commands"))
        }
    }
}
