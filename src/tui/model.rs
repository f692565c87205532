//! What a frame is made from: the newest view of the session, and which of its arms are shown at which second.
//!
//! Reads; decides nothing and asks no clock.

use std::sync::Arc;
use std::time::Duration;

use crate::analysis::verdict::Verdict;
use crate::engine::event::Moment;
use crate::metrics::snapshot::Snapshot;
use crate::metrics::track::Track;
use crate::session::view::{ArmView, Mode, RunPosition, SessionPhase, SessionView};
use crate::tui::history::Past;
use crate::tui::search::Story;
use crate::tui::text;
use crate::workload::model::{Arrivals, EngineKind, OnTimeout, Workload};

/// The title of an entry that cannot be opened without having errors: its items come when it is run.
pub(crate) const READS_INPUT: &str = "reads standard input";

/// A workload that the picker offers.
#[derive(Clone, Debug)]
pub(crate) struct CatalogueEntry {
    /// Short name.
    pub(crate) name: String,
    /// One line for people; may be empty.
    pub(crate) title: String,
    /// Where it comes from: a path, or "built in".
    pub(crate) source: String,
    /// What is worth knowing before it is run, a line each.
    pub(crate) summary: Vec<String>,
    /// The same in a few words; of a file with errors nothing is known.
    pub(crate) brief: Brief,
    /// The workload, or what is wrong with its file (rendered diagnostics).
    pub(crate) outcome: Result<Arc<Workload>, String>,
    /// The text of the file.
    pub(crate) text: String,
}

/// What running a workload means here, in a few words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brief {
    /// Kind, name and workers of each arm; no number where there is no limit.
    pub(crate) arms: Vec<(EngineKind, String, Option<u64>)>,
    /// Counted runs of each.
    pub(crate) runs: u32,
    /// The least that all runs take together, where that can be told.
    pub(crate) at_least: Option<Duration>,
}

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// The workloads of the picker.
    pub(crate) catalogue: Arc<Vec<CatalogueEntry>>,
    /// The newest view of the session, if one was opened.
    pub(crate) session: Option<Arc<SessionView>>,
    /// The last search beside it. While that is under way, the session is that of the search.
    pub(crate) search: Option<Arc<Story>>,
    /// What was measured before.
    pub(crate) past: Past,
}

impl Model {
    /// The search, if one is under way.
    #[must_use]
    pub(crate) fn searching(&self) -> Option<&Story> {
        self.search.as_deref().filter(|story| story.is_under_way())
    }
}

/// Whether a comparison is under way.
#[must_use]
pub(crate) fn is_running(view: &SessionView) -> bool {
    matches!(view.phase, SessionPhase::Running | SessionPhase::Paused | SessionPhase::Stopping)
}

/// Whether there is something to tell of a session: a counted run, a part of one, or one that does not count because the
/// user had a hand in it.
#[must_use]
pub(crate) fn was_measured(view: &SessionView) -> bool {
    let part = |arm: &ArmView| !view.position.is_warmup() && arm.counts().finished() > 0;
    view.arms.iter().any(|arm| !arm.finished.is_empty() || arm.touched > 0 || part(arm))
}

/// Which moment of an arm a pane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The newest frame of a run under way.
    Live,
    /// The last run at the second that the live arm has reached.
    Replay,
    /// The last run, which took less time than the live one has run already.
    ReplayOver,
    /// The end of the last run; nothing is under way.
    Last,
    /// It has not run yet.
    Waiting,
}

/// One arm as a pane shows it.
#[derive(Clone, Debug)]
pub(crate) struct Pane<'a> {
    /// Index into [`SessionView::arms`].
    pub(crate) arm: usize,
    pub(crate) view: &'a ArmView,
    /// Its name with the worker count of the moment that is shown: `POOL ×6`.
    pub(crate) label: String,
    /// The worker count of its next run, where that is another one.
    pub(crate) next_workers: Option<u32>,
    /// Whether the other pane shows the same kind of engine, so that this one needs another sign.
    pub(crate) second: bool,
    /// Which moment it is.
    pub(crate) role: Role,
    /// The frame to show.
    pub(crate) frame: Option<&'a Snapshot>,
    /// Frames up to it.
    pub(crate) past: &'a [Arc<Snapshot>],
    /// When tasks arrive.
    pub(crate) arrivals: &'a Arrivals,
}

impl Pane<'_> {
    #[must_use]
    pub(crate) fn kind(&self) -> EngineKind {
        self.view.spec.kind
    }

    /// Tasks done with, and tasks in all if that is known.
    #[must_use]
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.frame.map_or((0, 0), |frame| (frame.done(), frame.total))
    }

    /// Time until its run ends: exact for a replay, foreseen otherwise; `None` where it cannot be told.
    #[must_use]
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let frame = self.frame?;
        if self.role == Role::Replay {
            return self.view.track.frames.last().map(|last| last.at.since(frame.at));
        }
        frame.remaining(self.arrivals.last(frame.total).map(Moment::from))
    }

    /// Workers that it has at the moment that is shown.
    #[must_use]
    pub(crate) fn workers(&self) -> u32 {
        shown_workers(self.view, self.frame)
    }
}

/// Name of an arm with the worker count of the run that is shown: `POOL ×6`, or what the file calls it.
#[must_use]
pub(crate) fn label(arm: &ArmView) -> String {
    labelled(arm, arm.measured)
}

/// Name of an arm without a count: the kind in capitals where the file says no more than that.
#[must_use]
pub(crate) fn name(arm: &ArmView) -> String {
    let name = text::clean(&arm.spec.name);
    if name.eq_ignore_ascii_case(arm.spec.kind.word()) { name.to_ascii_uppercase() } else { name }
}

/// Name of an arm with a worker count. A name that ends in the count says it already, and an engine that has one worker has no count.
#[must_use]
pub(crate) fn labelled(arm: &ArmView, workers: u32) -> String {
    let name = name(arm);
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let says_it = name.get(name.len() - digits..).and_then(|digits| digits.parse().ok()) == Some(workers);
    if says_it || !arm.spec.kind.has_worker_count() { name } else { format!("{name} ×{workers}") }
}

/// A label in at most so many columns: the name gives way, the count stays.
#[must_use]
pub(crate) fn short_label(label: &str, columns: usize) -> String {
    let counted = label.rsplit_once(" ×").filter(|(_, count)| count.chars().all(|c| c.is_ascii_digit()));
    match counted {
        Some((name, count)) if text::width(label) > columns && columns > count.len() + 3 => {
            format!("{} ×{count}", text::fit(name, columns - count.len() - 2))
        }
        _ => text::fit(label, columns),
    }
}

/// What a key makes of what happens at a timeout in an arm's run.
#[must_use]
pub(crate) fn next_on_timeout(arm: &ArmView) -> OnTimeout {
    arm.on_timeout.unwrap_or(OnTimeout::Abandon).other()
}

fn shown_workers(arm: &ArmView, frame: Option<&Snapshot>) -> u32 {
    frame.map(|frame| frame.workers_target).filter(|workers| *workers > 0).unwrap_or(arm.measured)
}

/// The worker count of an arm's next run, where that is another one than that of the run that is shown. A sweep decides
/// on its own counts.
fn next_workers(view: &SessionView, arm: &ArmView) -> Option<u32> {
    let sweeps = is_running(view) && matches!(view.position, RunPosition::Sweep { .. });
    (arm.spec.kind.has_worker_count() && arm.workers != arm.measured && !sweeps).then_some(arm.workers)
}

/// Each of these arms at the moment the view is at.
#[must_use]
pub(crate) fn shown<'a>(view: &'a SessionView, arms: &[usize]) -> Vec<Pane<'a>> {
    let now = match view.mode {
        Mode::Interleaved => {
            view.arms.iter().filter(|arm| arm.live).filter_map(ArmView::latest).map(|frame| frame.at).max()
        }
        Mode::Together => None,
    };
    arms.iter().filter_map(|&index| Some(pane(view, index, view.arms.get(index)?, now))).collect()
}

/// The panes of a pair of arms at the moment the view is at; one where there is one arm.
#[must_use]
pub(crate) fn panes(view: &SessionView, pair: [usize; 2]) -> Vec<Pane<'_>> {
    let mut panes = shown(view, if view.arms.len() < 2 { &pair[..1] } else { &pair[..] });
    if let [left, right] = panes.as_mut_slice() {
        right.second = left.kind() == right.kind();
    }
    panes
}

fn pane<'a>(view: &'a SessionView, index: usize, arm: &'a ArmView, now: Option<Moment>) -> Pane<'a> {
    let frames = &arm.track.frames;
    let (role, position) = match (now, frames.last()) {
        (_, None) => (if arm.live { Role::Live } else { Role::Waiting }, 0),
        (_, Some(_)) if arm.live => (Role::Live, frames.len()),
        (None, Some(_)) => (Role::Last, frames.len()),
        (Some(now), Some(last)) if now >= last.at => (Role::ReplayOver, frames.len()),
        (Some(now), Some(_)) => (Role::Replay, end_at(&arm.track, now)),
    };
    let past = frames.get(..position).unwrap_or_default();
    let frame = past.last().map(|frame| &**frame);
    Pane {
        arm: index,
        view: arm,
        label: labelled(arm, shown_workers(arm, frame)),
        next_workers: next_workers(view, arm),
        second: false,
        role,
        frame,
        past,
        arrivals: &view.workload.arrivals,
    }
}

/// How many frames of a track lie at or before a moment; at least one if there is any.
fn end_at(track: &Track, moment: Moment) -> usize {
    track.frames.partition_point(|frame| frame.at <= moment).max(usize::from(!track.frames.is_empty()))
}

/// The verdict between two arms, as it was made for one of them against the other.
#[must_use]
pub(crate) fn between(view: &SessionView, arm: usize, base: usize) -> Option<&Verdict> {
    view.verdicts.iter().find(|verdict| verdict.arm == arm && verdict.baseline == base && arm != base)
}

/// The verdict between the arms of two panes, and the pane that it is about: the other one is the baseline, which is that
/// of the session where it is on screen and the left one elsewhere.
#[must_use]
pub(crate) fn verdict<'a>(view: &'a SessionView, panes: &[Pane<'_>]) -> Option<(&'a Verdict, usize)> {
    let [left, right] = panes else { return None };
    let about_right = || between(view, right.arm, left.arm).map(|verdict| (verdict, 1));
    let about_left = || between(view, left.arm, right.arm).map(|verdict| (verdict, 0));
    if right.arm == view.baseline { about_left().or_else(about_right) } else { about_right().or_else(about_left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Counts;
    use crate::tui::fixture;

    #[test]
    fn the_arm_that_is_not_running_is_replayed_at_the_same_second() {
        let late = fixture::running_at(Duration::from_secs(30));
        let late = panes(&late, [0, 1]);
        assert_eq!((late[0].role, late[1].role), (Role::ReplayOver, Role::Live));
        let early = fixture::running_at(Duration::from_secs(3));
        let early = panes(&early, [0, 1]);
        assert_eq!(early[0].role, Role::Replay);
        assert_eq!(early[0].frame.unwrap().at, Moment(3_000_000_000));
        assert!(early[0].remaining().unwrap() > Duration::from_secs(1));
    }

    /// A running arm with these counts of a thousand tasks after ten seconds.
    fn after_ten_seconds(counts: Counts) -> crate::session::view::SessionView {
        let mut view = fixture::running_at(Duration::from_secs(10));
        let mut frame = Snapshot::clone(view.arms[1].latest().unwrap());
        (frame.at, frame.total, frame.counts) = (Moment(10_000_000_000), 1000, counts);
        view.arms[1].track = Arc::new([Arc::new(frame)].into_iter().collect());
        view
    }

    fn open(rate: f64, seconds: u64) -> Arrivals {
        use crate::workload::model::{ArrivalProcess, OnFull, OpenArrivals, Stage};
        let stages = vec![Stage::level(Some(Duration::from_secs(seconds)), rate)];
        Arrivals::Open(OpenArrivals {
            process: ArrivalProcess::Poisson,
            stages,
            max_in_flight: None,
            on_full: OnFull::Drop,
        })
    }

    #[test]
    fn open_arrivals_set_the_pace_until_the_engine_falls_behind() {
        let remaining = |counts: Counts, paused: u64| {
            let mut view = after_ten_seconds(counts);
            Arc::make_mut(&mut view.workload).arrivals = open(25.0, 40);
            let track = Arc::make_mut(&mut view.arms[1].track);
            Arc::make_mut(&mut track.frames[0]).paused = Duration::from_secs(paused);
            panes(&view, [0, 1])[1].remaining().unwrap().as_secs()
        };
        let keeping_up = Counts { submitted: 250, succeeded: 248, running: 2, ..Counts::default() };
        assert_eq!(remaining(keeping_up, 0), 30, "the last of 1000 comes after 40 s");
        assert_eq!(remaining(Counts { succeeded: 0, running: 250, ..keeping_up }, 0), 30, "nothing has ended yet");
        assert_eq!(remaining(keeping_up, 5), 25, "arrivals do not wait for a pause");
        let behind = Counts { submitted: 250, succeeded: 100, running: 2, queued: 148, ..Counts::default() };
        assert_eq!(remaining(behind, 0), 90, "900 at 10/s");
    }

    #[test]
    fn what_was_given_up_is_not_done() {
        let counts = Counts { submitted: 1000, succeeded: 700, failed: 80, cancelled: 220, ..Counts::default() };
        let view = after_ten_seconds(counts);
        assert_eq!(panes(&view, [0, 1])[1].progress(), (780, 1000));
    }

    #[test]
    fn without_a_run_both_show_their_end() {
        let view = fixture::finished();
        assert!(
            panes(&view, [0, 1])
                .iter()
                .all(|pane| pane.role == Role::Last && pane.frame.is_some_and(|frame| frame.state.is_over()))
        );
        let fresh = fixture::ready();
        assert!(panes(&fresh, [0, 1]).iter().all(|pane| pane.role == Role::Waiting && pane.frame.is_none()));
    }

    #[test]
    fn together_replays_nothing() {
        let view = fixture::together();
        assert!(panes(&view, [0, 1]).iter().all(|pane| pane.role == Role::Live));
    }

    #[test]
    fn two_engines_of_one_kind_get_two_signs() {
        let view = fixture::three_arms();
        let shown = panes(&view, [0, 1]);
        assert!(!shown[0].second && shown[1].second);
    }

    #[test]
    fn labels_say_the_count_of_the_run_that_is_shown_and_the_next_one() {
        let mut view = fixture::running();
        (view.arms[0].workers, view.arms[0].spec.name) = (8, "pool-4".to_owned());
        let shown = panes(&view, [0, 1]);
        assert_eq!((shown[0].label.as_str(), shown[0].next_workers), ("pool-4", Some(8)), "it ends in its count");
        assert_eq!((shown[1].label.as_str(), shown[1].next_workers), ("PROCESS ×4", None));
        view.arms[0].spec.name = "pool-14".to_owned();
        assert_eq!(label(&view.arms[0]), "pool-14 ×4", "14 is another count");
        view.position = RunPosition::Sweep { arm: 0, workers: 4, run: 1, runs: 3 };
        assert_eq!(panes(&view, [0, 1])[0].next_workers, None, "a sweep goes its own way");
        let serial = fixture::serial();
        assert_eq!(panes(&serial, [0, 1])[0].label, "SERIAL");
    }

    #[test]
    fn short_labels_keep_the_count() {
        for (label, columns, short) in [
            ("POOL ×4", 7, "POOL ×4"),
            ("a-long-name ×12", 10, "a-lon… ×12"),
            ("工作負載 ×4", 8, "工作… ×4"),
            ("pool-chunked", 6, "pool-…"),
            ("POOL ×400", 5, "POOL…"),
        ] {
            assert_eq!(short_label(label, columns), short);
            assert!(text::width(short) <= columns);
        }
    }

    #[test]
    fn whatever_pair_is_on_screen_is_compared_with_the_baseline_if_it_is_there() {
        let mut view = fixture::three_arms();
        let found = |view: &SessionView, pair| {
            let (verdict, about) = verdict(view, &panes(view, pair)).unwrap();
            (verdict.arm, verdict.baseline, about)
        };
        assert_eq!(found(&view, [0, 1]), (1, 0, 1));
        assert_eq!(found(&view, [1, 0]), (1, 0, 0));
        assert_eq!(found(&view, [1, 2]), (2, 1, 1), "without the baseline the left one is the reference");
        view.baseline = 2;
        assert_eq!(found(&view, [1, 2]), (1, 2, 0));
    }

    #[test]
    fn a_single_arm_has_a_single_pane() {
        assert_eq!(panes(&fixture::one_arm(), [0, 1]).len(), 1);
        assert!(verdict(&fixture::one_arm(), &panes(&fixture::one_arm(), [0, 1])).is_none());
    }
}
