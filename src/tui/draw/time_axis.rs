//! A time axis: its unit, and round numbers that have room.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::paint::{cols, put, put_right, span};
use crate::tui::text;

/// Columns between the begins of two numbers, at least.
const APART: f64 = 9.0;
/// The title, with the longest unit.
const TITLE: u16 = 9;

/// Seconds of the unit in which a time of so many seconds is told, and its name.
fn unit(end: f64) -> (f64, &'static str) {
    match end {
        end if end < 600.0 => (1.0, "s"),
        end if end < 36_000.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below a value.
fn round_step(least: f64) -> f64 {
    if !least.is_finite() || least <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|step| step * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// Numbers and the column of each, for an axis from 0 to `end` seconds of so many columns.
fn ticks(end: f64, columns: u16) -> Vec<(u16, String)> {
    let (seconds, _) = unit(end);
    let end = end / seconds;
    let step = round_step(end * APART / f64::from(columns.max(1)));
    let decimals = (-step.log10().floor()).clamp(0.0, 3.0) as usize;
    let last = columns.saturating_sub(1);
    (0..1000)
        .map(|number| f64::from(number) * step)
        .take_while(|value| *value <= end)
        .map(|value| ((value / end * f64::from(last)).round() as u16, format!("{value:.decimals$}")))
        .collect()
}

/// Below a plot of the same columns.
pub(crate) fn draw(scene: &Scene<'_>, end: f64, line: Rect, buf: &mut Buffer) {
    let style = scene.theme.dim;
    let room = line.width.saturating_sub(TITLE + 1);
    for (column, label) in ticks(end, line.width) {
        let width = text::width(&label) as u16;
        // Below the middle of its number, except at the edge.
        let from = column.saturating_sub(width / 2);
        if from + width <= room {
            put(buf, cols(line, from, width), span(label, style));
        }
    }
    put_right(buf, line, span(format!("time, {}", unit(end).1), style));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_round_and_have_room() {
        let labels = |end, columns| ticks(end, columns).into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(20.3, 50), ["0", "5", "10", "15", "20"]);
        assert_eq!(labels(0.4, 50), ["0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(labels(1800.0, 50), ["0", "10", "20", "30"]);
        for end in [0.05, 0.3, 1.0, 7.7, 59.0, 599.0, 601.0, 40_000.0, 1e6] {
            for columns in [10, 24, 50, 90, 200] {
                let ticks = ticks(end, columns);
                assert!(ticks.windows(2).all(|pair| pair[0].0 + 7 <= pair[1].0), "{end} {columns} {ticks:?}");
                assert!(ticks.iter().all(|(column, label)| *column < columns && label.len() <= 6), "{end} {ticks:?}");
            }
        }
    }
}
