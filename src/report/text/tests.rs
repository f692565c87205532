use std::sync::Arc;

use super::*;
use crate::engine::event::RunState;
use crate::engine::outcome::Counts;
use crate::metrics::snapshot::Snapshot;
use crate::report::ending::{Ending, Partial};
use crate::report::fixtures::{comparison, crash, run};

fn plain(results: &Results) -> String {
    render(results, TextOptions::default())
}

fn change(results: &mut Results, arm: usize, run: usize, change: impl FnOnce(&mut Snapshot)) {
    change(Arc::make_mut(&mut results.arms[arm].runs[run]));
}

#[test]
fn report_of_a_comparison() {
    insta::assert_snapshot!(plain(&comparison()));
}

#[test]
fn report_of_one_run() {
    let mut results = comparison();
    results.arms.truncate(1);
    results.arms[0].runs.truncate(1);
    insta::assert_snapshot!(plain(&results));
}

#[test]
fn arms_that_do_not_fit_come_below() {
    let mut results = comparison();
    for name in ["process with a very long name indeed", "工作池"] {
        let mut arm = results.arms[0].clone();
        arm.spec.name = name.to_owned();
        results.arms.push(arm);
    }
    let text = render(&results, TextOptions { width: 60, ..TextOptions::default() });
    let table: Vec<_> = text.lines().take_while(|line| !line.contains("faster")).collect();
    assert!(table.iter().skip(3).all(|line| table::width(line) <= 60), "{text}");
    assert_eq!(table.iter().filter(|line| line.contains("wall time")).count(), 3, "two, one and one");
    assert!(text.contains("● 工作池") && text.contains("● process with a very lon…"), "{text}");
    assert!(!render(&results, TextOptions { width: 0, ..TextOptions::default() }).is_empty());
}

#[test]
fn colour_adds_colour_and_nothing_else() {
    let results = comparison();
    let coloured = render(&results, TextOptions { colour: true, ..TextOptions::default() });
    assert!(coloured.contains('\x1b'));
    let without: String = coloured.lines().map(|line| format!("{}\n", clean::line(line).trim_end())).collect();
    assert_eq!(without, plain(&results));
}

#[test]
fn nothing_from_a_task_or_a_file_reaches_the_terminal_as_it_is() {
    let mut results = comparison();
    let evil = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}\r\n";
    let workload = Arc::make_mut(&mut results.workload);
    workload.title = evil.to_owned();
    workload.name = evil.to_owned();
    workload.classes[0].name = evil.to_owned();
    Arc::make_mut(&mut results.host).name = evil.to_owned();
    results.arms[0].spec.name = evil.to_owned();
    results.stream_hash = "ä".repeat(10);
    change(&mut results, 1, 2, |run| {
        let mut report = crash();
        report.cause = crate::engine::outcome::Cause::Error { message: evil.to_owned() };
        report.stderr_tail = evil.repeat(3);
        run.failures = Arc::new(vec![report]);
        run.suspect = vec![evil.to_owned()];
    });
    let text = plain(&results);
    assert!(!text.contains(|character| character != '\n' && clean::is_control(character)), "{text:?}");
}

#[test]
fn verdicts_in_plain_words() {
    let verdict = |results: &Results| {
        let text = plain(results);
        let line = text
            .lines()
            .find(|line| ["faster", "difference", "early", "compared"].iter().any(|word| line.contains(word)));
        line.unwrap_or_default().to_owned()
    };
    let mut results = comparison();
    assert_eq!(verdict(&results), "pool is 3.0× faster than process (95 % CI 3.0–3.1, 3 pairs of runs)");
    results.baseline = 1;
    assert_eq!(verdict(&results), "pool is 3.0× faster than process (95 % CI 3.0–3.1, 3 pairs of runs)");
    results.baseline = 0;
    for (number, wall) in [5.6, 5.4, 5.5].into_iter().enumerate() {
        results.arms[1].runs[number] = Arc::new(run(1, 10, wall));
    }
    assert_eq!(
        verdict(&results),
        "no clear difference between process and pool: ratio 1.00 (95 % CI 0.92–1.08, 3 pairs of runs)"
    );
    results.arms[1].runs.truncate(1);
    assert_eq!(
        verdict(&results),
        "too early to compare process with pool: ratio 0.98 of one pair of runs, two are needed to tell chance from difference"
    );
    results.arms[1].runs.clear();
    assert_eq!(verdict(&results), "process cannot be compared with pool: process has no counted run");
    let text = plain(&results);
    assert!(text.contains("wall time") && text.contains('–'), "an arm without a run has dashes");
}

#[test]
fn different_results_of_the_same_tasks_are_an_alarm() {
    let mut results = comparison();
    assert!(plain(&results).contains("✓ same results in 5 complete runs (hash 0123456789abcdef)"));
    change(&mut results, 1, 0, |run| run.results_hash ^= 2);
    let text = plain(&results);
    assert!(
        text.contains("✗ RESULTS DIFFER between runs of the same tasks: 0123456789abcded, 0123456789abcdef"),
        "{text}"
    );
}

#[test]
fn lost_tasks_break_the_law_visibly() {
    let mut results = comparison();
    change(&mut results, 0, 0, |run| run.counts.succeeded -= 1);
    assert!(plain(&results).contains("✗ ● pool     3000 submitted ≠ 2999 succeeded"), "{}", plain(&results));
}

#[test]
fn only_the_first_failures_are_told() {
    let mut results = comparison();
    change(&mut results, 1, 2, |run| {
        run.counts.succeeded = 970;
        run.counts.lost = 30;
        run.failures = Arc::new((0..30).map(|_| crash()).collect());
    });
    let text = plain(&results);
    assert!(text.contains("Unsuccessful attempts (the first 5 of 30)"), "{text}");
    assert_eq!(text.matches("its worker died").count(), 5);
    assert_eq!(text.matches("    | panic: out of ␇ range").count(), 5);
}

/// Cuts off the last run of an arm.
fn cut_off(results: &mut Results, arm: usize) {
    let arm = &mut results.arms[arm];
    let mut run = Arc::unwrap_or_clone(arm.runs.pop().unwrap());
    run.state = RunState::Stopped;
    run.counts = Counts { submitted: 1000, succeeded: 780, failed: 9, cancelled: 211, ..Counts::default() };
    run.total = 1000;
    arm.partial = Some(Partial { run: Arc::new(run), warmup: false });
    results.ending = Ending::Stopped(Some(15));
}

#[test]
fn an_aborted_comparison_cannot_be_mistaken_for_a_whole_one() {
    let mut results = comparison();
    cut_off(&mut results, 1);
    let text = plain(&results);
    assert!(text.contains("\nABORTED: ended by SIGTERM"), "{text}");
    assert!(text.contains("! ■ process, run 3: stopped after 789 of 1000 tasks (78 %); not counted"), "{text}");
    assert!(text.contains("(95 % CI") && text.contains("2 pairs of runs"), "what is whole counts: {text}");
    results.arms[1].runs.clear();
    let text = plain(&results);
    assert!(
        text.contains(
            "process cannot be compared with pool: process has no whole run (stopped after 789 of 1000 tasks (78 %))"
        ),
        "{text}"
    );
    assert!(text.lines().any(|line| line.trim_start().starts_with("got to ") && line.ends_with("78 %")), "{text}");
    assert!(text.contains("✓ ■ process  1000 submitted = 780 succeeded + 9 failed + 211 cancelled"), "{text}");
}

#[test]
fn arms_that_shared_the_cores_have_no_verdict() {
    let mut results = comparison();
    results.sharing_cores = true;
    let text = plain(&results);
    assert!(text.contains("this is not a measurement") && !text.contains("faster"), "{text}");
}

#[test]
fn nothing_that_succeeded_is_red_and_told_with_its_cause() {
    let mut results = comparison();
    for number in 0..3 {
        change(&mut results, 1, number, |run| {
            run.counts = Counts { submitted: 20, lost: 20, ..Counts::default() };
            run.throughput_whole = 0.0;
            run.failures = Arc::new(vec![crash(); 20]);
        });
    }
    let text = render(&results, TextOptions { colour: true, ..TextOptions::default() });
    let bad = Paint::BAD;
    assert!(text.contains(&format!("{bad}ALL 20 TASKS FAILED: its worker died: signal 11 (SEGV){bad:#}")), "{text}");
    assert!(text.contains("process cannot be compared with pool"), "{text}");
    assert!(text.contains(": not one task of process succeeded"), "{text}");
}

#[test]
fn a_ratio_of_unequal_work_says_so_beside_it() {
    let mut results = comparison();
    for (lost, told) in [(100, false), (101, true)] {
        for number in 0..3 {
            let counts = Counts { submitted: 1000, succeeded: 1000 - lost, lost, ..Counts::default() };
            change(&mut results, 1, number, |run| run.counts = counts);
        }
        assert_eq!(plain(&results).contains("! 10 % of the tasks of process did not succeed"), told, "{lost}");
    }
}
