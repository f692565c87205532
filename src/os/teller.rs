//! The word of another process on the end of its child, which is ours to look after ([`crate::os::child::Child`]): a fork
//! server waits for what it has forked and hands on what the kernel said.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use crate::os::accounting::Reaped;
use crate::os::pipe::pipe;

/// Tells how a child of another process ended, from whatever thread hears it. Dropped without a word, the end of the child
/// is all that will be known of it.
#[derive(Debug)]
pub(crate) struct Teller {
    // Dropped in this order: who is woken finds the word, or that there will be none.
    end: Arc<OnceLock<Reaped>>,
    _open: OwnedFd,
}

/// Where that word arrives.
#[derive(Debug)]
pub(super) struct Word {
    end: Arc<OnceLock<Reaped>>,
    arrival: Option<OwnedFd>,
}

/// What is known of the end of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// How it ended.
    End(Reaped),
    /// Nobody will say.
    NeverWill,
}

/// A teller and where its word arrives.
pub(super) fn teller() -> io::Result<(Teller, Word)> {
    let (arrival, open) = pipe()?;
    let end = Arc::new(OnceLock::new());
    Ok((Teller { end: Arc::clone(&end), _open: open }, Word { end, arrival: Some(arrival) }))
}

impl Teller {
    /// It has ended so.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for workers whose fork server cannot make them children of ours")
    )]
    pub(crate) fn tell(self, end: Reaped) {
        // The first and only word: this consumes the teller.
        let _ = self.end.set(end);
    }
}

impl Word {
    pub(super) fn heard(&self) -> Heard {
        // Looked at first: a word that comes in between is not taken for none.
        let silent = Arc::strong_count(&self.end) == 1;
        match self.end.get() {
            Some(end) => Heard::End(*end),
            None if silent => Heard::NeverWill,
            None => Heard::Nothing,
        }
    }

    /// Becomes readable when there is a word, or will be none. `None` the second time.
    pub(super) fn take_arrival(&mut self) -> Option<OwnedFd> {
        self.arrival.take()
    }
}
