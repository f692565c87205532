//! The monotonic clock, shared by all processes of the machine.

/// `CLOCK_MONOTONIC` in nanoseconds.
#[must_use]
pub fn monotonic() -> u64 {
    // SAFETY: the struct is plain data that the call fills in; every system has this clock.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        // The C library has found the kernel's vDSO already; in a process that lives for one task, others pay for that.
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
        time
    };
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
