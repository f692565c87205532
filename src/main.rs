//! The program: worker mode first, then the command line.

use std::io::Write as _;
use std::process::ExitCode;

use poolscope::commands::{self, ExitReason};
use poolscope::os::process_owner::ProcessOwner;
use poolscope::os::{heap, inherited, orphans, standard_output};
use poolscope::worker::entry;

poolscope::on_load!(standard_output::look);
// A worker's start-up is a hot path of the process engine.
poolscope::before_main!(entry::take_over);

fn main() -> ExitCode {
    entry::take_over();
    let process = ProcessOwner::claim();
    inherited::settle(process);
    // Where there are no subreapers, orphans are left to the guardian of each run.
    let _ = orphans::become_subreaper(process);
    heap::give_back(process);
    match commands::execute(poolscope::cli::Cli::read()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitReason::Aborted.into()
        }
    }
}
