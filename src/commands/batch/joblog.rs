//! The joblog: a line for each task that has ended, in the format of GNU parallel (`parallel --joblog`, its manual).
//!
//! Behind GNU parallel's nine columns stands one more: `#poolscope`, the outcome and the key of the task
//! ([`super::identity`]). It is a comment to a shell, so that `parallel --retry-failed` runs the same as without it.
//!
//! Each line is written by one write(2) to a file that is only appended to: what has come back from that survives the end of
//! this process, whatever ends it. A last line that was torn by the end of the machine or by a full disk is cut off before
//! anything is appended.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::engine::outcome::{Exit, Outcome};

/// The first line.
pub(super) const HEADER: &[u8] = b"Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
/// What the tenth column begins with.
pub(super) const MARK: &[u8] = b"#poolscope ";
/// What GNU parallel writes as exit status where there is none.
const NO_EXIT: i32 = -1;

/// What a line says.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// From 1, in the order of the items.
    pub(super) number: u64,
    /// Since the epoch; 0 of what never began.
    pub(super) started: Duration,
    pub(super) runtime: Duration,
    /// Bytes of standard output, which GNU parallel writes as received.
    pub(super) written: u64,
    pub(super) exit: Option<Exit>,
    pub(super) command: &'a [u8],
    pub(super) outcome: Outcome,
    pub(super) key: Option<u128>,
}

impl Entry<'_> {
    /// The line, with its end.
    pub(super) fn line(&self) -> Vec<u8> {
        // Both are 0 of what has succeeded and of nothing else: GNU parallel looks at them.
        let (exit, signal) = match self.exit {
            _ if self.outcome == Outcome::Succeeded => (0, 0),
            Some(Exit::Signal(signal)) => (0, signal),
            Some(Exit::Code(code)) if code != 0 && self.outcome == Outcome::Failed => (code, 0),
            _ => (NO_EXIT, 0),
        };
        let (number, started, runtime) = (self.number, self.started.as_secs_f64(), self.runtime.as_secs_f64());
        let written = self.written;
        let mut line =
            format!("{number}\t:\t{started:.3}\t{runtime:10.3}\t0\t{written}\t{exit}\t{signal}\t").into_bytes();
        // A line stays one, as in GNU parallel's own.
        // A line that nobody could read any more is none; the key has a column of its own.
        line.extend(self.command.iter().take(LONGEST_COMMAND).map(|byte| if *byte == b'\n' { 0 } else { *byte }));
        line.push(b'\t');
        line.extend_from_slice(MARK);
        line.extend_from_slice(self.outcome.word().as_bytes());
        // Of an item that cannot be read any more there is no key, and nothing is found by it.
        line.extend_from_slice(format!(" {:032x}\n", self.key.unwrap_or(0)).as_bytes());
        line
    }
}

/// Most bytes of a command in a line.
const LONGEST_COMMAND: usize = 4 << 20;

/// A joblog that is appended to. Nobody else of us does so in the meantime.
#[derive(Debug)]
pub(super) struct Joblog {
    file: File,
    pub(super) name: String,
}

impl Joblog {
    /// The file itself, to be looked at ([`is_gone`]) when it is not written to any more.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(super) fn itself(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Opens one, or begins it. What it holds already stays; `note` is told of a torn last line.
    ///
    /// # Errors
    /// In words: when it is no joblog, cannot be written to, or another Poolscope writes to it.
    pub(super) fn open(path: &Path, mut note: impl FnMut(&str)) -> Result<Self, String> {
        let name = path.display().to_string();
        let failed = |error: io::Error| format!("{name}: {error}");
        // Opening a named pipe must not wait for its reader.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).custom_flags(flags).open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(format!("{name}: it is not a regular file, which a joblog has to be"));
        }
        // Not every file system has locks.
        if let Err(rustix::io::Errno::WOULDBLOCK) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            return Err(format!("{name}: another Poolscope is writing to it"));
        }
        // Another one may have written until now.
        let metadata = file.metadata().map_err(failed)?;
        check_header(&file, metadata.len()).map_err(|reason| format!("{name}: {reason}"))?;
        let whole = whole_lines(&file, metadata.len()).map_err(failed)?;
        if whole < metadata.len() {
            note(&format!("note: {name}: its last line was torn and is cut off"));
            file.set_len(whole).map_err(failed)?;
        }
        let mut joblog = Self { file, name };
        if whole == 0 {
            joblog.append(HEADER).map_err(|error| format!("{}: {error}", joblog.name))?;
        }
        Ok(joblog)
    }

    /// Appends a line, or nothing.
    ///
    /// # Errors
    /// A full disk and the like.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let written = loop {
            match self.file.write(line) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written?,
            }
        };
        if written == line.len() {
            return Ok(());
        }
        // There was room for a part of it; of that nothing is left.
        let length = self.file.metadata()?.len();
        self.file.set_len(length.saturating_sub(written as u64))?;
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// Whether somebody has removed it: nobody will ever read what was written.
pub(super) fn is_gone(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

/// A file that begins otherwise is somebody's, and not a joblog.
pub(super) fn check_header(file: &File, length: u64) -> Result<(), String> {
    let mut begin = vec![0; HEADER.len().min(usize::try_from(length).unwrap_or(usize::MAX))];
    file.read_exact_at(&mut begin, 0).map_err(|error| error.to_string())?;
    let (begin, header) = (begin.strip_suffix(b"\n").unwrap_or(&begin), HEADER.strip_suffix(b"\n").unwrap_or(HEADER));
    if header.starts_with(begin) { Ok(()) } else { Err("it is there already and is no joblog".to_owned()) }
}

/// Where the last line ends that has its end.
fn whole_lines(file: &File, length: u64) -> io::Result<u64> {
    const PIECE: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(PIECE);
        let mut piece = vec![0; usize::try_from(end - begin).unwrap_or(0)];
        file.read_exact_at(&mut piece, begin)?;
        if let Some(place) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + place as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(number: u64, command: &[u8]) -> Entry<'_> {
        Entry {
            number,
            started: Duration::from_millis(1_700_000_000_123),
            runtime: Duration::from_millis(1500),
            written: 7,
            exit: Some(Exit::Code(3)),
            command,
            outcome: Outcome::Failed,
            key: Some(0xab),
        }
    }

    #[test]
    fn a_line_is_gnu_parallels_with_a_comment_behind() {
        let line = String::from_utf8(entry(2, b"echo 'a\nb'").line()).unwrap();
        let key = "000000000000000000000000000000ab";
        let wanted = format!("2\t:\t1700000000.123\t     1.500\t0\t7\t3\t0\techo 'a\0b'\t#poolscope failed {key}\n");
        assert_eq!(line, wanted);
    }

    #[test]
    fn a_torn_line_is_cut_off_and_what_is_whole_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        Joblog::open(&path, |_| panic!("nothing is torn")).unwrap().append(b"1\twhole\n").unwrap();
        let whole = fs::read(&path).unwrap();
        assert_eq!(whole, [HEADER, b"1\twhole\n"].concat());
        for torn in [&b"2\tto"[..], &vec![b'x'; 200_000]] {
            fs::write(&path, [&whole, torn].concat()).unwrap();
            let mut told = 0;
            let joblog = Joblog::open(&path, |_| told += 1).unwrap();
            assert_eq!((fs::read(&path).unwrap(), told), (whole.clone(), 1));
            drop(joblog);
        }
        fs::write(&path, &HEADER[..9]).unwrap();
        drop(Joblog::open(&path, |_| {}).unwrap());
        assert_eq!(fs::read(&path).unwrap(), HEADER);
    }

    #[test]
    fn what_is_no_joblog_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thesis.txt");
        fs::write(&path, "Chapter 1\n").unwrap();
        let refused = Joblog::open(&path, |_| {}).unwrap_err();
        assert!(refused.ends_with("is no joblog"), "{refused}");
        assert_eq!(fs::read(&path).unwrap(), b"Chapter 1\n");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let refused = Joblog::open(&pipe, |_| {}).unwrap_err();
        assert!(refused.contains("regular file"), "{refused}");
        assert!(Joblog::open(folder.path(), |_| {}).is_err());
        let log = folder.path().join("log");
        let first = Joblog::open(&log, |_| {}).unwrap();
        let file = first.itself().unwrap();
        assert!(!is_gone(&file));
        let refused = Joblog::open(&log, |_| {}).unwrap_err();
        assert!(refused.contains("another Poolscope"), "{refused}");
        fs::rename(&log, folder.path().join("elsewhere")).unwrap();
        assert!(!is_gone(&file), "it can be read there");
        fs::remove_file(folder.path().join("elsewhere")).unwrap();
        assert!(is_gone(&file));
        drop(first);
    }
}
