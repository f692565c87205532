//! Places where something changes: the size of a task at which a process for each costs no more than a pool, and the rate of
//! arrivals beyond which a queue grows without bound.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::{Halt, Tuner};
use crate::analysis::bracket::{Bracket, Side};
use crate::analysis::edges::{MOST_LOOKS, growth, meeting, until_told};
use crate::analysis::statistics::estimate;
use crate::analysis::verdict::{Counted, RunFigure};
use crate::cli::WorkerCounts;
use crate::commands::{ExitReason, prepare, write};
use crate::report::clean;
use crate::report::ending::Ending;
use crate::report::tune::{Ends, Outcome, TuneStep};
use crate::report::units;
use crate::session::view::{Mode, SessionCommand};
use crate::workload::model::{ArrivalProcess, Arrivals, Dimension, EngineKind, EngineSpec, Total, Workers, Workload};
use crate::workload::stream::Stream;
use crate::workload::units::format_duration;

/// Sizes of tasks that are tried, in seconds, and how near to each other the ends are to come.
const SIZES: (f64, f64) = (20e-6, 10.0);
const NARROW_SIZE: f64 = 1.3;
const NARROW_RATE: f64 = 1.04;
/// Time that a run is to take, in seconds, and what a task costs beside its work, where that is not known.
const RUN: f64 = 0.7;
const OVERHEAD: f64 = 0.002;
/// Tasks of a run.
const FEWEST: f64 = 40.0;
const MOST: f64 = 20_000.0;

impl Tuner<'_> {
    /// The size of a task at which the pool is no more than 5 % faster.
    pub(super) fn break_even(&mut self) -> Result<Outcome, Halt> {
        let pool = self.of_kind(EngineKind::Pool, |kind| kind == EngineKind::Pool)?;
        let process = self.of_kind(EngineKind::Process, EngineKind::process_per_task)?;
        let fields: Vec<String> =
            (0..self.workload.classes.len()).map(|place| format!("tasks.{place}.service_time")).collect();
        let size_of = |field: &String| Dimension::change(field, "10ms");
        let unfit = fields
            .iter()
            .find(|field| prepare::reloaded(&self.source, &self.arguments.changes, &[size_of(field)]).is_err());
        if unfit.is_some() {
            write::say(
                "error: break-even changes the size of the tasks: each needs a service_time (kinds cpu and sleep)",
            );
            return Err(ExitReason::BadInput.into());
        }
        let compared = [&pool, &process].map(|arm| (arm.name.clone(), self.count_of(arm)));
        let unequal = compared[0].1 != compared[1].1;
        if unequal {
            let arms = compared.each_ref().map(with_count).join(" and ");
            write::say(&format!("warning: {arms} are compared as they are: --workers N gives both the same count"));
        }
        let mut bracket = Bracket::new(SIZES, NARROW_SIZE);
        let mut suspect = Suspect::default();
        let mut looks = 0;
        while let Some(size) = bracket.next(0.005).filter(|_| looks < MOST_LOOKS) {
            looks += 1;
            let value = format_duration(Duration::from_secs_f64(size));
            let workers = 2.0_f64.max(f64::from(self.platform.host.usable_cores()));
            let tasks = (RUN * workers / (size + OVERHEAD)).clamp(FEWEST, MOST);
            let mut set: Vec<String> = fields.iter().map(|field| Dimension::change(field, &value)).collect();
            // Where tasks only come as fast as they are done, no engine is faster than another.
            set.push("arrivals={ mode: closed, process: batch }".to_owned());
            set.extend(self.so_many(tasks));
            let why = words_of(&bracket, |size| units::duration(Duration::from_secs_f64(size)));
            self.tries(&format!("tasks of {}", units::duration(Duration::from_secs_f64(size))), &why);
            let (mut one, mut other): (Vec<RunFigure>, Vec<RunFigure>) = Default::default();
            let mut ratio = None;
            let told = until_told(|number| {
                let workload = prepare::with_arms(&self.changed(&set)?, vec![pool.clone(), process.clone()]);
                let seen = self.session(workload, SessionCommand::Run(Mode::Interleaved))?;
                for (all, arm) in [&mut one, &mut other].into_iter().zip(&seen.view.arms) {
                    // Rounds of another session are others.
                    let later = |figure: RunFigure| RunFigure { round: figure.round + number * 1000, ..figure };
                    all.extend(Counted::from(&*arm.finished).figures().into_iter().map(later));
                }
                let (found, side) = meeting(&other, &one);
                ratio = found.ratio.zip(found.ci95);
                seen.to_its_end()?;
                Ok::<Option<Side>, Halt>(side)
            });
            let bad = one.iter().chain(&other).filter(|figure| figure.suspect).count();
            if let Ok(side) = &told {
                bracket.add(size, side.unwrap_or(Side::Unclear));
                suspect.add(size, bad);
            }
            let rate = estimate(&one.iter().map(|figure| figure.throughput).collect::<Vec<_>>());
            let figure = ratio.map(|(ratio, (low, high))| format!("pool {ratio:.2}× process ({low:.2}–{high:.2})"));
            let what = format!("tasks of {}", units::duration(Duration::from_secs_f64(size)));
            self.mark_look(TuneStep {
                what,
                why,
                runs: number(one.len() + other.len()),
                suspect: number(bad),
                rate,
                figure,
            });
            if let Err(halt) = told {
                self.until_now(halt)?;
                break;
            }
        }
        let (low, high) = bracket.ends();
        let at = |size: f64| units::duration(Duration::from_secs_f64(size));
        let words = match (low, high, self.was_ended()) {
            (None, None, true) => "until then: no size has told".to_owned(),
            (Some(low), Some(high), true) => {
                format!("until then: break-even between {} and {} a task", at(low), at(high))
            }
            (None, Some(high), true) => format!("until then: tasks of {} are worth a process each", at(high)),
            (Some(low), None, true) => format!("until then: up to {} a task the pool is faster", at(low)),
            (Some(low), Some(high), false) => format!("BREAK-EVEN between {} and {} a task", at(low), at(high)),
            (None, Some(high), false) => {
                format!("no break-even: tasks of {} and more are worth a process each", at(high))
            }
            (Some(low), None, false) => format!("no break-even up to {}: the pool is faster", at(low)),
            (None, None, false) => "no break-even found: the runs scatter too much to tell".to_owned(),
        };
        let [pool, process] = compared.each_ref().map(with_count);
        let equal = match unequal {
            true => "; their worker counts differ, which is part of the difference: --workers N gives both the same",
            false => "",
        };
        let why = format!(
            "below, {pool} is more than 5 % faster than {process} with 95 % confidence; above, it is not. All tasks had that \
             size{equal}"
        );
        let met = low.zip(high).map(|_| true).filter(|_| !self.was_ended());
        Ok(Outcome {
            words,
            why,
            met,
            suspect: suspect.of([low, high]),
            compared: compared.into(),
            place: Some(Ends { unit: "s", low, high }),
            ..Outcome::default()
        })
    }

    /// Workers of an arm as far as its entry says; `None` without a limit of them.
    fn count_of(&self, arm: &EngineSpec) -> Option<u32> {
        match arm.workers {
            Workers::Fixed(count) => Some(count.get()),
            Workers::Auto => Some(self.platform.host.usable_cores()),
            Workers::Unbounded => None,
        }
    }

    /// Marks a look, be it that it was ended before it told; not one without a run.
    fn mark_look(&mut self, step: TuneStep) {
        if step.runs > 0 {
            self.steps.push(step);
        }
    }

    /// The rate of arrivals beyond which the queue grows for as long as they come.
    pub(super) fn knee(&mut self) -> Result<Outcome, Halt> {
        let arm = self.arm()?;
        let process = match &self.workload.arrivals {
            Arrivals::Open(open) if open.process == ArrivalProcess::Constant => "constant",
            _ => "poisson",
        };
        let arrivals = |rate: f64| format!("arrivals={{ mode: open, process: {process}, rate: {rate:.6}/s }}");
        // What would be refused later is refused before anything runs: gaps that are drawn need a seed.
        if let Err(exit) = self.changed(&[arrivals(1.0)]) {
            write::say(&format!(
                "error: a knee is looked for with {process} arrivals: --set seed=1 gives a file a seed"
            ));
            return Err(exit.into());
        }
        let capacity = self.capacity(&arm)?;
        let mut suspect = Suspect::default();
        let mut bracket = Bracket::new((capacity / 20.0, capacity * 4.0), NARROW_RATE);
        // Steps of four are for places of which nothing is known: this one is near the capacity.
        let mut near = [capacity * 0.85, capacity * 1.15].into_iter();
        let mut looks = 0;
        while let Some(wanted) = near.next().or_else(|| bracket.next(capacity)).filter(|_| looks < MOST_LOOKS) {
            looks += 1;
            let tasks = (wanted * RUN * 2.0).clamp(FEWEST * 2.0, MOST);
            let at = |tuner: &mut Self, rate: f64| -> Result<(Workload, f64, f64), Halt> {
                let mut set = vec![arrivals(rate)];
                set.extend(tuner.so_many(tasks));
                let workload = prepare::with_arms(&tuner.changed(&set)?, vec![arm.clone()]);
                let stream = Stream::new(&workload);
                let Some(span) = stream.arrivals().and_then(Iterator::last).map(|last| last.as_secs_f64()) else {
                    write::say("error: knee changes the arrivals of this workload, and they are not open then");
                    return Err(ExitReason::BadInput.into());
                };
                let drawn = stream.total() as f64 / span.max(1e-9);
                Ok((workload, span, drawn))
            };
            // So many gaps that are drawn are as much too short or too long at any rate: the second time it is the one that
            // is wanted.
            let look = at(self, wanted).and_then(|(_, _, drawn)| at(self, wanted * wanted / drawn));
            let (workload, span, rate) = match look {
                Ok(look) => look,
                Err(halt) => {
                    self.until_now(halt)?;
                    break;
                }
            };
            let why = words_of(&bracket, |rate| format!("{}/s", units::rate(rate)));
            self.tries(&format!("{}/s arrive", units::rate(rate)), &why);
            let (mut longer, mut rates): (Vec<f64>, Vec<f64>) = Default::default();
            let mut bad = 0;
            let told = until_told(|_| {
                let seen = self.session(workload.clone(), SessionCommand::Run(Mode::Interleaved))?;
                for run in seen.view.arms.iter().flat_map(|arm| arm.finished.iter()) {
                    let last = run.latency.service.p95.as_secs_f64() + run.latency.startup.p95.as_secs_f64();
                    longer.push((run.wall().as_secs_f64() - span - last) / span);
                    rates.push(run.throughput_whole);
                    bad += usize::from(!run.suspect.is_empty());
                }
                seen.to_its_end()?;
                Ok::<Option<Side>, Halt>(growth(&longer))
            });
            if let Ok(side) = &told {
                bracket.add(rate, side.unwrap_or(Side::Unclear));
                suspect.add(rate, bad);
            }
            let share = estimate(&longer).map(|found| format!("{:+.1} % behind at the end", found.mean * 100.0));
            let said = match told {
                Ok(Some(Side::Below)) => "keeps up",
                Ok(Some(Side::Above)) => "grows",
                Ok(Some(Side::Unclear) | None) => "cannot be told",
                Err(_) => "not told yet",
            };
            self.mark_look(TuneStep {
                what: format!("{}/s arrive", units::rate(rate)),
                why,
                runs: number(longer.len()),
                suspect: number(bad),
                rate: estimate(&rates),
                figure: share.map(|share| format!("{said}, {share}")),
            });
            if let Err(halt) = told {
                self.until_now(halt)?;
                break;
            }
        }
        let (low, high) = bracket.ends();
        let at = |rate: f64| format!("{}/s", units::rate(rate));
        let words = match (low, high) {
            (Some(low), Some(high)) if low < high => format!("KNEE between {} and {}", at(low), at(high)),
            (Some(low), Some(high)) => format!("KNEE near {}: the runs contradict each other", at((low * high).sqrt())),
            (None, Some(high)) => {
                format!("the queue grows at {} and above; no rate was found at which it does not", at(high))
            }
            (Some(low), None) => format!("the queue keeps up at {}; no rate was found at which it does not", at(low)),
            (None, None) => "no knee found: the runs scatter too much to tell".to_owned(),
        };
        let words = match (low, high) {
            _ if !self.was_ended() => words,
            (Some(low), Some(high)) if low < high => {
                format!(
                    "until then: the queue keeps up at {} and grows at {}: the knee lies between",
                    at(low),
                    at(high)
                )
            }
            (Some(_), Some(_)) => format!("until then: {words}"),
            (None, Some(high)) => format!("until then: the queue grows at {}; no lower rate has told", at(high)),
            (Some(low), None) => format!("until then: the queue keeps up at {}; no higher rate has told", at(low)),
            (None, None) => format!("until then: no rate has told; as a batch it did {}", at(capacity)),
        };
        let name = clean::line(&arm.name).into_owned();
        let why = format!(
            "beyond, {name} is still behind when the last task has arrived, by more than 2 % of the time; as a batch it did {}/s",
            units::rate(capacity)
        );
        // Runs that contradict each other have found none.
        let met = low.zip(high).filter(|(low, high)| low < high && !self.was_ended()).map(|_| true);
        Ok(Outcome {
            words,
            why,
            met,
            suspect: suspect.of([low, high]),
            engine: Some(arm.name.clone()),
            place: Some(Ends { unit: "1/s", low, high }),
            ..Outcome::default()
        })
    }

    /// The rate of the arm where all tasks are there at once.
    fn capacity(&mut self, arm: &EngineSpec) -> Result<f64, Halt> {
        let mut set = vec!["arrivals={ mode: closed, process: batch }".to_owned()];
        let most = Stream::new(&self.workload).total() as f64;
        set.extend(self.so_many(most.clamp(FEWEST, 400.0)));
        let workload = prepare::with_arms(&self.changed(&set)?, vec![arm.clone()]);
        self.tries("a batch", "all tasks at once");
        let seen = self.session(workload, SessionCommand::Run(Mode::Interleaved))?;
        let runs = || seen.view.arms.iter().flat_map(|arm| arm.finished.iter());
        let rates: Vec<f64> = runs().map(|run| run.throughput_whole).collect();
        let bad = number(runs().filter(|run| !run.suspect.is_empty()).count());
        let rate = estimate(&rates);
        let why = "all tasks at once".to_owned();
        let what = "a batch".to_owned();
        self.mark_look(TuneStep { what, why, runs: number(rates.len()), suspect: bad, rate, figure: None });
        seen.to_its_end()?;
        match rate.map(|rate| rate.mean).filter(|mean| *mean > 0.0) {
            Some(mean) => Ok(mean),
            None => {
                let file = clean::line(&self.arguments.file);
                self.ending =
                    Ending::Broken(format!("{file}: not one task succeeded as a batch, and no rate is known"));
                Err(ExitReason::Aborted.into())
            }
        }
    }

    /// The file's entry of a kind, or one with the defaults of that kind.
    fn of_kind(&self, kind: EngineKind, is: impl Fn(EngineKind) -> bool) -> Result<EngineSpec, Halt> {
        let own = self.workload.engines.iter().find(|engine| is(engine.kind));
        match own {
            Some(own) => Ok(own.clone()),
            None => {
                let arm = prepare::arm(&self.workload, kind.word())?;
                // A kind that the file has no entry of takes what all of its entries were given.
                let asked = self.arguments.changes.workers.as_ref().and_then(WorkerCounts::single);
                let asked = asked.and_then(NonZeroU32::new).map(Workers::Fixed);
                Ok(EngineSpec { workers: asked.unwrap_or(arm.workers), ..arm })
            }
        }
    }

    /// What `--set` is given so that there are about so many tasks, in the proportions of the file.
    fn so_many(&self, tasks: f64) -> Vec<String> {
        let Workload { total, classes, .. } = &*self.workload;
        let counts: Vec<Option<NonZeroU64>> = classes
            .iter()
            .map(|class| match class.share {
                crate::workload::model::Share::Count(count) => Some(count),
                crate::workload::model::Share::Weight(_) => None,
            })
            .collect();
        match total {
            Total::PerClass => {
                let all: f64 = counts.iter().flatten().map(|count| count.get() as f64).sum();
                let share = |count: &NonZeroU64| (count.get() as f64 / all * tasks).round().max(1.0);
                let said = counts
                    .iter()
                    .enumerate()
                    .filter_map(|(place, count)| Some(format!("tasks.{place}.count={:.0}", share(count.as_ref()?))));
                said.collect()
            }
            Total::Weighted(_) | Total::ByDuration => vec![format!("total={tasks:.0}")],
        }
    }
}

/// Why a value is tried, from what was known before.
fn words_of(bracket: &Bracket, at: impl Fn(f64) -> String) -> String {
    match bracket.ends() {
        (None, None) => "where it begins".to_owned(),
        (Some(low), None) => format!("more than {}", at(low)),
        (None, Some(high)) => format!("less than {}", at(high)),
        (Some(low), Some(high)) => format!("between {} and {}", at(low), at(high)),
    }
}

/// Whether the runs that a place rests on are suspect: how many there were at each value that was looked at.
#[derive(Default)]
struct Suspect(Vec<(f64, usize)>);

impl Suspect {
    fn add(&mut self, value: f64, runs: usize) {
        self.0.push((value, runs));
    }

    /// Of the looks that have told its ends.
    fn of(&self, ends: [Option<f64>; 2]) -> bool {
        let rests_on = |value: f64| ends.into_iter().flatten().any(|end| end.to_bits() == value.to_bits());
        self.0.iter().any(|(value, runs)| *runs > 0 && rests_on(*value))
    }
}

fn number(runs: usize) -> u32 {
    u32::try_from(runs).unwrap_or(u32::MAX)
}

/// `pool ×2`, or what it is without a limit.
fn with_count((name, workers): &(String, Option<u32>)) -> String {
    let name = clean::line(name);
    workers.map_or_else(|| format!("{name} with no limit of workers"), |workers| format!("{name} ×{workers}"))
}
