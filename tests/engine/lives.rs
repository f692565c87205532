//! The life of processes: how they came to be, when they were joined, and what is left of them until they are reaped.

use std::collections::BTreeMap;
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::event::{Moment, RunState, WorkerId};
use poolscope::engine::outcome::Exit;
use poolscope::workload::model::{Dist, Work};
use rustix::process::Signal;

use crate::support::{Setting, Story, both, kill, process, rules, shell};

fn nap(millis: u64) -> Work {
    Work::Sleep(Dist::Constant(Duration::from_millis(millis)))
}

/// The letter of a process's state in `/proc`; `None` where it is gone.
fn state(pid: u32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn the_start_of_each_process_is_told_in_its_parts() {
    let settings =
        [false, true].into_iter().flat_map(|fork_server| both(2).map(|setting| Setting { fork_server, ..setting }));
    for setting in settings {
        let per_task = !setting.workers_are_kept();
        let story = setting.tasks(20, nap(1), rules()).start().finish();
        assert_eq!(story.began.len(), story.started.len(), "each once");
        assert_eq!(story.reaped.len(), story.started.len(), "each once");
        let first_task: Moment = story.records.iter().map(|record| record.start).min().unwrap();
        for (worker, beginning) in &story.began {
            let (began, ready) = beginning.own.expect("ours tell");
            assert!(beginning.called < beginning.executed, "{beginning:?}");
            assert!(beginning.executed <= began && began < ready, "{beginning:?}");
            let pid = story.started.iter().find(|start| start.0 == *worker).unwrap().1;
            assert!(story.lives[&pid].1.is_some_and(|gone| ready < gone), "{beginning:?}");
            assert!(per_task || ready <= first_task + Duration::from_secs(1));
        }
    }
}

#[test]
fn of_a_program_that_is_its_task_the_start_alone_is_told() {
    let story = process(2).tasks(5, shell("exit 0"), rules()).start().finish();
    assert_eq!(story.began.len(), 5);
    assert!(story.began.iter().all(|(_, beginning)| beginning.own.is_none() && beginning.called < beginning.executed));
}

/// For each process: when it was started, when it ended, and its name, in the order of the starts.
fn lives(story: &Story) -> Vec<(WorkerId, Moment, Moment)> {
    story.started.iter().map(|(worker, pid, _)| (*worker, story.lives[pid].0, story.lives[pid].1.unwrap())).collect()
}

#[test]
fn a_caller_that_joins_in_order_starts_no_more_before_all_are_joined_and_is_told_the_delays() {
    // Pids may be used again: few enough that they are not.
    let setting = Setting { joins_all: true, ..process(4) };
    let work =
        Work::Sleep(Dist::Bimodal { fast: Duration::from_millis(2), slow: Duration::from_millis(120), p_slow: 0.3 });
    let story = setting.tasks(18, work, rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 18));
    let lives = lives(&story);
    assert_eq!(lives.len(), 18);
    let order: Vec<WorkerId> = lives.iter().map(|life| life.0).collect();
    assert_eq!(story.joined.iter().map(|joined| joined.0).collect::<Vec<_>>(), order, "in the order of the starts");
    let delays: BTreeMap<WorkerId, Duration> = story.joined.iter().copied().collect();
    for batch in lives.chunks(4) {
        // As `join` after `join` would take, with the ends as they were.
        let mut joined = Moment::ZERO;
        for (worker, _, end) in batch {
            joined = joined.max(*end);
            let expected = joined.since(*end);
            let slack = Duration::from_millis(1);
            let delay = delays[worker];
            assert!(delay <= expected + slack && expected <= delay + slack, "{delay:?} instead of {expected:?}");
        }
    }
    for (before, after) in lives.chunks(4).zip(lives.chunks(4).skip(1)) {
        let last_end = before.iter().map(|life| life.2).max().unwrap();
        assert!(after.iter().all(|life| life.1 >= last_end), "nobody is started before all are joined");
    }
    assert!(story.joined.iter().any(|joined| joined.1 > Duration::from_millis(50)), "somebody had to wait: {delays:?}");
}

#[test]
fn all_tasks_are_one_batch_where_there_are_as_many_places() {
    let setting = Setting { joins_all: true, ..process(30) };
    let run = setting.tasks(30, nap(400), rules()).start();
    run.until("all are at work", |story| story.slots.iter().filter(|slot| slot.task.is_some()).count() == 30);
    let story = run.finish();
    assert_eq!((story.counts.succeeded, story.joined.len()), (30, 30));
}

#[test]
fn a_caller_that_joins_all_goes_on_after_deaths_and_stops() {
    let setting = Setting { joins_all: true, ..process(3) };
    let run = setting.tasks(9, nap(50), rules()).start();
    let story = run.until("somebody is there", |story| !story.started.is_empty());
    kill(story.started[0].1, Signal::KILL);
    let story = run.finish();
    assert_eq!((story.counts.succeeded, story.counts.lost, story.joined.len()), (8, 1, 9), "{:?}", story.attempts);

    let setting = Setting { joins_all: true, ..process(3) };
    let run = setting.tasks(100, nap(60_000), rules()).start();
    run.until("all are there", |story| story.started.len() == 3);
    run.command(Command::Kill);
    let story = run.finish();
    assert_eq!((story.state, story.joined.len()), (Some(RunState::Stopped), 3));
    story.nobody_is_left();
}

#[test]
fn processes_that_are_never_reaped_are_real_zombies_until_the_run_is_over() {
    for fork_server in [false, true] {
        let setting = Setting { leaves_zombies: true, fork_server, ..process(3) };
        let quick = Work::Cpu(Dist::Constant(Duration::from_millis(3)));
        let run = setting.tasks(20, quick, rules()).tasks(1, nap(1_000), rules()).start();
        let story = run.until("the quick ones are done", |story| story.exits.len() >= 20);
        let pids: Vec<u32> = story.exits.iter().map(|exit| exit.1).collect();
        assert!(pids.iter().all(|pid| state(*pid) == Some('Z')), "they are zombies");
        run.until("they are counted", |story| story.undead.iter().any(|seen| seen.0 >= 20));
        let story = run.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 21), "{:?}", story.notes);
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
        // The account of a zombie is final.
        let cpu: Duration = story.exits.iter().map(|exit| exit.3.cpu()).sum();
        // What they were to use: how long that took is the machine's affair.
        let work = Duration::from_millis(20 * 3);
        assert!(cpu > work / 4, "{cpu:?} for {work:?}");
        assert!(story.exits.iter().all(|exit| exit.3.minor_faults > 0));
        assert_eq!(story.reaped.len(), 21, "all in the end");
        assert!(
            story.reaped.iter().filter(|reaped| reaped.1 > Duration::from_millis(300)).count() >= 18,
            "{:?}",
            story.reaped
        );
        assert_eq!(story.undead.last().unwrap().0, 0, "nobody is left");
        assert!(pids.iter().all(|pid| state(*pid).is_none()));
    }
}

#[test]
fn a_stopped_run_leaves_no_zombie_behind_and_reports_deaths_as_they_were() {
    let setting = Setting { leaves_zombies: true, ..process(2) };
    let run = setting.tasks(200, nap(30), rules()).start();
    let story = run.until("somebody is there", |story| !story.started.is_empty());
    kill(story.started[0].1, Signal::KILL);
    run.until("some have ended", |story| story.exits.len() >= 6);
    run.command(Command::Stop);
    let story = run.finish();
    assert!(story.exits.iter().any(|exit| exit.2 == Exit::Signal(9)), "{:?}", story.exits);
    assert_eq!(story.reaped.len(), story.started.len());
    for (_, pid, _) in &story.started {
        assert_eq!(state(*pid), None);
    }
}

#[test]
fn ordinary_runs_look_for_zombies_too_and_have_none_at_their_end() {
    for setting in both(2) {
        let story = setting.tasks(30, nap(5), rules()).start().finish();
        assert_eq!(story.undead.last().map(|seen| seen.0), Some(0));
    }
}

/// Here this process is no subreaper: the program itself is asked.
/// What a task has started ends with it where we end the task: nobody has left it behind.
#[test]
fn what_a_task_that_is_ended_had_started_is_no_orphan() {
    let tasks = [
        ("a program", "sleep 600"),
        ("a shell with children", "sleep 600 & sleep 600 & wait"),
        ("one in a session of its own", "setsid sleep 600 & wait"),
        ("two generations", "sh -c 'sleep 600 & wait' & wait"),
    ];
    let engines = [("pool", "spawn"), ("pool", "forkserver"), ("process", "spawn"), ("process", "forkserver")];
    for (what, script) in tasks {
        for (engine, start) in engines {
            for ended in ["timeout: 150ms", "timeout: 150ms, grace_period: 0s", "timeout: 150ms, on_timeout: abandon"] {
                let start = format!(", start_method: {start}");
                let text = format!(
                    "version: 1\nname: cut\ntasks:\n  - {{ name: c, kind: command, command: [sh, -c, \"{script}\"], count: 2, {ended} }}\n\
                     engines: [{{ kind: {engine}, workers: 2{start} }}]\nmeasure: {{ warmup: 0, repeats: 1 }}\n"
                );
                let run = run_of(&text);
                let over = ["timed_out", "lost"].map(|outcome| run["tasks"][outcome].as_u64().unwrap());
                assert_eq!(over.iter().sum::<u64>(), 2, "{what}, {engine}, {ended}: {run}");
                assert_eq!(run["orphans"], 0, "{what}, {engine}{start}, {ended}");
                let notes = run["notes"].to_string();
                assert!(!notes.contains("left processes behind"), "{what}, {engine}{start}, {ended}: {notes}");
            }
        }
    }
}

#[test]
fn orphans_are_counted_in_every_engine() {
    let text = |engine| {
        format!(
            "version: 1\nname: w\ntasks: [{{ name: t, kind: command, count: 3, shell: true, \
             command: \"setsid sleep 600 & sleep 0.05\" }}]\nengines: [{{ kind: {engine}, workers: 1 }}]\n\
             measure: {{ warmup: 0, repeats: 1 }}\n"
        )
    };
    for engine in ["pool", "process"] {
        let run = run_of(&text(engine));
        assert_eq!(run["zombies"], 0, "{engine}");
        assert!(run["orphans"].as_u64().unwrap() >= 3, "{engine}: {}", run["orphans"]);
        assert!(run["notes"].to_string().contains("left processes behind"), "{engine}: {}", run["notes"]);
    }
}

/// What the program itself says of a run; here this process is no subreaper.
fn run_of(text: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("w.yaml");
    std::fs::write(&file, text).unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_poolscope"));
    program
        .args(["run", "--quiet", "--format", "json"])
        .arg(&file)
        .env("POOLSCOPE_CACHE_DIR", folder.path())
        .env("POOLSCOPE_DB", "off");
    let output = program.output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    document["arms"][0]["runs"][0].clone()
}

/// It is in every sum: its memory is shared with the workers, and what they share is counted once.
#[test]
fn the_fork_servers_own_memory_and_cpu_are_told() {
    let run = run_of(
        "version: 1\nname: f\ntasks: [{ name: t, kind: sleep, count: 4, service_time: { dist: constant, value: 1s } }]\n\
         engines: [{ kind: process, workers: 2, start_method: forkserver, initializer: { cpu: 50ms, memory: 32MiB } }]\n\
         measure: { warmup: 0, repeats: 1 }\n",
    );
    let server = &run["fork_server"];
    assert!(server["peak_rss_bytes"].as_u64().unwrap() >= 32 << 20, "{server}");
    assert!(server["peak_pss_bytes"].as_u64().unwrap() > 1 << 20, "{server}");
    assert!(server["cpu_s"].as_f64().unwrap() > 0.0, "{server}");
    let all = run["memory"]["peak_rss_bytes"].as_u64().unwrap();
    assert!(all >= 3 * (32 << 20), "two workers and the server: {all}");
}
