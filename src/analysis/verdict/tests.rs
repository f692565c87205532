use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::metrics::fixtures::snapshot;
use crate::metrics::snapshot::WorkerTime;

/// Made as planned.
const PLANNED: Looks = Looks::Once(100);

fn figures(throughputs: &[f64]) -> Vec<RunFigure> {
    let figure =
        |(throughput, round): (&f64, u32)| RunFigure { throughput: *throughput, complete: true, round, suspect: false };
    throughputs.iter().zip(1..).map(figure).collect()
}

/// Verdicts on runs of which run i was made in round i.
fn verdicts(arms: &[Vec<Arc<Snapshot>>], baseline: usize) -> Vec<Verdict> {
    let rounds: Vec<u32> = (1..=100).collect();
    let arms: Vec<Counted<'_>> = arms.iter().map(|runs| Counted { runs, rounds: &rounds[..runs.len()] }).collect();
    super::verdicts(&arms, baseline, PLANNED, None)
}

fn run(throughput: f64) -> Arc<Snapshot> {
    Arc::new(Snapshot { throughput_whole: throughput, ..snapshot() })
}

fn live(throughput: f64) -> Arc<Snapshot> {
    Arc::new(Snapshot { throughput_whole: throughput, state: RunState::Running, end: None, ..snapshot() })
}

#[test]
fn interval_of_paired_ratios_computed_by_hand() {
    // Ratios 3.0, 3.1, 3.2: logarithms 1.098612, 1.131402, 1.163151, mean 1.131055, s = 0.0322713,
    // half width 4.30265 * 0.0322713 / sqrt(3) = 0.0801659.
    let found = compare(&figures(&[10.0, 20.0, 10.0]), &figures(&[30.0, 62.0, 32.0]));
    let (low, high) = found.ci95.expect("an interval");
    assert!((found.ratio.expect("a ratio") - 3.098924).abs() < 1e-5, "{:?}", found.ratio);
    assert!((low - 2.860195).abs() < 1e-4 && (high - 3.357579).abs() < 1e-4, "{low} {high}");
    assert_eq!((found.pairs, found.finding), (3, Finding::Faster));
}

#[test]
fn a_drift_that_both_arms_share_does_not_hide_a_difference() {
    // The machine becomes slower by half from round to round; within each round the arm is 10 to 11 % faster.
    let found = compare(&figures(&[100.0, 50.0, 25.0]), &figures(&[110.0, 55.5, 27.6]));
    assert_eq!(found.finding, Finding::Faster);
}

#[test]
fn finding_follows_the_rules() {
    let find = |baseline: &[f64], arm: &[f64]| compare(&figures(baseline), &figures(arm)).finding;
    assert_eq!(find(&[], &[]), Finding::TooEarly);
    assert_eq!(find(&[10.0], &[30.0]), Finding::TooEarly, "one pair has no interval");
    assert_eq!(find(&[10.0, 10.0], &[30.0]), Finding::TooEarly, "unpaired runs do not count");
    assert_eq!(find(&[10.0, 10.0, 10.0], &[11.0, 9.0, 10.0]), Finding::NoClearDifference);
    assert_eq!(find(&[10.0, 10.0, 10.0], &[3.0, 3.1, 3.2]), Finding::Slower);
    assert_eq!(find(&[10.0, 10.0], &[10.0, 10.0]), Finding::NoClearDifference, "equal to the last digit");
}

#[test]
fn stopped_runs_and_runs_without_success_make_no_pair() {
    let mut arm = figures(&[30.0, 30.0, 0.0, f64::NAN]);
    arm[0].complete = false;
    let found = compare(&figures(&[10.0, 10.0, 10.0, 10.0]), &arm);
    assert_eq!((found.pairs, found.finding), (1, Finding::TooEarly));
    assert!((found.ratio.expect("a ratio") - 3.0).abs() < 1e-12);
}

#[test]
fn one_verdict_for_each_arm_but_the_baseline() {
    let arms = [vec![run(10.0), run(11.0)], vec![run(31.0), run(33.0)], vec![run(5.0), run(5.4)]];
    let found: Vec<_> =
        verdicts(&arms, 1).iter().map(|verdict| (verdict.arm, verdict.baseline, verdict.finding)).collect();
    assert_eq!(found, [(0, 1, Finding::Slower), (2, 1, Finding::Slower)]);
    assert!(verdicts(&arms[..1], 0).is_empty());
    assert!(verdicts(&arms, 9).is_empty());
    assert!(verdicts(&[], 0).is_empty());
}

#[test]
fn live_ratio_is_shown_but_not_trusted() {
    let verdict = &verdicts(&[vec![live(98.8)], vec![live(31.7)]], 0)[0];
    assert_eq!((verdict.finding, verdict.ci95, verdict.pairs), (Finding::TooEarly, None, 0));
    assert!((verdict.ratio.expect("a ratio") - 31.7 / 98.8).abs() < 1e-12);
    assert_eq!(verdicts(&[vec![live(98.8)], vec![]], 0)[0].ratio, None);
    assert_eq!(verdicts(&[vec![live(0.0)], vec![live(1.0)]], 0)[0].ratio, None);
}

#[test]
fn run_under_way_does_not_change_the_verdict_of_finished_ones() {
    let finished = [vec![run(10.0), run(11.0)], vec![run(31.0), run(33.0)]];
    let mut going_on = finished.clone();
    going_on[0].push(live(2.0));
    going_on[1].push(live(500.0));
    let (before, after) = (&verdicts(&finished, 0)[0], &verdicts(&going_on, 0)[0]);
    assert_eq!((before.ratio, before.ci95, before.pairs), (after.ratio, after.ci95, after.pairs));
}

#[test]
fn reasons_explain_the_slower_side() {
    let [work, startup, idle] = [3200, 6700, 100].map(Duration::from_millis);
    let bound = |throughput| {
        let worker_time = WorkerTime { work, startup, idle, ..WorkerTime::default() };
        Arc::new(Snapshot { throughput_whole: throughput, worker_time, ..snapshot() })
    };
    let said = |arms: &[Vec<Arc<Snapshot>>]| {
        let verdict = verdicts(arms, 0).remove(0);
        (verdict.behind(), verdict.reasons.iter().map(Lint::name).collect::<Vec<_>>())
    };
    let expected = vec!["start-up bound"];
    assert_eq!(said(&[vec![run(98.0), run(99.0)], vec![bound(31.0), bound(32.0)]]), (1, expected.clone()));
    assert_eq!(said(&[vec![bound(31.0), bound(32.0)], vec![run(98.0), run(99.0)]]), (0, expected));
    let once = vec![run(30.0), run(31.0), bound(30.5)];
    let said_of_three = said(&[vec![run(98.0), run(99.0), run(97.0)], once]);
    assert_eq!(said_of_three.1, ["low working ratio"], "in the figures of all three runs");
    let mut failed = Arc::unwrap_or_clone(bound(0.0));
    (failed.counts.succeeded, failed.counts.failed) = (0, 1000);
    let failed = vec![Arc::new(failed)];
    let (good, bad) = (vec![bound(31.0)], &verdicts(&[vec![bound(31.0)], failed.clone()], 0)[0]);
    assert_eq!(bad.reasons, [], "nothing was done");
    assert_eq!(verdicts(&[failed, good], 0)[0].reasons, [], "no ratio that they would explain");
}

proptest! {
    #[test]
    fn verdict_and_its_opposite_agree(pairs in prop::collection::vec((1.0..1e6f64, 1.0..1e6f64), 0..12)) {
        let (left, right): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        for looks in [PLANNED, Looks::AfterEach] {
            let there = super::compare_looking(&figures(&left), &figures(&right), looks);
            let back = super::compare_looking(&figures(&right), &figures(&left), looks);
            prop_assert_eq!(back.finding, there.finding.reversed());
            if let Some(((low, high), (other_low, other_high))) = there.ci95.zip(back.ci95) {
                let inverse = |a: f64, b: f64| (a.ln() + b.ln()).abs() < 1e-6 * (1.0 + a.ln().abs());
                prop_assert!(inverse(low, other_high) && inverse(high, other_low), "{:?} {:?}", there, back);
            }
        }
    }
}

#[test]
fn runs_are_paired_by_their_rounds_and_else_in_their_order() {
    let in_rounds = |throughputs: &[f64], rounds: &[u32]| {
        let mut figures = figures(throughputs);
        figures.iter_mut().zip(rounds).for_each(|(figure, round)| figure.round = *round);
        figures
    };
    // The machine becomes slower; one run of the arm is missing, because the user had a hand in it.
    let baseline = in_rounds(&[100.0, 50.0, 25.0], &[1, 2, 3]);
    let found = compare(&baseline, &in_rounds(&[110.0, 27.6], &[1, 3]));
    assert_eq!((found.pairs, found.apart, found.finding), (2, false, Finding::Faster));
    let found = compare(&baseline, &in_rounds(&[300.0, 160.0, 74.0], &[7, 8, 9]));
    assert_eq!((found.pairs, found.apart), (3, true));
    assert!((found.ratio.expect("a ratio") - 3.052).abs() < 0.01, "{found:?}");
    let found = compare(&baseline, &in_rounds(&[300.0], &[1]));
    assert_eq!((found.pairs, found.apart), (1, false));
}
