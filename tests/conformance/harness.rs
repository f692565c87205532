//! Runs a case against every engine, each time in a process of its own, and sees that nothing is left of it. Knows nothing
//! of what a case is about.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::engines::{ENGINES, Engine};
use crate::support::program::marked;
use crate::support::{NOOP, rules};

/// Longest that a case may take with one engine.
const WALL: Duration = Duration::from_secs(90);
/// What ends by itself, and is not waited for by a run, has this long after it: programs that left their group.
const PARTING: Duration = Duration::from_secs(5);
/// Says in the process of a case which engine it is for.
const CHOSEN: &str = "CONFORMANCE_ENGINE";

/// The test of a case: as `cargo test` calls it for all engines, as it calls itself for one.
pub(crate) fn every_engine(id: &str, case: &str, body: fn(&Engine)) {
    if let Ok(chosen) = std::env::var(CHOSEN) {
        return leaves_nothing(ENGINES.iter().find(|engine| engine.name == chosen).unwrap(), body);
    }
    for engine in ENGINES {
        match engine.exception(id, case) {
            Some(why) => println!("{id} {}: excepted: {why}", engine.name),
            None => println!("{id} {}: {:.1?}", engine.name, in_its_own_process(engine, case)),
        }
    }
}

fn in_its_own_process(engine: &Engine, case: &str) -> Duration {
    let begin = Instant::now();
    let mut output = tempfile::tempfile().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", case, "--nocapture", "--test-threads=1"])
        .env(CHOSEN, engine.name)
        .stdout(output.try_clone().unwrap())
        .stderr(output.try_clone().unwrap())
        .spawn()
        .unwrap();
    let status = loop {
        match child.try_wait().unwrap() {
            None if begin.elapsed() < WALL => std::thread::sleep(Duration::from_millis(5)),
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            status => break status,
        }
    };
    let mut told = String::new();
    output.rewind().unwrap();
    output.read_to_string(&mut told).unwrap();
    let status = status.unwrap_or_else(|| panic!("{case}, {}: it hangs:\n{told}", engine.name));
    assert!(status.success() && told.contains("1 passed"), "{case}, {}: {status}\n{told}", engine.name);
    let left = marked(child.id());
    assert!(left.is_empty(), "{case}, {}: {left:?} outlive it", engine.name);
    begin.elapsed()
}

/// Runs a case alone in this process.
fn leaves_nothing(engine: &Engine, body: fn(&Engine)) {
    // The first run of a process opens what lasts as long as the process: the runtime's own socket for signals.
    assert_eq!(engine.of(1).tasks(1, NOOP, rules()).start().finish().counts.succeeded, 1);
    let before = descriptors();
    assert_eq!(children(), [], "before it begins");
    body(engine);
    assert_eq!(children(), [], "children that are left, alive or as zombies");
    let after = descriptors();
    let more: Vec<_> = after.iter().filter(|(number, _)| !before.contains_key(number)).collect();
    assert!(more.is_empty(), "descriptors that are left: {more:?}");
    let parted = Instant::now();
    while !marked(std::process::id()).is_empty() {
        assert!(parted.elapsed() < PARTING, "descendants that are left: {:?}", marked(std::process::id()));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tries up to five times whether something is on time: a busy machine may take the processor away from anybody now and
/// then, and what is late by itself is late every time.
pub(crate) fn on_time(mut once: impl FnMut() -> bool) {
    assert!((0..5).any(|_| once()), "late five times in a row");
}

/// What this process has open.
fn descriptors() -> BTreeMap<u32, PathBuf> {
    let names = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
    let numbers: Vec<u32> = names.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect();
    // The folder itself is closed by now.
    let open = |number| Some((number, std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?));
    numbers.into_iter().filter_map(open).collect()
}

/// Children of this process and the letters of their states, zombies included (proc_pid_stat(5)).
pub(crate) fn children() -> Vec<(u32, char)> {
    let own = std::process::id().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let found = pids.filter_map(|pid| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = text.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        (fields.next()? == own).then_some((pid, state))
    });
    found.collect()
}
