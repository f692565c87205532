//! Line plots of several series over one pair of axes, in braille, or in one sign per column where there is none.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// One line of a plot.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// One value for each half column (braille cells are two dots wide); `None` where there is none.
    pub(crate) values: Vec<Option<f64>>,
    /// Stands at its newest value, so that lines can be told apart without colours.
    pub(crate) sign: &'static str,
    pub(crate) style: Style,
    pub(crate) stroke: Stroke,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    Whole,
    /// With gaps.
    Dashed,
    /// As dots, without a sign at its end: what was not measured.
    Dotted,
}

impl Stroke {
    fn is_gap(self, x: usize) -> bool {
        match self {
            Self::Whole => false,
            Self::Dashed => x % 6 >= 4,
            Self::Dotted => !x.is_multiple_of(3),
        }
    }
}

/// Bits of the dots of a braille cell (ISO/IEC TR 11548-1, Unicode U+2800): two columns of four, from the top.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// Draws the series over values from 0 to `max`. Later series lie over earlier ones.
pub(crate) fn lines(buf: &mut Buffer, area: Rect, series: &[Series], max: f64, ascii: bool) {
    let area = area.intersection(buf.area);
    if area.is_empty() || max <= 0.0 {
        return;
    }
    let mut cells = vec![0_u8; usize::from(area.width) * usize::from(area.height)];
    for line in series {
        if ascii {
            signs(buf, area, line, max);
        } else {
            braille(buf, area, line, max, &mut cells);
        }
        if line.stroke != Stroke::Dotted {
            mark_end(buf, area, line, max);
        }
    }
}

/// The line of dots, counted from the top, of a value.
fn level(value: f64, max: f64, dots: usize) -> usize {
    let share = (value / max).clamp(0.0, 1.0);
    let share = if share.is_nan() { 0.0 } else { share };
    let from_bottom = (share * (dots.saturating_sub(1)) as f64).round() as usize;
    dots.saturating_sub(1 + from_bottom)
}

/// `cells` is scratch space: the bits of each cell of the area.
fn braille(buf: &mut Buffer, area: Rect, line: &Series, max: f64, cells: &mut [u8]) {
    let (width, dots) = (usize::from(area.width), usize::from(area.height) * 4);
    cells.fill(0);
    let mut previous: Option<usize> = None;
    for (x, value) in line.values.iter().enumerate().take(width * 2) {
        let Some(value) = value else {
            previous = None;
            continue;
        };
        let here = level(*value, max, dots);
        let from = previous.unwrap_or(here);
        previous = Some(here);
        if line.stroke.is_gap(x) {
            continue;
        }
        let from = if line.stroke == Stroke::Dotted { here } else { from };
        // A jump is joined by a vertical stroke in its own column.
        let (top, bottom) = (here.min(from + 1), here.max(from.saturating_sub(1)));
        for dot in top.min(bottom)..=top.max(bottom) {
            if let Some(cell) = cells.get_mut(dot / 4 * width + x / 2)
                && let Some(bit) = DOTS.get(x % 2).and_then(|column| column.get(dot % 4))
            {
                *cell |= bit;
            }
        }
    }
    for (position, bits) in area.positions().zip(cells.iter()).filter(|(_, bits)| **bits != 0) {
        let cell = &mut buf[position];
        let under = cell.symbol().chars().next().map_or(0, u32::from);
        let under = if (0x2800..=0x28ff).contains(&under) { (under - 0x2800) as u8 } else { 0 };
        let symbol = char::from_u32(0x2800 + u32::from(bits | under)).unwrap_or(' ');
        cell.set_char(symbol).set_style(line.style);
    }
}

fn signs(buf: &mut Buffer, area: Rect, line: &Series, max: f64) {
    for (x, pair) in (area.x..area.right()).zip(line.values.chunks(2)) {
        if let Some(value) = pair.iter().flatten().next_back() {
            let row = level(*value, max, usize::from(area.height));
            buf[(x, area.y + row as u16)].set_symbol(line.sign).set_style(line.style);
        }
    }
}

fn mark_end(buf: &mut Buffer, area: Rect, line: &Series, max: f64) {
    let Some(last) = line.values.iter().rposition(Option::is_some) else { return };
    let Some(Some(value)) = line.values.get(last) else { return };
    let row = level(*value, max, usize::from(area.height) * 4) / 4;
    let x = u16::try_from(last / 2).unwrap_or(u16::MAX).min(area.width - 1);
    buf[(area.x + x, area.y + row as u16)].set_symbol(line.sign).set_style(line.style);
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is not below a value: the end of an axis.
#[must_use]
pub(crate) fn nice_max(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|end| *end >= value).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plotted(series: &[Series], ascii: bool) -> Vec<String> {
        let area = Rect::new(0, 0, 6, 2);
        let mut buf = Buffer::empty(area);
        lines(&mut buf, area, series, 8.0, ascii);
        buf.content().chunks(6).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    fn series(values: &[f64], sign: &'static str) -> Series {
        Series { values: values.iter().map(|v| Some(*v)).collect(), sign, style: Style::new(), stroke: Stroke::Whole }
    }

    #[test]
    fn a_line_rises_and_ends_in_its_sign() {
        assert_eq!(plotted(&[series(&[0.0, 0.0, 0.0, 0.0, 8.0, 8.0, 8.0, 8.0], "●")], false), ["  ⡏●  ", "⣀⣀⠇   "]);
        assert_eq!(plotted(&[series(&[0.0, 0.0, 8.0, 8.0], "o")], true), [" o    ", "o     "]);
    }

    #[test]
    fn dots_lie_apart_and_have_no_sign_at_their_end() {
        let dotted = |values: &[f64]| Series { stroke: Stroke::Dotted, ..series(values, ".") };
        assert_eq!(plotted(&[dotted(&[0.0, 0.0, 0.0, 8.0, 8.0, 8.0, 8.0])], false), [" ⠈ ⠁  ", "⡀     "]);
    }

    #[test]
    fn odd_values_do_no_harm() {
        let odd = [f64::NAN, f64::INFINITY, -3.0, 1e300];
        let _drawn = plotted(&[series(&odd, "●"), series(&[], "■")], false);
        let mut buf = Buffer::empty(Rect::new(0, 0, 1, 1));
        lines(&mut buf, Rect::new(5, 5, 9, 9), &[series(&odd, "●")], 1.0, false);
        lines(&mut buf, Rect::new(0, 0, 9, 9), &[series(&odd, "●")], 0.0, false);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.0, 1.0), (49.4, 50.0), (51.0, 100.0), (1000.0, 1000.0), (1001.0, 2000.0), (0.3, 0.5)] {
            assert!((nice_max(value) - end).abs() < 1e-9, "{value}");
        }
    }
}
