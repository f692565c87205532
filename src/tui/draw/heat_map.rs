//! Many workers at a glance: one cell for each, its sign and colour by state and CPU, and how many are in each state.
//!
//! States are told by signs, not by colour alone; a busy worker's sign is the higher the more CPU it uses.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::paint::{cols, first_visible, joined, put, put_right, row, span};
use crate::engine::event::WorkerState;
use crate::metrics::snapshot::{Snapshot, WorkerRow};
use crate::tui::theme;

/// More workers than this are a map instead of lines.
const LINES: usize = 16;
/// Cells of a busy worker, from idling to a whole core.
const LEVELS: [&str; 4] = ["▁", "▄", "▆", "█"];
/// In the order in which they are counted.
const STATES: [WorkerState; 9] = [
    WorkerState::Busy,
    WorkerState::Starting,
    WorkerState::Initializing,
    WorkerState::Idle,
    WorkerState::Ghost,
    WorkerState::Retiring,
    WorkerState::Ending,
    WorkerState::Unkillable,
    WorkerState::Free,
];

/// Whether so many workers are shown as a map.
pub(crate) fn applies(workers: usize) -> bool {
    workers > LINES
}

/// How the cells lie in a width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    /// Columns of the number before each line, with a space.
    number: u16,
    /// Cells of a line: tens, so that they can be counted.
    cells: usize,
}

impl Grid {
    fn new(workers: usize, width: u16) -> Self {
        let digits = workers.saturating_sub(1).checked_ilog10().map_or(1, |log| log as u16 + 1);
        let room = usize::from(width.saturating_sub(digits + 1));
        Self { number: digits + 1, cells: if room >= 10 { room / 10 * 10 } else { room.max(1) } }
    }

    /// The first worker and the one after the last that are seen in so many lines.
    fn visible(self, workers: usize, lines: u16, chosen: Option<usize>) -> (usize, usize) {
        let all = workers.div_ceil(self.cells);
        let first = first_visible(chosen.unwrap_or(0) / self.cells, all, usize::from(lines)) * self.cells;
        (first, (first + usize::from(lines) * self.cells).min(workers))
    }
}

/// Lines of the map, with the one of the counts.
pub(crate) fn lines(workers: usize, width: u16) -> u16 {
    u16::try_from(workers.div_ceil(Grid::new(workers, width).cells) + 1).unwrap_or(u16::MAX)
}

/// The first and the last worker that are seen in so many lines, counted from 1.
pub(crate) fn range(workers: usize, width: u16, lines: u16, chosen: Option<usize>) -> (usize, usize) {
    let (first, end) = Grid::new(workers, width).visible(workers, lines.saturating_sub(1), chosen);
    (first + 1, end)
}

/// The sign of a worker.
fn sign(worker: &WorkerRow) -> &'static str {
    match worker.state {
        WorkerState::Busy => {
            let share = worker.cpu_percent.map_or(0.0, |percent| f64::from(percent) / 100.0);
            let level = (share * LEVELS.len() as f64) as usize;
            LEVELS.get(level.min(LEVELS.len() - 1)).unwrap_or(&"█")
        }
        WorkerState::Free => "░",
        other => theme::state_sign(other),
    }
}

fn style(state: WorkerState, scene: &Scene<'_>, mark: Style) -> Style {
    match state {
        WorkerState::Busy => mark,
        WorkerState::Starting | WorkerState::Initializing | WorkerState::Ending | WorkerState::Ghost => {
            scene.theme.warn
        }
        WorkerState::Retiring => scene.theme.base,
        WorkerState::Unkillable => scene.theme.bad,
        WorkerState::Idle | WorkerState::Free => scene.theme.dim,
    }
}

/// The counts, then the cells; `chosen` is the place of the worker that is marked.
pub(crate) fn draw(
    scene: &Scene<'_>,
    frame: &Snapshot,
    mark: Style,
    chosen: Option<usize>,
    area: Rect,
    buf: &mut Buffer,
) {
    counts(scene, frame, mark, row(area, 0), buf);
    let grid = Grid::new(frame.workers.len(), area.width);
    let (first, end) = grid.visible(frame.workers.len(), area.height.saturating_sub(1), chosen);
    let shown = frame.workers.get(first..end).unwrap_or_default();
    for (index, line) in (1..).zip(shown.chunks(grid.cells)) {
        let place = row(area, index);
        if let Some(worker) = line.first() {
            put_right(buf, cols(place, 0, grid.number - 1), span(worker.slot.to_string(), scene.theme.dim));
        }
        let cells = cols(place, grid.number, area.width).intersection(buf.area);
        for (x, worker) in (cells.x..cells.right()).zip(line) {
            buf[(x, cells.y)].set_symbol(sign(worker)).set_style(style(worker.state, scene, mark));
        }
    }
    if let Some(chosen) = chosen.filter(|chosen| (first..end).contains(chosen)) {
        let (line, column) = ((chosen - first) / grid.cells, (chosen - first) % grid.cells);
        let place = row(area, line as u16 + 1);
        buf.set_style(cols(place, grid.number + column as u16, 1), scene.theme.selected);
    }
}

/// `▁█ 41 busy  + 3 start  · 20 idle`.
fn counts(scene: &Scene<'_>, frame: &Snapshot, mark: Style, line: Rect, buf: &mut Buffer) {
    let mut numbers = [0_usize; STATES.len()];
    for worker in &frame.workers {
        if let Some(number) = STATES.iter().position(|state| *state == worker.state).and_then(|at| numbers.get_mut(at))
        {
            *number += 1;
        }
    }
    let pieces = STATES.into_iter().zip(numbers).filter(|(_, number)| *number > 0).map(|(state, number)| {
        let sign = match state {
            // Both ends of the scale: the height is the CPU that it uses.
            WorkerState::Busy => "▁█",
            WorkerState::Free => "░",
            other => theme::state_sign(other),
        };
        span(format!("{sign} {number} {}", state.word()), style(state, scene, mark))
    });
    put(buf, line, joined(pieces.collect(), line.width));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tui::fixture;

    #[test]
    fn every_worker_has_a_place_and_the_chosen_one_is_seen() {
        for workers in [17, 64, 200, 1000] {
            for width in [12, 24, 38, 98] {
                for height in 2..9 {
                    for chosen in [0, workers / 2, workers - 1] {
                        let (first, last) = range(workers, width, height, Some(chosen));
                        assert!(first <= chosen + 1 && chosen < last && last <= workers, "{workers} {width} {height}");
                    }
                }
                assert_eq!(range(workers, width, lines(workers, width), None), (1, workers));
            }
        }
    }

    #[test]
    fn states_differ_without_colours_and_in_ascii() {
        let frame = fixture::frame(fixture::POOL, Duration::from_secs(3));
        let with = |state, percent| WorkerRow { state, cpu_percent: Some(percent), ..frame.workers[0].clone() };
        let mut signs: Vec<&str> =
            [0.0, 30.0, 60.0, 100.0].map(|percent| sign(&with(WorkerState::Busy, percent))).into();
        assert_eq!(signs, LEVELS);
        signs.extend(STATES.into_iter().skip(1).map(|state| sign(&with(state, 0.0))));
        let ascii: Vec<_> =
            signs.iter().map(|sign| theme::ascii_for(sign.chars().next().unwrap()).or(sign.chars().next())).collect();
        for (index, sign) in signs.iter().enumerate() {
            assert!(!signs[..index].contains(sign), "{sign}");
            assert!(!ascii[..index].contains(&ascii[index]), "{sign} in ASCII");
        }
    }
}
