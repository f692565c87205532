//! Horizontal bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// One part of a stacked bar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// From 0 to 1; all parts together are at most 1.
    pub(crate) share: f64,
    pub(crate) symbol: &'static str,
    pub(crate) style: Style,
}

/// Parts side by side in the first line of the area; what is left over is made of `rest`.
pub(crate) fn stacked(buf: &mut Buffer, area: Rect, parts: &[Part], rest: (&str, Style)) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let mut end = 0.0;
    let mut x = 0;
    for part in parts {
        end += part.share.clamp(0.0, 1.0);
        // Rounding the ends, not the lengths, keeps the sum of the parts right.
        let until = ((end * f64::from(area.width)).round() as u16).min(area.width);
        // Something that has begun is seen, and something unfinished is not full.
        let until = if part.share > 0.0 && until == x && x < area.width { x + 1 } else { until };
        let until = if end < 1.0 && parts.len() == 1 { until.min(area.width.saturating_sub(1)) } else { until };
        for column in x..until {
            buf[(area.x + column, area.y)].set_symbol(part.symbol).set_style(part.style);
        }
        x = x.max(until);
    }
    for column in x..area.width {
        buf[(area.x + column, area.y)].set_symbol(rest.0).set_style(rest.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(share: f64) -> String {
        let area = Rect::new(0, 0, 10, 1);
        let mut buf = Buffer::empty(area);
        let part = Part { share, symbol: "#", style: Style::new() };
        stacked(&mut buf, area, &[part], (".", Style::new()));
        buf.content().iter().map(|cell| cell.symbol()).collect()
    }

    #[test]
    fn only_nothing_is_empty_and_only_all_is_full() {
        assert_eq!(bar(0.0), "..........");
        assert_eq!(bar(0.001), "#.........");
        assert_eq!(bar(0.5), "#####.....");
        assert_eq!(bar(0.999), "#########.");
        assert_eq!(bar(1.0), "##########");
        assert_eq!(bar(f64::NAN), "..........");
    }

    #[test]
    fn it_stays_inside_the_buffer() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 3, 1));
        stacked(&mut buf, Rect::new(1, 0, 50, 4), &[], (".", Style::new()));
        stacked(&mut buf, Rect::new(9, 9, 5, 1), &[], (".", Style::new()));
        assert_eq!(buf.content().iter().map(|cell| cell.symbol()).collect::<String>(), " ..");
    }
}
