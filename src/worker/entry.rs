//! A worker process from its first instruction to its last.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::os::board::Board;
use crate::os::process_owner::ProcessOwner;
use crate::os::{clock, early, inherited, signals};
use crate::worker::protocol::{BOARD_FD, SOCKET_FD};
use crate::worker::{fork_server, guardian, keeper, serve};

/// First argument of a worker process; the board's line of its first lane and its parent's pid follow.
pub const WORKER: &str = "__worker";
/// First argument of a fork server; its parent's pid follows.
pub(crate) const FORK_SERVER: &str = "__forkserver";
/// First argument of a guardian process; the run's mark, Poolscope's pid and the folder of its control groups follow.
pub(crate) const GUARDIAN: &str = "__guardian";

/// Runs this process as a worker, a fork server, a guardian or a keeper if its arguments say so, and ends it; returns if they do not. To be
/// called before anything else is set up.
pub fn take_over() {
    let mut arguments = std::env::args_os().skip(1);
    let Some(role) = arguments.next() else { return };
    let mut text = || arguments.next().and_then(|text| text.into_string().ok()).unwrap_or_default();
    match role.to_str() {
        Some(WORKER) => {
            let (Ok(first_line), Ok(parent)) = (text().parse(), text().parse()) else { return };
            match work_for(first_line, parent) {
                Ok(()) => early::leave(0),
                Err(error) => serve::give_up(&error),
            }
        }
        Some(FORK_SERVER) => match text().parse().map(fork_server::main) {
            Ok(Ok(())) => early::leave(0),
            Ok(Err(error)) => serve::give_up(&error),
            Err(_) => {}
        },
        Some(GUARDIAN) => {
            let (run, program, spared) = (text(), text().parse().unwrap_or(0), text());
            guardian::main(&run, program, &spared, &PathBuf::from(text()));
            early::leave(0);
        }
        Some(keeper::KEEPER) => {
            keeper::main(&arguments.next().map(PathBuf::from).unwrap_or_default());
            early::leave(0);
        }
        _ => {}
    }
}

fn work_for(first_line: u32, parent: u32) -> io::Result<()> {
    let began = clock::monotonic();
    let own = ProcessOwner::claim();
    // A parent that is gone is an error of the write, not the end of this process.
    signals::ignore(rustix::process::Signal::PIPE);
    // A file that grows beyond its limit is one too.
    signals::report_file_size(own);
    if !signals::die_with_parent(parent) {
        return Ok(());
    }
    let socket = UnixStream::from(inherited::take(SOCKET_FD)?);
    let board = Board::map(inherited::take(BOARD_FD)?.as_fd())?;
    serve::serve(&socket, board, first_line, began)
}
