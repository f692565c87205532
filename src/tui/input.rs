//! Keys and resizes from the terminal, read on a thread of their own.
//!
//! Not on the thread that draws, because crossterm's reader never returns once the terminal is gone: it takes neither end
//! of file nor EIO for an answer. The thread that must notice the hang-up and stop the run has to be another one.

use std::io;
use std::thread;

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};

/// As many events may wait; a paste of more is read as fast as it is handled.
const WAITING: usize = 1024;

/// Events until it is dropped. To be dropped before the process is stopped, and made anew afterwards.
#[derive(Debug)]
pub(crate) struct TerminalInput {
    events: mpsc::Receiver<io::Result<Event>>,
    _until_dropped: oneshot::Sender<()>,
}

impl TerminalInput {
    /// Begins to read.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn new() -> io::Result<Self> {
        let (sender, events) = mpsc::channel(WAITING);
        let (until_dropped, dropped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        thread::Builder::new().name("input".to_owned()).spawn(move || runtime.block_on(read(sender, dropped)))?;
        Ok(Self { events, _until_dropped: until_dropped })
    }

    /// The next event; `None` when no more can come.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }

    /// An event that waits already.
    pub(crate) fn waiting(&mut self) -> Option<io::Result<Event>> {
        self.events.try_recv().ok()
    }
}

async fn read(sender: mpsc::Sender<io::Result<Event>>, mut dropped: oneshot::Receiver<()>) {
    let mut stream = EventStream::new();
    loop {
        let event = tokio::select! {
            biased;
            _ = &mut dropped => return,
            event = stream.next() => event,
        };
        let Some(event) = event else { return };
        let failed = event.is_err();
        if sender.send(event).await.is_err() || failed {
            return;
        }
    }
}
