//! Holds the fork server of a run ([`crate::worker::fork_server`]) and its line. Knows no run.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;

use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use crate::engine::event::WorkerId;
use crate::os::capture::Capture;
use crate::os::child::Child;
use crate::os::packets;
use crate::os::pipe::{Drained, drain};
use crate::worker::fork_server::Order;

/// A fork server, until it was reaped.
#[derive(Debug)]
pub(super) struct ForkServer {
    pub(crate) child: Child,
    pub(crate) line: Rc<AsyncFd<OwnedFd>>,
    /// What it writes: read all the time, as it may be what an import prints.
    pub(crate) output: Rc<AsyncFd<OwnedFd>>,
    pub(crate) printed: Capture,
    /// What the line did not take yet.
    pub(crate) outbox: VecDeque<(Order, Vec<OwnedFd>)>,
    /// What it was asked for and has not answered, in order.
    pub(crate) asked: VecDeque<WorkerId>,
    pub(crate) readers: Vec<AbortHandle>,
    /// Whether it was told to end.
    pub(crate) stopped: bool,
    /// Whether it broke the protocol: nothing that it says is heard any more.
    pub(crate) broken: bool,
}

impl Drop for ForkServer {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

impl ForkServer {
    /// Takes in what it has written. Says whether it may write more.
    pub(super) fn read_output(&mut self) -> bool {
        drain(self.output.get_ref(), &mut self.printed) == Drained::Open
    }

    /// Sends what the line takes.
    pub(super) fn flush(&mut self) {
        while let Some((order, descriptors)) = self.outbox.front() {
            let borrowed: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
            match packets::send(self.line.get_ref(), &order.bytes(), &borrowed) {
                Ok(()) => _ = self.outbox.pop_front(),
                // There is room when it has read more, which it says; when it is gone, that is seen.
                Err(_) => return,
            }
        }
    }
}
