//! Everything that a program writes, held until somebody takes it: little of it in memory, more in a file without a name in
//! the folder for temporary files, or in a file that another process takes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::os::pipe::Sink;
use crate::workload::items::temporary_file;

/// Most bytes of a stream in memory.
pub(crate) const MOST_IN_MEMORY: usize = 64 * 1024;

/// What one stream has given.
#[derive(Debug, Default)]
pub(crate) struct SpooledOutput {
    memory: Vec<u8>,
    /// All of it, once it was too much.
    file: Option<File>,
    length: u64,
    /// Where it begins in the file.
    from: u64,
    /// Where it is to be found, where somebody else takes it.
    path: Option<PathBuf>,
    /// What went wrong first.
    error: Option<io::Error>,
}

/// What a program has given that has ended by itself.
#[derive(Debug, Default)]
pub struct ProgramOutput {
    pub(crate) stdout: SpooledOutput,
    pub(crate) stderr: SpooledOutput,
}

impl ProgramOutput {
    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.stdout.length() == 0 && self.stderr.length() == 0
    }
}

/// The paths at which the streams of a program are taken by somebody else.
pub(crate) fn both_paths(path: &Path) -> [PathBuf; 2] {
    [".out", ".err"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

impl SpooledOutput {
    /// One that is found at this path afterwards, unless nothing was written.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path: Some(path), ..Self::default() }
    }

    /// Bytes of all of it.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of memory that it takes up.
    pub(crate) fn in_memory(&self) -> usize {
        if self.file.is_some() { 0 } else { self.memory.len() }
    }

    /// Everything was written. Where somebody else takes it, it is there now.
    ///
    /// # Errors
    /// When there was no room for it.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        if let (Some(path), false) = (&self.path, self.memory.is_empty()) {
            let memory = std::mem::take(&mut self.memory);
            create(path)?.write_all(&memory)?;
        }
        self.error.take().map_or(Ok(()), Err)
    }

    /// Hands all of it on, piece by piece.
    ///
    /// # Errors
    /// Of reading it, and whatever `take` returns.
    pub(crate) fn each_piece<E: From<io::Error>>(&self, mut take: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let Some(file) = &self.file else { return if self.memory.is_empty() { Ok(()) } else { take(&self.memory) } };
        let (mut piece, mut at) = (vec![0; MOST_IN_MEMORY], 0);
        while at < self.length {
            let most = usize::try_from(self.length - at).unwrap_or(usize::MAX).min(MOST_IN_MEMORY);
            match file.read_at(&mut piece[..most], self.from + at) {
                // Somebody has cut it.
                Ok(0) => return Err(E::from(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    take(&piece[..count])?;
                    at += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Takes what another process has left at a path; nothing where it has left nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn taken(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            file => file?,
        };
        fs::remove_file(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: Some(file), length, ..Self::default() })
    }

    /// A stretch of a file.
    pub(crate) fn part_of(file: File, from: u64, length: u64) -> Self {
        Self { file: Some(file), length, from, ..Self::default() }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            if self.memory.len() + bytes.len() <= MOST_IN_MEMORY {
                self.memory.extend_from_slice(bytes);
                return Ok(());
            }
            let mut file = match &self.path {
                Some(path) => create(path)?,
                None => temporary_file()?,
            };
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }
}

impl Sink for SpooledOutput {
    fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.error.is_none() {
            self.error = self.write(bytes).err();
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(output: &SpooledOutput) -> Vec<u8> {
        let mut bytes = Vec::new();
        output
            .each_piece(|piece| {
                bytes.extend_from_slice(piece);
                Ok::<(), io::Error>(())
            })
            .unwrap();
        bytes
    }

    #[test]
    fn little_is_in_memory_and_much_is_not_and_all_of_it_is_there() {
        for (pieces, in_memory) in [(3, 3000), (1000, 0)] {
            let mut output = SpooledOutput::default();
            let wanted: Vec<u8> = (0..pieces * 1000).map(|number: u32| number as u8).collect();
            wanted.chunks(1000).for_each(|piece| output.push(piece));
            output.finish().unwrap();
            assert_eq!((output.in_memory(), output.length()), (in_memory, wanted.len() as u64));
            assert_eq!(all(&output), wanted);
        }
    }

    #[test]
    fn another_process_finds_it_once_it_is_whole_and_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 10, 200_000] {
            let path = folder.path().join("0.1.out");
            let mut output = SpooledOutput::at(path.clone());
            output.push(&vec![b'x'; size]);
            output.finish().unwrap();
            let taken = SpooledOutput::taken(&path).unwrap();
            assert_eq!(all(&taken), vec![b'x'; size]);
            assert!(!path.exists());
        }
        let mut output = SpooledOutput::at(folder.path().join("nowhere/0.1.out"));
        output.push(b"x");
        assert!(output.finish().is_err());
    }
}
