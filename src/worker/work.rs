//! What native tasks do inside a worker. What takes long anyhow is not inlined: its locals would become part of a stack
//! frame that tasks of nanoseconds enter too.

use std::io::{self, Read, Seek, Write};
use std::time::Duration;

use crate::os::pages::Pages;
use crate::worker::calibration::Calibration;
use crate::worker::kernels;
use crate::worker::spin::spin;
pub(crate) use crate::worker::work_error::WorkError;
use crate::workload::items::unlinked_file;
use crate::workload::model::{Dist, IoWork, MemoryWork, Phase, TaskIndex, Work};

/// Works on one task. The result depends on the work, the seed, the index and, for CPU work, on the calibration alone.
///
/// # Errors
/// See [`WorkError`].
pub(crate) fn run(work: &Work, seed: u64, index: TaskIndex, calibration: Calibration) -> Result<u64, WorkError> {
    match work {
        Work::Kernel(kernel) => kernels::run(kernel, seed, index),
        Work::Cpu(dist) => Ok(cpu(dist, seed, index, 0, calibration)),
        Work::Sleep(dist) => Ok(sleep(dist, seed, index, 0)),
        Work::Io(work) => file(work, index),
        Work::Memory(work) => memory(work),
        Work::Mixed(phases) => phases.iter().zip(0u32..).try_fold(0u64, |sum, (phase, number)| {
            let value = match phase {
                Phase::Cpu(dist) => cpu(dist, seed, index, number, calibration),
                Phase::Sleep(dist) => sleep(dist, seed, index, number),
                Phase::Io(work) => file(work, index)?,
                Phase::Memory(work) => memory(work)?,
            };
            Ok(sum.rotate_left(7) ^ value)
        }),
        Work::Command(_) | Work::Program(_) | Work::Served(_) | Work::Python(_) | Work::Echo => {
            Err(WorkError::NeedsMore)
        }
    }
}

#[inline(never)]
fn cpu(dist: &Dist, seed: u64, index: TaskIndex, phase: u32, calibration: Calibration) -> u64 {
    let time = dist.draw(seed, index, u64::from(phase));
    spin(iterations(time, calibration), index)
}

/// Iterations of the CPU kernel that take a calibrated idle core so long.
pub(super) fn iterations(time: Duration, calibration: Calibration) -> u64 {
    (time.as_secs_f64() * calibration.iterations_per_second) as u64
}

#[inline(never)]
fn sleep(dist: &Dist, seed: u64, index: TaskIndex, phase: u32) -> u64 {
    let time = dist.draw(seed, index, u64::from(phase));
    // The standard library goes on sleeping after a signal.
    std::thread::sleep(time);
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

const BLOCK: usize = 64 * 1024;

#[inline(never)]
fn file(work: &IoWork, index: TaskIndex) -> Result<u64, WorkError> {
    let folder = std::env::temp_dir();
    let failed = |(step, source)| WorkError::Io { step, folder: folder.clone(), source };
    let mut file = unlinked_file(&folder).map_err(|error| failed(("creating a temporary file", error)))?;
    let written = write(&mut file, work.bytes, index).map_err(|error| failed(("writing", error)))?;
    if work.sync {
        file.sync_data().map_err(|error| failed(("flushing to the device", error)))?;
    }
    let read = read_back(&mut file, work.bytes).map_err(|error| failed(("reading back", error)))?;
    if read == written { Ok(read) } else { Err(WorkError::Corrupt) }
}

/// Writes bytes that depend on the index; their checksum.
fn write(file: &mut impl Write, bytes: u64, index: TaskIndex) -> io::Result<u64> {
    let block: Vec<u8> = (0..block_size(bytes) as u64).map(|byte| (byte ^ index) as u8).collect();
    blocks(bytes).try_fold(0, |sum, size| {
        file.write_all(&block[..size])?;
        Ok(checksum(sum, &block[..size]))
    })
}

/// Checksum of the first bytes of a file.
fn read_back(file: &mut (impl Read + Seek), bytes: u64) -> io::Result<u64> {
    file.rewind()?;
    let mut buffer = vec![0u8; block_size(bytes)];
    blocks(bytes).try_fold(0, |sum, size| {
        file.read_exact(&mut buffer[..size])?;
        Ok(checksum(sum, &buffer[..size]))
    })
}

/// Small files need no large buffer.
fn block_size(bytes: u64) -> usize {
    usize::try_from(bytes).map_or(BLOCK, |bytes| bytes.min(BLOCK))
}

fn blocks(bytes: u64) -> impl Iterator<Item = usize> {
    let whole = bytes / BLOCK as u64;
    let rest = (bytes % BLOCK as u64) as usize;
    (0..whole).map(|_| BLOCK).chain((rest > 0).then_some(rest))
}

fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(sum, |sum, part| {
        let word = part.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
        (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(5)
    })
}

#[inline(never)]
fn memory(work: &MemoryWork) -> Result<u64, WorkError> {
    let out_of_memory = || WorkError::OutOfMemory { bytes: work.bytes };
    let length = usize::try_from(work.bytes).map_err(|_| out_of_memory())?;
    let mut pages = Pages::map(length).map_err(|_| out_of_memory())?;
    Ok((0..work.passes).fold(0, |sum: u64, pass| sum.wrapping_add(pages.touch(pass.wrapping_add(1) as u8))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::*;
    use crate::workload::model::Kernel;

    const CALIBRATION: Calibration = Calibration { iterations_per_second: 1e6 };

    fn run_one(work: &Work) -> Result<u64, WorkError> {
        run(work, 1, 2, CALIBRATION)
    }

    #[test]
    fn cpu_work_is_a_number_of_iterations() {
        let work = Work::Cpu(Dist::Constant(Duration::from_millis(2)));
        assert_eq!(run_one(&work).unwrap(), spin(2000, 2));
    }

    #[test]
    fn sleep_lasts_at_least_as_long_as_it_should() {
        let time = Duration::from_millis(15);
        let begin = Instant::now();
        assert_eq!(run_one(&Work::Sleep(Dist::Constant(time))).unwrap(), 15_000_000);
        assert!(begin.elapsed() >= time);
    }

    #[test]
    fn a_file_is_written_and_read_back() {
        for bytes in [1, 65_536, 200_001] {
            let whole: Vec<u8> = (0..bytes).map(|byte| ((byte % BLOCK as u64) ^ 2) as u8).collect();
            let work = Work::Io(IoWork { bytes, sync: bytes == 1 });
            assert_eq!(run_one(&work).unwrap(), checksum(0, &whole), "{bytes} bytes");
        }
    }

    /// Takes so many bytes and then says what a full disk says.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.0);
            self.0 -= fits;
            if fits == 0 { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(fits) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_where() {
        let source = write(&mut Disk(100_000), 100_001, 0).unwrap_err();
        assert_eq!(source.raw_os_error(), Some(libc::ENOSPC));
        let error = WorkError::Io { step: "writing", folder: Path::new("/scratch").to_owned(), source };
        assert_eq!(error.to_string(), "io task, writing in /scratch: No space left on device (os error 28)");
        assert!(write(&mut Disk(100_001), 100_001, 0).is_ok());
    }

    #[test]
    fn a_file_that_changed_is_noticed() {
        let mut file = io::Cursor::new(Vec::new());
        let written = write(&mut file, 70_000, 5).unwrap();
        assert_eq!(read_back(&mut file, 70_000).unwrap(), written);
        file.get_mut()[69_999] ^= 1;
        assert_ne!(read_back(&mut file, 70_000).unwrap(), written);
        file.get_mut().pop();
        assert_eq!(read_back(&mut file, 70_000).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn memory_that_is_not_there_is_an_error_and_not_the_end() {
        let work = |bytes| Work::Memory(MemoryWork { bytes, passes: 2 });
        assert_eq!(run_one(&work(3 * 4096)).unwrap(), 3 + 3 * 2);
        assert!(matches!(run_one(&work(u64::MAX)), Err(WorkError::OutOfMemory { .. })));
        assert!(matches!(run_one(&work(1 << 50)), Err(WorkError::OutOfMemory { bytes }) if bytes == 1 << 50));
        let sort = Work::Kernel(Kernel::Sort { n: 1 << 57 });
        assert!(matches!(run_one(&sort), Err(WorkError::OutOfMemory { bytes }) if bytes == 1 << 60));
    }

    #[test]
    fn phases_come_one_after_the_other() {
        let sleep = Phase::Sleep(Dist::Constant(Duration::from_millis(5)));
        let cpu = Phase::Cpu(Dist::Constant(Duration::from_millis(1)));
        let begin = Instant::now();
        let forward = run_one(&Work::Mixed(vec![sleep.clone(), cpu.clone()])).unwrap();
        assert!(begin.elapsed() >= Duration::from_millis(5));
        assert_ne!(forward, run_one(&Work::Mixed(vec![cpu, sleep])).unwrap());
    }
}
