//! Why a worker count is as fast as it is, in one sentence with its figures.

use super::{Advice, BUSY, Bounds, Point};
use crate::analysis::shares::{Shares, percent};

/// Share of the usable cores below which they idle.
const IDLE: f64 = 0.5;
/// Share of worker time that start-up may take, and that work should have.
const STARTUP: f64 = 0.5;
const WORKING: f64 = 0.8;
/// Tasks for each worker below which the end of a run, when some have nothing left to do, is much of it.
const FEW_TASKS: f64 = 8.0;
/// Runs of a count from which on their number is not what is missing.
const ENOUGH: u32 = 10;
/// A smaller gain than this share is none.
const NOTHING: f64 = 0.015;
/// A latency that is so many times that of another count is worth a word.
const MUCH_LATER: f64 = 2.0;

/// The sentence; empty while nothing is known.
pub(super) fn sentence(points: &[Point], advice: Advice, next: Option<u32>, bounds: Bounds) -> String {
    let about = advice.workers().and_then(|workers| points.iter().find(|point| point.workers == workers));
    let Some(point) = about else { return String::new() };
    let higher = || points.iter().filter(|other| other.workers > point.workers && other.rate.is_some());
    match (advice, next) {
        (Advice::Nothing, _) => String::new(),
        (Advice::Unclear { .. }, _) => unclear(point),
        (Advice::Rising { .. }, Some(next)) if higher().next().is_none() => rising(point, next, bounds),
        (Advice::Rising { .. }, Some(next)) => {
            let most = higher().next_back().map_or(0, |point| point.workers);
            format!("{}; {most} is too close to it to tell, {next} would", state(point, bounds))
        }
        (Advice::Rising { .. }, None) | (Advice::Use { .. }, _) => {
            let mut sentence = settled(point, &higher().collect::<Vec<_>>(), bounds);
            sentence.push_str(&latency(point, higher(), bounds));
            sentence
        }
    }
}

fn unclear(point: &Point) -> String {
    let (workers, runs) = (workers(point.workers), point.runs());
    let Some(share) = point.precision() else {
        return format!("{workers} had one run, which has no interval: measure it again, or with --repeats 3");
    };
    let disturbed = match point.suspect.first() {
        Some(reason) => format!(" ({} of them suspect: {reason})", point.suspect.len()),
        None => String::new(),
    };
    let share = share * 100.0;
    // More of the same helps little where there were many.
    let then = if runs < ENOUGH {
        "measure it again"
    } else {
        "longer runs, or an idle machine, would tell more than more of them"
    };
    format!("the {runs} runs of {workers} tell its rate to ±{share:.0} % only{disturbed}: {then}")
}

/// A higher count was not tried yet.
fn rising(point: &Point, next: u32, bounds: Bounds) -> String {
    let (work, ..) = point.worker_time.shares();
    if hard_limit(point, bounds).is_some() || work <= WORKING {
        return format!("{}; {next} would tell", state(point, bounds));
    }
    let room = if point.cores_used < IDLE * f64::from(bounds.cores) { "are idle" } else { "have room" };
    let waits = 1.0 - (point.cpu.as_secs_f64() / point.worker_time.work.as_secs_f64().max(1e-9)).clamp(0.0, 1.0);
    let (waits, busy) = (percent(waits), busy(point, bounds));
    format!("tasks wait {waits} of their time and the cores {room} ({busy} busy): more workers pay. Try {next}")
}

/// Higher counts did not pay, or there can be none.
fn settled(point: &Point, higher: &[&Point], bounds: Bounds) -> String {
    if let Some(limit) = hard_limit(point, bounds) {
        return limit;
    }
    let (work, _, idle) = point.worker_time.shares();
    let each = point.tasks as f64 / f64::from(point.workers);
    if idle > 1.0 - BUSY && each < FEW_TASKS {
        let few = if each < 1.5 { "a single task".to_owned() } else { format!("only {each:.0} tasks") };
        return format!("{few} for each of {}: some idle while others still work", workers(point.workers));
    }
    if let [failed] = higher
        && failed.all_failed.is_some()
    {
        return format!("with {} not one task succeeds", workers(failed.workers));
    }
    let Some(gain) = gain(point, higher) else {
        return match higher {
            [] if work > WORKING => format!("{} as many as there can be", is(point.workers)),
            _ => working(point),
        };
    };
    if idle > STARTUP && !bounds.open_arrivals {
        return format!("{}: handing out the tasks is the limit, and {gain}", working(point));
    }
    if work > WORKING {
        let busy = busy(point, bounds);
        return format!(
            "{gain} although the cores have room ({busy} busy): tasks wait for each other or for the same thing"
        );
    }
    format!("{gain}: {}", working(point))
}

/// What the higher counts gain; `None` where nothing is known of any.
fn gain(point: &Point, higher: &[&Point]) -> Option<String> {
    let best = higher.iter().filter_map(|other| other.mean()).reduce(f64::max)?;
    let gain = best / point.mean()? - 1.0;
    let who = match higher {
        [one] => one.workers.to_string(),
        _ => "more".to_owned(),
    };
    Some(match gain {
        gain if gain < -NOTHING => {
            let or_more = if higher.len() > 1 { " or more" } else { "" };
            format!("{who} workers are slower by {}{or_more}", percent(-gain))
        }
        gain if gain < NOTHING => format!("{who} workers gain nothing"),
        gain => format!("{who} workers gain no more than {}", percent(gain)),
    })
}

/// With open arrivals a count that barely keeps up lets tasks queue for long.
fn latency<'a>(point: &Point, mut higher: impl Iterator<Item = &'a Point>, bounds: Bounds) -> String {
    let Some(own) = point.sojourn_p95.filter(|_| bounds.open_arrivals) else { return String::new() };
    let times = |other: &Point| Some(own.as_secs_f64() / other.sojourn_p95?.as_secs_f64().max(1e-9));
    let found = higher.find_map(|other| Some((other.workers, times(other).filter(|times| *times >= MUCH_LATER)?)));
    found.map_or_else(String::new, |(workers, times)| format!("; its p95 is {times:.1} times that with {workers}"))
}

/// What no count can overcome.
fn hard_limit(point: &Point, bounds: Bounds) -> Option<String> {
    let saturated = point.cores_used >= BUSY * f64::from(bounds.cores);
    let (_, startup, idle) = point.worker_time.shares();
    if let Some(reason) = point.suspect.iter().find(|reason| reason.contains("quota")) {
        return Some(format!("throttled: {reason}"));
    }
    if startup > STARTUP {
        let more = if saturated { ", and the cores are busy with it" } else { "" };
        return Some(format!("start-up bound: {} of worker time is start-up{more}", percent(startup)));
    }
    if saturated {
        return Some(format!("the cores are busy ({}): more workers only share them", busy(point, bounds)));
    }
    if let Some(limit) = overhead(&Shares::of(&point.worker_time)) {
        return Some(limit);
    }
    if point.no_core_is_free(bounds) {
        let (used, others) = (busy(point, bounds), point.others.unwrap_or(0.0));
        return Some(format!("no core is free: {used} busy with these tasks, {others:.1} with other programs"));
    }
    let keep = if point.workers == 1 { "keeps" } else { "keep" };
    let keeps_up = bounds.open_arrivals && idle > 1.0 - BUSY;
    keeps_up.then(|| {
        let workers = workers(point.workers);
        format!("{workers} {keep} up with the arrivals: idle {} of the time", percent(idle))
    })
}

/// What else than start-up, work and waiting takes most of the time of workers.
fn overhead(shares: &Shares) -> Option<String> {
    let parts = [
        (shares.dispatch, "dispatch bound", "passes between handing a task out and its first instruction"),
        (shares.initializing, "initializers", "is theirs: fewer workers, or tasks for longer, pay for them"),
        (shares.ghosts, "ghosts", "goes into tasks whose callers had given up"),
        (shares.bytes, "bytes", "goes into those of tasks and results"),
    ];
    let (share, name, words) = parts.into_iter().find(|(share, ..)| *share > STARTUP)?;
    Some(format!("{name}: {} of worker time {words}", percent(share)))
}

/// What is known of a count by itself.
fn state(point: &Point, bounds: Bounds) -> String {
    hard_limit(point, bounds).unwrap_or_else(|| working(point))
}

fn working(point: &Point) -> String {
    let shares = Shares::of(&point.worker_time);
    let verb = if point.workers == 1 { "works" } else { "work" };
    let (workers, work) = (workers(point.workers), percent(shares.work));
    format!("{workers} {verb} {work} of the time ({})", shares.beside_work())
}

fn busy(point: &Point, bounds: Bounds) -> String {
    format!("{:.1} of {}", point.cores_used, bounds.cores)
}

fn is(count: u32) -> String {
    format!("{} {}", workers(count), if count == 1 { "is" } else { "are" })
}

fn workers(count: u32) -> String {
    format!("{count} worker{}", if count == 1 { "" } else { "s" })
}
