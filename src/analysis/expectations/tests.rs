use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::analysis::simulated::{Trials, most_by_chance};
use crate::engine::outcome::Counts;
use crate::metrics::fixtures::snapshot;
use crate::metrics::snapshot::{Ghosts, RunEnd};
use crate::workload::load::load;

/// The expectations of a file with the arms `pool` and `process`.
fn expected(list: &str) -> Vec<Expectation> {
    let text = format!(
        "version: 1\nseed: 1\ntasks: [{{ name: t, kind: kernel, kernel: noop, count: 1000 }}]\nexpect: [{list}]\n"
    );
    load(&text, "file").unwrap_or_else(|problems| panic!("{problems}")).workload.expect
}

type Run = Arc<Snapshot>;

fn rates(rates: &[f64]) -> Vec<Run> {
    let run = |rate: &f64| {
        let end = RunEnd { wall: Duration::from_secs_f64(1000.0 / rate), ..RunEnd::default() };
        Arc::new(Snapshot { throughput_whole: *rate, end: Some(Arc::new(end)), ..snapshot() })
    };
    rates.iter().map(run).collect()
}

fn lost(lost: &[u64]) -> Vec<Run> {
    let counts = |lost: u64| Counts { submitted: 1000, succeeded: 1000 - lost, lost, ..Counts::default() };
    lost.iter().map(|count| Arc::new(Snapshot { counts: counts(*count), ..snapshot() })).collect()
}

fn around(runs: usize) -> Circumstances {
    Circumstances { usable_cores: 4, looks: Looks::Once(runs as u32), sharing_cores: false }
}

fn checked(list: &str, pool: &[Run], process: &[Run]) -> Vec<Checked> {
    let arm = |name, runs| ArmFacts { name, counted: Counted { runs, rounds: &[] }, workers: 2, interpreter: None };
    check(&expected(list), &[arm("pool", pool), arm("process", process)], around(pool.len()))
}

fn words(list: &str, pool: &[Run], process: &[Run]) -> Vec<&'static str> {
    checked(list, pool, process).iter().map(|one| one.judgement.word()).collect()
}

#[test]
fn what_scatters_holds_or_fails_where_the_whole_interval_does() {
    let pool = rates(&[98.0, 100.0, 102.0, 99.0, 101.0]);
    let word = |op: &str, limit: &str| {
        words(&format!("{{ metric: throughput, engine: pool, op: '{op}', value: {limit} }}"), &pool, &[])[0]
    };
    assert_eq!((word(">", "90/s"), word(">", "110/s"), word(">", "100/s")), ("holds", "fails", "too_noisy"));
    assert_eq!((word("<", "90/s"), word("<=", "110/s"), word("<", "101/s")), ("fails", "holds", "too_noisy"));
    let one = &checked("{ metric: makespan, engine: pool, op: '<', value: 11s }", &pool, &[])[0];
    assert_eq!((one.judgement.word(), one.runs, one.limit), ("holds", 5, Some(11.0)));
    let (low, high) = one.ci95.expect("an interval");
    assert!(low < 10.0 && 10.0 < high && high < 11.0, "{one:?}");
    // 1000 tasks at 99.99/s are 10.001 s: 9 % below 11 s.
    assert!((one.margin.expect("a margin") - 0.0908).abs() < 1e-3, "{one:?}");
}

#[test]
fn one_run_tells_of_what_is_counted_alone() {
    let one = rates(&[100.0]);
    let found =
        checked("{ metric: throughput, op: '>', value: 1/s }, { metric: lost_tasks, op: '==', value: 0 }", &one, &one);
    let words: Vec<_> = found.iter().map(|one| (one.engines.as_str(), one.judgement.word())).collect();
    let both = |word| [("pool", word), ("process", word)];
    assert_eq!(words, [both("too_noisy"), both("holds")].concat());
    assert!(found[0].judgement.why().is_some_and(|why| why.starts_with("1 run,")), "{found:?}");
}

#[test]
fn what_is_counted_has_to_hold_in_every_run_and_the_worst_is_told() {
    let found = &checked("{ metric: lost_tasks, engine: pool, op: '<=', value: 2 }", &lost(&[0, 3, 1, 5]), &[])[0];
    assert_eq!((found.measured, found.limit, found.runs), (Some(5.0), Some(2.0), 4));
    assert_eq!(found.judgement, Judgement::Fails("in 2 of 4 runs".to_owned()));
    assert_eq!(found.margin, Some(-1.5));
    let list = "{ metric: lost_tasks, engine: pool, op: '<', than: process }, \
                { metric: worker_starts, engine: pool, op: '==', value: { config: workers } }, \
                { metric: succeeded_tasks, engine: pool, op: '!=', value: { config: tasks } }";
    assert_eq!(words(list, &lost(&[1, 2]), &lost(&[2, 3])), ["holds", "holds", "holds"]);
    assert_eq!(words(list, &lost(&[1, 3]), &lost(&[2, 3]))[0], "fails", "not in the second pair");
    assert_eq!(words(list, &lost(&[0, 2]), &lost(&[2, 3]))[2], "fails", "in one run all succeeded");
}

#[test]
fn none_or_some_needs_no_interval() {
    let ghost = |cpu: u64, unmeasured: u64| {
        let ghosts = Ghosts { cpu: Duration::from_millis(cpu), unmeasured, ..Ghosts::default() };
        vec![Arc::new(Snapshot { ghosts, ..snapshot() })]
    };
    let list = "{ metric: ghost_cpu, engine: pool, op: '>', value: 0s }, { metric: ghost_cpu, engine: process, op: '==', value: 0s }";
    assert_eq!(words(list, &ghost(7, 0), &ghost(0, 0)), ["holds", "holds"]);
    assert_eq!(words(list, &ghost(0, 0), &ghost(7, 0)), ["fails", "fails"]);
    assert_eq!(words(list, &ghost(7, 1), &ghost(0, 0)), ["not_measured", "holds"], "a part of a sum is no sum");
    // Where something is 0 the distances are taken as they are.
    let some: Vec<Run> = [0, 1, 0, 1, 0].iter().flat_map(|cpu| ghost(*cpu, 0)).collect();
    assert_eq!(words("{ metric: ghost_cpu, engine: pool, op: '<', value: 10ms }", &some, &[]), ["holds"]);
}

#[test]
fn another_arm_that_has_none_of_it_is_a_limit_in_the_unit_of_the_figure() {
    let ghosts = |cpu: &[u64]| -> Vec<Run> {
        let of = |cpu: &u64| Ghosts { cpu: Duration::from_millis(*cpu), ..Ghosts::default() };
        cpu.iter().map(|cpu| Arc::new(Snapshot { ghosts: of(cpu), ..snapshot() })).collect()
    };
    let list = |op: &str| format!("{{ metric: ghost_cpu, engine: pool, op: '{op}', than: process, factor: 2 }}");
    let found = &checked(&list("<="), &ghosts(&[40, 41, 39]), &ghosts(&[0, 0, 0]))[0];
    assert_eq!(
        (found.judgement.word(), found.unit, found.limit, found.margin),
        ("fails", Unit::Seconds, Some(0.0), None)
    );
    assert!(found.measured.is_some_and(|cpu| (cpu - 0.04).abs() < 1e-9), "{found:?}");
    assert!(found.ci95.is_some_and(|(low, high)| low > 0.03 && high < 0.05), "{found:?}");
    let found = &checked(&list("<"), &ghosts(&[0, 0, 0]), &ghosts(&[20, 21, 19]))[0];
    assert_eq!((found.judgement.word(), found.measured.map(|cpu| cpu.abs() < 1e-9)), ("holds", Some(true)));
    assert!(found.limit.is_some_and(|limit| (limit - 0.04).abs() < 1e-9), "twice 20 ms: {found:?}");
    let none = ghosts(&[0, 0, 0]);
    assert_eq!((words(&list("<="), &none, &none), words(&list("<"), &none, &none)), (vec!["holds"], vec!["fails"]));
}

#[test]
fn another_arm_is_a_limit_in_pairs_of_runs() {
    // Both get slower all the time; in every round the pool is 1.2 times as fast.
    let pool = rates(&[120.0, 96.0, 72.0, 60.5]);
    let process = rates(&[100.0, 80.0, 60.2, 50.0]);
    let list =
        |factor: f64| format!("{{ metric: throughput, engine: pool, op: '>', than: process, factor: {factor} }}");
    let found = &checked(&list(1.1), &pool, &process)[0];
    assert_eq!((found.judgement.word(), found.limit, found.unit), ("holds", Some(1.1), Unit::Number));
    assert!((found.measured.expect("a ratio") - 1.2).abs() < 0.01, "{found:?}");
    assert_eq!(words(&list(1.3), &pool, &process), ["fails"]);
    assert_eq!(words(&list(1.2), &pool, &process), ["too_noisy"]);
    let all = checked("{ metric: throughput, op: '>', than: process }", &pool, &process);
    assert_eq!(all.iter().map(|one| one.engines.as_str()).collect::<Vec<_>>(), ["pool"], "but for itself");
}

#[test]
fn what_is_not_there_is_not_asked_and_what_was_not_measured_does_not_hold() {
    let pool = rates(&[100.0, 101.0]);
    let mut stopped = Snapshot::clone(&pool[0]);
    stopped.state = RunState::Stopped;
    let stopped = vec![Arc::new(stopped)];
    let list = "{ metric: throughput, engine: pool, op: '>', value: 1/s }, { metric: lost_tasks, op: '==', value: 0, engine: pool }";
    assert_eq!(words(list, &stopped, &[]), ["not_measured", "not_measured"]);
    let arm = ArmFacts { name: "pool", counted: Counted { runs: &pool, rounds: &[] }, workers: 2, interpreter: None };
    let alone = |list: &str| check(&expected(list), &[arm], around(2))[0].judgement.clone();
    assert_eq!(alone("{ metric: throughput, engine: process, op: '>', value: 1/s }").word(), "skipped");
    assert_eq!(alone("{ metric: throughput, engine: pool, op: '>', than: process }").word(), "skipped");
    for (when, word) in
        [("cores >= 4", "holds"), ("cores > 4", "skipped"), ("gil_enabled", "skipped"), ("python >= 3", "skipped")]
    {
        let list = format!("{{ metric: retries, engine: pool, op: '==', value: 0, when: '{when}' }}");
        assert_eq!(alone(&list).word(), word, "{when}");
    }
    let shared = Circumstances { sharing_cores: true, ..around(2) };
    let of = |list: &str| check(&expected(list), &[arm], shared)[0].judgement.word();
    assert_eq!(of("{ metric: throughput, engine: pool, op: '>', value: 1/s }"), "not_measured", "no measurement");
    assert_eq!(of("{ metric: lost_tasks, engine: pool, op: '==', value: 0 }"), "holds");
}

#[test]
fn results_are_the_same_or_not() {
    let same = lost(&[0, 0]);
    let other: Vec<Run> =
        same.iter().map(|run| Arc::new(Snapshot { results_hash: 7, ..Snapshot::clone(run) })).collect();
    let list = "{ metric: results_equal }";
    assert_eq!(words(list, &same, &same), ["holds"]);
    assert_eq!(words(list, &same, &other), ["fails"]);
    assert_eq!(words(list, &same, &lost(&[1, 1])), ["not_measured"], "not every task has a result");
    assert_eq!(words("{ metric: results_equal, engines: [pool] }", &same, &other), ["holds"], "in that one");
}

#[test]
fn many_questions_are_answered_wrongly_no_oftener_than_one() {
    const TRIALS: u32 = 1000;
    let mut trials = Trials::new(20_261_126);
    let mut single = 0;
    let mut wrong = 0;
    for _ in 0..TRIALS {
        let mut arm = || rates(&(0..5).map(|_| 100.0 * trials.normal(0.04).exp()).collect::<Vec<_>>());
        // The limit is the true rate: whoever says that it holds, or not, says it by chance.
        let one = "{ metric: throughput, engine: pool, op: '>', value: 100/s }";
        let four = format!(
            "{one}, {{ metric: throughput, engine: process, op: '<', value: 100/s }}, \
             {{ metric: throughput, engine: pool, op: '>', than: process }}, \
             {{ metric: makespan, engine: process, op: '<', value: 10s }}"
        );
        let (pool, process) = (arm(), arm());
        let decided = |words: &[&str]| words.iter().any(|word| *word != "too_noisy");
        single += u32::from(decided(&words(one, &pool, &process)));
        wrong += u32::from(decided(&words(&four, &pool, &process)));
    }
    println!("seed 20261126: {single} of {TRIALS} of one question, {wrong} of four");
    let most = most_by_chance(TRIALS, 0.05);
    assert!(single <= most && wrong <= most, "{single} and {wrong} of {TRIALS}, at most {most}");
    assert!(single > 20, "{single}: an interval that holds always decides nothing");
}

#[test]
fn a_percentile_of_too_few_tasks_is_told_and_not_judged() {
    use crate::metrics::distribution::Distributions;
    use crate::metrics::latency::Recorded;
    let run = |tasks: u32| {
        let mut recorded = Recorded::new();
        (0..tasks).for_each(|_| recorded.record(5_000_000));
        let distributions = Distributions { sojourn: recorded.distribution(), ..Distributions::default() };
        let end = Some(Arc::new(RunEnd { distributions, ..RunEnd::default() }));
        Arc::new(Snapshot { end, ..snapshot() })
    };
    let of = |metric: &str, tasks: u32| {
        let list = format!("{{ metric: {metric}, engine: pool, op: '<', value: 1s }}");
        checked(&list, &[run(tasks), run(tasks), run(tasks)], &[]).remove(0)
    };
    for (metric, tasks, word) in [
        ("sojourn_p99", 199, "too_noisy"),
        ("sojourn_p99", 200, "holds"),
        ("sojourn_p95", 39, "too_noisy"),
        ("sojourn_max", 1, "holds"),
        ("sojourn_mean", 1, "holds"),
    ] {
        assert_eq!(of(metric, tasks).judgement.word(), word, "{metric} of {tasks}");
    }
    let few = of("sojourn_p99", 20);
    assert_eq!(few.judgement.why(), Some("p99 is not judged: 20 tasks a run are too few, it takes 200"));
    assert!(few.measured.is_some_and(|measured| measured < 0.006), "it is told: {few:?}");
}
