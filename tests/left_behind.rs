//! What tasks leave behind is ended when they are over: in both engines, with control groups and without, whatever it does
//! to its group, its session and its environment. And it is nobody's service time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::program::{WorkloadFolder, only_run, processes, processes_naming, without_clone3, zombies};
use support::{eventually, hard_limit};

/// Each way to run a workload: with control groups where they can be made, and where clone3 is refused, without them.
fn every_way(folder: &WorkloadFolder, more: &[&str], mut test: impl FnMut(&str, &mut Command)) {
    hard_limit();
    for engine in ["pool", "process"] {
        test(&format!("{engine}, as it comes"), &mut folder.run(engine, more));
        test(&format!("{engine}, without clone3"), without_clone3(&mut folder.run(engine, more)));
    }
}

/// A number of seconds for `sleep` that nobody else uses.
fn unique() -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}.{number:03}", 3600 + std::process::id())
}

struct KilledOnDrop(Child);

impl KilledOnDrop {
    fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_child_that_holds_the_output_open_is_no_service_time() {
    let nap = unique();
    let workload = |script: &str| {
        format!(
            "version: 1\nname: w\ntasks: [{{ name: t, kind: command, count: 20, shell: true, command: \"{script}\" }}]\n\
             engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n"
        )
    };
    let service = |command: &mut Command, way: &str| {
        let run = only_run(&command.output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 20, "{way}: {run}");
        run["latency_s"]["service"]["p50"].as_f64().unwrap()
    };
    let (plain, leaving) =
        (WorkloadFolder::new(&workload("exit 0")), WorkloadFolder::new(&workload(&format!("sleep {nap} & exit 0"))));
    let mut alone = Vec::new();
    every_way(&plain, &["--format", "json"], |way, command| alone.push(service(command, way)));
    let alone = alone.into_iter().fold(0.0, f64::max);
    every_way(&leaving, &["--format", "json"], |way, command| {
        let service = service(command, way);
        // A fork more than the same program without a child; waiting for the pipe would be 250 ms and more.
        assert!(service < alone * 4.0 + 0.05, "{way}: {service} s against {alone} s alone");
        assert_eq!(processes(&["sleep", &nap]), [], "{way}");
    });
}

/// One task after the other leaves somebody behind, the last one goes on until the test has seen that they are gone.
fn gone_while_the_run_goes_on(script: &str, limits: &str, nap: &str) {
    let last = unique();
    let workload = format!(
        "version: 1\nname: w\ntasks:\n  - {{ name: leave, kind: command, count: 3, shell: true, command: \"{script}\"{limits} }}\n  \
         - {{ name: last, kind: command, count: 1, command: [sleep, \"{last}\"] }}\n\
         engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n"
    );
    let folder = WorkloadFolder::new(&workload);
    every_way(&folder, &[], |way, command| {
        let running = KilledOnDrop::start(command);
        eventually(&format!("{way}: the last task runs"), || !processes(&["sleep", &last]).is_empty());
        // Nobody who sleeps so long, or is about to start one that does.
        eventually(&format!("{way}: what was left behind is gone"), || processes_naming(nap).is_empty());
        assert_eq!(processes(&["sleep", &last]).len(), 1, "{way}: the task that runs is left alone");
        let pid = running.0.id();
        eventually(&format!("{way}: what was ended is reaped"), || zombies(pid) == 0);
        drop(running);
        eventually(&format!("{way}: the last task is gone with the program"), || {
            processes(&["sleep", &last]).is_empty()
        });
    });
}

#[test]
fn those_that_stay_in_the_group_are_ended() {
    let nap = unique();
    gone_while_the_run_goes_on(&format!("sleep {nap} & exit 0"), "", &nap);
}

#[test]
fn daemons_without_a_session_or_an_environment_are_ended() {
    let nap = unique();
    // At once, so that the next task begins within the same tick of the clock of start times; and a little later.
    for pause in ["", "sleep 0.05"] {
        let script = format!("env -i setsid sh -c 'sleep {nap} & env -i setsid sleep {nap} & wait' & {pause}");
        gone_while_the_run_goes_on(&script, "", &nap);
    }
}

#[test]
fn one_that_is_ended_while_it_starts_others_leaves_none_of_them() {
    let nap = unique();
    let storm = format!("i=0; while [ $i -lt 60 ]; do sleep {nap} & i=$((i+1)); done; wait");
    for pause in ["", "sleep 0.02"] {
        gone_while_the_run_goes_on(&format!("env -i setsid sh -c '{storm}' & {pause}"), "", &nap);
    }
}

#[test]
fn those_of_a_task_that_was_killed_are_ended_before_the_run_is_over() {
    let nap = unique();
    let script = format!("setsid sleep {nap} & env -i setsid sleep {nap} & exec sleep {}", unique());
    gone_while_the_run_goes_on(&script, ", timeout: 200ms, grace_period: 0ms", &nap);
}

#[test]
fn a_daemon_that_its_own_task_still_needs_is_left_alone() {
    // It becomes an orphan at once; the task is happy only if it lives to say so, while other tasks come and go.
    let script =
        "(setsid env -i /bin/sh -c 'sleep 0.6; echo alive > FOLDER/$0' {index} &) ; sleep 1; test -e FOLDER/{index}";
    let folder = WorkloadFolder::new("");
    let script = script.replace("FOLDER", &folder.as_path().display().to_string());
    let workload = format!(
        "version: 1\nname: w\ntasks:\n  - {{ name: long, kind: command, count: 2, shell: true, command: \"{script}\" }}\n  \
         - {{ name: short, kind: command, count: 40, command: [sleep, \"0.01\"] }}\n\
         engines: [{{ kind: pool, workers: 3 }}, {{ kind: process, workers: 3 }}]\n"
    );
    std::fs::write(folder.path("w.yaml"), workload).unwrap();
    every_way(&folder, &["--format", "json"], |way, command| {
        let run = only_run(&command.output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 42, "{way}: {run:#}");
        for index in 0..42 {
            let _ = std::fs::remove_file(folder.path(&index.to_string()));
        }
    });
}

#[test]
fn an_orphan_that_ends_by_itself_is_reaped_at_once() {
    let last = unique();
    let script = format!("(sleep 0.05 &) ; (sleep 0.1 &) ; exec sleep {last}");
    let workload = format!(
        "version: 1\nname: w\ntasks: [{{ name: t, kind: command, count: 1, shell: true, command: \"{script}\" }}]\n\
         engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n"
    );
    let folder = WorkloadFolder::new(&workload);
    every_way(&folder, &[], |way, command| {
        let running = KilledOnDrop::start(command);
        let pid = running.0.id();
        eventually(&format!("{way}: the orphans are there"), || {
            !processes(&["sleep", &last]).is_empty() && processes(&["sleep", "0.1"]).iter().any(|(_, of)| *of == pid)
        });
        eventually(&format!("{way}: they end"), || processes(&["sleep", "0.1"]).iter().all(|(_, of)| *of != pid));
        eventually(&format!("{way}: they are reaped while their task runs"), || zombies(pid) == 0);
        assert!(!processes(&["sleep", &last]).is_empty(), "{way}");
    });
}

#[test]
fn not_even_sigkill_leaves_a_daemon_that_has_hidden() {
    let nap = unique();
    let workload = format!(
        "version: 1\nname: w\ntasks: [{{ name: t, kind: command, count: 2, shell: true, command: \
         \"env -i setsid sleep {nap} & (env -i setsid sleep {nap} &) ; env -i sleep {nap}\" }}]\n\
         engines: [{{ kind: pool, workers: 2 }}, {{ kind: process, workers: 2 }}]\n"
    );
    let folder = WorkloadFolder::new(&workload);
    every_way(&folder, &[], |way, command| {
        let mut running = KilledOnDrop::start(command);
        eventually(&format!("{way}: all are there"), || processes(&["sleep", &nap]).len() == 6);
        // The guardian looks every 50 ms where it has no control groups.
        std::thread::sleep(Duration::from_millis(300));
        running.0.kill().unwrap();
        running.0.wait().unwrap();
        let begin = Instant::now();
        eventually(&format!("{way}: all are gone"), || processes(&["sleep", &nap]).is_empty());
        assert!(begin.elapsed() < Duration::from_secs(1), "{way}: {:?}", begin.elapsed());
    });
}

#[test]
fn those_who_were_there_before_are_left_alone() {
    let nap = unique();
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, count: 4, shell: true, command: \"sleep 0.1\" }]\n\
         engines: [{ kind: pool, workers: 1 }, { kind: process, workers: 1 }]\n",
    );
    hard_limit();
    for engine in ["pool", "process"] {
        for filtered in [false, true] {
            // A shell that becomes the program: what it has put in the background is the program's child then.
            let mut command = folder.run_after(
                &format!("sleep {nap} >/dev/null 2>&1 & (sleep {nap} >/dev/null 2>&1 &)"),
                engine,
                &["--format", "json"],
            );
            if filtered {
                without_clone3(&mut command);
            }
            let run = only_run(&command.output().unwrap());
            assert_eq!(run["tasks"]["succeeded"], 4, "{engine}: {run}");
            let left = processes(&["sleep", &nap]);
            left.iter().for_each(|(pid, _)| support::kill(*pid, rustix::process::Signal::KILL));
            assert_eq!(left.len(), 2, "{engine}, filtered: {filtered}");
            eventually("they are gone", || processes(&["sleep", &nap]).is_empty());
        }
    }
}

#[test]
fn an_arm_that_ends_leaves_the_tasks_of_the_other_alone() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, count: 12, command: [env, -i, sleep, \"0.1\"] }]\n\
         engines: [{ kind: pool, name: one, workers: 1 }, { kind: process, name: many, workers: 6 }]\n",
    );
    hard_limit();
    for filtered in [false, true] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
        command.arg("compare").arg(folder.path("w.yaml")).args(["--together", "--quiet", "--format", "json"]);
        command.env("POOLSCOPE_CACHE_DIR", folder.as_path()).env("POOLSCOPE_DB", "off").stdin(Stdio::null());
        if filtered {
            without_clone3(&mut command);
        }
        let output = command.output().unwrap();
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for arm in result["arms"].as_array().unwrap() {
            assert_eq!(arm["runs"][0]["tasks"]["succeeded"], 12, "filtered: {filtered}: {}", arm["runs"][0]);
        }
    }
}

#[test]
fn a_short_program_is_timed_from_its_own_start_in_both_engines() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, count: 200, shell: true, command: \"echo hi\" }]\n\
         engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]\nmeasure: { percentiles: [1, 50] }\n",
    );
    hard_limit();
    for engine in ["pool", "process"] {
        let run = only_run(&folder.run(engine, &["--format", "json"]).output().unwrap());
        let service = |percentile: &str| run["latency_s"]["service"]["percentiles"][percentile].as_f64().unwrap();
        // Shortest and usual are of one kind; a stamp that comes when the program has ended makes microseconds of it.
        assert!(service("1") > service("50") / 20.0, "{engine}: {}", run["latency_s"]["service"]);
    }
}

#[test]
fn tasks_get_no_descriptor_that_the_caller_left_open() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, count: 3, shell: true, command: \
         \"for fd in 3 4 5 6 7 8 9; do test ! -e /proc/$$/fd/$fd || exit 1; done\" }]\n\
         engines: [{ kind: pool, workers: 1 }, { kind: process, workers: 1 }]\n",
    );
    hard_limit();
    let open = "exec 3</dev/null 4</dev/null 7</dev/null 9</dev/null";
    for engine in ["pool", "process"] {
        let run = only_run(&folder.run_after(open, engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 3, "{engine}: {run:#}");
    }
}

#[test]
fn a_folder_that_goes_away_fails_the_tasks_alike_in_both_engines() {
    hard_limit();
    let mut outcomes = Vec::new();
    for engine in ["pool", "process"] {
        let folder = WorkloadFolder::new("");
        let inner = folder.path("inner");
        std::fs::create_dir(&inner).unwrap();
        let file = inner.join("w.yaml");
        std::fs::write(
            &file,
            format!(
                "version: 1\nname: w\ntasks: [{{ name: t, kind: command, count: 5, shell: true, command: \"rm -rf {}\" }}]\n\
                 engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n",
                inner.display()
            ),
        )
        .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
        command.arg("run").arg(&file).args(["--engine", engine, "--quiet", "--format", "json"]);
        let output = command
            .env("POOLSCOPE_CACHE_DIR", folder.as_path())
            .env("POOLSCOPE_DB", "off")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let run = only_run(&output);
        assert!(run["failures"].to_string().contains("cannot be entered"), "{engine}: {run:#}");
        outcomes.push((run["tasks"]["succeeded"].clone(), run["tasks"]["failed"].clone()));
    }
    assert_eq!(outcomes[0], outcomes[1]);
}

/// The guardian of a run: a child of the program with the mark of the run and no task.
fn guardian(of: u32) -> Option<u32> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_string_lossy().parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let ours = line.split(|byte| *byte == 0).any(|argument| argument == of.to_string().as_bytes());
        (line.starts_with(b"poolscope-guardian\0") && ours).then_some(pid)
    })
}

#[test]
fn a_guardian_that_stands_still_holds_nobody_up() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, count: 1, command: [sleep, \"0.5\"] }]\n\
         engines: [{ kind: pool, workers: 1 }, { kind: process, workers: 1 }]\n",
    );
    hard_limit();
    for engine in ["pool", "process"] {
        let mut running = KilledOnDrop::start(&mut folder.run(engine, &[]));
        let program = running.0.id();
        eventually("the guardian is there", || guardian(program).is_some());
        support::kill(guardian(program).unwrap(), rustix::process::Signal::STOP);
        let begin = Instant::now();
        assert!(running.0.wait().unwrap().success());
        assert!(begin.elapsed() < Duration::from_secs(10), "{engine}: {:?}", begin.elapsed());
        eventually("it is gone too", || guardian(program).is_none());
    }
}
