//! On which side of a change a value lies, as far as runs tell: of the size of a task at which a pool is no faster than a
//! process for each, and of the rate of arrivals beyond which a queue grows.
//!
//! Runs are made until they tell, so what they say is looked at after every session of them: the intervals are the
//! always-valid ones. A search looks at several values, and each is wrong on one side only, with half of that chance.

use crate::analysis::bracket::Side;
use crate::analysis::inference::{Looks, infer};
use crate::analysis::verdict::{Comparison, RunFigure, compare_looking};

/// Pool and process meet where the pool is faster by no more than this factor: it never is by nothing.
const MEET: f64 = 1.05;
/// A queue grows where its run takes longer than its arrivals by more than this share of them.
const GROWS: f64 = 0.02;
/// Sessions in which one value is looked at until it tells.
const SESSIONS: u32 = 4;
/// Places that are looked at before the ends that were found are told as they are.
pub(crate) const MOST_LOOKS: u32 = 40;

/// Looks at one value until it tells; `session` makes the runs of one more session, of that number, and says what all of
/// them show together.
///
/// # Errors
/// Those of a session.
pub(crate) fn until_told<E>(mut session: impl FnMut(u32) -> Result<Side, E>) -> Result<Side, E> {
    for number in 0..SESSIONS {
        let side = session(number)?;
        if side != Side::Unclear {
            return Ok(side);
        }
    }
    Ok(Side::Unclear)
}

/// Whether tasks are smaller than those at which pool and process meet, by the pool's rate over that of the process.
#[must_use]
pub(crate) fn meeting(process: &[RunFigure], pool: &[RunFigure]) -> (Comparison, Side) {
    let found = compare_looking(process, pool, Looks::AfterEach);
    let side = match found.ci95 {
        Some((low, _)) if low > MEET => Side::Below,
        Some((_, high)) if high < MEET => Side::Above,
        _ => Side::Unclear,
    };
    (found, side)
}

/// Whether a queue grows, by how far each run was behind when the last of its tasks had arrived, as a share of the time of
/// their arrivals.
#[must_use]
pub(crate) fn growth(behind: &[f64]) -> Side {
    match infer(behind, Looks::AfterEach).and_then(|found| found.ci95) {
        Some((low, _)) if low > GROWS => Side::Above,
        Some((_, high)) if high < GROWS => Side::Below,
        _ => Side::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::analysis::bracket::Bracket;
    use crate::analysis::simulated::{Trials, most_by_chance};

    /// Runs of a session.
    const RUNS: u32 = 3;

    fn told(session: impl FnMut(u32) -> Result<Side, Infallible>) -> Side {
        until_told(session).unwrap_or_else(|never| match never {})
    }

    /// Looks at tasks of which a process costs so much more than a pool, with runs that scatter by 2 %.
    fn look_at(trials: &mut Trials, cost: f64) -> Side {
        let (mut process, mut pool): (Vec<RunFigure>, Vec<RunFigure>) = Default::default();
        told(|number| {
            for run in 0..RUNS {
                let machine = trials.normal(0.1);
                let mut figure = |rate: f64| {
                    let throughput = rate * (machine + trials.normal(0.02)).exp();
                    RunFigure { throughput, complete: true, round: number * 1000 + run, suspect: false }
                };
                process.push(figure(100.0));
                pool.push(figure(100.0 * (1.0 + cost)));
            }
            Ok(meeting(&process, &pool).1)
        })
    }

    #[test]
    fn at_the_change_itself_a_side_is_told_in_five_of_a_hundred_looks_at_most() {
        const TRIALS: u32 = 500;
        let mut trials = Trials::new(61);
        let meet = (0..TRIALS).filter(|_| look_at(&mut trials, MEET - 1.0) != Side::Unclear).count() as u32;
        let mut queue = |mean: f64| {
            let mut behind = Vec::new();
            told(|_| {
                behind.extend((0..RUNS).map(|_| mean + trials.normal(0.02)));
                Ok(growth(&behind))
            })
        };
        let grows = (0..TRIALS).filter(|_| queue(GROWS) != Side::Unclear).count() as u32;
        println!("seed 61: {meet} and {grows} of {TRIALS} told");
        let most = most_by_chance(TRIALS, 0.05);
        assert!(meet <= most && grows <= most, "{meet} and {grows} of {TRIALS}, at most {most}, seed 61");
        let found = (0..TRIALS).filter(|_| queue(GROWS + 0.1) == Side::Above).count() as u32;
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} queues that grow by 10 % are seen, seed 61");
        let found = (0..TRIALS).filter(|_| look_at(&mut trials, 0.2) == Side::Below).count() as u32;
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
                bracket.add(size, look_at(&mut trials, (MEET - 1.0) * change / size));
            }
            let (low, high) = bracket.ends();
            wrong += u32::from(low.is_some_and(|low| low > change) || high.is_some_and(|high| high < change));
            found += u32::from(low.is_some() && high.is_some());
        }
        println!("seed 62: {wrong} of {TRIALS} wrong, {found} found, {looks} looks");
        assert!(wrong <= most_by_chance(TRIALS, 0.05), "{wrong} of {TRIALS} are wrong, seed 62");
        assert!(found > TRIALS * 95 / 100, "{found} of {TRIALS} are found, seed 62");
    }
}
