//! Memory straight from the system, a page at a time, so that what a task touches is what the system hands out.

use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Distance of the words that are written. No supported system has smaller pages, so every page gets at least one, and
/// the sum does not depend on the page size.
const STRIDE: usize = 4096;

/// A private mapping (`mmap(2)`), given back when it is dropped.
///
/// The allocator is left out on purpose: it keeps freed blocks (glibc raises its mapping threshold with the first one),
/// so a reused worker would touch old pages where a fresh process has to fault in new ones, and the same task would not
/// be the same work in every engine.
#[derive(Debug)]
pub(crate) struct Pages {
    start: NonNull<c_void>,
    length: usize,
}

impl Pages {
    /// So many bytes, all zero, not yet backed by memory.
    ///
    /// # Errors
    /// When the address space or a limit does not allow it, and for zero bytes.
    pub(crate) fn map(length: usize) -> io::Result<Self> {
        // SAFETY: without an address of ours and without MAP_FIXED nothing that exists is replaced.
        let start =
            unsafe { mmap_anonymous(ptr::null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }?;
        let start = NonNull::new(start).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, length })
    }

    /// Writes `value` to one byte of every page; the sum of these bytes as they are read back.
    pub(crate) fn touch(&mut self, value: u8) -> u64 {
        (0..self.length).step_by(STRIDE).fold(0, |sum, offset| {
            // The write comes first: reading a new page maps the shared page of zeros, and the write would fault again.
            // SAFETY: the offset lies within the mapping, which is readable and writable and belongs to this value alone.
            // Volatile: the compiler would leave out writes that are never read.
            let byte = unsafe {
                let place = self.start.as_ptr().cast::<u8>().add(offset);
                place.write_volatile(value);
                place.read_volatile()
            };
            sum.wrapping_add(u64::from(byte))
        })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and no reference into it is ever given out.
        let unmapped = unsafe { munmap(self.start.as_ptr(), self.length) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_touched() {
        let mut pages = Pages::map(3 * STRIDE - 7).unwrap();
        assert_eq!(pages.touch(1), 3);
        assert_eq!(pages.touch(255), 3 * 255);
        assert_eq!(Pages::map(1).unwrap().touch(9), 9);
    }

    /// Page faults of this thread so far.
    #[cfg(target_os = "linux")]
    fn faults() -> i64 {
        // SAFETY: all bytes zero is a valid value of this struct of numbers, and the pointer to it is valid.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
            usage
        };
        usage.ru_minflt
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn every_mapping_faults_once_for_every_page_however_often_it_is_touched() {
        // Below the size of a huge page; folios of 16 pages, where a kernel makes them, take one fault each.
        let length = 1 << 20;
        let pages = (length / rustix::param::page_size()) as i64;
        for round in 0..4 {
            let before = faults();
            let mut mapping = Pages::map(length).unwrap();
            mapping.touch(1);
            mapping.touch(2);
            drop(mapping);
            let taken = faults() - before;
            assert!(
                (pages / 16..pages + pages / 4).contains(&taken),
                "round {round}: {taken} faults for {pages} pages"
            );
        }
    }

    #[test]
    fn what_cannot_be_had_is_an_error() {
        assert!(Pages::map(0).is_err());
        assert!(Pages::map(usize::MAX / 2).is_err());
    }
}
