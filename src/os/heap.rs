//! The heap of the program: what a run has taken goes back to the system when the run is over.

use crate::os::process_owner::ProcessOwner;

/// Has large blocks taken from the system one by one and all threads share one arena (`mallopt(3)`), where the C library
/// can be told so. Each run has a thread of its own and large tables; in the gaps between what is kept of it they would
/// leave pages that are never used again, run after run.
pub fn give_back(_: ProcessOwner) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both are settings of the allocator that may be changed at any time.
    unsafe {
        const LARGE: libc::c_int = 32 * 1024;
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
