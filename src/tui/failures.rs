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
pub struct Failure<'a> {
    /// Index of its arm.
    pub arm: usize,
    /// Its run.
    pub run: RunId,
    /// What is known about it.
    pub report: &'a AttemptReport,
}

impl Failure<'_> {
    /// Whether it is the same attempt at the same task of the same run.
    #[must_use]
    pub fn is(&self, other: &Failure<'_>) -> bool {
        let key =
            |failure: &Failure<'_>| (failure.run.serial, failure.arm, failure.report.index, failure.report.attempt);
        key(self) == key(other)
    }

    /// A copy that stays when the attempt is known no longer.
    #[must_use]
    pub fn keep(&self) -> Kept {
        Kept { arm: self.arm, run: self.run, report: self.report.clone() }
    }
}

/// An attempt that somebody looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    arm: usize,
    run: RunId,
    report: AttemptReport,
}

impl Kept {
    /// As one of the list.
    #[must_use]
    pub fn failure(&self) -> Failure<'_> {
        Failure { arm: self.arm, run: self.run, report: &self.report }
    }
}

/// The number of a run as the header counts: `2`, or `warm-up 1`.
#[must_use]
pub fn run_word(run: RunId) -> String {
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
pub fn unsuccessful(view: &SessionView) -> u64 {
    view.arms.iter().flat_map(runs).map(|run| run.counts.unsuccessful()).sum()
}

/// How many attempts are listed without a filter.
#[must_use]
pub fn count(view: &SessionView) -> usize {
    view.arms.iter().flat_map(runs).map(|run| run.failures.len()).sum::<usize>().min(MOST)
}

/// The attempts that are still known, newest first.
#[must_use]
pub fn all(view: &SessionView) -> Vec<Failure<'_>> {
    let of_arm = |(arm, arm_view)| {
        runs(arm_view).flat_map(move |run| run.failures.iter().map(move |report| Failure { arm, run: run.run, report }))
    };
    let mut list: Vec<Failure<'_>> = view.arms.iter().enumerate().flat_map(of_arm).collect();
    list.sort_by(newest_first);
    list.truncate(MOST);
    list
}

/// A later run is newer; within one the clock tells. Runs of all arms at once have the clock alone.
fn newest_first(a: &Failure<'_>, b: &Failure<'_>) -> Ordering {
    let time = |failure: &Failure<'_>| (failure.run.serial, failure.report.ended);
    let rest = |failure: &Failure<'_>| (failure.arm, failure.report.index, failure.report.attempt);
    time(b).cmp(&time(a)).then_with(|| rest(a).cmp(&rest(b)))
}

/// What an attempt is listed with, in the order of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// Its task.
    Task,
    /// Its arm.
    Engine,
    /// Its run.
    Run,
    /// Class of its task.
    Class,
    /// How it ended.
    Outcome,
    /// The how many-th attempt.
    Try,
    /// Where it ran.
    Worker,
    /// How long it waited.
    Wait,
    /// How long it took to start.
    Start,
    /// How long it worked.
    Work,
    /// When it ended.
    #[default]
    Ended,
}

impl Column {
    /// In the order of the screen.
    pub const ALL: [Self; 11] = [
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

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
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
pub struct Sort {
    /// By which column.
    pub by: Column,
    /// Whether the other way round than this column is usually sorted.
    pub inverted: bool,
}

impl Sort {
    /// By the next column, or the one before.
    #[must_use]
    pub fn moved(self, by: isize) -> Self {
        let place = Column::ALL.iter().position(|column| *column == self.by).unwrap_or(0);
        let place = place.saturating_add_signed(by).min(Column::ALL.len() - 1);
        let next = Column::ALL.get(place).copied().unwrap_or_default();
        if next == self.by { self } else { Self { by: next, inverted: false } }
    }

    /// `ended ▾`.
    #[must_use]
    pub fn words(self) -> String {
        let sign = if self.by.descends() == self.inverted { '▴' } else { '▾' };
        format!("{} {sign}", self.by.title())
    }

    fn order(self, a: &Failure<'_>, b: &Failure<'_>) -> Ordering {
        let (x, y) = (a.report, b.report);
        let order = match self.by {
            Column::Task => x.index.cmp(&y.index),
            Column::Engine => a.arm.cmp(&b.arm),
            Column::Run => a.run.serial.cmp(&b.run.serial),
            Column::Class => x.class.cmp(&y.class),
            Column::Outcome => outcome_word(x.outcome).cmp(outcome_word(y.outcome)),
            Column::Try => x.attempt.cmp(&y.attempt),
            Column::Worker => x.slot.cmp(&y.slot),
            Column::Wait => x.wait.cmp(&y.wait),
            Column::Start => x.startup.cmp(&y.startup),
            Column::Work => x.service.cmp(&y.service),
            Column::Ended => newest_first(b, a),
        };
        let order = if self.by.descends() == self.inverted { order } else { order.reverse() };
        order.then_with(|| newest_first(a, b))
    }
}

/// The outcome as it shouts.
#[must_use]
pub fn outcome_word(outcome: Outcome) -> &'static str {
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
pub struct List<'a> {
    /// The attempts that fit the filter, sorted.
    pub shown: Vec<Failure<'a>>,
    /// How many there are without it.
    pub total: usize,
    /// Where in the list the chosen attempt stands, or would stand.
    pub place: usize,
    /// Whether it stands there.
    pub stands: bool,
    /// The attempt whose details belong to the list.
    pub chosen: Option<Failure<'a>>,
    /// Whether it is known no longer: the oldest go first, and of a run that is over only the first stay.
    pub gone: bool,
}

impl<'a> List<'a> {
    /// The list of those of a view that fit. `kept` was chosen; without it the first one is.
    #[must_use]
    pub fn new(view: &'a SessionView, fits: impl Fn(&Failure<'a>) -> bool, sort: Sort, kept: Option<&'a Kept>) -> Self {
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
