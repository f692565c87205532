//! What native tasks do inside a worker.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};

use crate::worker::calibration::Calibration;
use crate::worker::kernels;
use crate::worker::spin::spin;
use crate::workload::model::{Dist, IoWork, MemoryWork, Phase, TaskIndex, Work};

/// Why native work did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A file could not be written or read back.
    #[error("io task, {step}: {source}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// What was read back is not what was written.
    #[error("io task: the file does not hold what was written to it")]
    Corrupt,
    /// There is not enough memory.
    #[error("memory task: {bytes} bytes could not be allocated")]
    OutOfMemory {
        /// How many were asked for.
        bytes: u64,
    },
    /// The work is a program, which is not run here.
    #[error("a program is not native work")]
    Program,
}

/// Works on one task. The result depends on the work, the seed, the index and, for CPU work, on the calibration alone.
///
/// # Errors
/// See [`WorkError`].
pub fn run(work: &Work, seed: u64, index: TaskIndex, calibration: Calibration) -> Result<u64, WorkError> {
    match work {
        Work::Kernel(kernel) => Ok(kernels::run(kernel, seed, index)),
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
        Work::Command(_) => Err(WorkError::Program),
    }
}

fn cpu(dist: &Dist, seed: u64, index: TaskIndex, phase: u32, calibration: Calibration) -> u64 {
    let time = dist.draw(seed, index, u64::from(phase));
    let iterations = time.as_secs_f64() * calibration.iterations_per_second;
    spin(iterations as u64, index)
}

fn sleep(dist: &Dist, seed: u64, index: TaskIndex, phase: u32) -> u64 {
    let time = dist.draw(seed, index, u64::from(phase));
    // The standard library goes on sleeping after a signal.
    std::thread::sleep(time);
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

const BLOCK: usize = 64 * 1024;

fn file(work: &IoWork, index: TaskIndex) -> Result<u64, WorkError> {
    let step = |step| move |source| WorkError::Io { step, source };
    let mut file = unlinked_file().map_err(step("creating a temporary file"))?;
    let block: Vec<u8> = (0..BLOCK as u64).map(|byte| (byte ^ index) as u8).collect();
    let written = blocks(work.bytes).try_fold(0u64, |sum, size| {
        file.write_all(&block[..size])?;
        Ok(checksum(sum, &block[..size]))
    });
    let written = written.map_err(step("writing"))?;
    if work.sync {
        file.sync_data().map_err(step("flushing to the device"))?;
    }
    file.rewind().map_err(step("rewinding"))?;
    let mut buffer = vec![0u8; BLOCK];
    let read = blocks(work.bytes).try_fold(0u64, |sum, size| {
        file.read_exact(&mut buffer[..size])?;
        Ok(checksum(sum, &buffer[..size]))
    });
    let read = read.map_err(step("reading back"))?;
    if read == written { Ok(read) } else { Err(WorkError::Corrupt) }
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

/// A file without a name: whatever becomes of this process, nothing is left behind.
fn unlinked_file() -> io::Result<File> {
    let folder = std::env::temp_dir();
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags, open};
        match open(&folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => return Ok(File::from(fd)),
            // Not every file system can do it.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let stamp = crate::os::clock::monotonic();
    let path = folder.join(format!(".poolscope-{}-{stamp}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

const PAGE: usize = 4096;

fn memory(work: &MemoryWork) -> Result<u64, WorkError> {
    let out_of_memory = WorkError::OutOfMemory { bytes: work.bytes };
    let Ok(length) = usize::try_from(work.bytes) else { return Err(out_of_memory) };
    let mut bytes: Vec<u8> = Vec::new();
    if bytes.try_reserve_exact(length).is_err() {
        return Err(out_of_memory);
    }
    bytes.resize(length, 0);
    let mut sum = 0u64;
    for pass in 0..work.passes {
        for page in bytes.chunks_mut(PAGE) {
            if let Some(byte) = page.first_mut() {
                *byte = byte.wrapping_add(pass as u8 | 1);
            }
        }
        // Whoever reads the memory keeps the writes from being left out.
        sum =
            std::hint::black_box(&bytes).iter().step_by(PAGE).fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

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
            let work = Work::Io(IoWork { bytes, sync: bytes == 1 });
            assert_eq!(run_one(&work).unwrap(), run_one(&work).unwrap());
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error_and_not_the_end() {
        let work = |bytes| Work::Memory(MemoryWork { bytes, passes: 2 });
        assert_eq!(run_one(&work(PAGE as u64 * 3)).unwrap(), 3 + 3 * 2);
        assert!(matches!(run_one(&work(u64::MAX)), Err(WorkError::OutOfMemory { .. })));
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
