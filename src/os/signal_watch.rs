//! The signals that end, stop and continue this program, as events. What they lead to is decided elsewhere.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::os::process_owner::ProcessOwner;
use crate::os::{job_control, signals};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caught {
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
    process: ProcessOwner,
    /// With their numbers; what comes first is more urgent.
    ending: Vec<(i32, Signal)>,
    stop: Signal,
    resume: Signal,
}

impl SignalWatch {
    /// Begins to watch. Hang-up stays ignored where the parent had us ignore it (`nohup`). The program gave every other
    /// signal its default when it began ([`crate::os::inherited::settle`]).
    ///
    /// # Errors
    /// When a handler cannot be installed.
    pub fn new(process: ProcessOwner) -> io::Result<Self> {
        let watch = |number| signal(SignalKind::from_raw(number));
        let heeded =
            signals::ENDING.into_iter().filter(|number| *number != libc::SIGHUP || !signals::is_ignored(*number));
        Ok(Self {
            process,
            ending: heeded.map(|number| Ok((number, watch(number)?))).collect::<io::Result<_>>()?,
            stop: watch(libc::SIGTSTP)?,
            resume: watch(libc::SIGCONT)?,
        })
    }

    /// Evidence that this process was claimed: its signals may be watched.
    pub(crate) fn process(&self) -> ProcessOwner {
        self.process
    }

    /// Forgets that we were to stop before.
    pub(crate) fn forget_stops(&mut self) {
        while self.stop.recv().now_or_never().flatten().is_some() {}
    }

    /// Forgets that we were continued before.
    pub(crate) fn forget_continuations(&mut self) {
        while self.resume.recv().now_or_never().flatten().is_some() {}
    }

    /// Waits until we were continued.
    pub(crate) async fn continued(&mut self) {
        let _continued = self.resume.recv().await;
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Caught {
        let Self { ending, stop, resume, .. } = self;
        tokio::select! {
            biased;
            number = first(ending) => Caught::End(number),
            _ = stop.recv() => Caught::Stop,
            _ = resume.recv() => {
                job_control::was_continued();
                Caught::Continue
            },
        }
    }
}

/// The number of the first of the signals that comes.
async fn first(signals: &mut [(i32, Signal)]) -> i32 {
    poll_fn(|context| {
        let come =
            signals.iter_mut().find_map(|(number, signal)| signal.poll_recv(context).is_ready().then_some(*number));
        come.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
