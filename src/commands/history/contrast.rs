//! Figures of two arms beside each other, and what follows of their runs. They were not made in turns: what changed on the
//! machine between two sessions is in every ratio.

use serde_json::{Value, json};

use crate::analysis::percentiles;
use crate::analysis::statistics::estimate;
use crate::analysis::unpaired::{Unpaired, unpaired};
use crate::analysis::verdict::{Finding, P};
use crate::cli::Metric;
use crate::history::comparable;
use crate::history::record::{Arm, Run};
use crate::report::json::comparison::finding_word;

/// Two arms beside each other.
pub(super) struct Contrast<'a> {
    pub(crate) a: &'a Arm,
    pub(crate) b: &'a Arm,
    pub(crate) figures: Vec<Figure>,
    /// What is to be known of them.
    pub(crate) warned: Vec<String>,
}

/// One figure of both.
pub(super) struct Figure {
    pub(crate) metric: Metric,
    /// Geometric means of their runs.
    pub(crate) a: Option<f64>,
    pub(crate) b: Option<f64>,
    pub(crate) found: Option<Unpaired>,
    /// Runs of each that are in none of it: their value is 0, or they have none.
    pub(crate) left_out: [usize; 2],
    /// Tasks of a run, where they are too few for this percentile ([`percentiles`]): nothing is found then.
    pub(crate) too_few: Option<u64>,
    /// Corrected for all figures of all arms that are judged.
    pub(crate) p: Option<P>,
    /// Of B.
    pub(crate) finding: Finding,
}

pub(super) const ALL: [Metric; 4] = [Metric::Throughput, Metric::P50, Metric::P95, Metric::P99];

impl Metric {
    /// Its value in a run.
    pub(super) fn of(self, run: &Run) -> Option<f64> {
        match self {
            Self::Throughput => Some(run.throughput),
            Self::P50 => run.p50_s,
            Self::P95 => run.p95_s,
            Self::P99 => run.p99_s,
        }
    }

    /// The percentile that it is; `None` where it is none.
    fn percentile(self) -> Option<f64> {
        match self {
            Self::Throughput => None,
            Self::P50 => Some(50.0),
            Self::P95 => Some(95.0),
            Self::P99 => Some(99.0),
        }
    }

    /// Tasks of a run of these arms, where they are too few for it.
    fn too_few(self, arms: [&Arm; 2]) -> Option<u64> {
        let percentile = self.percentile()?;
        let runs = arms.into_iter().flat_map(Arm::complete);
        let fewest = runs.map(|run| run.succeeded.saturating_add(run.unsuccessful)).min()?;
        percentiles::too_few(fewest, percentile).then_some(fewest)
    }

    /// Whether more of it is better.
    pub(super) fn is_rate(self) -> bool {
        self == Self::Throughput
    }

    /// Its name, with that of the latency in JSON.
    pub(super) fn name(self, latency: &str) -> String {
        match self {
            Self::Throughput => "throughput".to_owned(),
            Self::P50 => format!("{latency}_p50"),
            Self::P95 => format!("{latency}_p95"),
            Self::P99 => format!("{latency}_p99"),
        }
    }

    /// Its name for people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Throughput => "tasks/s",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }
}

/// Runs of an arm whose value is in no geometric mean.
fn left_out(arm: &Arm, values: &[f64]) -> usize {
    arm.complete().count() - values.iter().filter(|value| **value > 0.0).count()
}

impl Figure {
    /// What is to be said of runs that are in no mean.
    fn unseen(&self, arms: [&Arm; 2], sides: [&str; 2]) -> Vec<String> {
        let told = |((arm, side), left_out): ((&Arm, &str), usize)| {
            let (all, what) = (arm.complete().count(), self.metric.words());
            let why = if self.metric.is_rate() { "not one task succeeded in them" } else { "0, or not known" };
            (left_out > 0)
                .then(|| format!("{left_out} of {all} runs of {} in {side} are in no mean of {what}: {why}", arm.name))
        };
        arms.into_iter().zip(sides).zip(self.left_out).filter_map(told).collect()
    }
}

/// Contrasts each pair of arms in these figures.
pub(super) fn contrasts<'a>(pairs: &[(&'a Arm, &'a Arm)], metrics: &[Metric], sides: [&str; 2]) -> Vec<Contrast<'a>> {
    // What the ratio is one of.
    let mean = |values: &[f64]| {
        let logarithms = values.iter().filter(|value| **value > 0.0).map(|value| value.ln());
        estimate(&logarithms.collect::<Vec<_>>()).map(|found| found.mean.exp())
    };
    let mut all: Vec<Contrast<'a>> = pairs
        .iter()
        .map(|(a, b)| {
            let figure = |metric: &Metric| {
                let (one, other) = (a.figures(|run| metric.of(run)), b.figures(|run| metric.of(run)));
                let found = unpaired(&one, &other);
                let finding = Finding::of(found.and_then(|found| found.ci95));
                let finding = if metric.is_rate() { finding } else { finding.reversed() };
                let left_out = [left_out(a, &one), left_out(b, &other)];
                let too_few = metric.too_few([a, b]);
                let finding = if too_few.is_some() { Finding::TooEarly } else { finding };
                Figure { metric: *metric, a: mean(&one), b: mean(&other), found, left_out, too_few, p: None, finding }
            };
            let figures: Vec<Figure> = metrics.iter().map(figure).collect();
            let mut warned = comparable::arms(a, b, sides);
            warned.extend(figures.iter().flat_map(|figure| figure.unseen([a, b], sides)));
            Contrast { a, b, figures, warned }
        })
        .collect();
    // What is not judged is no question.
    let judged = all.iter_mut().flat_map(|contrast| &mut contrast.figures).filter(|figure| figure.too_few.is_none());
    let judged: Vec<&mut Figure> = judged.collect();
    let asked: Vec<Option<f64>> = judged.iter().map(|figure| figure.found?.p_of(1.0)).collect();
    let corrected = P::corrected(&asked);
    for (figure, p) in judged.into_iter().zip(corrected) {
        (figure.p, figure.finding) = (p, figure.finding.corrected(p));
    }
    all
}

/// The arms of two sessions that belong together: of the same name and worker count, or of the same name where each has it
/// once.
pub(super) fn together<'a>(a: &'a [Arm], b: &'a [Arm]) -> Vec<(&'a Arm, &'a Arm)> {
    let of = |arms: &'a [Arm], name: &str| arms.iter().filter(|arm| arm.name == name).collect::<Vec<_>>();
    let pair = |arm: &'a Arm| {
        let others = of(b, &arm.name);
        let same = others.iter().copied().find(|other| other.workers == arm.workers);
        let only = match (of(a, &arm.name).as_slice(), others.as_slice()) {
            ([_], [other]) => Some(*other),
            _ => None,
        };
        Some((arm, same.or(only)?))
    };
    a.iter().filter_map(pair).collect()
}

/// Arms that nothing on the other side belongs to, as `name@workers`: those of A, and those of B.
pub(super) fn apart(a: &[Arm], b: &[Arm], pairs: &[(&Arm, &Arm)]) -> [Vec<String>; 2] {
    let label = |arm: &Arm| format!("{}@{}", arm.name, arm.workers);
    let alone = |arms: &[Arm], paired: &dyn Fn(&Arm) -> bool| {
        arms.iter().filter(|arm| !paired(arm)).map(label).collect::<Vec<_>>()
    };
    [
        alone(a, &|arm| pairs.iter().any(|(one, _)| std::ptr::eq(*one, arm))),
        alone(b, &|arm| pairs.iter().any(|(_, other)| std::ptr::eq(*other, arm))),
    ]
}

impl Contrast<'_> {
    pub(super) fn json(&self, latency: &str) -> Value {
        let figures = self.figures.iter().map(|figure| {
            json!({
                "metric": figure.metric.name(latency),
                "a": figure.a,
                "b": figure.b,
                "ratio": figure.found.map(|found| found.ratio),
                "left_out": figure.left_out,
                "too_few_tasks": figure.too_few,
                "ci95": figure.found.and_then(|found| found.ci95).map(<[f64; 2]>::from),
                "p": figure.p.map(|p| p.single),
                "p_corrected": figure.p.map(|p| p.corrected),
                "comparisons": figure.p.map(|p| p.comparisons),
                "verdict": finding_word(figure.finding),
            })
        });
        let side = |arm: &Arm| {
            let unsuccessful: u64 = arm.runs.iter().map(|run| run.unsuccessful).sum();
            json!({ "name": arm.name, "workers": arm.workers, "runs": arm.complete().count(), "unsuccessful": unsuccessful })
        };
        json!({ "a": side(self.a), "b": side(self.b), "figures": figures.collect::<Vec<_>>(), "warnings": self.warned })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, workers: u32, rates: &[f64]) -> Arm {
        let run = |rate: &f64| Run {
            round: 1,
            complete: true,
            wall_s: 1.0,
            throughput: *rate,
            succeeded: 100,
            unsuccessful: 0,
            cores_used: 1.0,
            p50_s: Some(1.0 / rate),
            p95_s: None,
            p99_s: None,
            peak_pss_bytes: None,
            results_hash: None,
            suspect: Vec::new(),
            recording: None,
        };
        let (name, engine) = (name.to_owned(), "pool".to_owned());
        Arm { name, engine, workers, settings: Vec::new(), is_baseline: false, runs: rates.iter().map(run).collect() }
    }

    #[test]
    fn arms_belong_together_by_name_and_worker_count() {
        let names = |a: &[Arm], b: &[Arm]| {
            let pairs = together(a, b);
            pairs.iter().map(|(a, b)| format!("{}@{} {}@{}", a.name, a.workers, b.name, b.workers)).collect::<Vec<_>>()
        };
        let one = [arm("pool", 2, &[]), arm("process", 2, &[])];
        let other = [arm("process", 4, &[]), arm("pool", 2, &[])];
        assert_eq!(names(&one, &other), ["pool@2 pool@2", "process@2 process@4"]);
        let swept = [arm("pool", 1, &[]), arm("pool", 2, &[]), arm("pool", 4, &[])];
        assert_eq!(names(&swept, &[arm("pool", 4, &[]), arm("pool", 8, &[])]), ["pool@4 pool@4"]);
        assert_eq!(names(&one, &swept), ["pool@2 pool@2"]);
    }

    #[test]
    fn a_rate_that_is_lower_and_a_latency_that_is_higher_are_slower() {
        let (a, b) = (arm("pool", 2, &[100.0, 101.0, 99.0]), arm("pool", 2, &[80.0, 81.0, 79.0]));
        let found = contrasts(&[(&a, &b)], &[Metric::Throughput, Metric::P50, Metric::P95], ["A", "B"]);
        let findings: Vec<Finding> = found[0].figures.iter().map(|figure| figure.finding).collect();
        assert_eq!(findings, [Finding::Slower, Finding::Slower, Finding::TooEarly]);
        let few = |arm: &Arm| {
            let mut arm = arm.clone();
            arm.runs.iter_mut().for_each(|run| run.succeeded = 3);
            arm
        };
        let (few_a, few_b) = (few(&a), few(&b));
        let found = contrasts(&[(&few_a, &few_b)], &[Metric::Throughput, Metric::P50], ["A", "B"]);
        let told: Vec<_> = found[0].figures.iter().map(|one| (one.finding, one.too_few, one.found.is_some())).collect();
        assert_eq!(told, [(Finding::Slower, None, true), (Finding::TooEarly, Some(3), true)], "p50 of 3 tasks");
        assert_eq!(found[0].figures[0].p.map(|p| p.comparisons), Some(1), "what is not judged was not asked");
        let same = contrasts(&[(&a, &a)], &ALL, ["A", "B"]);
        assert_eq!(same[0].figures[0].finding, Finding::NoClearDifference);
        let once = arm("pool", 2, &[50.0]);
        let early = contrasts(&[(&a, &once)], &[Metric::Throughput], ["A", "B"]);
        assert_eq!((early[0].figures[0].finding, early[0].figures[0].p), (Finding::TooEarly, None));
    }
}
