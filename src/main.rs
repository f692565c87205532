//! The program: worker mode first, then the command line.

fn main() {
    // Before anything else: a worker's start-up is a hot path of the process engine.
    if poolscope::worker::entry::taken_over() {}
}
