//! How many cores a native program can use right now: the control for whoever cannot use them.

use std::time::{Duration, Instant};

use crate::os::threads;

/// Has so many threads compute for so long; what they could use together, in cores. `None` where threads cannot be started.
pub(crate) fn usable_now(cores: u32, time: Duration) -> Option<f64> {
    let begin = Instant::now();
    let compute = move || {
        while begin.elapsed() < time {
            std::hint::spin_loop();
        }
        threads::cpu_time()
    };
    let all: Vec<_> = (0..cores).filter_map(|_| threads::start("control", compute).ok()).collect();
    let complete = all.len() as u32 == cores;
    let used: Duration = all.into_iter().filter_map(|thread| thread.join().ok()).sum();
    let wall = begin.elapsed().as_secs_f64();
    (complete && wall > 0.0).then(|| (used.as_secs_f64() / wall).min(f64::from(cores)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_uses_one_core_at_most() {
        let used = usable_now(1, Duration::from_millis(30)).unwrap();
        assert!(used > 0.0 && used <= 1.0, "{used}");
    }
}
