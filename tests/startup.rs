//! What it costs to start this program as a worker: linked statically where a static C library is, and without what the
//! standard library sets up before `main`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "bench/bare.rs"]
#[expect(clippy::expect_used, reason = "shared with a benchmark that uses all of it")]
mod bare;

use std::os::fd::AsFd as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use poolscope::os::accounting::Exit;
use poolscope::os::board::Board;
use poolscope::os::spawn::Program;
use poolscope::worker::entry::WORKER;
use poolscope::worker::protocol::{BOARD_FD, SOCKET_FD};

const PROGRAM: &str = env!("CARGO_BIN_EXE_poolscope");

fn doctor(change: impl FnOnce(&mut Command)) -> (Output, serde_json::Value) {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["doctor", "--format", "json"]).env("POOLSCOPE_CACHE_DIR", cache.path()).env("POOLSCOPE_DB", "off");
    change(&mut command);
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap();
    (output, json)
}

#[test]
fn the_program_is_static_where_c_programs_can_be() {
    let (_, facts) = doctor(|_| {});
    match bare::tiny_program() {
        Ok(_) => assert_eq!(facts["program"]["linked_statically"], true, "{}", facts["program"]),
        Err(why) => {
            println!("nothing is static here: {why}");
            assert_eq!(facts["program"]["linked_statically"], false);
        }
    }
    assert_eq!(facts["program"]["linked_statically"] == true, facts["program"]["reason"].is_null());
}

/// A set of signals of a process, from `/proc/PID/status`.
fn signals(pid: u32, set: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
    u64::from_str_radix(line.trim_start_matches(':').trim(), 16).unwrap()
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_worker_starts_without_what_the_standard_library_sets_up() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let board = Board::create().unwrap();
    let parent = std::process::id().to_string();
    let worker = Program::new(&[PROGRAM, WORKER, "0", &parent]).unwrap();
    let mut worker = worker.spawn(&[(theirs.as_fd(), SOCKET_FD), (board.fd().unwrap(), BOARD_FD)]).unwrap();
    drop(theirs);
    let deadline = Instant::now() + Duration::from_secs(30);
    // Its first deed.
    while signals(worker.pid(), "SigIgn") >> (libc::SIGPIPE - 1) & 1 == 0 {
        assert!(Instant::now() < deadline, "the worker does not begin");
        std::thread::yield_now();
    }
    // Where the runtime comes first, it has caught SIGSEGV and SIGBUS by now.
    assert_eq!(signals(worker.pid(), "SigCgt"), 0, "handlers that no worker needs");
    drop(ours);
    assert_eq!(worker.wait().unwrap().exit, Exit::Code(0), "it leaves when nobody is there");
}

/// Fewest page faults of a few runs: what a program touches is fixed, what the page cache has at hand is not quite.
fn page_faults(argv: &[&str]) -> u64 {
    let program = Program::new(argv).unwrap();
    (0..5).map(|_| program.spawn(&[]).unwrap().wait().unwrap().usage.minor_faults).min().unwrap()
}

#[test]
fn a_worker_touches_little_more_than_the_smallest_program() {
    let tiny = match bare::tiny_program() {
        Ok(tiny) => tiny,
        Err(why) => return println!("there is nothing to compare with: {why}"),
    };
    // A worker that finds that its parent is not the one it was told leaves at once.
    let (tiny, worker) = (page_faults(&[tiny.to_str().unwrap()]), page_faults(&[PROGRAM, WORKER, "0", "1"]));
    println!("page faults: tiny {tiny}, worker {worker}");
    assert!(worker <= tiny * 2, "a worker that does nothing: {worker} page faults, the smallest program: {tiny}");
}

#[test]
fn nobody_is_looked_up_in_the_database_of_users() {
    let (output, facts) = doctor(|command| {
        command.env_remove("POOLSCOPE_CACHE_DIR").env_remove("HOME");
    });
    assert!(output.status.success());
    assert_eq!(facts["calibration"]["origin"], "not_stored");
    assert_eq!(facts["calibration"]["reason"], "HOME is not set");
}
