//! The keeper of a folder: a small process that removes it when the process that made it is gone, however it went.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use crate::os::child::Child;
use crate::os::spawn::Program;
use crate::os::{dev_null, orphans, pipe};

/// First argument of the keeper of a folder, which follows.
pub(crate) const KEEPER: &str = "__keeper";
/// How long it may take to remove a few files before it is left to itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// A keeper that is there until this is dropped: the folder goes then at the latest.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The end of it is its signal.
    line: Option<OwnedFd>,
    child: Child,
}

impl Keeper {
    /// Starts one for a folder, which need not be there yet. `own_program` is the file of this program, or of one that takes
    /// over like it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn of(folder: &Path, own_program: &OsStr) -> io::Result<Self> {
        let (read, line) = pipe::pipe()?;
        rustix::io::ioctl_fionbio(&read, false)?;
        let null = dev_null::open()?;
        let argv = ["poolscope-keeper".as_ref(), KEEPER.as_ref(), folder.as_os_str()];
        let program = Program::new(&argv)?.executable(own_program)?.with_our_limits();
        let child = program.spawn(&[(read.as_fd(), 0), (null.as_fd(), 1), (null.as_fd(), 2)])?;
        // Whoever ends what this process leaves behind lets it do its work.
        orphans::spare(&child);
        Ok(Self { line: Some(line), child })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.line.take();
        self.child.wait_at_most(PATIENCE);
    }
}

/// Waits for the end of standard input, then removes the folder with everything in it.
pub(crate) fn main(folder: &Path) {
    // Ctrl-C is for the foreground group; the keeper leads its own, but a plain `kill` must not stop it either.
    crate::os::signals::ignore_terminating();
    let stdin = io::stdin();
    loop {
        let mut line = [PollFd::new(&stdin, PollFlags::IN)];
        // Nobody writes to it: whatever happens to it, other than an interruption, is its end.
        match poll(&mut line, None) {
            Err(rustix::io::Errno::INTR) => {}
            _ => break,
        }
    }
    // What is not there, or not ours any more, is nobody's that is left to tell.
    let _ = std::fs::remove_dir_all(folder);
}
