//! On which side of a change a value lies, as far as runs tell: of the size of a task at which a pool is no faster than a
//! process for each, and of the rate of arrivals beyond which a queue grows. And whether a setting makes an arm faster.
//!
//! Runs are made until they tell, so what they say is looked at after every session of them: the intervals are the
//! always-valid ones. A search looks at several values, and each is wrong on one side only, with half of that chance.

use crate::analysis::bracket::Side;
use crate::analysis::inference::{Looks, infer};
use crate::analysis::verdict::{Comparison, Finding, RunFigure, compare_looking};

/// Pool and process meet where the pool is faster by no more than this factor: it never is by nothing.
const MEET: f64 = 1.05;
/// A queue grows where its run takes longer than its arrivals by more than this share of them.
const GROWS: f64 = 0.02;
/// Sessions in which one value is looked at until it tells.
const SESSIONS: u32 = 4;
/// Places that are looked at before the ends that were found are told as they are.
pub(crate) const MOST_LOOKS: u32 = 40;

/// Looks at something until it tells; `session` makes the runs of one more session, of that number, and says what all of them
/// show together, if anything. `None` where none of the sessions told.
///
/// # Errors
/// Those of a session.
pub(crate) fn until_told<T, E>(mut session: impl FnMut(u32) -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    for number in 0..SESSIONS {
        if let Some(told) = session(number)? {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// Whether tasks are smaller than those at which pool and process meet, by the pool's rate over that of the process.
#[must_use]
pub(crate) fn meeting(process: &[RunFigure], pool: &[RunFigure]) -> (Comparison, Option<Side>) {
    let found = compare_looking(process, pool, Looks::AfterEach);
    let side = match found.ci95 {
        Some((low, _)) if low > MEET => Some(Side::Below),
        Some((_, high)) if high < MEET => Some(Side::Above),
        _ => None,
    };
    (found, side)
}

/// Whether a queue grows, by how far each run was behind when the last of its tasks had arrived, as a share of the time of
/// their arrivals.
#[must_use]
pub(crate) fn growth(behind: &[f64]) -> Option<Side> {
    match infer(behind, Looks::AfterEach).and_then(|found| found.ci95) {
        Some((low, _)) if low > GROWS => Some(Side::Above),
        Some((_, high)) if high < GROWS => Some(Side::Below),
        _ => None,
    }
}

/// Whether an arm is faster than what is there, or slower; the runs must not be those that it was chosen by.
#[must_use]
pub(crate) fn faster(as_is: &[RunFigure], other: &[RunFigure]) -> Option<bool> {
    match compare_looking(as_is, other, Looks::AfterEach).finding {
        Finding::Faster => Some(true),
        Finding::Slower => Some(false),
        Finding::NoClearDifference | Finding::TooEarly => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::analysis::bracket::Bracket;
    use crate::analysis::simulated::{Trials, most_by_chance};
    use crate::analysis::verdict::compare;

    /// Runs of a session.
    const RUNS: u32 = 3;

    fn told<T>(session: impl FnMut(u32) -> Result<Option<T>, Infallible>) -> Option<T> {
        until_told(session).unwrap_or_else(|never| match never {})
    }

    /// Three runs of arms that are so much faster than others, in the rounds of a session.
    fn session(trials: &mut Trials, number: u32, faster: &[f64], all: &mut [Vec<RunFigure>]) {
        for run in 0..RUNS {
            let machine = trials.normal(0.1);
            for (figures, factor) in all.iter_mut().zip(faster) {
                let throughput = 100.0 * factor * (machine + trials.normal(0.02)).exp();
                figures.push(RunFigure { throughput, complete: true, round: number * 1000 + run, suspect: false });
            }
        }
    }

    /// Looks at tasks of which a process costs so much more than a pool, with runs that scatter by 2 %.
    fn look_at(trials: &mut Trials, cost: f64) -> Option<Side> {
        let mut arms = [Vec::new(), Vec::new()];
        told(|number| {
            session(trials, number, &[1.0, 1.0 + cost], &mut arms);
            Ok(meeting(&arms[0], &arms[1]).1)
        })
    }

    #[test]
    fn at_the_change_itself_a_side_is_told_in_five_of_a_hundred_looks_at_most() {
        const TRIALS: u32 = 500;
        let mut trials = Trials::new(61);
        let meet = (0..TRIALS).filter(|_| look_at(&mut trials, MEET - 1.0).is_some()).count() as u32;
        let mut queue = |mean: f64| {
            let mut behind = Vec::new();
            told(|_| {
                behind.extend((0..RUNS).map(|_| mean + trials.normal(0.02)));
                Ok(growth(&behind))
            })
        };
        let grows = (0..TRIALS).filter(|_| queue(GROWS).is_some()).count() as u32;
        println!("seed 61: {meet} and {grows} of {TRIALS} told");
        let most = most_by_chance(TRIALS, 0.05);
        assert!(meet <= most && grows <= most, "{meet} and {grows} of {TRIALS}, at most {most}, seed 61");
        let found = (0..TRIALS).filter(|_| queue(GROWS + 0.1) == Some(Side::Above)).count() as u32;
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} queues that grow by 10 % are seen, seed 61");
        let found = (0..TRIALS).filter(|_| look_at(&mut trials, 0.2) == Some(Side::Below)).count() as u32;
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} pools that are faster by 20 % are seen, seed 61");
    }

    #[test]
    fn a_search_is_wrong_about_the_place_in_five_of_a_hundred_at_most_and_finds_it_in_the_others() {
        const TRIALS: u32 = 200;
        let mut trials = Trials::new(62);
        let (mut wrong, mut found, mut looks) = (0, 0, 0);
        for _ in 0..TRIALS {
            let change = 10_f64.powf(trials.between(-3.5, -1.0));
            let mut bracket = Bracket::new((20e-6, 10.0), 1.3);
            for _ in 0..MOST_LOOKS {
                let Some(size) = bracket.next(0.005) else { break };
                looks += 1;
                let side = look_at(&mut trials, (MEET - 1.0) * change / size);
                bracket.add(size, side.unwrap_or(Side::Unclear));
            }
            let (low, high) = bracket.ends();
            wrong += u32::from(low.is_some_and(|low| low > change) || high.is_some_and(|high| high < change));
            found += u32::from(low.is_some() && high.is_some());
        }
        println!("seed 62: {wrong} of {TRIALS} wrong, {found} found, {looks} looks");
        assert!(wrong <= most_by_chance(TRIALS, 0.05), "{wrong} of {TRIALS} are wrong, seed 62");
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} are found, seed 62");
    }

    #[test]
    fn the_best_of_several_settings_is_found_faster_in_five_of_a_hundred_at_most_where_none_is() {
        const TRIALS: u32 = 2000;
        let mut trials = Trials::new(64);
        // The first is as it is; the best of the others by their means is told from it in runs of its own.
        let mut chosen = |settings: &[f64]| {
            let mut arms = vec![Vec::new(); settings.len()];
            session(&mut trials, 0, settings, &mut arms);
            let mean = |figures: &[RunFigure]| figures.iter().map(|one| one.throughput).sum::<f64>();
            let best = (1..arms.len()).max_by(|one, other| mean(&arms[*one]).total_cmp(&mean(&arms[*other])));
            let best = best.expect("some");
            let by_chance = compare(&arms[0], &arms[best]).finding == Finding::Faster;
            let mut own = [Vec::new(), Vec::new()];
            let found = told(|number| {
                session(&mut trials, number, &[settings[0], settings[best]], &mut own);
                Ok(faster(&own[0], &own[1]))
            });
            (found == Some(true), by_chance)
        };
        let null: Vec<(bool, bool)> = (0..TRIALS).map(|_| chosen(&[1.0; 7])).collect();
        let wrong = null.iter().filter(|(found, _)| *found).count() as u32;
        let before = null.iter().filter(|(_, by_chance)| *by_chance).count() as u32;
        let found = (0..TRIALS).filter(|_| chosen(&[1.0, 0.9, 1.0, 1.2, 1.0, 0.5, 1.0]).0).count() as u32;
        println!("seed 64: {wrong} of {TRIALS}, by the runs that chose {before}; {found} found");
        let most = most_by_chance(TRIALS, 0.05);
        assert!(wrong <= most, "{wrong} of {TRIALS}, at most {most}, seed 64");
        assert!(before > most, "the simulation must show what is to be avoided: {before} of {TRIALS}, seed 64");
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} that are faster by 20 %, seed 64");
    }
}
