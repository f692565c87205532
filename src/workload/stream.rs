//! The seeded stream of tasks: which class each task is of, in which order tasks are given out, how long each is meant
//! to take, and when it arrives. The same for every arm, whichever asks and in whatever order.
//!
//! Nothing is kept per task, with one exception: `order: lpt` sorts all tasks once (4 bytes each).

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::workload::arrivals::{self, ArrivalTimes};
use crate::workload::hash::short_hash;
use crate::workload::model::{ArrivalProcess, Arrivals, ClassId, Order, Share, TaskClass, TaskIndex, Total, Workload};
use crate::workload::permutation::Permutation;
use crate::workload::random::{Purpose, unit};
use crate::workload::service;
use crate::workload::task_set::Remaining;

/// Most tasks that `order: lpt` sorts.
pub(crate) const MOST_SORTED: u64 = 5_000_000;
/// Draws and arrivals that go into [`Stream::hash`].
const SAMPLED: u64 = 1024;

/// The tasks of a workload. Cloning is cheap: clones share what was computed.
#[derive(Clone, Debug)]
pub struct Stream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    classes: Vec<TaskClass>,
    shares: Shares,
    total: u64,
    order: Sequence,
    /// Positions that are left where some tasks are done already.
    remaining: Option<Remaining>,
    arrivals: Arrivals,
    class_totals: OnceLock<Vec<u64>>,
    hash: OnceLock<String>,
}

/// How the class of a task is found.
#[derive(Debug)]
pub(crate) enum Shares {
    /// There is only one.
    Single,
    /// First index after each class.
    Counts(Vec<u64>),
    /// Sum of the weights up to and including each class, and the last class with a weight.
    Weights(Vec<f64>, usize),
}

/// How the index at a position is found.
#[derive(Debug)]
enum Sequence {
    Identity,
    Shuffled(Permutation),
    Sorted(Vec<u32>),
}

impl Stream {
    /// The stream of a workload. Quick, except that Poisson arrivals that end by duration are counted (50 ns each) and
    /// `order: lpt` sorts.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let shares = Shares::new(&workload.classes);
        let seed = workload.seed;
        let limit = match workload.total {
            Total::PerClass => workload.classes.iter().map(|class| count_of(class.share)).sum(),
            Total::Weighted(total) => total.get(),
            Total::ByDuration => u64::MAX,
        };
        let total = match &workload.arrivals {
            Arrivals::Batch | Arrivals::ClosedLoop { .. } => limit,
            Arrivals::Open(open) => arrivals::count(open, seed, limit),
        };
        let mut shared = Shared {
            seed,
            classes: workload.classes.clone(),
            shares,
            total,
            order: Sequence::Identity,
            remaining: None,
            arrivals: workload.arrivals.clone(),
            class_totals: OnceLock::new(),
            hash: OnceLock::new(),
        };
        shared.order = match workload.order {
            Order::AsGenerated => Sequence::Identity,
            Order::Shuffle => Sequence::Shuffled(Permutation::new(total, seed)),
            Order::Lpt => shared.longest_first(),
        };
        if let Some(done) = &workload.batch.done {
            shared.remaining = Some(Remaining::new(total, |position| done.contains(shared.index_at(position))));
        }
        Self { shared: Arc::new(shared) }
    }

    /// How many tasks there are, without those that are done already.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shared.left()
    }

    /// Class of a task. O(log classes).
    #[must_use]
    pub fn class_of(&self, index: TaskIndex) -> ClassId {
        self.shared.class_of(index)
    }

    /// How many tasks are of a class. With weights all tasks are looked at once (10 ns each), the first time this is
    /// asked.
    #[must_use]
    pub fn class_total(&self, class: ClassId) -> u64 {
        let totals = self.shared.class_totals.get_or_init(|| self.shared.count_classes());
        totals.get(usize::from(class)).copied().unwrap_or(0)
    }

    /// The task that is given out (or arrives) as number `position`, from 0.
    #[must_use]
    pub fn index_at(&self, position: u64) -> TaskIndex {
        let remaining = self.shared.remaining.as_ref();
        self.shared.index_at(remaining.map_or(position, |remaining| remaining.at(position, 1).0))
    }

    /// From `position` on: the first index, how many tasks with consecutive indices and of the same class follow (at most
    /// `most`, at least one), and that class. Does not look at single tasks where all are alike.
    #[must_use]
    pub(crate) fn run_at(&self, position: u64, most: u64) -> (TaskIndex, u64, ClassId) {
        let shared = &self.shared;
        let most = most.min(shared.left().saturating_sub(position)).max(1);
        let (position, most) = shared.remaining.as_ref().map_or((position, most), |left| left.at(position, most));
        let first = shared.index_at(position);
        let class = shared.class_of(first);
        let alike = match (&shared.order, &shared.shares) {
            (Sequence::Identity, Shares::Single) => most,
            (Sequence::Identity, Shares::Counts(ends)) => {
                ends.get(usize::from(class)).map_or(1, |end| end.saturating_sub(first))
            }
            _ => {
                let follows = |step: &u64| {
                    let next = shared.index_at(position + step);
                    next == first + step && shared.class_of(next) == class
                };
                1 + (1..most).take_while(follows).count() as u64
            }
        };
        (first, alike.clamp(1, most), class)
    }

    /// The drawn service time of a task (CPU and sleep together); `None` where only doing it tells.
    #[must_use]
    pub fn service_time(&self, index: TaskIndex) -> Option<Duration> {
        self.shared.service_time(index)
    }

    /// When tasks arrive, by position; `None` for closed arrivals, which do not look at the time.
    #[must_use]
    pub fn arrivals(&self) -> Option<ArrivalTimes> {
        match &self.shared.arrivals {
            Arrivals::Batch | Arrivals::ClosedLoop { .. } => None,
            Arrivals::Open(open) => Some(ArrivalTimes::new(open, self.shared.seed, self.shared.left())),
        }
    }

    /// Identifies the stream: 16 hexadecimal digits of a SHA-256.
    ///
    /// It covers seed, order, arrivals, and share and work of every class (not names, engines, timeouts or texts), and
    /// what is generated from them at up to 1024 positions spread over the stream: index, class and service time, and
    /// the first 1024 arrival times. So it tells apart any two files that mean different tasks, and two versions of this program
    /// that generate tasks differently, at a cost that does not grow with the number of tasks.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.shared.hash.get_or_init(|| self.compute_hash())
    }

    fn compute_hash(&self) -> String {
        let shared = &self.shared;
        let mut text = String::from("poolscope.stream/1\n");
        let order = match shared.order {
            Sequence::Identity => "as_generated",
            Sequence::Shuffled(_) => "shuffle",
            Sequence::Sorted(_) => "lpt",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "seed {} total {} order {order}", shared.seed, shared.total);
        for class in &shared.classes {
            let definition = serde_json::to_string(&(class.share, &class.work)).unwrap_or_default();
            let _ = writeln!(text, "class {definition}");
            if class.redraws() {
                let _ = writeln!(text, "redraw");
            }
            if let Some(items) = &class.items {
                let _ = writeln!(text, "items {}", items.hash());
                let _ = writeln!(text, "told {:?} {}", class.work.told_texts(), class.work.is_shell());
            }
        }
        if let Arrivals::ClosedLoop { max_in_flight } = &shared.arrivals {
            let _ = writeln!(text, "closed {max_in_flight}");
        }
        if let Arrivals::Open(open) = &shared.arrivals {
            let _ = writeln!(text, "open {}", open.process.word());
            if let ArrivalProcess::Burst { size, every } = open.process {
                let _ = writeln!(text, "burst {size} {}", every.as_nanos());
            }
            if let ArrivalProcess::Trace(moments) = &open.process {
                let _ = writeln!(text, "moments {} {}", moments.len(), moments.hash());
            }
            for stage in &open.stages {
                let _ = writeln!(text, "stage {:?} {}", stage.duration.map(|duration| duration.as_nanos()), stage.rate);
                if stage.is_ramp() {
                    let _ = writeln!(text, "to {}", stage.end_rate);
                }
            }
        }
        let step = shared.total.div_ceil(SAMPLED).max(1);
        for position in (0..shared.total).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let index = shared.index_at(position);
            let nanos = self.service_time(index).map(|time| time.as_nanos());
            let _ = writeln!(text, "{position} {index} {} {nanos:?}", self.class_of(index));
        }
        if let Arrivals::Open(open) = &shared.arrivals {
            for time in ArrivalTimes::new(open, shared.seed, shared.total).take(SAMPLED as usize) {
                let _ = writeln!(text, "{}", time.as_nanos());
            }
        }
        short_hash(text.as_bytes())
    }
}

fn count_of(share: Share) -> u64 {
    match share {
        Share::Count(count) => count.get(),
        Share::Weight(_) => 0,
    }
}

impl Shares {
    /// Class of a task.
    pub(crate) fn class_of(&self, seed: u64, index: TaskIndex) -> ClassId {
        let class = match self {
            Self::Single => return 0,
            Self::Counts(ends) => ends.partition_point(|end| *end <= index).min(ends.len().saturating_sub(1)),
            Self::Weights(sums, last) => {
                let point = unit(seed, Purpose::Class, index, 0) * sums.last().copied().unwrap_or(0.0);
                // Rounding may reach the sum itself, which no class covers.
                sums.partition_point(|sum| *sum <= point).min(*last)
            }
        };
        ClassId::try_from(class).unwrap_or(ClassId::MAX)
    }

    pub(crate) fn new(classes: &[TaskClass]) -> Self {
        if classes.len() == 1 {
            return Self::Single;
        }
        if classes.iter().all(|class| matches!(class.share, Share::Count(_))) {
            let mut end = 0;
            let ends = classes.iter().map(|class| {
                end += count_of(class.share);
                end
            });
            return Self::Counts(ends.collect());
        }
        let weight = |class: &TaskClass| if let Share::Weight(weight) = class.share { weight } else { 0.0 };
        let mut sum = 0.0;
        let sums = classes.iter().map(|class| {
            sum += weight(class);
            sum
        });
        Self::Weights(sums.collect(), classes.iter().rposition(|class| weight(class) > 0.0).unwrap_or(0))
    }
}

impl Shared {
    /// Tasks that are to be run.
    fn left(&self) -> u64 {
        self.remaining.as_ref().map_or(self.total, Remaining::len)
    }

    /// The task at a position, whether it is done already or not.
    fn index_at(&self, position: u64) -> TaskIndex {
        match &self.order {
            Sequence::Identity => position,
            Sequence::Shuffled(permutation) => permutation.at(position),
            Sequence::Sorted(indices) => {
                let index = usize::try_from(position).ok().and_then(|position| indices.get(position));
                index.map_or(position, |index| u64::from(*index))
            }
        }
    }

    fn class_of(&self, index: TaskIndex) -> ClassId {
        self.shares.class_of(self.seed, index)
    }

    fn service_time(&self, index: TaskIndex) -> Option<Duration> {
        let class = self.classes.get(usize::from(self.class_of(index)))?;
        service::service_time(&class.work, self.seed, index)
    }

    fn count_classes(&self) -> Vec<u64> {
        if let Some(remaining) = &self.remaining {
            let mut totals = vec![0_u64; self.classes.len()];
            for number in 0..remaining.len() {
                let class = self.class_of(self.index_at(remaining.at(number, 1).0));
                if let Some(total) = totals.get_mut(usize::from(class)) {
                    *total += 1;
                }
            }
            return totals;
        }
        match &self.shares {
            Shares::Single => vec![self.total],
            // Arrivals may end before the tasks do, so the counts of the file are not the counts of the stream.
            Shares::Counts(ends) => {
                let mut begin = 0;
                ends.iter()
                    .map(|end| {
                        let count = (*end).min(self.total).saturating_sub(begin);
                        begin = *end;
                        count
                    })
                    .collect()
            }
            Shares::Weights(sums, _) => {
                let mut totals = vec![0_u64; sums.len()];
                for index in 0..self.total {
                    if let Some(total) = totals.get_mut(usize::from(self.class_of(index))) {
                        *total += 1;
                    }
                }
                totals
            }
        }
    }

    fn longest_first(&self) -> Sequence {
        let total = u32::try_from(self.total).ok().filter(|total| u64::from(*total) <= MOST_SORTED);
        // The loader refuses more tasks than that; sorting is a matter of speed, never of which tasks there are.
        let Some(total) = total else { return Sequence::Identity };
        let mut tasks: Vec<(Reverse<Duration>, u32)> =
            (0..total).map(|index| (Reverse(self.service_time(index.into()).unwrap_or_default()), index)).collect();
        tasks.sort_unstable();
        Sequence::Sorted(tasks.into_iter().map(|(_, index)| index).collect())
    }
}

#[cfg(test)]
mod tests;
