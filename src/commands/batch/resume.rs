//! Which tasks a joblog says are done.
//!
//! A line of ours is matched by its key, one without it (GNU parallel wrote it) by its command, which must say the same
//! words. Of tasks that are alike as many are left out as have succeeded. Whatever came later in the log, what has succeeded
//! once is done.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::identity::Identities;
use super::joblog::{self, HEADER, MARK};
use super::shell_words::canonical;
use super::tally::Tally;
use crate::engine::outcome::Outcome;
use crate::workload::items::ItemError;
use crate::workload::model::{Attempt, Workload};
use crate::workload::stream::Stream;
use crate::workload::task_set::TaskSet;

/// Longest line that is read: the longest item, quoted, and what stands around it.
const LONGEST: u64 = 8 << 20;

/// What has succeeded by a joblog, and how often: 16 bytes for each line, and 4 more for those that differ.
#[derive(Debug, Default)]
pub(super) struct Succeeded {
    keys: Tally,
    commands: Tally,
    /// Lines that say nothing of a task.
    pub(super) strange: u64,
}

impl Succeeded {
    /// Reads a joblog; nothing of one that is not there.
    ///
    /// # Errors
    /// In words.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, String> {
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        // Opening a named pipe must not wait for its writer.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(format!("{}: it is not a regular file, which a joblog has to be", path.display()));
        }
        joblog::check_header(&file, metadata.len()).map_err(|_| format!("{}: it is no joblog", path.display()))?;
        let mut succeeded = Self::default();
        let mut lines = BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = io::Read::take(&mut lines, LONGEST).read_until(b'\n', &mut line).map_err(failed)?;
            match line.strip_suffix(b"\n") {
                Some(whole) if line != HEADER => succeeded.line(whole),
                Some(_) => {}
                None if read as u64 == LONGEST => return Err(format!("{}: a line is too long", path.display())),
                // What is torn has not succeeded.
                None => {
                    succeeded.keys.sort();
                    succeeded.commands.sort();
                    return Ok(Some(succeeded));
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) {
        let mut columns = line.splitn(9, |byte| *byte == b'\t');
        let number = |column: Option<&[u8]>| -> Option<i64> { std::str::from_utf8(column?).ok()?.trim().parse().ok() };
        let (first, exit, signal) = (number(columns.next()), number(columns.nth(5)), number(columns.next()));
        let (Some(_), Some(exit), Some(signal), Some(command)) = (first, exit, signal, columns.next()) else {
            self.strange += 1;
            return;
        };
        match own_column(command) {
            Some((outcome, key)) => {
                if outcome == Outcome::Succeeded.word().as_bytes() {
                    self.keys.add(key);
                }
            }
            None => {
                if (exit, signal) == (0, 0) {
                    let command: Vec<u8> = command.iter().map(|byte| if *byte == 0 { b'\n' } else { *byte }).collect();
                    self.commands.add(of_command(&command));
                }
            }
        }
    }

    /// Lines of tasks that have.
    pub(super) fn lines(&self) -> u64 {
        self.keys.left() + self.commands.left()
    }

    /// The tasks of a workload that have.
    ///
    /// # Errors
    /// When an item cannot be read.
    pub(super) fn tasks(mut self, workload: &Workload, identities: &Identities) -> Result<TaskSet, ItemError> {
        let stream = Stream::new(workload);
        let mut done = TaskSet::default();
        for index in 0..stream.total() {
            if self.keys.is_empty() && self.commands.is_empty() {
                break;
            }
            let class = stream.class_of(index);
            // Who wrote the other lines knows no attempts.
            let is_done = self.keys.take(identities.key(class, index)?)
                || !self.commands.is_empty()
                    && self.commands.take(of_command(&identities.command(class, index, Attempt::FIRST)));
            if is_done {
                done.insert(index);
            }
        }
        Ok(done)
    }
}

/// Outcome and key in the column of ours.
fn own_column(rest: &[u8]) -> Option<(&[u8], u128)> {
    let tab = rest.iter().rposition(|byte| *byte == b'\t')?;
    let mut words = rest.get(tab + 1..)?.strip_prefix(MARK)?.split(|byte| *byte == b' ');
    let (outcome, key) = (words.next()?, words.next()?);
    Some((outcome, u128::from_str_radix(std::str::from_utf8(key).ok()?, 16).ok()?))
}

fn of_command(command: &[u8]) -> u128 {
    Sha256::digest(canonical(command)).iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Succeeded {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Succeeded::read(file.path()).unwrap().unwrap()
    }

    #[test]
    fn lines_of_ours_and_of_gnu_parallel_are_read_and_torn_ones_are_not() {
        let header = std::str::from_utf8(HEADER).unwrap();
        let key = |last: char| format!("{}{last}", "0".repeat(31));
        let text = format!(
            "{header}1\t:\t1.0\t     0.1\t0\t0\t0\t0\ttrue a\t#poolscope succeeded {}\n\
             2\t:\t1.0\t     0.1\t0\t0\t7\t0\ttrue b\t#poolscope succeeded {}\n\
             3\t:\t1.0\t     0.1\t0\t0\t0\t0\ttrue c\t#poolscope failed {}\n\
             4\t:\t1.0\t     0.1\t0\t0\t0\t0\techo a\\ b\n\
             5\t:\t1.0\t     0.1\t0\t0\t1\t0\tfalse\n\
             6\t:\t1.0\t     0.1\t0\t0\t0\t9\tkilled\n\
             nonsense\n\
             7\t:\t1.0\t     0.1\t0\t0\t0\t0\ttru",
            key('a'),
            key('b'),
            key('c'),
        );
        let found = read(&text);
        assert_eq!((found.keys.keys, found.keys.counts), (vec![10, 11], vec![1, 1]));
        assert_eq!((found.commands.keys, found.commands.counts), (vec![of_command(b"echo 'a b'")], vec![1]));
        assert_eq!(found.strange, 1);
        assert!(read("").keys.is_empty() && read(&header[..4]).keys.is_empty());
    }

    #[test]
    fn each_is_taken_as_often_as_it_was_there_and_takes_little_room() {
        let mut tally = Tally::default();
        let key = |number: u32| u128::from(number) << 70 | 7;
        (0..30_000).rev().flat_map(|number| [number / 3, number]).for_each(|number| tally.add(key(number)));
        tally.sort();
        let bytes = tally.keys.capacity() * 16 + tally.counts.capacity() * 4;
        assert!(bytes <= 30_000 * 20, "{bytes} bytes of 60,000 lines, 30,000 of which differ");
        assert_eq!((0..5).filter(|_| tally.take(key(9))).count(), 4);
        assert_eq!((0..5).filter(|_| tally.take(key(29_999))).count(), 1);
        assert!(!tally.take(key(30_000)) && !tally.is_empty());
    }

    #[test]
    fn one_of_which_all_are_taken_is_empty() {
        let mut tally = Tally::default();
        [7, 9, 7].into_iter().for_each(|key| tally.add(key));
        tally.sort();
        assert_eq!(tally.left(), 3);
        assert!(tally.take(7) && tally.take(9) && !tally.is_empty());
        assert!(!tally.take(9) && tally.take(7) && tally.is_empty());
        assert_eq!(tally.left(), 0);
    }

    #[test]
    fn what_is_no_joblog_is_refused_and_one_that_is_not_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert!(Succeeded::read(&path).unwrap().is_none());
        std::fs::write(&path, "Chapter 1\n").unwrap();
        assert!(Succeeded::read(&path).unwrap_err().ends_with("it is no joblog"));
        assert!(Succeeded::read(folder.path()).unwrap_err().ends_with("has to be"));
    }
}
