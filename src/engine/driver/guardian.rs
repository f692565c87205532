//! Holds the guardian process of a run: see [`crate::worker::guardian`].

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use crate::os::child::Child;
use crate::os::process_owner::ProcessOwner;
use crate::os::spawn::Program;
use crate::os::{dev_null, orphans, pipe};
use crate::worker::entry::GUARDIAN;
use crate::worker::guardian;

/// A guardian that is on guard until this is dropped.
#[derive(Debug)]
pub(crate) struct Guardian {
    /// Its standard input: the end of it is its signal.
    line: Option<OwnedFd>,
    child: Child,
}

impl Guardian {
    /// Starts a guardian for the descendants of this process: those that carry this mark, those it has seen, and those in
    /// these control groups, if there are any.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(own_program: &OsStr, run: &str, groups: Option<&Path>) -> io::Result<Self> {
        let (read, line) = pipe::pipe()?;
        rustix::io::ioctl_fionbio(&read, false)?;
        let null = dev_null::open()?;
        // In a host's process, what descends from it may be the host's own.
        let own = ProcessOwner::current().map_or(0, |_| std::process::id()).to_string();
        let groups = groups.unwrap_or(Path::new("")).as_os_str();
        let spared = orphans::spared();
        let argv =
            [OsStr::new("poolscope-guardian"), GUARDIAN.as_ref(), run.as_ref(), own.as_ref(), spared.as_ref(), groups];
        let program = Program::new(&argv)?.executable(own_program)?.with_our_limits();
        let child = program.spawn(&[(read.as_fd(), 0), (null.as_fd(), 1), (null.as_fd(), 2)])?;
        Ok(Self { line: Some(line), child })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            // An end without a word is the end of this process. One that is gone itself needs no word.
            let _ = rustix::io::write(&line, b".");
        }
        // It leaves by itself when it has done its work. One that was stopped or cannot go on is not waited for: the drop of
        // the child ends it.
        self.child.wait_at_most(guardian::PATIENCE + Duration::from_millis(100));
    }
}
