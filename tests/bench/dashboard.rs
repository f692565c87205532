//! The dashboard at 10 frames a second with 64 workers, on a pseudo terminal of 200 by 50: CPU time of the thread that
//! draws as a share of a core, and bytes written while nothing changes.
//!
//! `cargo bench --bench dashboard`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const WORKLOAD: &str = "
version: 1
name: sleepers
seed: 1
tasks: [{ name: nap, kind: sleep, count: 38000, service_time: { dist: constant, value: 25ms } }]
engines: [{ name: pool, kind: pool, workers: 64 }, { name: process, kind: serial }]
measure: { warmup: 0, repeats: 1 }
";

/// Share of a core that drawing may take.
const MUST: f64 = 0.01;
const GOAL: f64 = 0.006;
const MEASURED: Duration = Duration::from_secs(8);
const IDLE: Duration = Duration::from_secs(3);

/// Nanoseconds on a processor of a process's first thread, which is the one that draws.
fn cpu_of_first_thread(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/schedstat")).expect("the program runs");
    text.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sleepers.yaml");
    std::fs::write(&file, WORKLOAD).expect("a file");
    let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a pseudo terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_poolscope"));
    // It is left long before its end.
    command.args(["--max-time", "1h"]);
    command.arg(&file);
    command.env("TERM", "xterm-256color");
    command.env("POOLSCOPE_DB", "off");
    command.env("COLORTERM", "truecolor");
    let mut child = pair.slave.spawn_command(command).expect("the program starts");
    drop(pair.slave);
    let written = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&written);
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let reading = std::thread::spawn(move || {
        let mut buffer = [0u8; 65_536];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            counter.fetch_add(count as u64, Ordering::Relaxed);
        }
    });
    let mut keys = pair.master.take_writer().expect("a writer");
    let pid = child.process_id().expect("a process");
    std::thread::sleep(Duration::from_secs(2));
    let (before, bytes, begin) = (cpu_of_first_thread(pid), written.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(MEASURED);
    let share = (cpu_of_first_thread(pid) - before) as f64 / begin.elapsed().as_nanos() as f64;
    let rate = (written.load(Ordering::Relaxed) - bytes) as f64 / begin.elapsed().as_secs_f64();
    println!("drawing with 64 workers: {:.2} % of a core, {:.0} KiB/s to the terminal", share * 100.0, rate / 1024.0);
    assert!(rate > 0.0, "nothing was drawn: is the workload refused?");
    // Stopped: nothing changes any more.
    keys.write_all(b"x").expect("a key");
    std::thread::sleep(Duration::from_secs(2));
    let (before, bytes) = (cpu_of_first_thread(pid), written.load(Ordering::Relaxed));
    std::thread::sleep(IDLE);
    let idle_bytes = written.load(Ordering::Relaxed) - bytes;
    let idle = (cpu_of_first_thread(pid) - before) as f64 / IDLE.as_nanos() as f64;
    println!("when nothing changes: {idle_bytes} bytes and {:.3} % of a core in {IDLE:?}", idle * 100.0);
    keys.write_all(b"q").expect("a key");
    child.wait().expect("the program ends");
    drop(pair.master);
    reading.join().expect("the reader ends");
    let verdict = match share {
        _ if idle_bytes > 0 => "DRAWS WHILE NOTHING CHANGES",
        share if share <= GOAL => "reaches the goal",
        share if share <= MUST => "reaches what it must",
        _ => "TOO SLOW",
    };
    println!(
        "dashboard: {:.2} % of a core (must {} %, goal {} %): {verdict}",
        share * 100.0,
        MUST * 100.0,
        GOAL * 100.0
    );
    assert!(share <= MUST, "drawing has become dear; other load makes it dearer, too");
    assert_eq!(idle_bytes, 0, "it draws while nothing changes");
}
