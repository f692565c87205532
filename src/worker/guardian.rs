//! The guardian: a small process that outlives Poolscope by a moment. When Poolscope is gone, however it went, every
//! process that carries the run's mark is killed, even one that left its group.
//!
//! Workers need no guardian (the kernel ends them with their parent); programs started by a task do.

use std::io::Read as _;
use std::time::{Duration, Instant};

use crate::os::stragglers;
use crate::worker::environment;

/// How long it looks for processes that are being started at this very moment.
const PATIENCE: Duration = Duration::from_millis(500);

/// Waits for the end of standard input, then kills every process of the run.
pub fn main(run: &str) {
    // Ctrl-C is for the foreground group; the guardian leads its own, but a plain `kill` must not stop it either.
    crate::os::signals::ignore_terminating();
    let mut byte = [0u8; 1];
    loop {
        match std::io::stdin().read(&mut byte) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    let mark = format!("{}={run}", environment::RUN);
    let deadline = Instant::now() + PATIENCE;
    while stragglers::end_everywhere(&mark) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}
