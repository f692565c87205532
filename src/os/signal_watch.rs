//! The signals that end, stop and continue this program, as events. What they lead to is decided elsewhere.

use std::io;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::os::signals;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caught {
    /// End, with this signal's exit code.
    End(i32),
    /// Stop, as Ctrl-Z does.
    Stop,
    /// We were continued.
    Continue,
}

/// Watches as long as the process lives: tokio never gives a signal back.
#[derive(Debug)]
pub struct SignalWatch {
    terminate: Signal,
    interrupt: Signal,
    hangup: Option<Signal>,
    stop: Option<Signal>,
    resume: Signal,
}

impl SignalWatch {
    /// Begins to watch. What the parent had us ignore stays ignored where that is its right: hang-up (`nohup`) and the
    /// terminal's stop (a shell without job control, which would not continue us).
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        let unless_ignored = |number| {
            if signals::is_ignored(number) { Ok(None) } else { signal(SignalKind::from_raw(number)).map(Some) }
        };
        Ok(Self {
            hangup: unless_ignored(libc::SIGHUP)?,
            stop: unless_ignored(libc::SIGTSTP)?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            resume: signal(SignalKind::from_raw(libc::SIGCONT))?,
        })
    }

    /// Forgets that we were continued before.
    pub fn forget_continued(&mut self) {
        while self.resume.recv().now_or_never().flatten().is_some() {}
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
            () = received(&mut self.hangup) => Caught::End(libc::SIGHUP),
            _ = self.interrupt.recv() => Caught::End(libc::SIGINT),
            () = received(&mut self.stop) => Caught::Stop,
            _ = self.resume.recv() => Caught::Continue,
        }
    }
}

async fn received(watched: &mut Option<Signal>) {
    match watched {
        Some(signal) => {
            let _received = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
