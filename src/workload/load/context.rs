//! What all readers share: where things are in the text, and the list of problems found so far.

use std::cell::{Cell, RefCell};

use crate::workload::changes::Changes;
use crate::workload::diagnostic::{Diagnostic, DiagnosticSeverity, Diagnostics, Lines};
use crate::workload::load::files::{LARGEST_NAMED, MOST_NAMED, NamedFiles};
use crate::workload::scan::{Mark, NodeId, Scan};

/// Problems kept; what is beyond is counted only.
const MOST_PROBLEMS: usize = 100;

/// One file being read. Readers report into it and go on, so that one pass finds all problems.
pub(crate) struct Context<'a> {
    pub(crate) scan: &'a Scan,
    pub(crate) lines: &'a Lines<'a>,
    changes: &'a Changes,
    changed_lines: &'a Lines<'a>,
    problems: RefCell<Vec<Diagnostic>>,
    omitted: Cell<usize>,
    refused: Cell<bool>,
    /// Files that it names.
    pub(crate) files: &'a dyn NamedFiles,
    /// Bytes of such files that were read.
    bytes_read: Cell<u64>,
}

impl<'a> Context<'a> {
    /// `changed_lines` show `changes` as `lines` show the file.
    pub(crate) fn new(
        scan: &'a Scan,
        lines: &'a Lines<'a>,
        changes: &'a Changes,
        changed_lines: &'a Lines<'a>,
        files: &'a dyn NamedFiles,
    ) -> Self {
        let (problems, omitted, refused) = (RefCell::default(), Cell::new(0), Cell::new(false));
        Self { scan, lines, changes, changed_lines, problems, omitted, refused, files, bytes_read: Cell::new(0) }
    }

    /// Notes a problem.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        if diagnostic.severity == DiagnosticSeverity::Error {
            self.refused.set(true);
        }
        if self.full() {
            // A warning must not be what keeps a file from being accepted.
            if diagnostic.severity == DiagnosticSeverity::Error {
                self.omit();
            }
            return;
        }
        let mut problems = self.problems.borrow_mut();
        // The same spot under an alias is read once for each use; saying it once is enough.
        let told = problems.iter().any(|known| {
            (known.line, known.col, &known.file, &known.message)
                == (diagnostic.line, diagnostic.col, &diagnostic.file, &diagnostic.message)
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
        self.diagnostic(DiagnosticSeverity::Error, mark, key, message)
    }

    /// A problem at a place of the file, or at the change that its key path comes from.
    pub(crate) fn diagnostic(&self, severity: DiagnosticSeverity, mark: Mark, key: &str, message: &str) -> Diagnostic {
        match self.changes.mark(key) {
            Some(mark) => Diagnostic::new(severity, self.changed_lines, mark, key, message),
            None => Diagnostic::new(severity, self.lines, mark, key, message),
        }
    }

    /// A single value as it was written, in the file or in a change; `None` where it is not on one line.
    pub(crate) fn written(&self, node: Option<NodeId>, key: &str) -> Option<&'a str> {
        if self.changes.mark(key).is_some() {
            return self.changes.value(key).filter(|value| !value.is_empty());
        }
        let mark = self.scan.written(node?)?;
        let text = self.lines.part(mark).trim_matches([' ', '\t']);
        (!text.is_empty()).then_some(text)
    }

    /// The text of a file that the workload names.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words that go with its name.
    pub(crate) fn read(&self, name: &str) -> Result<String, String> {
        // What is refused is not read first: a file with a thousand names of large files ends soon.
        let left = MOST_NAMED.saturating_sub(self.bytes_read.get());
        if left == 0 {
            return Err("all files that are named are larger than 32 MiB together".to_owned());
        }
        let text = self.files.read(name, LARGEST_NAMED)?;
        let read = self.bytes_read.get() + text.len() as u64;
        self.bytes_read.set(read.min(MOST_NAMED));
        if read > MOST_NAMED {
            Err("all files that are named are larger than 32 MiB together".to_owned())
        } else {
            Ok(text)
        }
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
