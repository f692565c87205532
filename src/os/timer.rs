//! An alarm at a reading of the monotonic clock, finer than the millisecond of the runtime's own timers.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use crate::os::readiness;

/// A descriptor that becomes readable at the time it is set to (`timerfd_create(2)`).
#[derive(Debug)]
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// An alarm that is not set. To be made within a runtime.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self(readiness::readable(rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?)?))
    }

    /// Sets it to a reading of the monotonic clock in nanoseconds; `None` turns it off.
    ///
    /// # Errors
    /// None that a valid alarm can have.
    pub(crate) fn set(&self, at: Option<u64>) -> io::Result<()> {
        // Zero would turn it off: the past is one nanosecond.
        let at = at.map_or(0, |at| at.max(1));
        let value = Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        rustix::time::timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    /// Waits until it goes off.
    ///
    /// # Errors
    /// When the runtime is shutting down.
    pub(crate) async fn ring(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut count = [0u8; 8];
        // Nothing to read means that it was set anew in the meantime.
        let _ = rustix::io::read(self.0.get_ref(), &mut count);
        ready.clear_ready();
        Ok(())
    }
}
