//! The program: worker mode first, then the command line.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use poolscope::commands::{self, Exit};
use poolscope::worker::entry;

// A worker's start-up is a hot path of the process engine.
poolscope::before_main!(entry::take_over);

fn main() -> ExitCode {
    entry::take_over();
    poolscope::os::inherited::settle();
    poolscope::os::heap::give_back();
    match commands::execute(poolscope::cli::Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nobody may be listening.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            Exit::Aborted.into()
        }
    }
}
