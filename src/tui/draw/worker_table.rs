//! The workers of one arm, one line each, or above a number of them a map of all and a few lines. Only lines that are
//! visible are built.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::paint::{cols, first_visible, put, put_right, row, rows, span};
use super::{Scene, heat_map};
use crate::engine::event::{DeathCause, WorkerState};
use crate::engine::outcome::Exit;
use crate::metrics::snapshot::{CPU_HISTORY, Death, Snapshot, WorkerRow};
use crate::os::signals;
use crate::tui::model::{self, Pane};
use crate::tui::widgets::spark;
use crate::tui::{format, text, theme};

/// Widths of the columns; 0 leaves one out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Columns {
    slot: u16,
    pid: u16,
    state: u16,
    task: u16,
    for_: u16,
    spark: u16,
    percent: u16,
    rss: u16,
    pss: u16,
    done: u16,
    starts: u16,
    faults: u16,
    last_exit: u16,
}

impl Columns {
    /// What fits into a width: the indispensable, then in the order of their use.
    fn new(width: u16, frame: &Snapshot, items: bool) -> Self {
        let digits = |n: u64| n.checked_ilog10().map_or(1, |log| log as u16 + 1);
        let largest_pid = frame.workers.iter().filter_map(|row| row.pid).max().unwrap_or(0);
        let slots = digits(frame.workers.last().map_or(0, |row| u64::from(row.slot.0)));
        let largest_task = frame.workers.iter().filter_map(|row| row.task).map(|(index, _)| index).max().unwrap_or(0);
        let done = digits(frame.workers.iter().map(|row| row.done).max().unwrap_or(0));
        let task = (digits(largest_task.max(frame.total)) + 1).clamp(5, 12);
        // The longest word is as rare as it is important.
        let state = if frame.workers.iter().any(|row| row.state == WorkerState::Unkillable) { 13 } else { 8 };
        let mut columns =
            Self { slot: slots + 1, pid: digits(u64::from(largest_pid)).max(5) + 1, state, ..Self::default() };
        let mut free = width.saturating_sub(columns.slot + columns.pid + columns.state);
        let mut take = |want: u16| {
            let got = if free >= want { want } else { 0 };
            free -= got;
            got
        };
        columns.task = take(task + 1);
        columns.done = take(done.max(4) + 1);
        // Three samples are a picture; the number of the last is the first thing to go.
        columns.spark = take(6);
        if columns.spark == 0 {
            columns.spark = take(4);
        }
        columns.percent = take(5);
        columns.rss = take(6);
        columns.task += take(8);
        // An item says more than a class.
        if items {
            columns.task += take(12);
        }
        columns.spark += take(6);
        columns.for_ = take(8);
        columns.pss = take(6);
        columns.starts = take(7);
        // Only where there is one to tell of.
        if frame.workers.iter().any(|row| row.last_exit.is_some_and(|death| !death.cause.is_ordinary())) {
            columns.last_exit = take(15);
        }
        columns.spark += take(CPU_HISTORY as u16 + 1 - columns.spark.min(CPU_HISTORY as u16));
        columns.task += take(12);
        columns.faults = take(9);
        if items {
            columns.task += free.min(24);
        }
        columns
    }
}

/// Lines below a map of workers: a head, and the chosen one among its neighbours.
const BELOW_MAP: u16 = 5;

/// Lines that so many workers would like to have in a width.
pub(crate) fn lines(workers: usize, width: u16) -> u16 {
    if heat_map::applies(workers) {
        heat_map::lines(workers, width).saturating_add(BELOW_MAP)
    } else {
        u16::try_from(workers.max(2)).unwrap_or(u16::MAX).saturating_add(1)
    }
}

/// Lines of the map in so many lines: the last is left for the chosen worker.
fn map_lines(workers: usize, (width, height): (u16, u16)) -> u16 {
    heat_map::lines(workers, width).min(height.saturating_sub(1))
}

/// The place of the chosen worker.
fn chosen(scene: &Scene<'_>, index: usize, workers: usize) -> Option<usize> {
    scene.ui.worker.get(index).copied().flatten().map(|line| line.min(workers.max(1) - 1))
}

/// A head line, then the workers around the chosen one; many workers as a map, and below it the chosen one.
pub(crate) fn draw(scene: &Scene<'_>, index: usize, pane: &Pane<'_>, area: Rect, buf: &mut Buffer) {
    let Some(frame) = pane.frame else {
        let words = if model::is_running(scene.view) { "  waiting for its turn" } else { "  not run yet" };
        put(buf, row(area, 1), span(words, scene.theme.dim));
        return;
    };
    let workers = frame.workers.len();
    let chosen = chosen(scene, index, workers);
    let mut area = area;
    if heat_map::applies(workers) {
        let map = map_lines(workers, (area.width, area.height));
        heat_map::draw(scene, frame, scene.mark(pane).style, chosen, rows(area, 0, map), buf);
        area = rows(area, map, area.height);
        if area.height < 3 && chosen.is_none() {
            put(buf, row(area, 0), span("j k choose a worker", scene.theme.dim));
            return;
        }
    }
    let columns = Columns::new(area.width, frame, scene.view.workload.has_items());
    // A single line is that of the chosen one.
    let head_lines = u16::from(area.height > 2 || !heat_map::applies(workers));
    if head_lines > 0 {
        head(scene, &columns, row(area, 0), buf);
    }
    let body = rows(area, head_lines, area.height);
    let height = usize::from(body.height);
    let first = first_visible(chosen.unwrap_or(0), workers, height);
    for (line, worker) in (0..).zip(frame.workers.iter().enumerate().skip(first).take(height)) {
        let (number, worker) = worker;
        let marked = chosen == Some(number);
        draw_worker(scene, pane, &columns, worker, row(body, line), buf);
        if marked {
            // On the frame, so that the numbers keep their place.
            let edge = row(body, line);
            put(buf, Rect { x: edge.x.saturating_sub(1), width: 1, ..edge }, span("▸", scene.theme.strong));
        }
        if marked && scene.focus() == index {
            buf.set_style(row(body, line), scene.theme.selected);
        }
    }
}

/// Which workers are visible in a table of a size, where they are not all: `1-4 of 64`.
pub(crate) fn range(scene: &Scene<'_>, index: usize, pane: &Pane<'_>, size: (u16, u16)) -> Option<String> {
    let workers = pane.frame?.workers.len();
    let chosen = chosen(scene, index, workers);
    let (first, last) = if heat_map::applies(workers) {
        heat_map::range(workers, size.0, map_lines(workers, size), chosen)
    } else {
        let height = usize::from(size.1.saturating_sub(1));
        let first = first_visible(chosen.unwrap_or(0), workers, height);
        (first + 1, (first + height).min(workers))
    };
    (last > 0 && last + 1 - first < workers).then(|| format!("{first}-{last} of {workers}"))
}

/// Calls `place` for each column that is shown, from the left, with its area and whether it is filled from the right.
fn layout(columns: &Columns, line: Rect, mut place: impl FnMut(Column, Rect)) {
    let list = [
        (Column::Slot, columns.slot),
        (Column::Pid, columns.pid),
        (Column::State, columns.state),
        (Column::Task, columns.task),
        (Column::For, columns.for_),
        (Column::Spark, columns.spark),
        (Column::Percent, columns.percent),
        (Column::Rss, columns.rss),
        (Column::Pss, columns.pss),
        (Column::Done, columns.done),
        (Column::Starts, columns.starts),
        (Column::Faults, columns.faults),
        (Column::LastExit, columns.last_exit),
    ];
    let mut x = 0;
    for (column, width) in list.into_iter().filter(|(_, width)| *width > 0) {
        place(column, cols(line, x, width - 1));
        x += width;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Slot,
    Pid,
    State,
    Task,
    For,
    Spark,
    Percent,
    Rss,
    Pss,
    Done,
    Starts,
    Faults,
    LastExit,
}

fn head(scene: &Scene<'_>, columns: &Columns, line: Rect, buf: &mut Buffer) {
    let style = scene.theme.dim;
    layout(columns, line, |column, area| match column {
        Column::Slot => put_right(buf, area, span("#", style)),
        Column::Pid => put(buf, area, span("pid", style)),
        Column::State => put(buf, area, span("state", style)),
        Column::Task => put(buf, area, span("task", style)),
        Column::For => put_right(buf, area, span("for", style)),
        Column::Spark => put(buf, area, span("cpu", style)),
        Column::Percent => put_right(buf, area, span("%", style)),
        Column::Rss => put_right(buf, area, span("rss", style)),
        Column::Pss => put_right(buf, area, span("pss", style)),
        Column::Done => put_right(buf, area, span("done", style)),
        Column::Starts => put_right(buf, area, span("starts", style)),
        Column::Faults => put_right(buf, area, span("pgfault", style)),
        Column::LastExit => put(buf, area, span(" last exit", style)),
    });
}

fn state_style(state: WorkerState, scene: &Scene<'_>, mark: Style) -> Style {
    match state {
        WorkerState::Busy => mark,
        WorkerState::Starting | WorkerState::Initializing | WorkerState::Retiring => scene.theme.base,
        WorkerState::Ending | WorkerState::Ghost => scene.theme.warn,
        WorkerState::Unkillable => scene.theme.bad,
        WorkerState::Idle | WorkerState::Free => scene.theme.dim,
    }
}

fn task_name(scene: &Scene<'_>, worker: &WorkerRow, width: u16) -> String {
    let Some((index, class)) = worker.task else { return "–".to_owned() };
    let number = format!("#{index}");
    let room = usize::from(width).saturating_sub(text::width(&number) + 1);
    if room < 3 {
        return text::fit(&number, usize::from(width));
    }
    if let Some(item) = scene.view.workload.item_text(index) {
        // Paths of one folder differ at their end.
        return format!("{number} {}", text::fit_end(&item, room));
    }
    match scene.view.workload.classes.get(usize::from(class)) {
        Some(class) => format!("{number} {}", text::fit(&text::clean(&class.name), room)),
        None => text::fit(&number, usize::from(width)),
    }
}

fn draw_worker(
    scene: &Scene<'_>,
    pane: &Pane<'_>,
    columns: &Columns,
    worker: &WorkerRow,
    line: Rect,
    buf: &mut Buffer,
) {
    let theme = scene.theme;
    let mark = scene.mark(pane).style;
    let absent = || "–".to_owned();
    layout(columns, line, |column, area| match column {
        Column::Slot => put_right(buf, area, span(worker.slot.to_string(), theme.base)),
        Column::Pid => put(buf, area, span(worker.pid.map_or_else(absent, |pid| pid.to_string()), theme.base)),
        Column::State => {
            let word = format!("{} {}", theme::state_sign(worker.state), worker.state.word());
            put(buf, area, span(text::fit(&word, usize::from(area.width)), state_style(worker.state, scene, mark)));
        }
        Column::Task => put(buf, area, span(task_name(scene, worker, area.width), theme.base)),
        Column::For => {
            let time = worker.task.map_or_else(absent, |_| format::duration(worker.task_for));
            put_right(buf, area, span(time, theme.base));
        }
        Column::Spark => spark::tail(buf, area, &worker.cpu_history, 100.0, mark),
        Column::Percent => {
            let percent =
                worker.cpu_percent.map_or_else(absent, |percent| format!("{:.0}%", percent.clamp(0.0, 9999.0)));
            put_right(buf, area, span(percent, theme.base));
        }
        Column::Rss => {
            put_right(buf, area, span(worker.rss_bytes.map_or_else(absent, format::bytes_short), theme.base));
        }
        Column::Pss => {
            put_right(buf, area, span(worker.pss_bytes.map_or_else(absent, format::bytes_short), theme.base));
        }
        Column::Done => put_right(buf, area, span(format::count(worker.done), theme.base)),
        Column::Starts => put_right(buf, area, span(format::count(worker.starts), theme.base)),
        Column::Faults => {
            let count = worker.page_faults.map_or_else(absent, |faults| format::count(faults.minor + faults.major));
            put_right(buf, area, span(count, theme.base));
        }
        Column::LastExit => {
            let (word, style) = match worker.last_exit {
                None => (absent(), theme.dim),
                Some(death) if death.cause.is_ordinary() => (death.cause.to_string(), theme.dim),
                Some(death) => (last_exit(&death), theme.warn),
            };
            put(buf, area, span(text::fit(&format!(" {word}"), usize::from(area.width)), style));
        }
    });
}

/// Why a worker ended, in few words.
fn last_exit(death: &Death) -> String {
    match (death.cause, death.exit) {
        (DeathCause::Crashed | DeathCause::Fault, Exit::Code(code)) => format!("{} {code}", death.cause),
        (DeathCause::Crashed | DeathCause::Fault, Exit::Signal(signal)) => {
            format!("{} {}", death.cause, signals::name(signal))
        }
        (cause, _) => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tui::fixture;

    #[test]
    fn columns_never_exceed_the_width() {
        let frame = fixture::frame(fixture::POOL, Duration::from_secs(5));
        for width in 24..200 {
            let mut end = 0;
            let line = Rect::new(0, 0, width, 1);
            layout(&Columns::new(width, &frame, width % 2 == 0), line, |_, area| end = end.max(area.right()));
            assert!(end <= width, "{width}: {end}");
        }
        let classroom = Columns::new(38, &frame, false);
        assert!(classroom.task > 0 && classroom.spark > 0, "{classroom:?}");
    }

    #[test]
    fn ten_and_more_workers_keep_their_counts_and_their_pictures() {
        for (workers, first_pid) in [(10, 41_207), (16, 4_123_456), (64, 41_207), (200, 4_123_456)] {
            let mut frame = fixture::frame(fixture::Engine { workers, ..fixture::POOL }, Duration::from_secs(5));
            frame.workers.iter_mut().for_each(|row| row.pid = Some(first_pid + row.slot.0));
            let columns = Columns::new(38, &frame, false);
            assert!(columns.task > 0 && columns.done > 0 && columns.spark > 0, "{workers}: {columns:?}");
        }
    }
}
