//! Sparklines with a fixed maximum, so that two of them can be compared.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// One column for each value, from the left; `None` leaves its column empty. A value that is there but zero is still
/// seen, because "nothing was done" and "nothing is known" are different.
pub(crate) fn columns(buf: &mut Buffer, area: Rect, values: &[Option<f64>], max: f64, style: Style) {
    let area = area.intersection(buf.area);
    for (x, value) in (area.x..area.right()).zip(values) {
        let Some(value) = value else { continue };
        let share = if max > 0.0 { (value / max).clamp(0.0, 1.0) } else { 0.0 };
        let eighths = ((share * f64::from(area.height) * 8.0).round() as usize).max(1);
        for (level, y) in (area.y..area.bottom()).rev().enumerate() {
            let here = eighths.saturating_sub(level * 8).min(8);
            if let Some(symbol) = EIGHTHS.get(here) {
                buf[(x, y)].set_symbol(symbol).set_style(style);
            }
        }
    }
}

/// The last values of a history that fit into the area, at its right end.
pub(crate) fn tail(buf: &mut Buffer, area: Rect, history: &[u8], max: f64, style: Style) {
    let shown = usize::from(area.width).min(history.len());
    let values: Vec<Option<f64>> =
        history.iter().skip(history.len() - shown).map(|value| Some(f64::from(*value))).collect();
    let indent = area.width.saturating_sub(u16::try_from(shown).unwrap_or(u16::MAX));
    let area = Rect { x: area.x.saturating_add(indent), width: area.width - indent, ..area };
    columns(buf, area, &values, max, style);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(width: u16, height: u16, paint: impl Fn(&mut Buffer, Rect)) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        paint(&mut buf, area);
        buf.content().chunks(usize::from(width)).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
    }

    #[test]
    fn values_share_one_scale() {
        let values = [Some(0.0), Some(4.0), None, Some(8.0), Some(99.0), Some(f64::NAN)];
        assert_eq!(drawn(7, 1, |buf, area| columns(buf, area, &values, 8.0, Style::new())), ["▁▄ ██▁ "]);
        assert_eq!(drawn(2, 2, |buf, area| columns(buf, area, &values, 8.0, Style::new())), ["  ", "▁█"]);
    }

    #[test]
    fn the_newest_values_are_kept() {
        let history = [0, 100, 50, 100];
        assert_eq!(drawn(2, 1, |buf, area| tail(buf, area, &history, 100.0, Style::new())), ["▄█"]);
        assert_eq!(drawn(6, 1, |buf, area| tail(buf, area, &history, 100.0, Style::new())), ["  ▁█▄█"]);
    }
}
