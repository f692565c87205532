//! A session that is being opened on a thread of its own: that may have to wait for an interpreter, and keys are answered
//! all the same. Shows nothing.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::session::handle::SessionHandle;
use crate::tui::{Start, text};
use crate::workload::model::{SkippedArm, Workload};

/// Nothing is shown of one that takes no longer.
const UNSEEN: Duration = Duration::from_millis(200);

type Opened = anyhow::Result<SessionHandle>;

/// What comes of it belongs to whoever still waits; a session that nobody waits for any more ends.
pub(super) struct Opening {
    /// Which entry of the catalogue it is.
    pub(super) entry: usize,
    told: oneshot::Receiver<Opened>,
    thread: Option<JoinHandle<()>>,
}

impl Opening {
    pub(super) fn begin(entry: usize, start: &Start, workload: Arc<Workload>) -> anyhow::Result<Self> {
        let (tell, told) = oneshot::channel();
        let start = Arc::clone(start);
        let open = move || {
            // Whoever has gone on to something else wants none of it.
            let _ = tell.send(start(workload));
        };
        let thread = std::thread::Builder::new().name("opening".to_owned()).spawn(open)?;
        Ok(Self { entry, told, thread: Some(thread) })
    }

    /// Waits for its end; a panic in it goes on here.
    pub(super) async fn ended(&mut self) -> Opened {
        match (&mut self.told).await {
            Ok(opened) => opened,
            Err(_) => match self.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => Err(anyhow::anyhow!("it was not opened")),
            },
        }
    }

    /// The same for as long as nobody would notice.
    pub(super) async fn ended_at_once(&mut self) -> Option<Opened> {
        tokio::time::timeout(UNSEEN, self.ended()).await.ok()
    }
}

/// Which arms do not take part, and why.
pub(super) fn skipped(workload: &Workload) -> Option<String> {
    let told = |arm: &SkippedArm| format!("{} is skipped: {}", text::clean(&arm.name), text::clean(&arm.reason));
    let all: Vec<String> = workload.skipped.iter().map(told).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// What the file says is worth sweeping.
pub(super) fn offered(workload: &Workload) -> Option<String> {
    let fields: Vec<String> = workload.sweep.iter().map(|field| text::clean(&field.as_told().to_string())).collect();
    (!fields.is_empty()).then(|| format!("its file says what to sweep: {} (S)", fields.join(" ")))
}
