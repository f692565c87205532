//! Whether what a workload expects of its results holds: for each expectation and each arm that it is about one answer.
//!
//! What is counted must hold in every run, and so must that there is none or some of something. What is measured scatters:
//! it holds where the whole 95 % interval lies on the right side of the limit, fails where all of it lies on the wrong one,
//! and is too noisy to say otherwise. The interval is that of the mean of logarithms over the runs (of ratios of paired runs
//! where another arm is the limit), looked at as the verdicts are; several such questions are corrected for being several
//! (Holm), so that the chance of any wrong answer among them is 5 %. A percentile of too few tasks is told and not judged
//! ([`percentiles`]): that is too noisy to say, whatever it is.

mod figure;
mod same;

use std::cmp::Ordering;

use crate::analysis::inference::{Inference, Looks, infer};
use crate::analysis::percentiles;
use crate::analysis::verdict::{ALPHA, Counted, OfRound, P, Pairs, pairs};
use crate::engine::event::RunState;
use crate::metrics::snapshot::Snapshot;
use crate::workload::model::{Comparison, Condition, Expectation, Interpreter, Limit, Setting, Test, Unit};

/// What is known of an arm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArmFacts<'a> {
    pub(crate) name: &'a str,
    pub(crate) counted: Counted<'a>,
    pub(crate) workers: u32,
    /// That of its tasks, if they are in Python.
    pub(crate) interpreter: Option<&'a Interpreter>,
}

/// What is known of all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) usable_cores: u32,
    pub(crate) looks: Looks,
    /// Whether the arms ran at the same time: nothing was measured then.
    pub(crate) sharing_cores: bool,
}

/// An expectation and what became of it, in one arm or in all that it is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checked {
    /// What was expected: `sojourn_p99 < 250ms`.
    pub(crate) text: String,
    /// The arm, or the arms.
    pub(crate) engines: String,
    /// Unit of what follows.
    pub(crate) unit: Unit,
    /// The geometric mean over the runs, or the ratio to the other arm; of what is counted that of the run that is nearest
    /// to failing, or fails most. `None` without one.
    pub(crate) measured: Option<f64>,
    /// 95 % interval of it; `None` where it is counted, and where there are too few runs.
    pub(crate) ci95: Option<(f64, f64)>,
    /// What it was compared with.
    pub(crate) limit: Option<f64>,
    /// How far it lies on the right side of the limit, as a share of that; negative on the wrong one.
    pub(crate) margin: Option<f64>,
    /// Runs, or pairs of them.
    pub(crate) runs: usize,
    pub(crate) judgement: Judgement,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Holds,
    /// It does not, with what is to be said of it beside the figures.
    Fails(String),
    /// Another comparison of the same arms may say otherwise.
    TooNoisy(String),
    /// There is no figure, and why.
    NotMeasured(String),
    /// It was not asked here, and why.
    Skipped(String),
}

impl Judgement {
    /// In one word, for machines.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails(_) => "fails",
            Self::TooNoisy(_) => "too_noisy",
            Self::NotMeasured(_) => "not_measured",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What is said beside the word.
    #[must_use]
    pub(crate) fn why(&self) -> Option<&str> {
        match self {
            Self::Holds => None,
            Self::Fails(why) | Self::TooNoisy(why) | Self::NotMeasured(why) | Self::Skipped(why) => {
                Some(why.as_str()).filter(|why| !why.is_empty())
            }
        }
    }

    /// Whether it was asked, and could not be told.
    #[must_use]
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::TooNoisy(_) | Self::NotMeasured(_))
    }
}

/// Checks every expectation, in the order of the file and of the arms.
#[must_use]
pub(crate) fn check(expectations: &[Expectation], arms: &[ArmFacts<'_>], around: Circumstances) -> Vec<Checked> {
    let answers = expectations.iter().flat_map(|expectation| of_one(expectation, arms, around));
    let (mut checked, p): (Vec<Checked>, Vec<Option<f64>>) = answers.map(|answer| (answer.checked, answer.p)).unzip();
    // What is counted, and what was not measured, is no question to chance.
    let questions: Vec<Option<f64>> = p.iter().filter(|p| p.is_some()).copied().collect();
    let asked = questions.len();
    let corrected = P::corrected(&questions);
    for ((one, _), p) in checked.iter_mut().zip(&p).filter(|(_, p)| p.is_some()).zip(corrected) {
        // Where the interval does not decide, there is nothing to be taken back.
        let decided = matches!(one.judgement, Judgement::Holds | Judgement::Fails(_));
        if decided && p.is_some_and(|p| p.single < 1.0 && p.corrected > ALPHA) {
            one.judgement =
                Judgement::TooNoisy(format!("its interval is of one question, and {asked} are asked (Holm)"));
        }
    }
    checked
}

/// What became of it, and the chance of such a distance from the limit where there is none: of those that scatter.
struct Answer {
    checked: Checked,
    p: Option<f64>,
}

fn of_one(expectation: &Expectation, arms: &[ArmFacts<'_>], around: Circumstances) -> Vec<Answer> {
    let of_it = |name: &str| expectation.engines.is_empty() || expectation.engines.iter().any(|engine| engine == name);
    if expectation.test == Test::Same {
        let of_it: Vec<ArmFacts<'_>> = arms.iter().filter(|arm| of_it(arm.name)).copied().collect();
        let answer = same::check(expectation, &of_it);
        return vec![Answer { checked: answer, p: None }];
    }
    let than = match &expectation.test {
        Test::Compared(_, Limit::Than(than, _)) => Some(than.as_str()),
        _ => None,
    };
    let all: Vec<&str> = if expectation.engines.is_empty() {
        arms.iter().map(|arm| arm.name).filter(|name| Some(*name) != than).collect()
    } else {
        expectation.engines.iter().map(String::as_str).collect()
    };
    all.into_iter().map(|name| of_arm(expectation, name, arms, around)).collect()
}

/// Nothing known yet.
fn blank(expectation: &Expectation, engines: &str, judgement: Judgement) -> Checked {
    Checked {
        text: expectation.to_string(),
        engines: engines.to_owned(),
        unit: expectation.metric.unit(),
        measured: None,
        ci95: None,
        limit: None,
        margin: None,
        runs: 0,
        judgement,
    }
}

fn of_arm(expectation: &Expectation, name: &str, arms: &[ArmFacts<'_>], around: Circumstances) -> Answer {
    let without = |judgement| Answer { checked: blank(expectation, name, judgement), p: None };
    let find = |name: &str| arms.iter().find(|arm| arm.name == name).copied();
    let Some(arm) = find(name) else { return without(Judgement::Skipped(format!("{name} took no part"))) };
    if let Some(condition) = &expectation.when
        && !holds_here(condition, arm, around.usable_cores)
    {
        return without(Judgement::Skipped(format!("not here: {condition}")));
    }
    let Test::Compared(op, limit) = &expectation.test else { return without(Judgement::Holds) };
    let than = match limit {
        Limit::Than(than, _) => Some(than.as_str()),
        _ => None,
    };
    if around.sharing_cores && expectation.needs_an_interval() {
        return without(Judgement::NotMeasured("the arms shared the cores".to_owned()));
    }
    let figures = |arm: ArmFacts<'_>| -> Vec<Measured> {
        let figure = |(place, run): (usize, &std::sync::Arc<Snapshot>)| {
            let value = figure::of(expectation, run, arm.workers, around.usable_cores);
            Measured {
                value: value.filter(|value| value.is_finite()),
                tasks: run.total,
                round: arm.counted.round(place),
            }
        };
        let whole = arm.counted.runs.iter().enumerate().filter(|(_, run)| run.state == RunState::Finished);
        whole.map(figure).collect()
    };
    let own = figures(arm);
    if let Some(why) = missing(name, &own) {
        return without(Judgement::NotMeasured(why));
    }
    // Each with its limit.
    let judged: Vec<(f64, f64)> = match limit {
        Limit::Than(than, factor) => {
            let Some(other) = find(than) else { return without(Judgement::Skipped(format!("{than} took no part"))) };
            let other = figures(other);
            if let Some(why) = missing(than, &other) {
                return without(Judgement::NotMeasured(why));
            }
            let Pairs { pairs, .. } = pairs(&other, &own, |one| one.value.is_some());
            pairs.iter().filter_map(|(other, own)| Some((own.value?, other.value? * factor))).collect()
        }
        fixed => {
            let limit = |one: &Measured| match fixed {
                Limit::Of(Setting::Workers) => f64::from(arm.workers),
                Limit::Of(Setting::Tasks) => one.tasks as f64,
                Limit::Value(value) => *value,
                Limit::Than(..) => f64::NAN,
            };
            own.iter().filter_map(|one| Some((one.value?, limit(one)))).collect()
        }
    };
    if judged.is_empty() {
        return without(Judgement::NotMeasured("in no round was there a run of both".to_owned()));
    }
    let few = [Some(arm), than.and_then(find)].into_iter().flatten().find_map(|arm| too_few(expectation, arm));
    let blank = blank(expectation, name, Judgement::Holds);
    if !expectation.needs_an_interval() {
        return Answer { checked: counted(blank, *op, &judged), p: None };
    }
    let answer = match limit {
        // Where something is 0 there is no ratio.
        Limit::Than(..) if !are_ratios(&judged) => {
            let limit = judged.iter().map(|(_, limit)| limit).sum::<f64>() / judged.len() as f64;
            scattered(blank, *op, &judged, limit, around.looks)
        }
        Limit::Than(_, factor) => {
            scattered(Checked { unit: Unit::Number, ..blank }, *op, &judged, *factor, around.looks)
        }
        _ => {
            let limit = judged.first().map_or(f64::NAN, |(_, limit)| *limit);
            scattered(blank, *op, &judged, limit, around.looks)
        }
    };
    match few {
        None => answer,
        // What is not judged is no question.
        Some(why) => Answer { checked: Checked { judgement: Judgement::TooNoisy(why), ..answer.checked }, p: None },
    }
}

/// Why a percentile of an arm is not judged, where its runs have too few tasks.
fn too_few(expectation: &Expectation, arm: ArmFacts<'_>) -> Option<String> {
    let whole = arm.counted.runs.iter().filter(|run| run.state == RunState::Finished);
    let (percentile, tasks) =
        whole.filter_map(|run| figure::percentile(expectation, run)).min_by_key(|(_, tasks)| *tasks)?;
    percentiles::too_few(tasks, percentile).then(|| percentiles::why_not(tasks, percentile))
}

/// A figure of one run.
#[derive(Clone, Copy, Debug)]
struct Measured {
    value: Option<f64>,
    tasks: u64,
    round: u32,
}

impl OfRound for Measured {
    fn round(&self) -> u32 {
        self.round
    }
}

/// Why there is no figure of every run; `None` where there is.
fn missing(name: &str, figures: &[Measured]) -> Option<String> {
    let without = figures.iter().filter(|one| one.value.is_none()).count();
    match (figures.len(), without) {
        (0, _) => Some(format!("no counted run of {name}")),
        (_, 0) => None,
        (all, without) => Some(format!("not measured in {without} of {all} runs of {name}")),
    }
}

/// Whether a condition holds here.
fn holds_here(condition: &Condition, arm: ArmFacts<'_>, usable_cores: u32) -> bool {
    match condition {
        Condition::Cores(comparison, cores) => comparison.holds(usable_cores.cmp(cores)),
        Condition::GilEnabled => arm.interpreter.is_some_and(|found| found.gil),
        Condition::GilDisabled => arm.interpreter.is_some_and(|found| !found.gil),
        Condition::Python(when) => arm.interpreter.is_some_and(|found| when.holds(&found.version)),
    }
}

fn compare(value: f64, limit: f64) -> Ordering {
    value.partial_cmp(&limit).unwrap_or(Ordering::Equal)
}

/// How far a value lies on the right side of its limit.
fn room(op: Comparison, value: f64, limit: f64) -> f64 {
    match op {
        Comparison::Below | Comparison::AtMost => limit - value,
        Comparison::Above | Comparison::AtLeast => value - limit,
        Comparison::Equal => -(value - limit).abs(),
        Comparison::Unequal => (value - limit).abs(),
    }
}

fn margin(op: Comparison, value: f64, limit: f64) -> Option<f64> {
    let has_sides = !matches!(op, Comparison::Equal | Comparison::Unequal);
    (has_sides && limit > 0.0).then(|| room(op, value, limit) / limit)
}

/// What is counted has to hold in every run.
fn counted(blank: Checked, op: Comparison, judged: &[(f64, f64)]) -> Checked {
    let worst = judged.iter().copied().min_by(|a, b| room(op, a.0, a.1).total_cmp(&room(op, b.0, b.1)));
    let failing = judged.iter().filter(|(value, limit)| !op.holds(compare(*value, *limit))).count();
    let judgement = match (failing, judged.len()) {
        (0, _) => Judgement::Holds,
        (_, 1) => Judgement::Fails(String::new()),
        (failing, all) => Judgement::Fails(format!("in {failing} of {all} runs")),
    };
    Checked {
        measured: worst.map(|(value, _)| value),
        limit: worst.map(|(_, limit)| limit),
        margin: worst.and_then(|(value, limit)| margin(op, value, limit)),
        runs: judged.len(),
        judgement,
        ..blank
    }
}

/// Whether there are ratios of all figures to their limits.
fn are_ratios(judged: &[(f64, f64)]) -> bool {
    judged.iter().all(|(value, limit)| *value > 0.0 && *limit > 0.0)
}

/// What scatters has to lie on one side of its limit, as far as chance allows to say that. `shown` is what the limit is
/// called: itself, or the factor of another arm's figure; where there are no ratios, the mean of the limits.
fn scattered(blank: Checked, op: Comparison, judged: &[(f64, f64)], shown: f64, looks: Looks) -> Answer {
    // Where something is 0 there is no logarithm: the distances themselves are taken.
    let ratios = are_ratios(judged);
    let distance = |(value, limit): &(f64, f64)| if ratios { (value / limit).ln() } else { value - limit };
    let distances: Vec<f64> = judged.iter().map(distance).collect();
    let back = |distance: f64| if ratios { distance.exp() * shown } else { distance + shown };
    let Some(Inference { mean, ci95, p }) = infer(&distances, looks) else { return Answer { checked: blank, p: None } };
    let measured = back(mean);
    let judgement = match ci95 {
        None => {
            let (runs, least) = (distances.len(), looks.least(distances.len()));
            let plural = if runs == 1 { "" } else { "s" };
            Judgement::TooNoisy(format!("{runs} run{plural}, and it takes {least} to tell chance from difference"))
        }
        Some((low, high)) => match (op.holds(compare(low, 0.0)), op.holds(compare(high, 0.0))) {
            (true, true) => Judgement::Holds,
            (false, false) => Judgement::Fails(String::new()),
            _ => Judgement::TooNoisy("the limit lies within the interval".to_owned()),
        },
    };
    // One that touches the limit does not exclude it, and a correction has nothing to correct.
    let excludes = ci95.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
    Answer {
        checked: Checked {
            measured: Some(measured),
            ci95: ci95.map(|(low, high)| (back(low), back(high))),
            limit: Some(shown),
            margin: margin(op, measured, shown),
            runs: distances.len(),
            judgement,
            ..blank
        },
        // It was asked all the same.
        p: Some(p.filter(|_| excludes).unwrap_or(1.0)),
    }
}

#[cfg(test)]
mod tests;
