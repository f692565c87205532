//! Real algorithms with checkable results. Each depends on its arguments, the seed and the task's index alone, so that
//! every engine must come to the same result.
//!
//! None is inlined: their locals would become part of a stack frame that tasks of nanoseconds enter too.

mod mandelbrot;
mod matmul;
mod monte_carlo_pi;
mod primes;
mod sha256;
mod sort;

use crate::worker::work_error::WorkError;
use crate::workload::model::{Kernel, TaskIndex};

/// Runs a kernel for one task.
///
/// # Errors
/// When there is not enough memory for its input.
pub(crate) fn run(kernel: &Kernel, seed: u64, index: TaskIndex) -> Result<u64, WorkError> {
    Ok(match *kernel {
        Kernel::Noop => std::hint::black_box(index),
        Kernel::Primes { n } => primes::count_below(n),
        Kernel::Mandelbrot { width, height, iterations } => mandelbrot::escape_times(width, height, iterations),
        Kernel::Matmul { n } => matmul::element_sum(n, &mut Numbers::of(seed, index))?,
        Kernel::Sha256 { bytes } => sha256::digest(bytes, &mut Numbers::of(seed, index)),
        Kernel::Sort { n } => sort::checksum(n, &mut Numbers::of(seed, index))?,
        Kernel::MonteCarloPi { samples } => monte_carlo_pi::hits(samples, &mut Numbers::of(seed, index)),
    })
}

/// Room for so many numbers. Asking first makes the want of memory that task's error; a failing allocation would end the
/// worker.
fn room(count: u64) -> Result<Vec<u64>, WorkError> {
    let bytes = count.saturating_mul(size_of::<u64>() as u64);
    let mut list = Vec::new();
    match usize::try_from(count).map(|count| list.try_reserve_exact(count)) {
        Ok(Ok(())) => Ok(list),
        _ => Err(WorkError::OutOfMemory { bytes }),
    }
}

/// Input of the kernels: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014),
/// started from the seed and the task's index.
struct Numbers(u64);

impl Numbers {
    fn of(seed: u64, index: TaskIndex) -> Self {
        // One step apart, so that neighbouring tasks do not share a shifted sequence.
        let mut start = Self(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self(start.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kernel: &Kernel, seed: u64, index: TaskIndex) -> u64 {
        run(kernel, seed, index).unwrap()
    }

    #[test]
    fn splitmix64_is_the_published_generator() {
        // First outputs for the seed 1234567, as in the reference implementation's documentation.
        let mut numbers = Numbers(1_234_567);
        assert_eq!([numbers.next(), numbers.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn results_are_those_of_an_independent_implementation() {
        // Computed by a few lines of Python; they must stay, or results of two versions could not be compared.
        let known = [
            (Kernel::Noop, 3),
            (Kernel::Primes { n: 100 }, 25),
            (Kernel::Mandelbrot { width: 40, height: 30, iterations: 100 }, 35_861),
            (Kernel::Matmul { n: 9 }, 2_721_967_180_570_830_896),
            (Kernel::Sha256 { bytes: 5001 }, 17_807_749_074_900_679_000),
            (Kernel::Sort { n: 500 }, 8_111_946_702_510_034_276),
            (Kernel::MonteCarloPi { samples: 2000 }, 1561),
        ];
        for (kernel, result) in known {
            assert_eq!(value(&kernel, 7, 3), result, "{kernel:?}");
        }
    }

    #[test]
    fn every_kernel_depends_on_nothing_but_its_arguments() {
        let kernels = [
            Kernel::Noop,
            Kernel::Primes { n: 100 },
            Kernel::Mandelbrot { width: 8, height: 8, iterations: 50 },
            Kernel::Matmul { n: 4 },
            Kernel::Sha256 { bytes: 1000 },
            Kernel::Sort { n: 100 },
            Kernel::MonteCarloPi { samples: 1000 },
        ];
        for kernel in kernels {
            assert_eq!(value(&kernel, 7, 3), value(&kernel, 7, 3), "{kernel:?}");
        }
        for kernel in &kernels[3..] {
            assert_ne!(value(kernel, 7, 3), value(kernel, 7, 4), "{kernel:?} ignores the index");
            assert_ne!(value(kernel, 7, 3), value(kernel, 8, 3), "{kernel:?} ignores the seed");
        }
    }
}
