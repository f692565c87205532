//! `affinity` and `nice`: in every engine the workers and the programs that are tasks have exactly these CPUs and this
//! niceness, seen from outside and from inside; what may not be given is refused before anything starts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use rustix::process::Signal;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use support::program::{WorkloadFolder, only_run};

/// Without one that is different from what this process has, nothing is seen.
const NICE: i32 = 7;

/// CPUs that this process may run on.
fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

fn last() -> usize {
    *allowed().last().unwrap()
}

fn workload(task: &str, placement: &str) -> WorkloadFolder {
    let engine = |kind: &str, workers: &str| format!("{{ kind: {kind}, {workers}{placement} }}");
    WorkloadFolder::new(&format!(
        "version: 1\nname: w\ntasks: [{{ name: t, {task} }}]\nengines: [{}, {}, {}]\n",
        engine("pool", "workers: 2, "),
        engine("process", "workers: 2, "),
        engine("serial", "")
    ))
}

fn status(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
}

fn niceness(pid: u32) -> i32 {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap());
    rustix::process::getpriority_process(pid).unwrap()
}

/// All that descend from a process, with their command lines.
fn descendants(of: u32) -> Vec<(u32, String)> {
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            if status(pid, "PPid:") == parent.to_string() {
                let argv = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push((pid, String::from_utf8_lossy(&argv).replace('\0', " ").trim().to_owned()));
                parents.push(pid);
            }
        }
    }
    found
}

/// Places and names of the processes of a run, once it has begun, by what their command lines begin with.
fn seen_from_outside(folder: &WorkloadFolder, engine: &str, begins: &str, count: usize) {
    let mut child = folder.run(engine, &[]).spawn().unwrap();
    let of_interest = || -> Vec<(u32, String)> {
        descendants(child.id()).into_iter().filter(|(_, argv)| argv.starts_with(begins)).collect()
    };
    support::eventually("its processes run", || of_interest().len() >= count);
    let found = of_interest();
    let facts: Vec<(String, i32)> =
        found.iter().map(|(pid, _)| (status(*pid, "Cpus_allowed_list:"), niceness(*pid))).collect();
    // The program itself is not placed, nor what helps it.
    let own = (status(child.id(), "Cpus_allowed_list:"), niceness(child.id()));
    let here = (status(std::process::id(), "Cpus_allowed_list:"), niceness(std::process::id()));
    support::kill(child.id(), Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(own, here, "{engine}");
    for fact in &facts {
        assert_eq!(*fact, (last().to_string(), NICE), "{engine}: {found:?} {facts:?}");
    }
}

fn placed(task: &str) -> WorkloadFolder {
    workload(task, &format!("affinity: [{}], nice: {NICE}", last()))
}

#[test]
fn workers_and_programs_are_where_they_are_placed_seen_from_outside() {
    let naps = placed("kind: sleep, count: 4, service_time: { dist: constant, value: 600s }");
    let programs = placed("kind: command, count: 4, command: [sleep, \"600\"]");
    for (engine, workers) in [("pool", 2), ("process", 2), ("serial", 1)] {
        seen_from_outside(&naps, engine, "poolscope-worker", workers);
        seen_from_outside(&programs, engine, "sleep 600", workers);
    }
    seen_from_outside(&programs, "pool", "poolscope-worker", 2);
}

#[test]
fn programs_are_placed_from_their_first_instruction_on() {
    // The 19th field of stat(5); the second has no space in it here.
    let script = format!(
        "grep -qx \"Cpus_allowed_list:.{}\" /proc/self/status && set -- $(cat /proc/self/stat) && test ${{19}} = {NICE}",
        last()
    );
    let folder = placed(&format!("kind: command, count: 6, shell: true, command: '{script}'"));
    let elsewhere = workload(&format!("kind: command, count: 6, shell: true, command: '{script}'"), "nice: 3");
    for engine in ["pool", "process", "serial"] {
        let run = only_run(&folder.run(engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 6, "{engine}: {run:#}");
        let run = only_run(&elsewhere.run(engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["failed"], 6, "{engine}: {run:#}");
    }
}

#[test]
fn automatic_workers_are_as_many_as_cpus_are_given() {
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\ntasks: [{{ name: t, kind: kernel, kernel: noop, count: 50 }}]\n\
         engines: [{{ kind: pool, affinity: [{}] }}]\n",
        last()
    ));
    let output = folder.shell("POOLSCOPE check w.yaml; POOLSCOPE run w.yaml --format json").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("pool: 1 worker,") || text.contains("pool: 1 worker\n"), "{text}");
    assert!(text.contains(&format!("on CPU {}\n", last())), "{text}");
    let document: serde_json::Value = serde_json::from_str(&text[text.find("\n{").unwrap()..]).unwrap();
    assert_eq!(document["arms"][0]["workers"], 1, "{document:#}");
}

/// That nothing was started by any command, whatever the flags, and that the reason has these words.
#[track_caller]
fn refused(outputs: &[Output], words: &[&str]) {
    for output in outputs {
        let text = [&output.stdout[..], &output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(output.status.code(), Some(2), "{text}");
        words.iter().for_each(|word| assert!(text.contains(word), "{word}: {text}"));
    }
}

/// Every way to run a workload or to have it checked.
fn every_way(folder: &WorkloadFolder, before: impl Fn(&mut Command)) -> Vec<Output> {
    let ways = [
        "run w.yaml --quiet",
        "run w.yaml --engine process --quiet --i-know",
        "compare w.yaml --quiet --i-know",
        "sweep w.yaml --workers 1,2 --quiet --i-know",
        "check w.yaml --i-know",
    ];
    let output = |way: &str| {
        let mut command = folder.shell(&format!("exec POOLSCOPE {way}"));
        before(&mut command);
        command.output().unwrap()
    };
    ways.into_iter().map(output).collect()
}

const NAPS: &str = "kind: sleep, count: 4, service_time: { dist: constant, value: 1ms }";

#[test]
fn cpus_that_there_are_not_or_that_are_not_allowed_are_refused() {
    let folder = workload(NAPS, "affinity: \"0,8000\"");
    refused(&every_way(&folder, |_| {}), &["engines[0].affinity", "no CPU 8000 here; there are 0"]);
    let (first, last) = (allowed()[0], last());
    if first == last {
        // With one CPU, none can be forbidden.
        return;
    }
    let folder = workload(NAPS, &format!("affinity: [{first}, {last}]"));
    let only_first = |command: &mut Command| {
        let mut set = CpuSet::new();
        set.set(first);
        // SAFETY: one system call on a value.
        unsafe { command.pre_exec(move || Ok(sched_setaffinity(None, &set)?)) };
    };
    let words = format!("CPU {last} is not allowed here; {first} may be used");
    refused(&every_way(&folder, only_first), &["engines[0].affinity", &words]);
    assert!(folder.run("pool", &[]).output().unwrap().status.success());
}

#[test]
fn a_niceness_that_may_not_be_lowered_is_refused_with_the_numbers() {
    /// linux/capability.h
    const CAP_SYS_NICE: libc::c_int = 23;
    let unprivileged = |command: &mut Command| {
        // SAFETY: plain system calls on values. What is no privilege cannot be dropped, which is as well.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0);
                let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                libc::setrlimit(libc::RLIMIT_NICE, &raw const none);
                if libc::setpriority(libc::PRIO_PROCESS, 0, 5) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
    };
    for nice in [-1, 4] {
        let words = format!("a niceness of {nice} is not allowed: this process has 5, and its lowest is 5");
        refused(&every_way(&workload(NAPS, &format!("nice: {nice}")), unprivileged), &["engines[0].nice", &words]);
    }
    let folder = workload(NAPS, "nice: 5");
    let mut same = folder.run("pool", &[]);
    unprivileged(&mut same);
    let output = same.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
