//! `limits`: checked with the numbers before anything starts, and kept while it runs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use support::cli::{code, document, text};
use support::program::{WorkloadFolder, only_run};

const NAP: &str = "{ name: nap, kind: sleep, count: 40, service_time: { dist: constant, value: 50ms } }";

fn folder(task: &str, engines: &str, limits: &str) -> WorkloadFolder {
    WorkloadFolder::new(&format!(
        "version: 1\nname: l\ntasks: [{task}]\nengines: [{engines}]\nmeasure: {{ warmup: 0, repeats: 1 }}\nlimits: {{ {limits} }}\n"
    ))
}

fn call(folder: &WorkloadFolder, way: &str) -> Output {
    folder.shell(&format!("exec POOLSCOPE {way}")).output().unwrap()
}

/// That it is refused by every verb with these words, that nothing was started, and that the flag lifts it.
#[track_caller]
fn refused_unless_known(folder: &WorkloadFolder, words: &[&str]) {
    for way in ["run w.yaml --quiet", "compare w.yaml --quiet", "check w.yaml"] {
        let output = call(folder, way);
        let told = [text(&output.stdout), text(&output.stderr)].concat();
        code(&output, 2);
        words.iter().for_each(|word| assert!(told.contains(word), "{way}: {word} is not in\n{told}"));
        assert!(!folder.path("started").exists(), "{way}: something was started");
    }
    let known = call(folder, "run w.yaml --quiet --i-know --format json");
    code(&known, 0);
}

#[test]
fn processes_are_counted_with_the_programs_of_a_pool() {
    let command = "{ name: c, kind: command, count: 8, shell: true, command: 'touch started' }";
    let words =
        ["`pool` needs 8 processes for 4 workers at once", "limits.max_processes is 6", "3 is the largest number"];
    refused_unless_known(&folder(command, "{ kind: pool, workers: 4 }", "max_processes: 6"), &words);
    // A process that is its task is one.
    let process = folder(command, "{ kind: process, workers: 6 }", "max_processes: 6");
    code(&call(&process, "check w.yaml"), 0);
    let output = call(&process, "run w.yaml --quiet --format json");
    assert_eq!(document(&output)["arms"][0]["workers"], 6, "it is not cut short in silence");
    refused_unless_known(
        &folder(NAP, "{ kind: process, workers: unbounded }", "max_processes: 39"),
        &["needs 40 processes", "limits.max_processes is 39"],
    );
    let fits = folder(NAP, "{ kind: pool, workers: 6 }", "max_processes: 6");
    let output = call(&fits, "check w.yaml");
    assert!(text(&output.stdout).contains("limits    at most 6 processes at once\n"), "{}", text(&output.stdout));
}

#[test]
fn memory_is_that_of_tasks_and_initializers() {
    let task = "{ name: m, kind: memory, count: 3, bytes: 3MiB }";
    let words = ["would allocate up to 9.0 MiB at once", "limits.max_memory is 8.0 MiB"];
    refused_unless_known(&folder(task, "{ kind: pool, workers: 3 }", "max_memory: 8MiB"), &words);
    let engine = "{ kind: pool, workers: 2, initializer: { memory: 2MiB } }";
    let words = ["would allocate up to 10.0 MiB at once", "limits.max_memory is 9.0 MiB"];
    refused_unless_known(&folder(task, engine, "max_memory: 9MiB"), &words);
    code(&call(&folder(task, "{ kind: pool, workers: 3 }", "max_memory: 9MiB"), "run w.yaml --quiet"), 0);
    // The machine's own limit is said with where it comes from.
    let huge =
        folder("{ name: m, kind: memory, count: 2000, bytes: 1GiB }", "{ kind: pool, workers: 2000 }", "max_time: 1h");
    let told = text(&call(&huge, "run w.yaml --quiet").stderr);
    assert!(told.contains("80 % of") && told.contains("memory"), "{told}");
}

#[test]
fn limits_of_the_system_are_named() {
    let folder = folder(NAP, "{ kind: pool, workers: 40 }", "max_processes: 100");
    let output = folder.shell("ulimit -n 120; exec POOLSCOPE run w.yaml --quiet").output().unwrap();
    code(&output, 2);
    let told = text(&output.stderr);
    assert!(
        told.contains("needs 120 open files for 40 workers") && told.contains("of RLIMIT_NOFILE, a limit of 120,"),
        "{told}"
    );
}

#[test]
fn a_sweep_tries_no_more_than_the_file_allows() {
    let folder = folder(NAP, "{ kind: pool }, { kind: process }", "max_processes: 3");
    let output = call(&folder, "sweep w.yaml --quiet --format json");
    code(&output, 0);
    let sweep = document(&output);
    let counts: Vec<u64> = sweep["arms"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|arm| arm["points"].as_array().unwrap())
        .map(|point| point["workers"].as_u64().unwrap())
        .collect();
    assert!(counts.contains(&2) && counts.iter().all(|count| *count <= 3), "{counts:?}");
    code(&call(&folder, "sweep w.yaml --workers 1..4 --quiet"), 2);
}

#[test]
fn each_program_may_open_so_many_files() {
    // Neither limit can be raised again, but by root.
    let task = "{ name: c, kind: command, count: 2, shell: true, command: '[ $(ulimit -Sn) = 48 ] && [ $(ulimit -Hn) = 48 ]' }";
    for engine in ["pool", "process", "serial"] {
        for (limit, outcome) in [(48, "succeeded"), (64, "failed")] {
            let folder = folder(task, &format!("{{ kind: {engine} }}"), &format!("max_open_files: {limit}"));
            let run = only_run(&call(&folder, "run w.yaml --quiet --format json"));
            assert_eq!(run["tasks"][outcome], 2, "{engine}, {limit}: {run:#}");
        }
    }
}

#[test]
fn so_does_each_worker() {
    let task = "{ name: s, kind: sleep, count: 2, service_time: { dist: constant, value: 600s } }";
    for engine in ["pool", "process", "serial"] {
        let folder = folder(task, &format!("{{ kind: {engine} }}"), "max_open_files: 48, max_time: 1h");
        let mut child = folder.run(engine, &["--i-know"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        let workers = || -> Vec<u32> {
            let all = support::program::processes_naming("poolscope-worker").into_iter();
            all.filter(|pid| parent(*pid) == child.id()).collect()
        };
        support::eventually("a worker is there", || !workers().is_empty());
        let limits: Vec<String> = workers().into_iter().map(open_files).collect();
        support::kill(child.id(), rustix::process::Signal::TERM);
        assert_eq!(child.wait().unwrap().code(), Some(143));
        assert!(limits.iter().all(|limit| limit == "48 48"), "{engine}: {limits:?}");
    }
}

fn parent(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok()).unwrap_or(0)
}

/// Soft and hard limit.
fn open_files(pid: u32) -> String {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_least_number_of_open_files_is_enough_for_everything() {
    let tasks = "{ name: c, kind: command, count: 20, command: [sh, -c, 'echo out; echo err >&2'] }, \
                 { name: i, kind: io, count: 20, bytes: 4KiB }, { name: s, kind: sleep, count: 20, service_time: { dist: constant, value: 1ms } }";
    for engine in ["pool", "process"] {
        let folder = folder(tasks, &format!("{{ kind: {engine}, workers: 3 }}"), "max_open_files: 32");
        let run = only_run(&call(&folder, "run w.yaml --quiet --format json"));
        assert_eq!(run["tasks"]["succeeded"], 60, "{engine}: {run:#}");
    }
}

#[test]
fn more_open_files_than_the_hard_limit_are_refused_whatever_the_flags() {
    use std::os::unix::process::CommandExt as _;
    /// linux/capability.h
    const CAP_SYS_RESOURCE: libc::c_int = 24;
    let folder = folder(NAP, "{ kind: pool, workers: 2 }", "max_open_files: 5000");
    let unprivileged = |command: &mut Command| {
        // SAFETY: plain system calls on values. What is no privilege cannot be dropped, which is as well.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0);
                let limit = libc::rlimit { rlim_cur: 1024, rlim_max: 4096 };
                if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
    };
    for way in ["run w.yaml --quiet --i-know", "compare w.yaml --quiet", "check w.yaml --i-know"] {
        let mut command = folder.shell(&format!("exec POOLSCOPE {way}"));
        unprivileged(&mut command);
        let output = command.output().unwrap();
        code(&output, 2);
        let told = [text(&output.stdout), text(&output.stderr)].concat();
        for words in ["limits.max_open_files", "5000 open files are not allowed", "(RLIMIT_NOFILE) is 4096"] {
            assert!(told.contains(words), "{way}: {words} is not in\n{told}");
        }
    }
}

#[test]
fn a_plan_that_takes_longer_than_the_file_allows_is_refused_and_a_flag_has_it_stopped() {
    let folder = folder(NAP, "{ kind: pool, workers: 2 }, { kind: process, workers: 2 }", "max_time: 1200ms");
    let output = call(&folder, "compare w.yaml --quiet");
    code(&output, 2);
    let told = text(&output.stderr);
    assert!(told.contains("limits.max_time") && told.contains("2 runs") && told.contains("after 1.2s"), "{told}");
    let begin = Instant::now();
    let output = call(&folder, "compare w.yaml --quiet --i-know --format json");
    assert!(begin.elapsed() >= Duration::from_millis(1200));
    code(&output, 3);
    let result = document(&output);
    assert_eq!(
        (&result["aborted"], &result["aborted_because"]),
        (&true.into(), &"limits.max_time of 1.2s had passed".into())
    );
    // The first run was whole: 40 naps of 50 ms on two workers take a second.
    let (pool, process) = (&result["arms"][0]["runs"][0], &result["arms"][1]["runs"][0]);
    assert_eq!((&pool["partial"], &pool["tasks"]["succeeded"]), (&false.into(), &40.into()));
    assert_eq!((&process["partial"], &process["state"]), (&true.into(), &"stopped".into()));
    // One run alone has the time.
    code(&call(&folder, "run w.yaml --quiet --set limits.max_time=60s"), 0);
}

/// What never ends without being told to, and says goodbye.
const ENDLESS: &str = "{ name: e, kind: command, grace_period: 20s, count: 6, shell: true, \
                       command: 'trap \"echo bye >> bye; exit 0\" TERM; while :; do sleep 0.02; done' }";

#[test]
fn when_the_time_has_passed_tasks_have_their_grace_period_and_everything_is_accounted_for() {
    for engine in ["pool", "process"] {
        let folder = folder(ENDLESS, &format!("{{ kind: {engine}, workers: 2 }}"), "max_time: 700ms");
        let output = call(&folder, "run w.yaml --quiet --format json");
        code(&output, 3);
        assert!(text(&output.stderr).is_empty(), "{}", text(&output.stderr));
        let run = only_run(&output);
        assert_eq!((&run["tasks"]["cancelled"], &run["tasks"]["submitted"]), (&6.into(), &6.into()), "{run:#}");
        let goodbyes = std::fs::read_to_string(folder.path("bye")).unwrap_or_default();
        assert_eq!(goodbyes.lines().count(), 2, "{engine}: the traps ran");
        assert_eq!(run["zombies"], 0);
        let page = text(&call(&folder, "run w.yaml --quiet").stdout);
        assert!(page.contains("ABORTED: limits.max_time of 700ms had passed"), "{page}");
    }
}

#[test]
fn the_time_is_met_from_both_sides() {
    const LIMIT: Duration = Duration::from_millis(600);
    let folder = folder(
        "{ name: t, kind: sleep, count: 100, grace_period: 0s, service_time: { dist: constant, value: 20s } }",
        "{ kind: pool, workers: 2 }",
        "max_time: 600ms",
    );
    support::patiently(Duration::from_millis(20), |allowed| {
        let control = support::Control::start();
        let begin = Instant::now();
        let run = only_run(&call(&folder, "run w.yaml --quiet --i-know --format json"));
        assert!(begin.elapsed() >= LIMIT, "{:?}", begin.elapsed());
        let late = control.allowance();
        let wall = Duration::from_secs_f64(run["wall_s"].as_f64().unwrap());
        wall <= LIMIT + late + allowed
    });
}
