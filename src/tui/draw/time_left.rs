//! How long a comparison will go on, from the runs so far.

use std::time::Duration;

use super::Scene;
use crate::engine::event::Moment;
use crate::session::view::{ArmView, Mode, RunPosition};
use crate::tui::model;
use crate::workload::model::{Arrivals, RunOrder};

/// Time until the last round is over; `None` where it cannot be told yet, and where there are no rounds.
pub(crate) fn of(scene: &Scene<'_>) -> Option<Duration> {
    let view = scene.view;
    // Where results decide how many rounds there are, nobody can tell.
    let RunPosition::Round { round: round @ 1.., rounds, open: false, .. } = view.position else { return None };
    if view.mode == Mode::Together || !model::is_running(view) {
        return None;
    }
    let arrivals = &view.workload.arrivals;
    let times: Vec<Duration> = view.arms.iter().map(|arm| run_time(arm, arrivals)).collect::<Option<_>>()?;
    let whole: Duration = times.iter().sum();
    let live = view.arms.iter().position(|arm| arm.live)?;
    let under_way = view.arms.get(live).and_then(|arm| remaining(arm, arrivals)).unwrap_or_default();
    let to_come = times.get(live + 1..).unwrap_or_default().iter().sum();
    let to_come = match view.workload.measure.order {
        RunOrder::Interleaved => to_come,
        // Whose turn has been is not told: on average half of the others'.
        RunOrder::Randomized => (whole - times.get(live).copied().unwrap_or_default()) / 2,
    };
    Some(under_way + to_come + whole * rounds.saturating_sub(round))
}

fn remaining(arm: &ArmView, arrivals: &Arrivals) -> Option<Duration> {
    let frame = arm.latest()?;
    frame.remaining(arrivals.last(frame.total).map(Moment::from))
}

/// Mean time of the counted runs, or else that of the one that is shown.
fn run_time(arm: &ArmView, arrivals: &Arrivals) -> Option<Duration> {
    let runs = u32::try_from(arm.finished.len()).unwrap_or(u32::MAX);
    if runs > 0 {
        return Some(arm.finished.iter().map(|run| run.at.elapsed()).sum::<Duration>() / runs);
    }
    let frame = arm.latest()?;
    if frame.state.is_over() { Some(frame.at.elapsed()) } else { Some(frame.at.elapsed() + remaining(arm, arrivals)?) }
}

/// `~1:20 left`, `~2h05m left`.
pub(crate) fn words(left: Duration) -> String {
    let seconds = left.as_secs_f64().round() as u64;
    match seconds {
        0..3600 => format!("~{}:{:02} left", seconds / 60, seconds % 60),
        3600..360_000 => format!("~{}h{:02}m left", seconds / 3600, seconds % 3600 / 60),
        _ => format!("~{}d left", (seconds / 86_400).min(999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::view::SessionView;
    use crate::tui::fixture;
    use crate::tui::state::UiState;
    use crate::tui::theme::{ColorDepth, Theme, ThemeName};

    fn left(view: &SessionView) -> Option<u64> {
        let (ui, theme) = (UiState::default(), Theme::new(ThemeName::Dark, ColorDepth::Rgb, false));
        of(&Scene::new(view, &ui, &theme)).map(|left| left.as_secs())
    }

    #[test]
    fn it_is_the_rest_of_this_run_and_of_all_rounds_to_come() {
        // A pool run takes 20.3 s and a process run 62.9 s; the process is 15.8 s into round 3 of 6.
        let mut view = fixture::running();
        view.arms[1].finished = fixture::arm("process", fixture::PROCESS, false, fixture::LONG).finished;
        let expected = 47 + 3 * (20 + 63);
        assert!(left(&view).is_some_and(|left| left.abs_diff(expected) <= 3), "{:?}", left(&view));
        view.position = RunPosition::Sweep { arm: 1, workers: 4, run: 1, runs: 3 };
        assert_eq!(left(&view), None);
        assert_eq!(left(&fixture::finished()), None);
        assert_eq!(left(&fixture::first_run()), None, "nothing is known of the process");
    }

    #[test]
    fn words_are_short() {
        for (seconds, expected) in [(8, "~0:08 left"), (80, "~1:20 left"), (7500, "~2h05m left"), (400_000, "~4d left")]
        {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }
}
