//! The program: worker mode first, then the command line.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use poolscope::commands::{self, Exit};

fn main() -> ExitCode {
    // Before anything else: a worker's start-up is a hot path of the process engine.
    if poolscope::worker::entry::taken_over() {
        return ExitCode::SUCCESS;
    }
    poolscope::os::inherited::settle();
    match commands::execute(poolscope::cli::Cli::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Nobody may be listening.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            Exit::Aborted.into()
        }
    }
}
