use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::analysis::inference::Looks;
use crate::metrics::snapshot::Snapshot;
use crate::report::fixtures::comparison;
use crate::report::text::{TextOptions, render};
use crate::workload::model::{Adaptive, Workload};

fn report(results: &Results) -> String {
    render(results, TextOptions::default())
}

fn lines<'a>(text: &'a str, of: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(of)).collect()
}

/// A comparison of arms with these rates in each round.
fn measured(arms: &[(&str, &[f64])]) -> Results {
    let mut results = comparison();
    let model = results.arms[0].clone();
    results.arms = arms
        .iter()
        .map(|(name, rates)| {
            let mut arm = model.clone();
            (*name).clone_into(&mut arm.spec.name);
            let run = |rate: &f64| Arc::new(Snapshot { throughput_whole: *rate, ..Snapshot::clone(&model.runs[0]) });
            arm.runs = rates.iter().map(run).collect();
            arm
        })
        .collect();
    results.looks = Looks::Once(20);
    results
}

const POOL: [f64; 6] = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2];

#[test]
fn more_than_two_arms_are_a_table_with_the_best_and_its_ties() {
    let half = POOL.map(|rate| rate / 2.0);
    let same = [100.3, 100.6, 99.6, 100.0, 99.9, 100.1];
    let text = report(&measured(&[("pool", &POOL), ("half", &half), ("same", &same), ("none", &[])]));
    let expected = [
        "  against pool  ratio    95 % CI  pairs    p of 3  rank p  verdict",
        "  ● half ×2     0.50×  0.50–0.50      6   < 0.001   0.031  slower",
        "  ● same ×2     1.00×  1.00–1.01      6     1.000   0.844  no clear difference",
        "  ● none ×2         –          –      0         –          not compared: none has no counted run",
        "highest rate: same; no clear difference to it among 3 comparisons (Holm): pool; too early to tell: none",
    ];
    let at = text.lines().position(|line| line.contains("against pool  ratio")).expect("a table");
    let found: Vec<&str> = text.lines().skip(at).take(5).collect();
    for (found, expected) in found.iter().zip(expected) {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(found), words(expected), "{text}");
    }
}

#[test]
fn what_correction_takes_back_is_explained() {
    // By itself the first differs (p about 0.03); three questions at once make 0.09 of it.
    let slightly = [101.2, 101.9, 100.4, 100.6, 101.1, 100.5];
    let other = [99.9, 101.3, 98.9, 100.7, 99.3, 100.3];
    let alone = report(&measured(&[("pool", &POOL), ("a", &slightly)]));
    assert_eq!(lines(&alone, "a is 1.01× as fast as pool").len(), 1, "{alone}");
    let together = report(&measured(&[
        ("pool", &POOL),
        ("a", &slightly),
        ("b", &other),
        ("c", &other),
        ("d", &other),
        ("e", &other),
        ("f", &other),
        ("g", &other),
        ("h", &other),
        ("i", &other),
        ("j", &other),
    ]));
    assert_eq!(lines(&together, "with 10 at once 1 is not excluded").len(), 1, "{together}");
}

#[test]
fn intervals_say_whether_they_hold_at_every_look() {
    let faster = POOL.map(|rate| rate * 1.5);
    let mut results = measured(&[("pool", &POOL), ("fast", &faster)]);
    let planned = report(&results);
    assert!(
        planned.contains("fast is 1.50× as fast as pool (95 % CI 1.50–1.50, 6 pairs of runs, rank test p = 0.031)"),
        "{planned}"
    );
    results.looks = Looks::AfterEach;
    let live = report(&results);
    assert!(live.contains("fast is 1.50× as fast as pool (always-valid 95 % CI 1.50–1.50, 6 pairs of runs)"), "{live}");
    for (pairs, told) in
        [(1, "ratio 1.50 of one pair of runs; three or more"), (2, "ratio 1.50 of two pairs of runs; three or more")]
    {
        let mut few = measured(&[("pool", &POOL[..pairs]), ("fast", &faster[..pairs])]);
        few.looks = Looks::AfterEach;
        assert!(report(&few).contains(told), "{}", report(&few));
    }
    let one = report(&measured(&[("pool", &POOL[..1]), ("fast", &faster[..1])]));
    assert!(one.contains("of one pair of runs; three or more"), "{one}");
}

#[test]
fn why_so_many_rounds_were_made() {
    let mut results = measured(&[("pool", &POOL), ("fast", &POOL.map(|rate| rate * 1.5))]);
    let adaptive = Adaptive {
        precision: 0.02,
        max_repeats: NonZeroU32::new(50).expect("not zero"),
        max_time: Duration::from_secs(600),
    };
    let mut workload = Workload::clone(&results.workload);
    workload.measure.adaptive = Some(adaptive);
    results.workload = Arc::new(workload);
    for (end, reached, said) in [
        (Some(PrecisionEnd::Reached), Some(0.0149), "6 rounds: precise to ±1.5 % (±2 % asked for)"),
        (Some(PrecisionEnd::MaxRepeats), Some(0.0312), "6 rounds (max_repeats): ±3.1 %, ±2 % asked for"),
        (
            Some(PrecisionEnd::MaxTime),
            None,
            "one more would not fit into max_time (10min): no bound yet, ±2 % asked for",
        ),
        (None, Some(0.12), "6 rounds, ended early: ±12 %, ±2 % asked for"),
    ] {
        results.precision = Some(Precision { wanted: 0.02, reached, rounds: 6, end });
        assert_eq!(lines(&report(&results), said).len(), 1, "{}", report(&results));
    }
}
