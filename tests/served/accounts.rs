//! CPU time and memory of programs that stay are those of their workers.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::event::Slot;
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::OnTimeout;

use crate::harness::*;
use crate::support::{both, pool, rules};

const ECHO: &str = "while read -r line; do echo '{\"ok\":true}'; done";

/// CPU time of a process, to a clock tick.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|field| fields[*field].parse::<f64>().unwrap()).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// Each program writes down at its end what it has used itself.
const AT_ITS_END: &str =
    "t = os.times()\nopen('used', 'a').write('%f\\n' % (t.user + t.system + t.children_user + t.children_system))\n";

#[test]
fn what_it_has_used_is_counted_where_it_ends_by_itself() {
    let act = "end = time.process_time() + 0.01\nwhile time.process_time() < end: pass";
    let folder = python(act, AT_ITS_END, "count: 40", "");
    for engine in ENGINES {
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 40, "{engine}");
        let own: f64 = lines_of(folder.path("used")).iter().map(|line| line.parse::<f64>().unwrap()).sum();
        std::fs::remove_file(folder.path("used")).unwrap();
        assert!(own >= 0.4, "{engine}: {own}");
        // What is beyond is the program's end and the worker's own part.
        let told = told.cpu_s();
        assert!(told >= own * 0.97 && told < own * 1.5 + 0.1, "{engine}: told {told} s, the programs say {own} s");
    }
}

#[test]
fn what_a_program_takes_to_be_ready_is_start_up_and_no_work() {
    let folder = workload("[python3, slow.py]", "count: 6, timeout: 8s", "");
    let script = "import json, sys, time\ntime.sleep(1)\nfor line in sys.stdin:\n  time.sleep(0.01)\n  \
                  print(json.dumps(dict(index=json.loads(line)['index'], result=1)), flush=True)\n";
    std::fs::write(folder.path("slow.py"), script).unwrap();
    for engine in ENGINES {
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 6, "{engine}: {}", told.0["failures"]);
        let of = |part: &str, what: &str| told.0["latency_s"][part][what].as_f64().unwrap();
        // Each of a process engine's, and the first of each worker of the others.
        let ready = if engine == "process" { of("startup", "p50") } else { of("startup", "max") };
        assert!(ready >= 0.95, "{engine}: {}", told.0["latency_s"]);
        assert!(of("service", "max") < ready / 2.0, "{engine}: {}", told.0["latency_s"]);
        assert!(of("service", "p50") >= 0.009, "{engine}: {}", told.0["latency_s"]);
    }
    // Where the line is too long for that, everything still comes.
    let long = "x".repeat(5000);
    let folder = workload("[python3, slow.py]", &format!("count: 2, args: {{ text: {long} }}"), "");
    std::fs::write(folder.path("slow.py"), script).unwrap();
    for engine in ENGINES {
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 2, "{engine}: {}", told.0["failures"]);
    }
}

#[test]
fn what_a_killed_one_has_used_is_not_lost() {
    // Twenty tasks that take a while, then one that works for ever.
    let script = "while read -r line; do case $line in '{\"index\":20,'*) : > $0; while :; do :; done;; esac; \
                  i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; echo '{\"ok\":true}'; done";
    for setting in both(1) {
        let folder = tempfile::tempdir().unwrap();
        let flag = folder.path().join("serve-killed-mark");
        let work = served(&["sh", "-c", script, flag.to_str().unwrap()]);
        let running = setting.tasks(21, work, rules()).start();
        until("the last one works", || flag.exists());
        let program = alive(flag.to_str().unwrap());
        assert_eq!(program.len(), 1, "{program:?}");
        let begin = cpu(program[0]);
        until("it has worked for a while", || cpu(program[0]) >= begin + 0.1);
        let used = cpu(program[0]);
        running.command(Command::KillWorker(Some(Slot(0))));
        let story = running.finish();
        assert_eq!((story.counts.succeeded, story.counts.lost), (20, 1), "{:?}", story.attempts);
        let told: f64 = story.exits.iter().map(|(_, _, _, usage, _)| usage.cpu().as_secs_f64()).sum();
        assert!(told >= used - 0.02, "told {told} s, it had used {used} s");
    }
}

#[test]
fn its_memory_is_its_workers_and_recycles_that() {
    let act = "kept = globals().setdefault('kept', [])\nkept.append(b'x' * (8 << 20))";
    let more = "engines: [{ kind: pool, workers: 1, max_rss_per_child: 60MiB }]";
    let folder = python(act, "open('ends', 'a').write('end\\n')\n", "count: 24", more);
    let told = run(&folder, "pool");
    assert_eq!(told.count("succeeded"), 24, "{}", told.0["failures"]);
    let starts = told.0["worker_starts"].as_u64().unwrap();
    assert!((3..=12).contains(&starts), "{starts} workers for 24 tasks that leave 8 MiB each");
    assert_eq!(lines_of(folder.path("ends")).len() as u64, starts, "each was told to end and did");
}

#[test]
fn an_abandoned_task_goes_on_and_its_time_is_a_ghosts() {
    let script = "while read -r line; do while ! [ -e $0 ]; do :; done; echo '{\"ok\":true}'; done";
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("serve-ghost-mark");
    let abandoned = ClassRules { timeout: Some(Duration::from_millis(200)), on_timeout: OnTimeout::Abandon, ..rules() };
    let work = served(&["sh", "-c", script, flag.to_str().unwrap()]);
    let running = pool(1).tasks(1, work, abandoned).tasks(3, served(&["sh", "-c", ECHO]), rules()).start();
    running.until("its caller gave up", |story| !story.attempts.is_empty());
    let program = alive(flag.to_str().unwrap());
    assert_eq!(program.len(), 1, "it goes on: {program:?}");
    let begin = cpu(program[0]);
    until("the ghost has worked for a while", || cpu(program[0]) >= begin + 0.1);
    std::fs::write(&flag, "").unwrap();
    let story = running.finish();
    assert_eq!((story.counts.succeeded, story.counts.timed_out), (3, 1), "{:?}", story.attempts);
    let cpu = story.ghosts[0].1.unwrap().as_secs_f64();
    assert!(cpu >= 0.08, "{cpu} s of CPU for a ghost that worked for 0.1 s and more");
}
