//! The signals that end, stop and continue the dashboard.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caught {
    /// End with this signal's exit code.
    End(i32),
    /// Stop, as Ctrl-Z does.
    Stop,
    /// We were continued.
    Continue,
}

/// Watches as long as the process lives: tokio never gives a signal back.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    stop: Signal,
    resume: Signal,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            stop: signal(SignalKind::from_raw(libc::SIGTSTP))?,
            resume: signal(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    /// Waits until we were continued.
    pub async fn continued(&mut self) {
        let _continued = self.resume.recv().await;
    }

    /// The next signal.
    pub async fn next(&mut self) -> Caught {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Caught::End(libc::SIGTERM),
            _ = self.hangup.recv() => Caught::End(libc::SIGHUP),
            _ = self.interrupt.recv() => Caught::End(libc::SIGINT),
            _ = self.stop.recv() => Caught::Stop,
            _ = self.resume.recv() => Caught::Continue,
        }
    }
}
