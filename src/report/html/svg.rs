//! Charts as SVG: axes, lines, steps, bars of uncertainty and strips, in classes that the page's style sheet colours for light,
//! dark and paper. Knows numbers and labels, and nothing of what they mean.

use std::fmt::Write as _;

/// Size of a chart without what is around it, in units of its `viewBox`.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 42.0;
/// Colours that there are, each with a dash of its own.
pub(super) const STYLES: usize = 6;

/// One direction of a chart.
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Powers of ten at even gaps.
    pub(super) logarithmic: bool,
    /// What is written at a value.
    pub(super) tick: fn(f64) -> String,
}

/// What is drawn in one colour.
pub(super) struct Series {
    /// Place among the colours.
    pub(super) style: usize,
    pub(super) points: Vec<(f64, f64)>,
    /// Bars of uncertainty: place, lower and upper end.
    pub(super) bars: Vec<(f64, f64, f64)>,
    /// A curve that was fitted to the points.
    pub(super) fit: Vec<(f64, f64)>,
    /// Whether points are marked.
    pub(super) marked: bool,
}

impl Axis {
    /// From 0 to a value above all of these.
    pub(super) fn from_zero(label: &str, values: impl Iterator<Item = f64>, tick: fn(f64) -> String) -> Self {
        let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
        let high = if most > 0.0 { most * 1.05 } else { 1.0 };
        Self { label: label.to_owned(), low: 0.0, high, logarithmic: false, tick }
    }

    /// Where a value is, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if place.is_finite() { place.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Round values, about five.
    fn ticks(&self) -> Vec<f64> {
        if self.logarithmic {
            let (low, high) = (self.low.log10().ceil() as i32, self.high.log10().floor() as i32);
            let every = ((high - low) / 7 + 1).max(1);
            return (low..=high).filter(|power| (power - low) % every == 0).map(|power| 10f64.powi(power)).collect();
        }
        let rough = (self.high - self.low) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
        let Some(step) = step.filter(|step| step.is_finite() && *step > 0.0) else { return Vec::new() };
        let first = (self.low / step).ceil() as i64;
        (first..first + 12).map(|place| place as f64 * step).take_while(|value| *value <= self.high).collect()
    }
}

/// A chart of lines; `title` is what a reader that cannot see it is told.
pub(super) fn lines(title: &str, x: &Axis, y: &Axis, all: &[Series]) -> String {
    let mut out = String::new();
    begin(&mut out, title, HEIGHT);
    axes(&mut out, x, y);
    for Series { style, points, bars, fit, marked } in all {
        let style = style % STYLES;
        let place = |(px, py): &(f64, f64)| (LEFT + x.place(*px) * WIDTH, TOP + (1.0 - y.place(*py)) * HEIGHT);
        for (at, low, high) in bars {
            let (px, bottom) = place(&(*at, *low));
            let (_, top) = place(&(*at, *high));
            let _ = write!(out, "<path class=\"bar s{style}\" d=\"M{px:.1} {bottom:.1}V{top:.1}\"/>");
        }
        for (class, points) in [("fit", fit), ("line", points)] {
            let path: Vec<String> = points.iter().map(place).map(|(px, py)| format!("{px:.1} {py:.1}")).collect();
            if path.len() > 1 {
                let _ = write!(out, "<path class=\"{class} s{style}\" d=\"M{}\"/>", path.join("L"));
            }
        }
        for point in points.iter().filter(|_| *marked || points.len() == 1) {
            let (px, py) = place(point);
            let _ = write!(out, "<circle class=\"dot s{style}\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3.5\"/>");
        }
    }
    out.push_str("</svg>");
    out
}

/// A span of a strip: from, to, class.
pub(super) type Span = (f64, f64, &'static str);

/// A row of spans for each of several things.
pub(super) fn strips(title: &str, x: &Axis, rows: &[(String, Vec<Span>)]) -> String {
    const ROW: f64 = 14.0;
    let height = rows.len() as f64 * ROW;
    let mut out = String::new();
    begin(&mut out, title, height);
    for tick in x.ticks() {
        let px = LEFT + x.place(tick) * WIDTH;
        let _ = write!(out, "<path class=\"grid\" d=\"M{px:.1} {TOP}v{height:.1}\"/>");
        let label = escape(&(x.tick)(tick));
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
            TOP + height + 15.0
        );
    }
    for (place, (name, spans)) in rows.iter().enumerate() {
        let top = TOP + place as f64 * ROW;
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            top + ROW - 4.0,
            escape(name)
        );
        for (from, to, class) in spans {
            let (left, right) = (LEFT + x.place(*from) * WIDTH, LEFT + x.place(*to) * WIDTH);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                top + 1.0,
                (right - left).max(0.5),
                ROW - 3.0
            );
        }
    }
    label_x(&mut out, x, TOP + height + 34.0);
    out.push_str("</svg>");
    out
}

fn begin(out: &mut String, title: &str, height: f64) {
    let (wide, high, title) = (LEFT + WIDTH + RIGHT, TOP + height + BOTTOM, escape(title));
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    );
}

fn axes(out: &mut String, x: &Axis, y: &Axis) {
    for tick in y.ticks() {
        let py = TOP + (1.0 - y.place(tick)) * HEIGHT;
        let label = escape(&(y.tick)(tick));
        let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {py:.1}h{WIDTH}\"/>");
        let _ = write!(
            out,
            "<text class=\"tick\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            py + 4.0
        );
    }
    for tick in x.ticks() {
        let px = LEFT + x.place(tick) * WIDTH;
        let label = escape(&(x.tick)(tick));
        let _ = write!(out, "<path class=\"grid\" d=\"M{px:.1} {TOP}v{HEIGHT}\"/>");
        let below = TOP + HEIGHT + 15.0;
        let _ = write!(out, "<text class=\"tick\" x=\"{px:.1}\" y=\"{below}\" text-anchor=\"middle\">{label}</text>");
    }
    let _ = write!(out, "<path class=\"axis\" d=\"M{LEFT} {TOP}v{HEIGHT}h{WIDTH}\"/>");
    label_x(out, x, TOP + HEIGHT + 34.0);
    let middle = TOP + HEIGHT / 2.0;
    let label = escape(&y.label);
    let _ = write!(
        out,
        "<text class=\"label\" transform=\"translate(13 {middle}) rotate(-90)\" text-anchor=\"middle\">{label}</text>"
    );
}

fn label_x(out: &mut String, x: &Axis, at: f64) {
    let (middle, label) = (LEFT + WIDTH / 2.0, escape(&x.label));
    let _ = write!(out, "<text class=\"label\" x=\"{middle}\" y=\"{at:.1}\" text-anchor=\"middle\">{label}</text>");
}

/// Text of XML.
fn escape(text: &str) -> String {
    let text = crate::report::clean::line(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(low: f64, high: f64, logarithmic: bool) -> Axis {
        Axis { label: "x".to_owned(), low, high, logarithmic, tick: |value| value.to_string() }
    }

    #[test]
    fn ticks_are_round_and_places_are_within() {
        assert_eq!(axis(0.0, 10.0, false).ticks(), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(axis(0.0002, 3.0, true).ticks(), [0.001, 0.01, 0.1, 1.0]);
        assert!(axis(0.0, 0.0, false).ticks().is_empty() && axis(f64::NAN, 1.0, false).ticks().is_empty());
        let logarithmic = axis(0.001, 1.0, true);
        assert!((logarithmic.place(0.01) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!([0.0, 5.0, f64::NAN].map(|value| logarithmic.place(value)), [0.0, 1.0, 0.0]);
    }
}
