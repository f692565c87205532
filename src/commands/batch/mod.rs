//! A run as a batch: what has ended is written down as it ends, so that the rest can be done later.
//!
//! `joblog` is the file, `resume` reads it, `identity` says what a task is whatever its number. The engine tells
//! `observer`, which hands it to the thread of `writer`; that asks the session to wait where it cannot keep up, and to end
//! where it cannot write any more. Nothing in here runs or judges anything.

mod identity;
mod joblog;
mod observer;
mod resume;
mod shell_words;
mod writer;

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::BatchArgs;
use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, write};
use crate::os::threads;
use crate::session::observers::ObserverSource;
use crate::workload::model::{EngineKind, Workload};
use identity::Identities;
use joblog::Joblog;
pub(super) use observer::Ask;
use observer::{Backlog, Teller, Told};
use resume::Succeeded;
pub(super) use writer::Problem;
use writer::Writer;

/// A batch that may begin.
pub(super) struct Batch {
    teller: Teller,
    /// What it asks of the session.
    pub(super) asks: UnboundedReceiver<Ask>,
    writer: Option<JoinHandle<Result<(), Problem>>>,
}

/// Why what runs several arms, or one more than once, is no batch.
pub(super) fn refused(arguments: &BatchArgs, who: &str, instead: &str) -> Prepared<()> {
    let Some(option) = arguments.first() else { return Ok(()) };
    write::say(&format!("error: {option} is for a batch, in which each task is run once; {who}: {instead}"));
    Err(ExitReason::BadInput)
}

/// Puts into a workload of one arm what is asked for, reads the joblog and opens it. What speaks against it is told.
pub(super) fn prepare(arguments: &BatchArgs, workload: &mut Workload) -> Prepared<Option<Batch>> {
    let told = |reason: String| {
        write::say(&format!("error: {reason}"));
        ExitReason::BadInput
    };
    let foreign = |kind: EngineKind| kind.is_reference() || kind == EngineKind::External;
    if let Some(arm) = workload.engines.iter().find(|arm| foreign(arm.kind) && arguments.halt.is_some()) {
        return Err(told(format!(
            "--halt: {} dispatches by itself, and cannot be told to begin nothing more",
            arm.name
        )));
    }
    workload.batch.halt = arguments.halt;
    let identities = Arc::new(Identities::new(workload));
    if let Some(path) = &arguments.resume {
        skip_done(path, workload, &identities).map_err(told)?;
    }
    let joblog = arguments.joblog.as_ref().or(arguments.resume.as_ref());
    let joblog = joblog.map(|path| Joblog::open(path, write::say)).transpose().map_err(told)?;
    if joblog.is_none() {
        return Ok(None);
    }
    let (asking, asks) = unbounded_channel();
    let (sender, receiver) = mpsc::channel();
    let backlog = Backlog::new(asking);
    let writer = Writer { joblog, identities, backlog: backlog.clone() };
    let thread = threads::start("joblog", move || writer.write(&receiver));
    let writer = thread.map_err(|error| told(format!("the thread that writes the joblog: {error}")))?;
    Ok(Some(Batch { teller: Teller { sender, backlog }, asks, writer: Some(writer) }))
}

/// Leaves out what has succeeded by a joblog.
fn skip_done(path: &Path, workload: &mut Workload, identities: &Identities) -> Result<(), String> {
    let name = path.display();
    let Some(succeeded) = Succeeded::read(path)? else {
        write::say(&format!("note: {name} is not there yet: nothing is skipped"));
        return Ok(());
    };
    if succeeded.strange > 0 {
        write::say(&format!("note: {name}: {} lines say nothing of a task and are passed over", succeeded.strange));
    }
    let done = succeeded.tasks(workload, identities).map_err(|error| format!("the items: {error}"))?;
    if !done.is_empty() {
        workload.batch.done = Some(Arc::new(done));
    }
    Ok(())
}

impl Batch {
    /// Who is to be told of its run.
    pub(super) fn observers(&self) -> Arc<dyn ObserverSource> {
        Arc::new(self.teller.clone())
    }

    /// Writes what is left. To be called when the run is over.
    ///
    /// # Errors
    /// Why not everything is written down.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        // A writer that is gone says why.
        let _ = self.teller.sender.send(Told::Over);
        match self.writer.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => Ok(()),
            Some(Ok(Err(problem))) => Err(problem),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}
