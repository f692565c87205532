use std::sync::Arc;

use super::*;
use crate::analysis::failing::AllFailed;
use crate::engine::event::RunState;
use crate::report::ending::{Ending, Partial};
use crate::report::fixtures::run;
use crate::report::sweep::fixtures::{settings, sweep};

fn plain(results: &SweepResults) -> String {
    render(results, TextOptions::default())
}

fn change(results: &mut SweepResults, arm: usize, count: usize, change: impl FnOnce(&mut Point)) {
    change(&mut Arc::make_mut(&mut results.arms[arm].tuning).points[count]);
}

#[test]
fn report_of_a_sweep() {
    insta::assert_snapshot!(plain(&sweep()));
}

#[test]
fn settings_are_a_table_with_the_fastest_of_each_engine() {
    let mut results = settings();
    change(&mut results, 0, 0, |point| point.dropped = true);
    insta::assert_snapshot!(plain(&results));
    for arm in &mut results.arms {
        arm.settings.push(("workers".to_owned(), "2".to_owned()));
    }
    results.dimensions.insert(0, "workers=2,4".parse().unwrap());
    let text = plain(&results);
    assert!(text.contains("pool, tasks/s\n  workers \\ chunksize"), "{text}");
    let row = |start: &str| text.lines().find(|line| line.trim_start().starts_with(start)).unwrap().to_owned();
    let not_tried: Vec<String> = row("4 ").split_whitespace().map(str::to_owned).collect();
    assert!(row("2 ").contains("▸200") && not_tried == ["4", "–", "–"], "{text}");
}

#[test]
fn it_fits_into_80_and_into_40_columns() {
    for width in [40, 80, 100] {
        let text = render(&sweep(), TextOptions { width, ..TextOptions::default() });
        let body: Vec<&str> = text.lines().skip(2).filter(|line| !line.contains("faster")).collect();
        let longest = body.iter().map(|line| table::width(line)).max();
        assert!(width == 40 || longest <= Some(width), "{width}: {text}");
        assert!(text.contains("tasks/s") && text.contains("±95 %"), "{text}");
        assert_eq!(text.contains("memory"), width > 40, "{text}");
    }
}

#[test]
fn colour_adds_colour_and_nothing_else() {
    let coloured = render(&sweep(), TextOptions { colour: true, ..TextOptions::default() });
    assert!(coloured.contains('\x1b'));
    let without: String = coloured.lines().map(|line| format!("{}\n", clean::line(line).trim_end())).collect();
    assert_eq!(without, plain(&sweep()));
}

#[test]
fn suspect_runs_are_marked_with_their_count() {
    let mut results = sweep();
    change(&mut results, 0, 1, |point| point.suspect = vec!["other programs used 40 % of the cores".to_owned()]);
    let text = plain(&results);
    let row = text.lines().find(|line| line.trim_start().starts_with("▸")).unwrap();
    assert!(row.ends_with("SUSPECT"), "{row}");
    assert!(text.contains("! ● pool ×2: SUSPECT: other programs used 40 % of the cores"), "{text}");
    change(&mut results, 0, 0, |point| point.suspect = vec!["reason".to_owned(); 3]);
    assert!(plain(&results).contains("! ● pool: 1 run more suspect"), "{}", plain(&results));
}

#[test]
fn nothing_that_succeeded_is_said_with_its_cause() {
    let mut results = sweep();
    let failed = || Some(AllFailed { tasks: 1000, cause: "x: not found".to_owned() });
    change(&mut results, 1, 2, |point| point.all_failed = failed());
    let text = plain(&results);
    assert!(text.contains("✗ ■ process ×4: ALL 1000 TASKS FAILED: x: not found"), "{text}");
    assert_eq!(results.all_failed().count(), 0, "others succeeded");
    (0..2).for_each(|count| change(&mut results, 1, count, |point| point.all_failed = failed()));
    let text = plain(&results);
    assert!(text.contains("✗ ■ process: ALL 1000 TASKS FAILED: x: not found") && !text.contains("×4: ALL"), "{text}");
    assert_eq!(results.all_failed().count(), 1);
}

#[test]
fn an_aborted_sweep_cannot_be_mistaken_for_a_whole_one() {
    let mut results = sweep();
    let mut cut_off = run(1, 10, 5.0);
    cut_off.state = RunState::Stopped;
    cut_off.run.round = 4;
    cut_off.counts.submitted = 1000;
    cut_off.counts.succeeded = 260;
    cut_off.counts.cancelled = 740;
    results.arms[1].partial = Some((4, Partial { run: Arc::new(cut_off), warmup: false, left: None }));
    results.ending = Ending::Stopped(Some(2));
    let text = plain(&results);
    assert!(text.contains("\nABORTED: ended by SIGINT"), "{text}");
    assert!(text.contains("! ■ process ×4, run 4: stopped after 260 of 1000 tasks (26 %); not counted"), "{text}");
}

#[test]
fn an_arm_without_a_run_says_so() {
    let mut results = sweep();
    results.arms[1].tuning = Arc::default();
    let text = plain(&results);
    assert!(text.contains("■ process\n  nothing measured yet\n"), "{text}");
    assert!(!text.contains("faster"), "{text}");
}

#[test]
fn nothing_from_a_file_reaches_the_terminal_as_it_is() {
    let mut results = sweep();
    results.arms[0].spec.name = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}\r\n".to_owned();
    change(&mut results, 0, 1, |point| point.suspect = vec!["\x1b[2J".to_owned()]);
    let text = plain(&results);
    assert!(!text.contains(|character| character != '\n' && clean::is_control(character)), "{text:?}");
}

#[test]
fn short_runs_say_that_memory_is_sampled() {
    let mut results = sweep();
    let told = |results: &SweepResults| plain(results).contains("memory is sampled");
    for arm in 0..results.arms.len() {
        for count in 0..results.arms[arm].tuning.points.len() {
            change(&mut results, arm, count, |point| point.wall = Duration::from_secs(4) * point.runs());
        }
    }
    assert!(!told(&results), "{}", plain(&results));
    change(&mut results, 0, 0, |point| point.wall = Duration::from_millis(200));
    assert!(told(&results), "{}", plain(&results));
}
