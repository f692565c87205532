//! A run as a batch: what has ended is written down as it ends, so that the rest can be done later.
//!
//! `joblog` is the file, `resume` reads it (`tally`), `identity` says what a task is whatever its number. The engine tells
//! `observer`, which hands it to the thread of `writer`; that gives out what tasks write (`output`, `held`), asks the session to wait
//! where it cannot keep up, and to end where it cannot write any more. Nothing in here runs or judges anything.

mod held;
mod identity;
mod joblog;
pub(super) mod live;
mod observer;
mod output;
mod resume;
mod shell_words;
mod tally;
mod writer;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use indicatif::ProgressBar;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::cli::BatchArgs;
use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, target, write};
use crate::os::private_folder::PrivateFolder;
use crate::os::{standard_output, threads};
use crate::session::observing::ObserveRuns;
use crate::worker::keeper::Keeper;
use crate::workload::model::{Arrivals, EngineKind, Spool, Work, Workload};
use identity::Identities;
use joblog::Joblog;
pub(super) use observer::Ask;
use observer::{Backlog, Teller, Told};
use output::{Outlet, Turns};
use resume::Succeeded;
pub(super) use writer::Problem;
use writer::{Log, Writer};

/// What runs one.
pub(super) const RUN: &str = "use poolscope run FILE --engine NAME";

/// A batch that may begin.
pub(super) struct Batch {
    teller: Teller,
    /// What it asks of the session.
    pub(super) asks: UnboundedReceiver<Ask>,
    /// Whether what tasks write goes to standard output.
    pub(super) gives_output: bool,
    writer: Option<JoinHandle<Result<(), Problem>>>,
    /// The joblog and its name.
    joblog: Option<(File, String)>,
    /// Where workers leave what programs have written, and who removes it if this process cannot.
    _folder: Option<(PrivateFolder, Keeper)>,
}

/// Why what runs several arms, or one more than once, is no batch.
pub(super) fn refused(arguments: &BatchArgs, who: &str, instead: &str) -> Prepared<()> {
    let Some(option) = arguments.first() else { return Ok(()) };
    write::say(&format!("error: {option} is for a batch, in which each task is run once; {who}: {instead}"));
    Err(ExitReason::BadInput)
}

/// Puts into a workload of one arm what is asked for, reads the joblog and opens it. Where `output_is_free`, nothing else goes to
/// standard output, and what tasks write does. What speaks against any of it is told.
pub(super) fn prepare(arguments: &BatchArgs, workload: &mut Workload, output_is_free: bool) -> Prepared<Option<Batch>> {
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
    // What is dropped or expires is not told one by one, and everything behind it would wait to the end.
    let may_be_untold = workload.classes.iter().any(|class| class.queue_timeout.or(class.wait_timeout).is_some())
        || matches!(&workload.arrivals, Arrivals::Open(open) if open.max_in_flight.is_some());
    if arguments.keep_order && may_be_untold {
        return Err(told(
            "--keep-order: with queue_timeout, wait_timeout or a limit of open arrivals, tasks may end without a word, and \
             no order can be kept"
                .to_owned(),
        ));
    }
    workload.batch.halt = arguments.halt;
    let identities = Arc::new(Identities::new(workload));
    let begins = arguments.resume.as_ref().is_some_and(|path| !path.exists());
    // It is ours before it is read: another one may still be writing to it.
    let joblog = arguments.joblog.as_ref().or(arguments.resume.as_ref());
    let joblog = joblog.map(|path| Joblog::open(path, write::say)).transpose().map_err(told)?;
    match &arguments.resume {
        Some(path) if begins => write::say(&format!("note: {} is not there yet: nothing is skipped", path.display())),
        Some(path) => skip_done(path, workload, &identities).map_err(told)?,
        None => {}
    }
    let gives_output = output_is_free && workload.classes.iter().any(|class| matches!(class.work, Work::Command(_)));
    if joblog.is_none() && !gives_output && workload.live().is_none() {
        return Ok(None);
    }
    if gives_output && standard_output::was_closed() {
        return Err(told(
            "standard output is closed, and what tasks write goes there; >/dev/null throws it away".to_owned(),
        ));
    }
    let folder = if gives_output { hand_on(workload).map_err(told)? } else { None };
    let (asking, asks) = unbounded_channel();
    let (sender, receiver) = mpsc::channel();
    let backlog = Backlog::new(asking);
    if let Some(live) = workload.live() {
        let backlog = backlog.clone();
        live.wake_with(move || backlog.ask(Ask::MoreTasks));
    }
    let keeps_order = arguments.keep_order && gives_output;
    let tells_quiet = joblog.is_some() || keeps_order;
    let left = folder.as_ref().map(|(folder, _)| Arc::from(folder.path()));
    let teller = Teller::new(sender, backlog.clone(), tells_quiet, left);
    let itself = joblog.as_ref().map(|log| io::Result::Ok((log.itself()?, log.name.clone()))).transpose();
    let itself = itself.map_err(|error| told(format!("the joblog: {error}")))?;
    let writer = Writer {
        log: Log { joblog, identities },
        backlog,
        outlet: Outlet::default(),
        turns: keeps_order.then(|| Turns::new(workload.batch.done.clone())),
        folder: folder.as_ref().map(|(folder, _)| folder.path().to_owned()),
    };
    let thread = threads::start("batch", move || writer.write(&receiver));
    let writer = thread.map_err(|error| told(format!("the thread that writes down what has ended: {error}")))?;
    Ok(Some(Batch { teller, asks, gives_output, writer: Some(writer), joblog: itself, _folder: folder }))
}

/// Has all that commands write handed on. Workers leave it in a folder, which is removed whatever becomes of this process.
fn hand_on(workload: &mut Workload) -> Result<Option<(PrivateFolder, Keeper)>, String> {
    let by_workers = workload.engines.iter().any(|arm| !arm.kind.process_per_task());
    let folder = || -> io::Result<_> {
        let own = std::env::current_exe()?;
        PrivateFolder::kept(|path| Keeper::of(path, own.as_os_str()))
    };
    let failed = |error: io::Error| format!("a folder for what tasks write: {error}");
    let folder = by_workers.then(folder).transpose().map_err(failed)?;
    let path = folder.as_ref().map(|(folder, _)| folder.path().to_owned());
    for class in &mut workload.classes {
        if let Work::Command(command) = &mut class.work {
            command.spool = Some(path.clone().map_or(Spool::Told, Spool::Folder));
        }
    }
    Ok(folder)
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
    let lines = succeeded.lines();
    let done = succeeded.tasks(workload, identities).map_err(|error| format!("the items: {error}"))?;
    if !done.is_empty() {
        workload.batch.done = Some(Arc::new(done));
    } else if lines > 0 {
        write::say(&format!(
            "warning: {name}: 0 of {lines} lines that succeeded are of this work (another command or other items?): all of it is done"
        ));
    }
    Ok(())
}

impl Batch {
    /// Who is to be told of its run.
    pub(super) fn observers(&self) -> Arc<dyn ObserveRuns> {
        Arc::new(self.teller.clone())
    }

    /// What is drawn on the terminal makes room for what tasks write.
    pub(super) fn beside(&self, bar: Option<ProgressBar>) {
        bar.into_iter().for_each(|bar| self.teller.tell(Told::Bar(bar)));
    }

    /// Writes what is left. To be called when the run is over.
    ///
    /// # Errors
    /// Why not everything is written down.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        self.teller.tell(Told::Over);
        self.writer.iter().for_each(|writer| writer.thread().unpark());
        // Whoever reads what tasks write may never go on.
        target::release_ending();
        match self.writer.take().map(JoinHandle::join) {
            None | Some(Ok(Ok(()))) => match self.joblog.take().filter(|(file, _)| joblog::is_gone(file)) {
                None => Ok(()),
                Some((_, name)) => {
                    Err(Problem::Joblog(name, io::Error::other("it was removed while it was written to")))
                }
            },
            Some(Ok(Err(problem))) => Err(problem),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}
