//! The unsuccessful attempts of a session: which are still known, in which order they are listed, and which one is looked
//! at. Reads views; what the user does with the list is in `task_list`.

use std::cmp::Ordering;

use crate::engine::outcome::{AttemptReport, Outcome};
use crate::metrics::snapshot::{RunId, Snapshot};
use crate::session::view::{ArmView, SessionView};

/// Most attempts that are listed: those of the latest runs.
const MOST: usize = 2000;

/// An unsuccessful attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailedAttempt<'a> {
    /// Index of its arm.
    pub(crate) arm: usize,
    pub(crate) run: RunId,
    /// What is known about it.
    pub(crate) report: &'a AttemptReport,
}

impl FailedAttempt<'_> {
    /// Whether it is the same attempt at the same task of the same run.
    #[must_use]
    pub(crate) fn is(&self, other: &FailedAttempt<'_>) -> bool {
        let key = |failure: &FailedAttempt<'_>| {
            (failure.run.serial, failure.arm, failure.report.index, failure.report.attempt)
        };
        key(self) == key(other)
    }

    /// A copy that stays when the attempt is known no longer.
    #[must_use]
    pub(crate) fn keep(&self) -> Kept {
        Kept { arm: self.arm, run: self.run, report: self.report.clone() }
    }
}

/// An attempt that the user looks at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    arm: usize,
    run: RunId,
    report: AttemptReport,
}

impl Kept {
    #[must_use]
    pub(crate) fn failure(&self) -> FailedAttempt<'_> {
        FailedAttempt { arm: self.arm, run: self.run, report: &self.report }
    }
}

/// The number of a run as the header counts: `2`, or `warm-up 1`.
#[must_use]
pub(crate) fn run_word(run: RunId) -> String {
    if run.warmup { format!("warm-up {}", run.round) } else { run.round.to_string() }
}

/// The runs of an arm of which attempts are known: the counted ones, and the one under way or last, which has all of its.
fn runs(arm: &ArmView) -> impl Iterator<Item = &Snapshot> {
    let latest = arm.latest().map(|latest| &**latest);
    let is_latest = move |run: &&Snapshot| latest.is_some_and(|latest| latest.run == run.run);
    let others = arm.others.iter().flat_map(|runs| runs.iter());
    others.chain(arm.finished.iter()).map(|run| &**run).filter(move |run| !is_latest(run)).chain(latest)
}

/// How many tasks were unsuccessful in these runs.
#[must_use]
pub(crate) fn unsuccessful(view: &SessionView) -> u64 {
    view.arms.iter().flat_map(runs).map(|run| run.counts.unsuccessful()).sum()
}

/// How many attempts are listed without a filter.
#[must_use]
pub(crate) fn count(view: &SessionView) -> usize {
    view.arms.iter().flat_map(runs).map(|run| run.failures.len()).sum::<usize>().min(MOST)
}

/// The attempts that are still known, newest first.
#[must_use]
pub(crate) fn all(view: &SessionView) -> Vec<FailedAttempt<'_>> {
    let of_arm = |(arm, arm_view)| {
        runs(arm_view)
            .flat_map(move |run| run.failures.iter().map(move |report| FailedAttempt { arm, run: run.run, report }))
    };
    let mut list: Vec<FailedAttempt<'_>> = view.arms.iter().enumerate().flat_map(of_arm).collect();
    list.sort_by(newest_first);
    list.truncate(MOST);
    list
}

/// A later run is newer; within one the clock tells. Runs of all arms at once have the clock alone.
fn newest_first(a: &FailedAttempt<'_>, b: &FailedAttempt<'_>) -> Ordering {
    let time = |failure: &FailedAttempt<'_>| (failure.run.serial, failure.report.ended);
    let rest = |failure: &FailedAttempt<'_>| (failure.arm, failure.report.index, failure.report.attempt);
    time(b).cmp(&time(a)).then_with(|| rest(a).cmp(&rest(b)))
}

/// What an attempt is listed with, in the order of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FailureColumn {
    Task,
    Engine,
    Run,
    /// Class of its task.
    Class,
    Outcome,
    /// The how many-th attempt.
    Try,
    Worker,
    Wait,
    /// How long it took to start.
    Start,
    Work,
    #[default]
    Ended,
}

impl FailureColumn {
    /// In the order of the screen.
    pub(crate) const ALL: [Self; 11] = [
        Self::Task,
        Self::Engine,
        Self::Run,
        Self::Class,
        Self::Outcome,
        Self::Try,
        Self::Worker,
        Self::Wait,
        Self::Start,
        Self::Work,
        Self::Ended,
    ];

    #[must_use]
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Engine => "engine",
            Self::Run => "run",
            Self::Class => "class",
            Self::Outcome => "outcome",
            Self::Try => "try",
            Self::Worker => "worker",
            Self::Wait => "wait",
            Self::Start => "start",
            Self::Work => "work",
            Self::Ended => "ended",
        }
    }

    /// Of times the longest and the latest are wanted first; of names the first.
    fn descends(self) -> bool {
        matches!(self, Self::Wait | Self::Start | Self::Work | Self::Ended)
    }
}

/// How the list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) by: FailureColumn,
    /// Whether the other way round than this column is usually sorted.
    pub(crate) inverted: bool,
}

impl Sort {
    /// By the next column, or the one before.
    #[must_use]
    pub(crate) fn moved(self, by: isize) -> Self {
        let place = FailureColumn::ALL.iter().position(|column| *column == self.by).unwrap_or(0);
        let place = place.saturating_add_signed(by).min(FailureColumn::ALL.len() - 1);
        let next = FailureColumn::ALL.get(place).copied().unwrap_or_default();
        if next == self.by { self } else { Self { by: next, inverted: false } }
    }

    /// `ended ▾`.
    #[must_use]
    pub(crate) fn words(self) -> String {
        let sign = if self.by.descends() == self.inverted { '▴' } else { '▾' };
        format!("{} {sign}", self.by.title())
    }

    fn order(self, a: &FailedAttempt<'_>, b: &FailedAttempt<'_>) -> Ordering {
        let (x, y) = (a.report, b.report);
        let order = match self.by {
            FailureColumn::Task => x.index.cmp(&y.index),
            FailureColumn::Engine => a.arm.cmp(&b.arm),
            FailureColumn::Run => a.run.serial.cmp(&b.run.serial),
            FailureColumn::Class => x.class.cmp(&y.class),
            FailureColumn::Outcome => outcome_word(x.outcome).cmp(outcome_word(y.outcome)),
            FailureColumn::Try => x.attempt.cmp(&y.attempt),
            FailureColumn::Worker => x.slot.cmp(&y.slot),
            FailureColumn::Wait => x.wait.cmp(&y.wait),
            FailureColumn::Start => x.startup.cmp(&y.startup),
            FailureColumn::Work => x.service.cmp(&y.service),
            FailureColumn::Ended => newest_first(b, a),
        };
        let order = if self.by.descends() == self.inverted { order } else { order.reverse() };
        order.then_with(|| newest_first(a, b))
    }
}

/// The outcome as it shouts.
#[must_use]
pub(crate) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "ok",
        Outcome::Failed => "FAILED",
        Outcome::TimedOut => "TIMEOUT",
        Outcome::Lost => "LOST",
        Outcome::Cancelled => "cancelled",
        Outcome::Dropped => "DROPPED",
    }
}

/// The list as it is shown, and the attempt that is looked at.
#[derive(Clone, Debug)]
pub(crate) struct List<'a> {
    /// The attempts that fit the filter, sorted.
    pub(crate) shown: Vec<FailedAttempt<'a>>,
    /// How many there are without it.
    pub(crate) total: usize,
    /// Where in the list the chosen attempt stands, or would stand.
    pub(crate) place: usize,
    /// Whether it stands there.
    pub(crate) stands: bool,
    /// The attempt whose details belong to the list.
    pub(crate) chosen: Option<FailedAttempt<'a>>,
    /// Whether it is known no longer: the oldest go first, and of a run that is over only the first stay.
    pub(crate) gone: bool,
}

impl<'a> List<'a> {
    /// The list of those of a view that fit. `kept` was chosen; without it the first one is.
    #[must_use]
    pub(crate) fn new(
        view: &'a SessionView,
        fits: impl Fn(&FailedAttempt<'a>) -> bool,
        sort: Sort,
        kept: Option<&'a Kept>,
    ) -> Self {
        let mut shown = all(view);
        let total = shown.len();
        let kept = kept.map(Kept::failure);
        let gone = kept.is_some_and(|kept| !shown.iter().any(|failure| failure.is(&kept)));
        shown.retain(&fits);
        shown.sort_by(|a, b| sort.order(a, b));
        let Some(kept) = kept else {
            let chosen = shown.first().copied();
            return Self { shown, total, place: 0, stands: chosen.is_some(), chosen, gone: false };
        };
        let place = shown.partition_point(|failure| sort.order(failure, &kept) == Ordering::Less);
        let stands = shown.get(place).is_some_and(|failure| failure.is(&kept));
        let stays = gone && fits(&kept);
        let place = place.min(shown.len().saturating_sub(1));
        let chosen = if stays { Some(kept) } else { shown.get(place).copied() };
        Self { stands: stands || !stays && chosen.is_some(), gone: stays, shown, total, place, chosen }
    }
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
