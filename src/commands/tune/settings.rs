//! The worker count that a target asks for, and where that is asked for too, the engine, the start method and the chunksize.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::{Halt, Seen, Tuner};
use crate::analysis::edges::{faster, until_told};
use crate::analysis::statistics::estimate;
use crate::analysis::tuning::arms::all_points;
use crate::analysis::tuning::found::{self, Found};
use crate::analysis::tuning::target::{self, Target};
use crate::analysis::tuning::trail::trail;
use crate::analysis::tuning::{Point, Tuning};
use crate::analysis::verdict::{Counted, Finding, RunFigure};
use crate::cli::Also;
use crate::commands::prepare;
use crate::commands::sweep::scope;
use crate::report::tune::{Outcome, TuneStep};
use crate::report::units;
use crate::session::view::{Mode, SessionCommand, Sweep, SweepCounts};
use crate::workload::model::{EngineSpec, Workers, Workload};

/// Values that are tried of a setting.
const CHUNKSIZES: [&str; 6] = ["auto", "1", "4", "16", "64", "cpython"];
const START_METHODS: [&str; 3] = ["spawn", "forkserver", "fork"];

/// An arm with the count that was found for it.
#[derive(Clone)]
struct Choice {
    spec: EngineSpec,
    workers: u32,
    rate: Option<f64>,
    found: Found,
    tuning: Arc<Tuning>,
}

impl Tuner<'_> {
    /// The count, and what else is asked for.
    pub(super) fn settings(&mut self, target: Target) -> Result<Outcome, Halt> {
        let also = |wanted: Also| self.arguments.also.contains(&wanted);
        let (engine, start_method, chunksize) = (also(Also::Engine), also(Also::StartMethod), also(Also::Chunksize));
        let all = if engine { self.workload.engines.clone() } else { vec![self.arm()?] };
        let arms = scope::arms(all)?;
        let (found, whole) = self.counts(arms, SweepCounts::For(target), target)?;
        let unknown: Vec<String> = found
            .iter()
            .filter(|choice| choice.found.workers.is_none())
            .map(|choice| format!("{}: {}", choice.spec.name, choice.found.why))
            .collect();
        let Some(choice) = choose(found, target, self.runs()) else {
            if !whole {
                return Err(Halt::Ended);
            }
            let why = if unknown.is_empty() { "no engine was tried".to_owned() } else { unknown.join("; ") };
            return Ok(Outcome { words: format!("{target}: nothing found"), why, ..Outcome::default() });
        };
        if !whole {
            return Ok(self.outcome(choice, Vec::new(), (target, false)));
        }
        let mut settings = Vec::new();
        match self.with_other_settings(choice.clone(), (start_method, chunksize), target, &mut settings) {
            Ok(choice) => Ok(self.outcome(choice, settings, (target, true))),
            Err(halt) => {
                self.until_now(halt)?;
                let mut choice = choice;
                choice.found.why.push_str(&match settings.as_slice() {
                    [] => "; other settings were not tried to the end".to_owned(),
                    faster => {
                        let faster: Vec<String> =
                            faster.iter().map(|(field, value)| format!("{field} {value}")).collect();
                        format!(
                            "; with {} it was faster, and the count for that was not found any more",
                            faster.join(", ")
                        )
                    }
                });
                Ok(self.outcome(choice, Vec::new(), (target, false)))
            }
        }
    }

    /// The choice with settings that make it faster, if there are some; which, is in `settings`, as far as it came.
    fn with_other_settings(
        &mut self,
        mut choice: Choice,
        (start_method, chunksize): (bool, bool),
        target: Target,
        settings: &mut Vec<(String, String)>,
    ) -> Result<Choice, Halt> {
        let as_is = choice.clone();
        for (wanted, field, values) in
            [(start_method, "start_method", &START_METHODS[..]), (chunksize, "chunksize", &CHUNKSIZES[..])]
        {
            if let Some((spec, value)) = if wanted { self.better(&choice, field, values, settings)? } else { None } {
                choice.spec = spec;
                settings.push((field.to_owned(), value));
            }
        }
        // With other settings another count is the one. What was faster with more workers may not be with the best of them.
        if !settings.is_empty() {
            let (found, whole) = self.counts(vec![choice.spec.clone()], SweepCounts::For(target), target)?;
            if !whole {
                return Err(Halt::Ended);
            }
            match choose(found, target, self.runs()) {
                Some(again) if self.worth_more(&as_is, &again, settings, target)? => choice = again,
                _ => {
                    choice = as_is;
                    settings.clear();
                }
            }
        }
        Ok(choice)
    }

    /// Looks for the count of each arm, and marks each step: what was found, and whether the search came to its end.
    fn counts(
        &mut self,
        arms: Vec<EngineSpec>,
        counts: SweepCounts,
        target: Target,
    ) -> Result<(Vec<Choice>, bool), Halt> {
        let workload = prepare::with_arms(&self.workload, arms);
        let sweep = Sweep {
            arms: (0..workload.engines.len()).collect(),
            counts,
            groups: Vec::new(),
            runs: self.runs(),
            show_best: false,
        };
        let Seen { view, whole } = self.session(workload, SessionCommand::Sweep(sweep))?;
        let mut choices = Vec::new();
        for arm in &view.arms {
            self.mark(&arm.spec.name, &arm.tuning, target);
            let found = found::found(&arm.tuning, target, view.bounds(arm));
            let workers = found.workers.unwrap_or(0);
            let rate = arm.tuning.point(workers).and_then(|point| point.mean());
            let tuning = Arc::clone(&arm.tuning);
            choices.push(Choice { spec: arm.spec.clone(), workers, rate, found, tuning });
        }
        Ok((choices, whole))
    }

    /// A step for each count, in the order in which they were tried.
    fn mark(&mut self, arm: &str, tuning: &Tuning, target: Target) {
        for stop in trail(&tuning.points) {
            let Some(point) = tuning.point(stop.workers) else { continue };
            self.steps.push(TuneStep {
                what: format!("{arm} ×{}", stop.workers),
                why: stop.why,
                runs: point.runs(),
                suspect: suspect(point),
                rate: point.rate,
                figure: target::figure(point, target),
            });
        }
    }

    /// A value of a setting with which the arm is faster, told apart with 95 %; `None` where there is none. The best of them by its mean
    /// is compared in runs of its own: those that it was chosen by speak for whichever is chosen. Tried with twice the
    /// count found: what a setting holds back is seen where there are workers to spare.
    fn better(
        &mut self,
        choice: &Choice,
        field: &str,
        values: &[&str],
        settings: &[(String, String)],
    ) -> Result<Option<(EngineSpec, String)>, Halt> {
        let Some(place) = self.place_of(&choice.spec) else { return Ok(None) };
        let workers = Workers::Fixed(NonZeroU32::new(choice.workers.saturating_mul(2)).unwrap_or(NonZeroU32::MIN));
        let as_is = EngineSpec { workers, ..choice.spec.clone() };
        let mut arms = vec![(as_is.clone(), None)];
        for value in values {
            let said = settings.iter().map(|(field, value)| format!("engines.{place}.{field}={value}"));
            let set: Vec<String> = said.chain([format!("engines.{place}.{field}={value}")]).collect();
            // What the engine cannot have is no candidate.
            let Ok(workload) = prepare::reloaded(&self.source, &self.arguments.changes, &set) else { continue };
            let Some(engine) = workload.engines.get(place) else { continue };
            let same_name = |other: &EngineSpec| EngineSpec {
                name: as_is.name.clone(),
                workers,
                interpreter: as_is.interpreter.clone(),
                python: as_is.python.clone(),
                ..other.clone()
            };
            let engine = same_name(engine);
            if arms.iter().any(|(arm, _)| same_name(arm) == engine) {
                continue;
            }
            arms.push((
                EngineSpec { name: format!("{} {field}={value}", as_is.name), ..engine },
                Some((*value).to_owned()),
            ));
        }
        if arms.len() == 1 {
            return Ok(None);
        }
        let mut workload = prepare::with_arms(&self.workload, arms.iter().map(|(arm, _)| arm.clone()).collect());
        every_name(&mut workload, &as_is.name);
        // What they are compared with is not dropped.
        let groups = (0..arms.len()).map(|place| usize::from(place > 0)).collect();
        let sweep = Sweep {
            arms: (0..arms.len()).collect(),
            counts: SweepCounts::Own,
            groups,
            runs: self.runs(),
            show_best: false,
        };
        let seen = self.session(workload, SessionCommand::Sweep(sweep))?;
        let view = &seen.view;
        let points = || view.arms.iter().zip(&arms).filter_map(|(arm, of)| Some((arm.tuning.points.first()?, of)));
        for (point, (arm, value)) in points() {
            let why = match (value, point.dropped) {
                (None, _) => format!("as it is, to try {field}"),
                (Some(_), true) => "dropped after a round: clearly slower".to_owned(),
                (Some(value), false) => format!("{field} {value}, with workers to spare"),
            };
            let what = format!("{} ×{}", arm.name, point.workers);
            if point.runs() > 0 {
                let (runs, suspect) = (point.runs(), suspect(point));
                self.steps.push(TuneStep { what, why, runs, suspect, rate: point.rate, figure: None });
            }
        }
        seen.to_its_end()?;
        let Some((own, _)) = points().find(|(_, (_, value))| value.is_none()) else { return Ok(None) };
        let best = points()
            .filter(|(point, _)| !point.dropped)
            .max_by(|(one, _), (other, _)| one.mean().unwrap_or(0.0).total_cmp(&other.mean().unwrap_or(0.0)));
        let Some((_, (arm, Some(value)))) = best.filter(|(point, _)| point.mean() > own.mean()) else {
            return Ok(None);
        };
        let faster = self.faster_in_runs_of_their_own((&as_is, workers), (arm, workers))?;
        let chosen = EngineSpec { name: as_is.name.clone(), workers: choice.spec.workers, ..arm.clone() };
        Ok(faster.then(|| (chosen, value.clone())))
    }

    /// Whether settings with the count that was found for them are worth it: because they meet the target, which what was there
    /// does not, or because they are faster.
    fn worth_more(
        &mut self,
        as_is: &Choice,
        again: &Choice,
        settings: &[(String, String)],
        target: Target,
    ) -> Result<bool, Halt> {
        if target != Target::Throughput && (as_is.found.met == Some(true)) != (again.found.met == Some(true)) {
            return Ok(again.found.met == Some(true));
        }
        let said: String = settings.iter().map(|(field, value)| format!(" {field}={value}")).collect();
        let named = EngineSpec { name: format!("{}{said}", again.spec.name), ..again.spec.clone() };
        let count = |workers: u32| Workers::Fixed(NonZeroU32::new(workers).unwrap_or(NonZeroU32::MIN));
        self.faster_in_runs_of_their_own((&as_is.spec, count(as_is.workers)), (&named, count(again.workers)))
    }

    /// Whether an arm is faster than another, told apart with 95 % in runs that are not those that it was chosen by.
    fn faster_in_runs_of_their_own(
        &mut self,
        (as_is, workers): (&EngineSpec, Workers),
        (other, others): (&EngineSpec, Workers),
    ) -> Result<bool, Halt> {
        let arms = vec![EngineSpec { workers, ..as_is.clone() }, EngineSpec { workers: others, ..other.clone() }];
        let mut workload = prepare::with_arms(&self.workload, arms);
        every_name(&mut workload, &as_is.name);
        let mut figures: [Vec<RunFigure>; 2] = Default::default();
        let mut rate = None;
        let told = until_told(|number| {
            let seen = self.session(workload.clone(), SessionCommand::Run(Mode::Interleaved))?;
            for (all, arm) in figures.iter_mut().zip(&seen.view.arms) {
                // Rounds of another session are others.
                let later = |figure: RunFigure| RunFigure { round: figure.round + number * 1000, ..figure };
                all.extend(Counted::from(&*arm.finished).figures().into_iter().map(later));
            }
            let [one, other] = &figures;
            rate = estimate(&other.iter().map(|figure| figure.throughput).collect::<Vec<_>>());
            seen.to_its_end()?;
            Ok::<Option<bool>, Halt>(faster(one, other))
        });
        let count = |workers: Workers| match workers {
            Workers::Fixed(count) => format!(" ×{count}"),
            _ => String::new(),
        };
        let said = match told {
            Ok(Some(true)) => "it is faster",
            Ok(Some(false)) => "it is slower",
            Ok(None) => "no clear difference",
            Err(_) => "not told yet",
        };
        let all = || figures.iter().flatten();
        let count_of = |all: usize| u32::try_from(all).unwrap_or(u32::MAX);
        self.steps.push(TuneStep {
            what: format!("{}{}", other.name, count(others)),
            why: format!("against {}{}, in runs of their own: {said}", as_is.name, count(workers)),
            runs: count_of(all().count()),
            suspect: count_of(all().filter(|figure| figure.suspect).count()),
            rate,
            figure: None,
        });
        Ok(told? == Some(true))
    }

    fn place_of(&self, spec: &EngineSpec) -> Option<usize> {
        self.workload.engines.iter().position(|engine| engine.name == spec.name)
    }

    /// What came out, and whether the counts were all tried that were to be.
    fn outcome(&self, choice: Choice, settings: Vec<(String, String)>, (target, whole): (Target, bool)) -> Outcome {
        let Choice { spec, workers, rate, found, .. } = choice;
        let words: String = settings.iter().map(|(field, value)| format!(", {field} {value}")).collect();
        let rate = rate.map_or(String::new(), |rate| format!(": {} tasks/s", units::rate(rate)));
        let many = format!("{workers} worker{}", if workers == 1 { "" } else { "s" });
        let by = found.distance.map_or(String::new(), |distance| format!(", {distance}"));
        // Of counts that were not all tried, the smallest that does is not known.
        let met = found.met.filter(|_| whole);
        let words = match (met, found.met, target) {
            (Some(true), ..) => format!("USE {} with {many}{words}{rate}", spec.name),
            (Some(false), _, target) => {
                format!("{target} IS NOT MET; {} with {many}{words} comes closest{by}{rate}", spec.name)
            }
            (None, Some(false), target) => {
                format!("until then {target} is not met; {} with {many} comes closest{by}{rate}", spec.name)
            }
            (None, ..) if !whole => format!("best until then: {} with {many}{words}{rate}", spec.name),
            (None, ..) => format!("best so far: {} with {many}{words}{rate}", spec.name),
        };
        let place = self.place_of(&spec);
        let said = std::iter::once(("workers".to_owned(), workers.to_string())).chain(settings.iter().cloned());
        let set = place.map(|place| said.map(|(field, value)| format!("engines.{place}.{field}={value}")).collect());
        Outcome {
            words,
            why: found.why,
            met,
            suspect: found.suspect,
            distance: found.distance,
            compared: Vec::new(),
            engine: Some(spec.name),
            workers: Some(workers),
            settings,
            set: set.unwrap_or_default(),
            place: None,
        }
    }
}

/// Of several arms the fastest of those that meet the target, or else the one that comes closest. Of a target that is no limit of a latency,
/// what is not settled yet may be the fastest. Those that are not told apart from it are named, and
/// so are those that were faster, and those that could not be compared: each with the count at which that is so.
fn choose(choices: Vec<Choice>, target: Target, runs: u32) -> Option<Choice> {
    let choices: Vec<Choice> = choices.into_iter().filter(|choice| choice.found.workers.is_some()).collect();
    let has_limit = matches!(target, Target::Latency { .. });
    let meets = |choice: &Choice| choice.found.met == Some(true) || !has_limit && choice.found.met != Some(false);
    let any = choices.iter().any(meets);
    let best = found::best(choices.iter().map(|choice| (choice.rate, &choice.found)), target)?;
    let mut rivals = choices;
    let mut best = rivals.swap_remove(best);
    if !any {
        let far = |rival: &Choice| Some(format!("{} ×{}: {}", rival.spec.name, rival.workers, rival.found.distance?));
        let far: Vec<String> = rivals.iter().filter_map(far).collect();
        if !far.is_empty() {
            best.found.why.push_str(&format!("; of other engines {}", far.join(", ")));
        }
        return Some(best);
    }
    rivals.retain(meets);
    // One whose runs were disturbed might be the faster one.
    best.found.suspect |= rivals.iter().any(|rival| rival.found.suspect);
    let own = best.tuning.point(best.workers);
    let pairs: Vec<_> = rivals.iter().map(|rival| own.zip(rival.tuning.point(rival.workers))).collect();
    let compared = all_points(&pairs, runs);
    let mut why = String::new();
    for (words, these) in [
        ("slower than", &[Some(Finding::Faster)][..]),
        ("not told apart from", &[Some(Finding::NoClearDifference)]),
        ("not compared (too few runs) with", &[Some(Finding::TooEarly), None]),
    ] {
        let named = rivals.iter().zip(&compared).filter(|(_, found)| these.contains(found));
        let named: Vec<String> = named.map(|(rival, _)| format!("{} ×{}", rival.spec.name, rival.workers)).collect();
        if !named.is_empty() {
            why.push_str(&format!("; {words} {}", named.join(", ")));
        }
    }
    best.found.why.push_str(&why);
    Some(best)
}

fn suspect(point: &Point) -> u32 {
    u32::try_from(point.suspect.len()).unwrap_or(u32::MAX)
}

/// Faults of an engine are those of each of its arms.
fn every_name(workload: &mut Workload, base: &str) {
    let of_base: Vec<_> =
        workload.faults.iter().filter(|fault| fault.engine.as_deref() == Some(base)).cloned().collect();
    for engine in workload.engines.iter().filter(|engine| engine.name != base) {
        for fault in &of_base {
            let mut fault = fault.clone();
            fault.engine = Some(engine.name.clone());
            workload.faults.push(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::estimate;
    use crate::analysis::tuning::Bounds;
    use crate::workload::load::load;

    /// An arm for which `workers` were found, with the runs of each of its counts: rates, in these rounds.
    fn choice(name: &str, workers: u32, points: &[(u32, f64, &[u32])]) -> Choice {
        let text =
            "version: 1\ntasks: [{ name: a, kind: sleep, service_time: { dist: constant, value: 1ms }, count: 1 }]\n";
        let spec = load(text, "x").expect("a workload").workload.engines[0].clone();
        let point = |(workers, rate, rounds): &(u32, f64, &[u32])| {
            let throughput = |round: u32| rate * (1.0 + f64::from(round) / 1e5);
            let figure = |round: &u32| RunFigure {
                throughput: throughput(*round),
                complete: true,
                round: *round,
                suspect: false,
            };
            let figures: Vec<RunFigure> = rounds.iter().map(figure).collect();
            let rate = estimate(&figures.iter().map(|figure| figure.throughput).collect::<Vec<_>>());
            Point { rate, figures, ..Point::of(*workers, &[], 0) }
        };
        let bounds = Bounds { most: 64, cores: 2, open_arrivals: false, free: false };
        let tuning = Tuning::of(points.iter().map(point).collect(), bounds);
        let rate = tuning.point(workers).and_then(|point| point.mean());
        let found = Found { workers: Some(workers), met: Some(true), why: "found".to_owned(), ..Found::default() };
        Choice { spec: EngineSpec { name: name.to_owned(), ..spec }, workers, rate, found, tuning: Arc::new(tuning) }
    }

    #[test]
    fn arms_are_compared_at_the_counts_that_are_named_and_each_finding_has_its_words() {
        const ROUNDS: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8];
        let best = choice("best", 2, &[(1, 50.0, ROUNDS), (2, 100.0, ROUNDS)]);
        // As fast with one worker, but it is named with two.
        let slower = choice("slower", 2, &[(1, 50.0, ROUNDS), (2, 60.0, ROUNDS)]);
        let equal = choice("equal", 2, &[(2, 100.0, ROUNDS), (4, 10.0, ROUNDS)]);
        let early = choice("early", 4, &[(2, 10.0, ROUNDS), (4, 90.0, &[9])]);
        let found = choose(vec![slower, equal, early, best], Target::Throughput, 8).expect("one");
        assert_eq!(found.found.why, "found; not told apart from equal ×2; not compared (too few runs) with early ×4");
    }
}
