//! The rate that open arrivals offer, where its stages begin, and what became of the load: utilisation and Little's law.

use ratatui::text::Span;

use super::Scene;
use super::paint::span;
use crate::engine::event::Moment;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::{Arrivals, Stage};

/// A stage and when it begins, in seconds of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Begin {
    pub(crate) at: f64,
    /// When it ends; infinite where only the last task ends it.
    pub(crate) end: f64,
    /// Tasks per second at its begin and at its end.
    pub(crate) rate: f64,
    end_rate: f64,
}

impl Begin {
    /// The rate at a second of the run within the stage.
    fn rate_at(&self, seconds: f64) -> f64 {
        // Only a stage of one rate can be endless.
        let share =
            if self.end.is_finite() { ((seconds - self.at) / (self.end - self.at)).clamp(0.0, 1.0) } else { 0.0 };
        self.rate + (self.end_rate - self.rate) * share
    }
}

/// The stages in their order; none where all tasks arrive at the start.
pub(crate) fn stages<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Begin> + use<'a> {
    let stages: &'a [Stage] = match &scene.view.workload.arrivals {
        Arrivals::Open(open) => &open.stages,
        Arrivals::Batch | Arrivals::ClosedLoop { .. } => &[],
    };
    let mut at = 0.0;
    stages.iter().map(move |stage| {
        let begin = at;
        at += stage.duration.map_or(f64::INFINITY, |duration| duration.as_secs_f64());
        Begin { at: begin, end: at, rate: stage.rate, end_rate: stage.end_rate }
    })
}

/// The rate at a second of the run; `None` when no task arrives any more.
pub(crate) fn rate_at(scene: &Scene<'_>, seconds: f64) -> Option<f64> {
    stages(scene).find(|stage| seconds < stage.end).map(|stage| stage.rate_at(seconds))
}

/// The rate at the moment that is shown.
pub(crate) fn now(scene: &Scene<'_>) -> Option<f64> {
    rate_at(
        scene,
        scene.panes.iter().filter_map(|pane| pane.frame).map(|frame| frame.at).max()?.elapsed().as_secs_f64(),
    )
}

/// The highest rate until a moment of the run; 0 where none is offered.
pub(crate) fn highest(scene: &Scene<'_>, until: Moment) -> f64 {
    let until = until.elapsed().as_secs_f64();
    let begun = stages(scene).filter(|stage| stage.at < until);
    begun.map(|stage| stage.rate.max(stage.rate_at(until))).fold(0.0, f64::max)
}

/// Utilisation (ρ), where tasks do not all come at the start.
pub(crate) fn utilisation(scene: &Scene<'_>, frame: &Snapshot) -> Option<Span<'static>> {
    let rho = frame.load.utilisation.filter(|_| scene.view.workload.arrivals != Arrivals::Batch)?;
    // Of several stages, the present one says more than all until now.
    let stage = frame.stages.last().filter(|_| frame.stages.len() > 1).and_then(|stage| stage.utilisation);
    let stage = stage.map_or_else(String::new, |rho| format!(" (stage {rho:.2})"));
    Some(span(format!("ρ {rho:.2}{stage}"), scene.theme.base))
}

/// Both sides of Little's law: the mean number of tasks in the system, as it was seen and as it follows from sojourn times.
pub(crate) fn little(scene: &Scene<'_>, frame: &Snapshot) -> Option<String> {
    let little = frame.load.little.filter(|_| scene.view.workload.arrivals != Arrivals::Batch)?;
    Some(format!("L {:.1} λW {:.1}", little.in_system, little.expected()))
}

/// Both, and how much the sides of the law differ.
pub(crate) fn load(scene: &Scene<'_>, frame: &Snapshot) -> Vec<Span<'static>> {
    let law = little(scene, frame).zip(frame.load.little);
    let law = law.map(|(law, little)| span(format!("{law} ({:.0} % off)", 100.0 * little.error()), scene.theme.base));
    utilisation(scene, frame).into_iter().chain(law).collect()
}
