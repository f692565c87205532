//! What all readers share: where things are in the text, and the list of problems found so far.

use std::cell::{Cell, RefCell};

use crate::workload::diagnostic::{Diagnostic, Diagnostics, Lines, Severity};
use crate::workload::scan::{Mark, Scan};

/// Problems kept; what is beyond is counted only.
const MOST_PROBLEMS: usize = 100;

/// One file being read. Readers report into it and go on, so that one pass finds all problems.
pub(crate) struct Context<'a> {
    pub(crate) scan: &'a Scan,
    pub(crate) lines: &'a Lines<'a>,
    problems: RefCell<Vec<Diagnostic>>,
    omitted: Cell<usize>,
    refused: Cell<bool>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(scan: &'a Scan, lines: &'a Lines<'a>) -> Self {
        Self { scan, lines, problems: RefCell::default(), omitted: Cell::new(0), refused: Cell::new(false) }
    }

    /// Notes a problem.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.refused.set(true);
        }
        if self.full() {
            // A warning must not be what keeps a file from being accepted.
            if diagnostic.severity == Severity::Error {
                self.omit();
            }
            return;
        }
        let mut problems = self.problems.borrow_mut();
        // The same spot under an alias is read once for each use; saying it once is enough.
        let told = problems.iter().any(|known| {
            known.line == diagnostic.line && known.col == diagnostic.col && known.message == diagnostic.message
        });
        if !told {
            problems.push(diagnostic);
        }
    }

    /// Whether further problems are only counted.
    pub(crate) fn full(&self) -> bool {
        self.problems.borrow().len() >= MOST_PROBLEMS
    }

    /// Counts an error that is not kept.
    pub(crate) fn omit(&self) {
        self.refused.set(true);
        self.omitted.set(self.omitted.get() + 1);
    }

    /// An error at a place.
    pub(crate) fn error(&self, mark: Mark, key: &str, message: &str) -> Diagnostic {
        Diagnostic::new(Severity::Error, self.lines, mark, key, message)
    }

    /// Whether an error was reported.
    pub(crate) fn refused(&self) -> bool {
        self.refused.get()
    }

    /// Everything that was reported, in the order of the text.
    pub(crate) fn into_problems(self) -> Diagnostics {
        Diagnostics::new(self.problems.into_inner()).with_omitted(self.omitted.get())
    }
}
