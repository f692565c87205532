//! Proof by simulation: how often verdicts and intervals are right where the truth is known.

use super::*;
use crate::analysis::simulated::{self, Trials, by_chance, most_by_chance};

const TRIALS: u32 = 1000;

/// The runs of arms that are so much faster than others.
fn in_rounds(trials: &mut Trials, count: u32, faster: &[f64]) -> Vec<Vec<RunFigure>> {
    let figure = |(throughput, round)| RunFigure { throughput, complete: true, round, suspect: false };
    let arms = simulated::in_rounds(trials, count, faster);
    arms.into_iter().map(|rates| rates.into_iter().zip(1..).map(figure).collect()).collect()
}

fn differs(finding: Finding) -> bool {
    matches!(finding, Finding::Faster | Finding::Slower)
}

/// The findings of arms against the first one, as [`verdicts`] corrects them.
fn findings(arms: &[Vec<RunFigure>], looks: Looks) -> Vec<Finding> {
    let found: Vec<Comparison> = arms.iter().skip(1).map(|arm| super::compare_looking(&arms[0], arm, looks)).collect();
    let p = P::corrected(&found.iter().map(|found| found.p).collect::<Vec<_>>());
    found.iter().zip(p).map(|(found, p)| found.finding.corrected(p)).collect()
}

/// What is found after each round of a comparison of so many.
fn after_each(arms: &[Vec<RunFigure>], looks: Looks) -> impl Iterator<Item = Vec<Finding>> {
    let rounds = arms[0].len();
    (1..=rounds).map(move |made| {
        let so_far: Vec<Vec<RunFigure>> = arms.iter().map(|figures| figures[..made].to_vec()).collect();
        findings(&so_far, looks)
    })
}

#[test]
fn a_against_a_differs_in_five_of_a_hundred_comparisons() {
    let (least, most) = by_chance(TRIALS, ALPHA);
    for (rounds, seed) in [(2, 11), (3, 12), (5, 13), (10, 14), (30, 15)] {
        let mut trials = Trials::new(seed);
        let one = |trials: &mut Trials| findings(&in_rounds(trials, rounds, &[1.0, 1.0]), Looks::Once(rounds));
        let wrong = (0..TRIALS).filter(|_| differs(one(&mut trials)[0])).count() as u32;
        println!("{rounds} rounds, seed {seed}: {wrong} of {TRIALS} differ ({least} to {most} by chance)");
        assert!((least..=most).contains(&wrong), "{wrong} of {TRIALS} after {rounds} rounds, seed {seed}");
    }
}

#[test]
fn looking_after_every_round_makes_no_difference_out_of_nothing() {
    let mut trials = Trials::new(21);
    let (mut always, mut naive) = (0, 0);
    for _ in 0..TRIALS {
        let arms = in_rounds(&mut trials, 30, &[1.0, 1.0]);
        always += u32::from(after_each(&arms, Looks::AfterEach).any(|found| differs(found[0])));
        naive += u32::from(after_each(&arms, Looks::Once(30)).any(|found| differs(found[0])));
    }
    println!("seed 21: {always} of {TRIALS} differ at any of 30 looks; with Student's interval {naive}");
    assert!(always <= most_by_chance(TRIALS, ALPHA), "{always} of {TRIALS} at any look, seed 21");
    assert!(naive > TRIALS / 5, "the simulation must show what is to be avoided: {naive} of {TRIALS}, seed 21");
}

#[test]
fn the_live_verdict_and_the_final_one_together_stay_near_five_of_a_hundred() {
    let mut trials = Trials::new(22);
    let mut wrong = 0;
    for _ in 0..TRIALS {
        let arms = in_rounds(&mut trials, 5, &[1.0, 1.0]);
        let live = after_each(&arms, Looks::AfterEach).any(|found| differs(found[0]));
        wrong += u32::from(live || differs(findings(&arms, Looks::Once(5))[0]));
    }
    println!("seed 22: {wrong} of {TRIALS} differ while they run or at their end");
    assert!(wrong <= most_by_chance(TRIALS, ALPHA), "{wrong} of {TRIALS}, seed 22");
}

#[test]
fn several_equal_arms_are_as_rarely_found_to_differ_as_two() {
    for (looks, seed) in [(Looks::Once(6), 31), (Looks::AfterEach, 32)] {
        let mut trials = Trials::new(seed);
        let (mut wrong, mut alone) = (0, 0);
        for _ in 0..TRIALS {
            let arms = in_rounds(&mut trials, 6, &[1.0; 6]);
            wrong += u32::from(findings(&arms, looks).into_iter().any(differs));
            let singly = arms.iter().skip(1).any(|arm| differs(super::compare_looking(&arms[0], arm, looks).finding));
            alone += u32::from(singly);
        }
        println!("seed {seed}: {wrong} of {TRIALS} with any difference among six arms, uncorrected {alone}");
        assert!(wrong <= most_by_chance(TRIALS, ALPHA), "{wrong} of {TRIALS}, seed {seed}");
        if looks != Looks::AfterEach {
            assert!(alone > TRIALS / 10, "{alone} of {TRIALS} uncorrected, seed {seed}");
        }
    }
}

#[test]
fn planted_ratios_lie_in_the_final_interval_as_often_as_it_says() {
    for (planted, rounds, seed) in
        [(1.0, 2, 41), (1.02, 3, 42), (1.3, 5, 43), (0.33, 5, 44), (3.1, 10, 45), (0.98, 20, 46)]
    {
        let mut trials = Trials::new(seed);
        let mut held = 0;
        for _ in 0..TRIALS {
            let arms = in_rounds(&mut trials, rounds, &[1.0, planted]);
            let (low, high) =
                super::compare_looking(&arms[0], &arms[1], Looks::Once(rounds)).ci95.expect("an interval");
            held += u32::from(low <= planted && planted <= high);
        }
        println!("ratio {planted} after {rounds} rounds, seed {seed}: {held} of {TRIALS} intervals hold it");
        assert!((930..=970).contains(&held), "{held} of {TRIALS}: {planted} after {rounds} rounds, seed {seed}");
    }
}

#[test]
fn planted_ratios_lie_in_the_always_valid_interval_at_every_look() {
    for (planted, seed) in [(1.0, 71), (1.05, 72), (0.4, 73)] {
        let mut trials = Trials::new(seed);
        let (mut held, mut at_stop) = (0, 0);
        for _ in 0..TRIALS {
            let arms = in_rounds(&mut trials, 40, &[1.0, planted]);
            let interval =
                |made: usize| super::compare_looking(&arms[0][..made], &arms[1][..made], Looks::AfterEach).ci95;
            let holds = |(low, high): (f64, f64)| low <= planted && planted <= high;
            let intervals: Vec<Option<(f64, f64)>> = (1..=40).map(interval).collect();
            held += u32::from(intervals.iter().flatten().all(|ci95| holds(*ci95)));
            // Somebody stops as soon as it is narrow enough, or as soon as it shows a difference.
            let enough = |(low, high): &(f64, f64)| high / low < 1.08 || *low > 1.0 || *high < 1.0;
            let stop =
                intervals.iter().flatten().find(|ci95| enough(ci95)).or(intervals.last().and_then(Option::as_ref));
            at_stop += u32::from(stop.is_some_and(|ci95| holds(*ci95)));
        }
        println!(
            "ratio {planted}, seed {seed}: held at all of 40 looks in {held}, where one stops in {at_stop} of {TRIALS}"
        );
        assert!(held >= TRIALS * 95 / 100, "{held} of {TRIALS} at every look: {planted}, seed {seed}");
        assert!(at_stop >= held, "{at_stop} of {TRIALS} where one stops, seed {seed}");
    }
}
