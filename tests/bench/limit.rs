//! What a pool cannot be faster than: work goes out as ranges over one socket per worker, each task is timed where it runs
//! and comes back as a record, which the parent puts into three histograms. No queue, no timeouts, no failures, no states.
//! And what a call cannot be faster than: one such range there and one such record back, both sides asleep in between.
#![allow(dead_code, reason = "each benchmark has its own limits")]

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use poolscope::os::clock::monotonic;
use rustix::event::{PollFd, PollFlags, poll};

const ROLE: &str = "__limit_worker";
/// index, start, service, value
const RECORD: usize = 32;
const BATCH: usize = 256;

/// Runs this process as a worker of the limit if its arguments say so.
pub fn taken_over() -> bool {
    let ours = std::env::args().nth(1).is_some_and(|role| role == ROLE);
    if ours {
        work();
    }
    ours
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn work() {
    // The socket is the standard input; it is written to as well.
    let fd = std::io::stdin().as_fd().try_clone_to_owned().expect("a socket");
    let mut socket = UnixStream::from(fd);
    let mut orders = [0u8; 16 * 64];
    let mut out = Vec::with_capacity(BATCH * RECORD);
    while let Ok(count @ 1..) = socket.read(&mut orders) {
        for order in orders[..count].chunks_exact(16) {
            let (first, tasks) = (word(order, 0), word(order, 8));
            let mut start = monotonic();
            for index in first..first + tasks {
                let value = std::hint::black_box(index);
                let end = monotonic();
                for number in [index, start, end - start, value] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
                start = end;
                if out.len() >= BATCH * RECORD {
                    socket.write_all(&out).expect("the parent listens");
                    out.clear();
                }
            }
        }
        socket.write_all(&out).expect("the parent listens");
        out.clear();
    }
}

struct Worker {
    socket: UnixStream,
    held: u64,
    buffer: Vec<u8>,
    part: usize,
}

fn start() -> (Worker, std::process::Child) {
    let (ours, theirs) = UnixStream::pair().expect("a socket pair");
    let exe = std::env::current_exe().expect("this program");
    let child = Command::new(exe).arg(ROLE).stdin(Stdio::from(OwnedFd::from(theirs))).spawn().expect("a worker");
    ours.set_nonblocking(true).expect("a socket");
    (Worker { socket: ours, held: 0, buffer: vec![0; 1 << 18], part: 0 }, child)
}

fn order(first: u64, tasks: u64) -> [u8; 16] {
    let mut order = [0u8; 16];
    order[..8].copy_from_slice(&first.to_le_bytes());
    order[8..].copy_from_slice(&tasks.to_le_bytes());
    order
}

/// How long each of so many no-op tasks takes from its order to its record, one after the other.
pub fn round_trips(tasks: u64) -> Vec<Duration> {
    let (Worker { mut socket, .. }, mut child) = start();
    socket.set_nonblocking(false).expect("a socket");
    let mut record = [0u8; RECORD];
    let mut trip = |index| {
        let begin = Instant::now();
        socket.write_all(&order(index, 1)).expect("a worker listens");
        socket.read_exact(&mut record).expect("a worker answers");
        begin.elapsed()
    };
    let trips = (0..tasks).map(&mut trip).collect();
    drop(socket);
    child.wait().expect("a worker ends");
    trips
}

/// Runs `tasks` no-op tasks with at most `window` in flight at each worker, in ranges of at most `chunk`; what goes out at
/// a time is written at once.
pub fn tasks_per_second(workers: u32, tasks: u64, window: u64, chunk: u64) -> f64 {
    let (mut workers, children): (Vec<Worker>, Vec<_>) = (0..workers).map(|_| start()).unzip();
    let histogram = || Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 2).expect("valid bounds");
    let (mut wait, mut service, mut sojourn) = (histogram(), histogram(), histogram());
    let (origin, begin) = (monotonic(), Instant::now());
    let (mut next, mut done) = (0u64, 0u64);
    let mut orders = Vec::new();
    let mut give = |worker: &mut Worker| {
        let mut room = (window - worker.held).min(tasks - next);
        if (window - worker.held) * 2 < window || room == 0 {
            return;
        }
        orders.clear();
        while room > 0 {
            let count = room.min(chunk);
            orders.extend_from_slice(&order(next, count));
            next += count;
            worker.held += count;
            room -= count;
        }
        worker.socket.write_all(&orders).expect("a worker listens");
    };
    workers.iter_mut().for_each(&mut give);
    while done < tasks {
        let ready: Vec<bool> = {
            let mut fds: Vec<PollFd<'_>> =
                workers.iter().map(|worker| PollFd::new(&worker.socket, PollFlags::IN)).collect();
            poll(&mut fds, None).expect("poll");
            fds.iter().map(|fd| !fd.revents().is_empty()).collect()
        };
        for (worker, _) in workers.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            let Ok(count) = worker.socket.read(&mut worker.buffer[worker.part..]) else { continue };
            let total = worker.part + count;
            let whole = total / RECORD;
            for record in worker.buffer[..whole * RECORD].chunks_exact(RECORD) {
                let (start, took) = (word(record, 8) - origin, word(record, 16));
                wait.saturating_record(start);
                service.saturating_record(took);
                sojourn.saturating_record(start + took);
            }
            worker.buffer.copy_within(whole * RECORD..total, 0);
            worker.part = total - whole * RECORD;
            worker.held -= whole as u64;
            done += whole as u64;
            give(worker);
        }
    }
    let took = begin.elapsed();
    assert_eq!(service.len(), tasks);
    drop(workers);
    for mut child in children {
        child.wait().expect("a worker ends");
    }
    tasks as f64 / took.as_secs_f64()
}
