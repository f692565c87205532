use std::num::NonZeroU32;
use std::sync::Arc;

use super::*;
use crate::engine::event::RunState;
use crate::engine::outcome::Counts;
use crate::metrics::snapshot::Snapshot;
use crate::report::ending::{Ending, Partial};
use crate::report::fixtures::{comparison, crash, run};
use crate::workload::model::{Interpreter, Version};

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
    let table: Vec<_> = text.lines().take_while(|line| !line.contains("highest rate")).collect();
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
            .find(|line| ["as fast as", "difference", "early", "compared"].iter().any(|word| line.contains(word)));
        line.unwrap_or_default().to_owned()
    };
    let mut results = comparison();
    let told = "SUSPECT pool is 3.0× as fast as process (95 % CI 3.0–3.1, 3 pairs of runs, 1 of them suspect)";
    assert_eq!(verdict(&results), told);
    change(&mut results, 1, 2, |run| run.suspect.clear());
    assert_eq!(verdict(&results), "pool is 3.0× as fast as process (95 % CI 3.0–3.1, 3 pairs of runs)");
    results.baseline = 1;
    assert_eq!(verdict(&results), "pool is 3.0× as fast as process (95 % CI 3.0–3.1, 3 pairs of runs)");
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
        "too early to compare process with pool: ratio 0.98 of one pair of runs; three or more tell chance from difference (--repeats 3)"
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
fn results_that_cannot_be_compared_do_not_differ() {
    let mut results = comparison();
    change(&mut results, 1, 0, |run| {
        run.results_hash ^= 2;
        run.carriage = Some(Box::new(crate::metrics::snapshot::Carriage { opaque: 3, ..Default::default() }));
    });
    let text = plain(&results);
    assert!(text.contains("! results cannot be compared: 0 to 3 in a run are of no comparable kind"), "{text}");
    assert!(!text.contains("RESULTS DIFFER"), "{text}");
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
    assert!(text.contains("Unsuccessful attempts (5 of 30: of each arm, class and cause, final ones first)"), "{text}");
    assert_eq!(text.matches("its worker died").count(), 5);
    assert_eq!(text.matches("    | panic: out of ␇ range").count(), 5);
}

#[test]
fn arms_of_different_interpreters_say_so_beside_their_ratio() {
    let found = |version: &[u32]| Interpreter {
        executable: "/usr/bin/python3".into(),
        version: Version(version.to_vec()),
        implementation: "CPython".to_owned(),
        gil: true,
        gil_switched_on: false,
        free_threaded: false,
        cpu_count: None,
        process_cpu_count: None,
        environment: None,
        start_method: "spawn".to_owned(),
        variables: Vec::new(),
        thread_pools: Vec::new(),
        code: Vec::new(),
    };
    let mut results = comparison();
    results.arms[0].spec.interpreter = Some(Arc::new(found(&[3, 13, 1])));
    results.arms[1].spec.interpreter = Some(Arc::new(found(&[3, 13, 1])));
    assert!(!plain(&results).contains("interpreters differ"));
    results.arms[1].spec.interpreter = Some(Arc::new(found(&[3, 8, 20])));
    let told = "! interpreters differ: process CPython 3.8.20, GIL on, pool CPython 3.13.1, GIL on";
    assert!(plain(&results).contains(told), "{}", plain(&results));
    results.arms[1].spec.interpreter = Some(Arc::new(Interpreter { free_threaded: true, ..found(&[3, 13, 1]) }));
    let told = "! interpreters differ: process CPython 3.13.1, free-threaded, GIL on, pool CPython 3.13.1, GIL on";
    assert!(plain(&results).contains(told), "{}", plain(&results));
}

#[test]
fn failures_are_told_of_every_arm_and_class() {
    let mut results = comparison();
    let of_class = |class| AttemptReport { class, ..crash() };
    change(&mut results, 0, 0, |run| run.failures = Arc::new((0..30).map(|_| of_class(0)).collect()));
    change(&mut results, 1, 2, |run| {
        run.failures = Arc::new((0..30).map(|at| of_class(u16::from(at == 29))).collect());
    });
    change(&mut results, 1, 2, |run| (run.counts.succeeded, run.counts.lost) = (970, 30));
    let text = plain(&results);
    assert!(text.contains("Unsuccessful attempts (5 of 30: of each arm, class and cause, final ones first)"), "{text}");
    let of =
        |label: &str| text.lines().filter(|line| line.starts_with(label) && line.contains("its worker died")).count();
    assert_eq!((of("  ● pool"), of("  ■ process")), (2, 3), "{text}");
}

/// Cuts off the last run of an arm.
fn cut_off(results: &mut Results, arm: usize) {
    let arm = &mut results.arms[arm];
    let mut run = Arc::unwrap_or_clone(arm.runs.pop().unwrap());
    run.state = RunState::Stopped;
    run.counts = Counts { submitted: 1000, succeeded: 780, failed: 9, cancelled: 211, ..Counts::default() };
    run.total = 1000;
    arm.partial = Some(Partial { run: Arc::new(run), warmup: false, left: None });
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

#[test]
fn runs_in_which_a_key_had_a_hand_are_named() {
    let mut results = comparison();
    assert!(!plain(&results).contains("not counted"));
    results.arms[0].touched = 2;
    results.arms[1].touched = 1;
    let text = plain(&results);
    assert!(text.contains("! ● pool, 2 whole runs not counted: a key changed something in them"), "{text}");
    assert!(text.contains("! ■ process, 1 whole run not counted: a key changed something in it"), "{text}");
}

#[test]
fn a_run_that_was_left_says_what_became_of_its_tasks() {
    let mut results = comparison();
    cut_off(&mut results, 1);
    let mut last = Snapshot::clone(&results.arms[1].partial.as_ref().unwrap().run);
    last.state = RunState::Stopping;
    last.counts = Counts { submitted: 1000, succeeded: 780, failed: 9, running: 4, queued: 207, ..Counts::default() };
    results.arms[1].partial = Some(Partial::of(&Arc::new(last), false));
    let text = plain(&results);
    let expected = "stopped after 789 of 1000 tasks (78 %); left before it had ended, with 4 tasks under way and 207 waiting, \
                    counted as cancelled; not counted";
    assert!(text.contains(expected), "{text}");
    results.arms[1].runs.clear();
    let text = plain(&results);
    assert!(text.contains("✓ ■ process  1000 submitted = 780 succeeded + 9 failed + 211 cancelled"), "{text}");
}

fn rows<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let row = text.lines().find(|line| line.trim_start().starts_with(title));
    row.unwrap_or_else(|| panic!("no {title} in\n{text}"))
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn a_run_is_called_as_in_the_dashboard_and_sums_stand_apart_from_means() {
    let mut results = comparison();
    // A key was pressed in the second one, which is not told.
    let number = |round| RunId { serial: round, round, warmup: false };
    for (run, round) in [1, 3, 4].into_iter().enumerate() {
        change(&mut results, 1, run, |run| run.run = number(round));
    }
    let text = plain(&results);
    assert!(text.contains("! ■ process, run 4: SUSPECT"), "{text}");
    assert!(text.contains("  ■ process, run 4, task "), "{text}");
    let titles: Vec<&str> = text.lines().map(str::trim).collect();
    let apart = titles.iter().position(|line| *line == "all runs together:").unwrap();
    for (title, is_sum) in [("tasks/s", false), ("processes started", false), ("succeeded", true), ("lost", true)] {
        let row = titles.iter().position(|line| line.starts_with(title)).unwrap();
        assert_eq!(row > apart, is_sum, "{title}\n{text}");
    }
    results.arms.iter_mut().for_each(|arm| arm.runs.truncate(1));
    assert!(!plain(&results).contains("all runs together"), "there is no difference");
}

#[test]
fn what_was_dropped_is_told_with_the_limit() {
    use crate::workload::model::{ArrivalProcess, Arrivals, OnFull, OpenArrivals, Stage};
    let mut results = comparison();
    let stages = vec![Stage::level(None, 20.0)];
    let open = OpenArrivals { process: ArrivalProcess::Poisson, stages, max_in_flight: None, on_full: OnFull::Drop };
    Arc::make_mut(&mut results.workload).arrivals = Arrivals::Open(open);
    results.arms[0].spec.queue_capacity = std::num::NonZeroU64::new(7);
    change(&mut results, 0, 1, |run| (run.counts.succeeded, run.counts.dropped) = (990, 10));
    let text = plain(&results);
    assert!(text.contains("! ● pool: 10 arrivals were dropped: there was no room (queue_capacity 7)"), "{text}");
}

#[test]
fn what_never_began_is_delivered_and_has_no_sojourn() {
    let mut results = comparison();
    for run in 0..3 {
        change(&mut results, 0, run, |run| {
            run.delivery.mode = crate::workload::model::SubmitMode::Imap;
            (run.delivery.delivered.count, run.latency.sojourn.count) = (100, 90);
        });
    }
    let text = plain(&results);
    assert_eq!(rows(&text, "tasks; with a sojourn")[1], "300; 270", "{text}");
    for run in 0..3 {
        change(&mut results, 0, run, |run| run.latency.sojourn.count = 100);
    }
    assert!(!plain(&results).contains("with a sojourn"));
}

#[test]
fn utilisation_is_told_stage_by_stage_beside_what_was_predicted() {
    use crate::metrics::snapshot::{Little, Load, StageLoad};
    use crate::workload::model::{ArrivalProcess, Arrivals, OnFull, OpenArrivals, Stage};
    let mut results = comparison();
    let second = std::time::Duration::from_secs(1);
    let stages = vec![Stage::level(Some(second), 20.0), Stage { duration: Some(second), rate: 20.0, end_rate: 380.0 }];
    let open = OpenArrivals { process: ArrivalProcess::Ramp, stages, max_in_flight: None, on_full: OnFull::Drop };
    Arc::make_mut(&mut results.workload).arrivals = Arrivals::Open(open);
    for run in 0..3 {
        change(&mut results, 0, run, |run| {
            let stage = |at, utilisation| StageLoad {
                begin: second * at,
                end: second * (at + 1),
                utilisation: Some(utilisation),
            };
            run.stages = Box::new([stage(0, 0.15), stage(1, 0.97)]);
            let little = Little { in_system: 4.0, rate: 100.0, sojourn: second / 25, left: 200, without_sojourn: 0 };
            *run.load = Load { utilisation: Some(0.56), little: Some(little) };
        });
    }
    let text = plain(&results);
    // Ten milliseconds each on two workers; the second arm was not measured.
    assert_eq!(rows(&text, "mean ρ"), ["mean ρ (predicted)", "0.56", "–"], "{text}");
    assert_eq!(rows(&text, "stage 1, 20.0/s"), ["stage 1, 20.0/s", "0.15 (0.10)", "– (0.10)"]);
    assert_eq!(rows(&text, "stage 2, 20.0 to 380/s"), ["stage 2, 20.0 to 380/s", "0.97 (1.00)", "– (1.00)"]);
    assert_eq!(rows(&text, "Little: rate λ")[1], "100/s");
    assert_eq!(rows(&text, "mean sojourn W")[1], "40 ms");
    assert_eq!((rows(&text, "λW")[1], rows(&text, "seen in the system L")[1]), ("4.00", "4.00"));
    let document = crate::report::json::result(&results);
    let stage = &document["arms"][0]["runs"][0]["stages"][1];
    assert_eq!((&stage["utilisation"], &stage["end_rate"]), (&0.97.into(), &380.0.into()));
    assert!((stage["predicted_utilisation"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{stage}");
}

#[test]
fn the_parts_of_a_start_add_up_over_all_processes() {
    use crate::metrics::snapshot::Quantiles;
    let mut results = comparison();
    let times =
        |count, millis| Quantiles { count, mean: std::time::Duration::from_millis(millis), ..Quantiles::default() };
    for run in 0..3 {
        change(&mut results, 0, run, |run| {
            // Half of the processes tell nothing of themselves.
            run.life.startup.fork_exec = times(10, 3);
            (run.life.startup.loading, run.life.startup.ready) = (times(5, 4), times(5, 2));
            (run.initializers.count, run.initializers.wall) = (10, std::time::Duration::from_millis(500));
        });
    }
    let text = plain(&results);
    let parts = ["start-up per process", "fork/exec", "+ loading", "+ ready"].map(|title| rows(&text, title)[1]);
    assert_eq!(parts, ["6.0 ms", "3.0 ms", "2.0 ms", "1.0 ms"], "{text}");
    assert_eq!(rows(&text, "of all in a run")[1], "60 ms");
    assert_eq!(rows(&text, "initializer, each")[1], "50 ms");
    let document = crate::report::json::result(&results);
    let sums = &document["arms"][0]["runs"][0]["startup"]["sum_s"];
    assert_eq!(*sums, serde_json::json!({ "fork_exec": 0.03, "loading": 0.02, "ready": 0.01, "whole": 0.06 }));
}

#[test]
fn the_chunksize_in_force_is_told_with_its_rule() {
    use crate::metrics::snapshot::Chunks;
    use crate::workload::model::Chunksize;
    let mut results = comparison();
    change(&mut results, 0, 2, |run| {
        run.chunks = Some(Box::new(Chunks { sent: 8, tasks: 1000, size: NonZeroU32::new(200).unwrap() }));
    });
    for (chunksize, says) in [(Chunksize::Auto, "auto: 200"), (Chunksize::Cpython, "cpython: 200")] {
        results.arms[0].spec.chunksize = chunksize;
        let text = plain(&results);
        assert_eq!(rows(&text, "tasks per chunk"), ["tasks per chunk", "125", "–"]);
        assert_eq!(rows(&text, "chunksize at the end"), ["chunksize at the end", says, "–"]);
    }
}

#[test]
fn a_comparison_says_what_it_teaches_before_what_its_figures_show() {
    let mut results = comparison();
    let workload = Arc::make_mut(&mut results.workload);
    workload.description = "A thousand tasks, all alike.\n".repeat(5);
    workload.teaches = vec!["Reuse pays.".to_owned(), "word ".repeat(30)];
    change(&mut results, 1, 2, |run| run.worker_time.startup = run.worker_time.work * 40);
    let text = render(&results, TextOptions { width: 60, ..TextOptions::default() });
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words} in\n{text}"));
    let lesson = place("What this workload teaches\n  • Reuse pays.\n  • word word");
    assert!(place("A thousand tasks, all alike. A thousand") < place("wall time") && place("wall time") < lesson);
    assert!(lesson < place("What these figures show of it\n  ■ process spends"), "{text}");
    let prose = text.lines().filter(|line| line.contains("word") || line.contains("alike"));
    assert!(prose.clone().count() > 4 && prose.clone().all(|line| table::width(line) <= 60), "{text}");
    results.arms.truncate(1);
    assert!(!plain(&results).contains("teaches"), "one arm alone shows nothing of it");
}
