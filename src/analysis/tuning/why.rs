//! Why a worker count is as fast as it is, in one sentence with its figures.

use super::{Advice, Bounds, Point};

/// Share of the usable cores beyond which they are the limit.
const BUSY: f64 = 0.9;
/// Share of the usable cores below which they idle.
const IDLE: f64 = 0.5;
/// Share of worker time that start-up may take, and that work should have.
const STARTUP: f64 = 0.5;
const WORKING: f64 = 0.8;

/// The sentence; empty while nothing is known.
pub(super) fn sentence(points: &[Point], advice: Advice, next: Option<u32>, bounds: Bounds) -> String {
    let about = advice.workers().and_then(|workers| points.iter().find(|point| point.workers == workers));
    let Some(point) = about else { return String::new() };
    match advice {
        Advice::Nothing => String::new(),
        Advice::Unclear { .. } => unclear(point),
        Advice::Use { workers, .. } => {
            let higher = points.iter().rev().find(|point| point.workers > workers).map(|point| point.workers);
            settled(point, higher, bounds)
        }
        Advice::Rising { .. } => match next.filter(|next| *next > point.workers) {
            Some(next) => rising(point, next, bounds),
            None => settled(point, None, bounds),
        },
    }
}

fn unclear(point: &Point) -> String {
    let workers = workers(point.workers);
    match (point.rate.and_then(|rate| rate.ci95), point.mean()) {
        (Some((low, high)), Some(mean)) => {
            format!("the runs of {workers} differ by ±{:.0} %: measure it again", (high - low) / 2.0 / mean * 100.0)
        }
        _ => format!("{workers} had one run, which has no interval: measure it again"),
    }
}

/// A higher count was not tried yet.
fn rising(point: &Point, next: u32, bounds: Bounds) -> String {
    if let Some(limit) = hard_limit(point, bounds) {
        return format!("{limit}; {next} would tell");
    }
    let (work, ..) = point.worker_time.shares();
    if work <= WORKING {
        return format!("{}; {next} would tell", working(point));
    }
    let room = if point.cores_used < IDLE * f64::from(bounds.cores) { "are idle" } else { "have room" };
    let waits = 1.0 - (point.cpu.as_secs_f64() / point.worker_time.work.as_secs_f64().max(1e-9)).clamp(0.0, 1.0);
    let (waits, busy) = (percent(waits), busy(point, bounds));
    format!("tasks wait {waits} of their time and the cores {room} ({busy} busy): more workers pay. Try {next}")
}

/// Higher counts did not pay, or there can be none.
fn settled(point: &Point, higher: Option<u32>, bounds: Bounds) -> String {
    if let Some(limit) = hard_limit(point, bounds) {
        return limit;
    }
    let (work, ..) = point.worker_time.shares();
    match higher {
        Some(higher) if work > WORKING => format!(
            "{} gain nothing although the cores have room ({} busy): a disk, a lock or a server is the limit",
            workers(higher),
            busy(point, bounds)
        ),
        _ if work > WORKING => format!("{} are as many as there can be", workers(point.workers)),
        _ => working(point),
    }
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
    let keeps_up = bounds.open_arrivals && idle > 1.0 - BUSY;
    keeps_up
        .then(|| format!("{} keep up with the arrivals: idle {} of their time", workers(point.workers), percent(idle)))
}

fn working(point: &Point) -> String {
    let (work, startup, idle) = point.worker_time.shares();
    let shares = (percent(work), percent(startup), percent(idle));
    format!("{} work {} of their time ({} start-up, {} idle)", workers(point.workers), shares.0, shares.1, shares.2)
}

fn busy(point: &Point, bounds: Bounds) -> String {
    format!("{:.1} of {}", point.cores_used, bounds.cores)
}

fn workers(count: u32) -> String {
    format!("{count} worker{}", if count == 1 { "" } else { "s" })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
