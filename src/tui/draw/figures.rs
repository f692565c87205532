//! The three figures that explain a verdict, of the arms side by side, and how they differ where that means something.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::paint::{cols, put, row, span};
use crate::metrics::snapshot::Snapshot;
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// A run under way has had one whole second of every figure after this time.
const LEAST_TIME: Duration = Duration::from_secs(2);

/// Succeeded tasks per second: of the last second while it runs, of the whole run at its end.
pub(crate) fn throughput(frame: &Snapshot) -> f64 {
    if frame.state.is_over() { frame.throughput_whole } else { frame.throughput }
}

/// CPU time per wall time, likewise.
pub(crate) fn cores_used(frame: &Snapshot) -> f64 {
    if frame.state.is_over() { frame.cpu.cores_used_whole } else { frame.cpu.cores_used }
}

/// Memory of all workers in bytes: what is really theirs, where the system tells that.
pub(crate) fn memory(frame: &Snapshot) -> u64 {
    frame.memory.pss_bytes.unwrap_or(frame.memory.rss_bytes)
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
    /// Neither.
    Neither,
}

impl Better {
    /// The word and the style for a figure against another one.
    pub(crate) fn judge(self, value: f64, other: f64, theme: &Theme) -> (&'static str, Style) {
        let higher = value > other;
        match self {
            Self::Neither => ("", theme.base),
            // What is shown as no difference is none.
            _ if format::change(value, other) == "0%" => ("", theme.base),
            Self::Higher if higher => ("better", theme.good),
            Self::Lower if !higher => ("better", theme.good),
            _ => ("worse", theme.warn),
        }
    }
}

/// Whether the figures of both panes are of the same kind of moment, so that their difference says something about the
/// engines: both at the end of a run, or both under way and no longer in their first seconds.
pub(crate) fn same_moment(scene: &Scene<'_>) -> bool {
    let [left, right] = scene.panes.as_slice() else { return false };
    let (Some(left), Some(right)) = (left.frame, right.frame) else { return false };
    match (left.state.is_over(), right.state.is_over()) {
        (true, true) => true,
        (false, false) => left.at.min(right.at).elapsed() >= LEAST_TIME,
        _ => false,
    }
}

/// A figure of one frame as a number and as text; `None` where nothing was measured yet.
type Figure = fn(&Snapshot) -> Option<(f64, String)>;

fn rate(frame: &Snapshot) -> Option<(f64, String)> {
    let value = throughput(frame);
    Some((value, format::rate(value)))
}

fn startup(frame: &Snapshot) -> Option<(f64, String)> {
    let mean = frame.latency.startup.mean;
    (frame.latency.startup.count > 0).then(|| (mean.as_secs_f64(), format::duration(mean)))
}

fn cores(frame: &Snapshot) -> Option<(f64, String)> {
    let value = cores_used(frame);
    Some((value, format!("{value:.1}")))
}

/// The three lines, and their widths in an area of a width.
pub(crate) struct Figures {
    labels: [String; 3],
    label_width: u16,
    value_width: u16,
    wide: bool,
}

const KINDS: [(Figure, Better); 3] = [(rate, Better::Higher), (startup, Better::Lower), (cores, Better::Neither)];

impl Figures {
    /// What there is room for on a screen of a width.
    pub(crate) fn new(scene: &Scene<'_>, width: u16) -> Self {
        let wide = width >= 120;
        let cores = scene.view.host.usable_cores();
        let labels = if wide {
            ["tasks/s".to_owned(), "start-up per task".to_owned(), format!("cores busy of {cores}")]
        } else {
            ["tasks/s".to_owned(), "start-up".to_owned(), format!("cores of {cores}")]
        };
        let longest = labels.iter().map(|label| text::width(label)).max().unwrap_or(0) as u16;
        let (label_width, value_width) = if wide { (longest.max(19) + 1, 13) } else { (longest + 1, 9) };
        Self { labels, label_width, value_width, wide }
    }

    /// Columns that they need, without the differences.
    pub(crate) fn width(&self) -> u16 {
        self.label_width + 2 * self.value_width
    }

    /// Draws them; `comparable` is false where an arm did no work, so that a difference to it says nothing.
    pub(crate) fn draw(&self, scene: &Scene<'_>, comparable: bool, area: Rect, buf: &mut Buffer) {
        let comparable = self.wide && comparable && same_moment(scene);
        for ((index, label), (figure, better)) in (0..).zip(&self.labels).zip(KINDS) {
            let line = row(area, index);
            put(buf, line, span(label.as_str(), scene.theme.base));
            let mut x = self.label_width;
            let mut values = [None; 2];
            for (pane, value) in scene.panes.iter().zip(&mut values) {
                let mark = scene.mark(pane);
                let found = pane.frame.and_then(figure);
                put(buf, cols(line, x, 2), span(mark.sign, mark.style));
                let (number, shown) = match found {
                    Some((number, shown)) => (Some(number), shown),
                    None => (None, "–".to_owned()),
                };
                put(buf, cols(line, x + 2, self.value_width - 2), span(shown, scene.theme.strong));
                *value = number;
                x += self.value_width;
            }
            if let (true, [Some(left), Some(right)]) = (comparable, values) {
                let (word, style) = better.judge(left, right, scene.theme);
                let words = format!("{} {word}", difference(left, right));
                put(buf, cols(line, x, 16), span(words.trim_end().to_owned(), style));
            }
        }
    }
}

/// How the left figure differs from the right one: `▲ +212%`.
fn difference(left: f64, right: f64) -> String {
    let change = format::change(left, right);
    match change.chars().next() {
        None => String::new(),
        Some('−') => format!("▼ {change}"),
        Some('0') => format!("  {change}"),
        Some(_) => format!("▲ {change}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{ColorDepth, ThemeName};

    #[test]
    fn better_is_what_helps() {
        let theme = Theme::new(ThemeName::Dark, ColorDepth::Rgb, false);
        assert_eq!(Better::Higher.judge(3.0, 1.0, &theme), ("better", theme.good));
        assert_eq!(Better::Lower.judge(3.0, 1.0, &theme), ("worse", theme.warn));
        assert_eq!(Better::Lower.judge(1.0, 3.0, &theme), ("better", theme.good));
        assert_eq!(Better::Neither.judge(1.0, 3.0, &theme), ("", theme.base));
        assert_eq!(Better::Higher.judge(1.001, 1.0, &theme), ("", theme.base));
    }
}
