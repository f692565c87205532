//! The two ends that connect a user interface with a session.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::session::view::{SessionCommand, SessionView};

/// A user interface's end: it reads the newest view and sends commands; it never waits for the session.
#[derive(Debug)]
pub struct SessionHandle {
    /// The newest view; changes about ten times a second while a run is under way and not at all otherwise.
    pub view: watch::Receiver<Arc<SessionView>>,
    /// Requests. Sending fails only when the session is gone.
    pub commands: mpsc::UnboundedSender<SessionCommand>,
}
