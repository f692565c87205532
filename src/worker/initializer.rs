//! What a native worker does once, before its first task.

use std::time::{Duration, Instant};

use crate::os::child::{UsageOf, own_usage};
use crate::os::pages::Pages;
use crate::os::readings;
use crate::worker::calibration::Calibration;
use crate::worker::protocol::{Initialize, Initialized, Setup};
use crate::worker::spin::spin;
use crate::worker::work::iterations;
use crate::workload::random::{Purpose, unit};

/// Does it, and says how it went. What it allocates stays until the process ends.
pub(super) fn run(initialize: &Initialize, setup: &Setup) -> Initialized {
    let (begin, before) = (Instant::now(), own_usage(UsageOf::Process).cpu());
    let error = work(initialize, setup).err();
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Initialized {
        error,
        trace: String::new(),
        wall_ns: nanos(begin.elapsed()),
        cpu_ns: nanos(own_usage(UsageOf::Process).cpu().saturating_sub(before)),
        rss_bytes: readings::memory(std::process::id()).map_or(0, |memory| memory.rss_bytes),
    }
}

fn work(initialize: &Initialize, setup: &Setup) -> Result<(), String> {
    let calibration = Calibration { iterations_per_second: setup.iterations_per_second };
    let _ = spin(iterations(Duration::from_nanos(initialize.cpu_ns), calibration), initialize.start);
    if initialize.memory_bytes > 0 {
        let bytes = usize::try_from(initialize.memory_bytes).unwrap_or(usize::MAX);
        let mut pages =
            Pages::map(bytes).map_err(|error| format!("the initializer could not allocate {bytes} bytes: {error}"))?;
        pages.touch(1);
        std::mem::forget(pages);
    }
    if unit(setup.seed, Purpose::Initializer, initialize.start, 0) < initialize.fail_rate {
        return Err("the initializer failed, as it was asked to (fail_rate)".to_owned());
    }
    Ok(())
}
