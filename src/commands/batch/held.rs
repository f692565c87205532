//! What has ended and waits for its turn: in memory as long as that is little, and beyond that in one file without a name.
//!
//! What is kept in memory for each of those in the file is where it is: 8 bytes, and a little more for each 64 that follow
//! each other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::observer::Ended;
use crate::worker::spooled_output::{ProgramOutput, SpooledOutput};
use crate::workload::items::temporary_file;
use crate::workload::model::TaskIndex;

/// Most bytes of memory for what waits.
const MOST_IN_MEMORY: usize = 16 << 20;
/// What each takes up there beside the bytes that it has written: who it is, two streams, its place in a tree.
const EACH: usize = 512;
/// Tasks that follow each other whose places are kept together.
const TOGETHER: u64 = 64;
/// Three numbers: how long what is said of a task is, and each of its streams.
const HEAD: usize = 24;
/// What is given back to the file system piece by piece; less has no block of its own.
const BLOCK: u64 = 4096;

/// Where tasks that follow each other are in the file, one more than that; 0 of those that are not.
type Places = Box<[u64; TOGETHER as usize]>;

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct Held {
    memory: BTreeMap<TaskIndex, (Ended, Arc<ProgramOutput>)>,
    in_memory: usize,
    places: BTreeMap<u64, Places>,
    in_file: u64,
    file: Option<File>,
    /// Where the file ends.
    end: u64,
}

/// One whose turn has come. Its output can be read until it is let go ([`Held::let_go`]).
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) ended: Ended,
    pub(super) output: Arc<ProgramOutput>,
    /// Where it was, and how long it is.
    stretch: Option<(u64, u64)>,
}

impl Held {
    /// Takes one in.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(super) fn put(&mut self, ended: Ended, output: Arc<ProgramOutput>) -> io::Result<()> {
        let memory = output.stdout.in_memory() + output.stderr.in_memory();
        let whole = (memory as u64) == output.stdout.length() + output.stderr.length();
        // A file of each task would be too many.
        if whole && self.in_memory + memory + EACH <= MOST_IN_MEMORY {
            self.in_memory += memory + EACH;
            self.memory.insert(ended.index, (ended, output));
            return Ok(());
        }
        self.append(&ended, &output)
    }

    fn append(&mut self, ended: &Ended, output: &ProgramOutput) -> io::Result<()> {
        let said = serde_json::to_vec(ended)?;
        let lengths = [said.len() as u64, output.stdout.length(), output.stderr.length()];
        let mut piece: Vec<u8> = lengths.iter().flat_map(|length| length.to_le_bytes()).collect();
        piece.extend(said);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => temporary_file()?,
        };
        for stream in [&output.stdout, &output.stderr] {
            stream.each_piece(|bytes| {
                piece.extend_from_slice(bytes);
                // What is little is written by one call.
                if (piece.len() as u64) < BLOCK { Ok(()) } else { file.write_all(&std::mem::take(&mut piece)) }
            })?;
        }
        file.write_all(&piece)?;
        self.file = Some(file);
        let places = self.places.entry(ended.index / TOGETHER).or_insert_with(|| Box::new([0; TOGETHER as usize]));
        places[(ended.index % TOGETHER) as usize] = self.end + 1;
        self.in_file += 1;
        self.end += HEAD as u64 + lengths.iter().sum::<u64>();
        Ok(())
    }

    /// Takes this one out, if it is there.
    ///
    /// # Errors
    /// When it cannot be read again.
    pub(super) fn take(&mut self, index: TaskIndex) -> io::Result<Option<Turn>> {
        if let Some((ended, output)) = self.memory.remove(&index) {
            self.in_memory -= output.stdout.in_memory() + output.stderr.in_memory() + EACH;
            return Ok(Some(Turn { ended, output, stretch: None }));
        }
        let Some(places) = self.places.get_mut(&(index / TOGETHER)) else { return Ok(None) };
        let place = std::mem::take(&mut places[(index % TOGETHER) as usize]);
        if place == 0 {
            return Ok(None);
        }
        if places.iter().all(|place| *place == 0) {
            self.places.remove(&(index / TOGETHER));
        }
        self.in_file -= 1;
        self.read(place - 1).map(Some)
    }

    fn read(&self, at: u64) -> io::Result<Turn> {
        let Some(file) = &self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, at)?;
        let mut lengths = head.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap_or_default()));
        let [said, stdout, stderr] = std::array::from_fn(|_| lengths.next().unwrap_or(0));
        let mut words = vec![0; usize::try_from(said).unwrap_or(0)];
        file.read_exact_at(&mut words, at + HEAD as u64)?;
        let from = at + HEAD as u64 + said;
        let part = |from, length| io::Result::Ok(SpooledOutput::part_of(file.try_clone()?, from, length));
        let output = ProgramOutput { stdout: part(from, stdout)?, stderr: part(from + stdout, stderr)? };
        let stretch = Some((at, from + stdout + stderr - at));
        Ok(Turn { ended: serde_json::from_slice(&words)?, output: Arc::new(output), stretch })
    }

    /// The first of those that are left.
    pub(super) fn first(&self) -> Option<TaskIndex> {
        let in_file = self.places.first_key_value().and_then(|(number, places)| {
            let place = places.iter().position(|place| *place > 0)?;
            Some(number * TOGETHER + place as u64)
        });
        let in_memory = self.memory.first_key_value().map(|(index, _)| *index);
        [in_file, in_memory].into_iter().flatten().min()
    }

    /// What was given out takes up no room any more, where the file system can do that.
    pub(super) fn let_go(&mut self, turn: &Turn) {
        let (Some((from, length)), Some(file)) = (turn.stretch, &self.file) else { return };
        if self.in_file == 0 {
            // A failure leaves it as it is: longer than it has to be.
            if file.set_len(0).is_ok() && io::Seek::seek(&mut &*file, io::SeekFrom::Start(0)).is_ok() {
                self.end = 0;
            }
            return;
        }
        #[cfg(target_os = "linux")]
        if length >= BLOCK {
            use rustix::fs::{FallocateFlags, fallocate};
            let _ = fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, from, length);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (from, length);
    }

    /// Bytes of memory, about.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.in_memory + self.places.len() * (size_of::<[u64; TOGETHER as usize]>() + 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Outcome;
    use crate::os::pipe::Sink as _;

    fn put(held: &mut Held, index: TaskIndex, stdout: &[u8], stderr: &[u8]) {
        let mut output = ProgramOutput::default();
        output.stdout.push(stdout);
        output.stderr.push(stderr);
        held.put(Ended { written: index, ..Ended::never_began(index, 0, Outcome::Failed) }, Arc::new(output)).unwrap();
    }

    fn all(stream: &SpooledOutput) -> Vec<u8> {
        let mut all = Vec::new();
        let read = stream.each_piece(|piece| {
            all.extend_from_slice(piece);
            io::Result::Ok(())
        });
        read.unwrap();
        all
    }

    #[test]
    fn many_take_little_memory_and_come_back_as_they_were() {
        const TASKS: u64 = 70_000;
        let mut held = Held::default();
        // Nearly in their order, as tasks end.
        for index in (0..TASKS).map(|index| index ^ 3).filter(|index| *index > 0) {
            put(&mut held, index, format!("{index} ").repeat(1 + index as usize % 3).as_bytes(), b"e");
        }
        let large = vec![b'x'; 300_000];
        put(&mut held, TASKS + 1000, &large, &large[1..]);
        assert!(held.in_file > TASKS / 2, "{} in the file", held.in_file);
        assert!(held.kept() < MOST_IN_MEMORY + 20 * TASKS as usize, "{} bytes for {TASKS}", held.kept());
        assert_eq!(held.first(), Some(1));
        for index in 1..TASKS {
            let turn = held.take(index).unwrap().unwrap();
            assert_eq!((turn.ended.index, turn.ended.written, turn.ended.outcome), (index, index, Outcome::Failed));
            assert_eq!(all(&turn.output.stdout), format!("{index} ").repeat(1 + index as usize % 3).as_bytes());
            assert_eq!(all(&turn.output.stderr), b"e");
            held.let_go(&turn);
            assert!(held.take(index).unwrap().is_none(), "it is gone");
        }
        assert_eq!(held.first(), Some(TASKS + 1000));
        let turn = held.take(TASKS + 1000).unwrap().unwrap();
        assert_eq!((all(&turn.output.stdout), all(&turn.output.stderr)), (large.clone(), large[1..].to_vec()));
        held.let_go(&turn);
        assert_eq!((held.first(), held.kept(), held.end), (None, 0, 0));
        // The file is begun anew.
        put(&mut held, 7, &large, b"again");
        let turn = held.take(7).unwrap().unwrap();
        assert_eq!((all(&turn.output.stdout), all(&turn.output.stderr)), (large, b"again".to_vec()));
    }
}
