//! The status board: one small shared-memory page set per engine. Each worker writes the task it is in and when it
//! started; the parent reads it without a message, even after the worker died. The parent writes one flag, the recall,
//! and what does not count any more.
//!
//! One 64-byte line per slot, so that workers never share a cache line. A line is guarded by a sequence number: odd
//! while it is being written (a seqlock with a single writer). The layout is part of the worker protocol.

mod worked;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

pub(crate) use worked::{ANY_ATTEMPT, Worked, attempt};

/// Most slots a board has.
pub(crate) const SLOTS: u32 = 4096;

const NO_TASK: u64 = u64::MAX;
/// Beside the number of a lane's thread: the task that it is in is ending the process.
const IS_ENDING: u32 = 1 << 31;

/// In the moment at which the work of a task has ended: what is left to be done is the worker's own, and no limit's.
const IS_OURS: u64 = 1 << 63;

/// One slot's line.
#[repr(C, align(64))]
struct Line {
    sequence: AtomicU32,
    recall: AtomicU32,
    task: AtomicU64,
    started: AtomicU64,
    entered: AtomicU64,
    program: AtomicU32,
    struck: AtomicU32,
    ended: AtomicU64,
    ident: AtomicU64,
    /// Its highest bit is [`IS_ENDING`].
    thread: AtomicU32,
    delay: AtomicU32,
}

/// What stands after the lines: orders to whichever lane begins a task next, a bit each, and what concerns all lanes.
#[repr(C, align(64))]
struct Orders {
    open: AtomicU64,
    /// When the run was stopped; 0 as long as it was not.
    stopped: AtomicU64,
    /// Not 0: it was suspended for a while, and its clock is not that of its workers any more.
    suspended: AtomicU32,
}

impl Orders {
    /// Whether what an attempt came to is its outcome, as far as that can be known.
    fn let_count(&self, cut_off: &AtomicU32, worked: Worked) -> bool {
        let cut_off = cut_off.load(Ordering::Acquire);
        let stopped = self.stopped.load(Ordering::Acquire);
        let is_cut_off = [ANY_ATTEMPT, worked.attempt].contains(&cut_off);
        let is_late = stopped == 0
            && self.suspended.load(Ordering::Acquire) == 0
            && worked
                .timeout
                .is_some_and(|most| Duration::from_nanos(worked.until.saturating_sub(worked.from)) >= most);
        !is_cut_off && !is_late && (stopped == 0 || worked.until <= stopped)
    }
}

impl Line {
    fn begin(&self, task: BoardEntry) {
        self.write(|line| {
            line.task.store(task.index, Ordering::Relaxed);
            line.started.store(task.started, Ordering::Relaxed);
            line.entered.store(task.started, Ordering::Relaxed);
            line.program.store(0, Ordering::Relaxed);
        });
    }

    fn program_started(&self, at: u64, pid: u32) {
        self.write(|line| {
            line.started.store(at, Ordering::Relaxed);
            line.program.store(pid, Ordering::Relaxed);
        });
    }

    fn end(&self) {
        self.write(|line| line.task.store(NO_TASK, Ordering::Relaxed));
    }

    fn write(&self, store: impl FnOnce(&Self)) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        store(self);
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }
}

/// When a worker took up the task that it is in, and with which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// The task's index.
    pub index: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds, before any program was started for it.
    pub at: u64,
    /// The program that is the task; `None` before it is started, or without one.
    pub program: Option<u32>,
}

/// What a lane that has a thread of its own tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadEntry {
    /// The kernel's number of it (gettid(2)).
    pub(crate) id: u32,
    /// Its name in the words of a crash: `pthread_self(3)`.
    pub(crate) ident: u64,
    /// Whether the task that it is in is ending the process.
    pub(crate) ending: bool,
    /// For how long it was ready and had no processor, when it was last looked at.
    pub(crate) delay: Duration,
}

/// What a worker is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardEntry {
    /// The task's index.
    pub index: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds at its first instruction.
    pub started: u64,
}

/// A mapped board.
#[derive(Debug)]
pub struct Board {
    lines: NonNull<Line>,
    fd: Option<OwnedFd>,
    /// Slots from 0 on that were ever used, as far as this process knows.
    used: AtomicU32,
}

// SAFETY: every access to the mapping is through atomics.
unsafe impl Send for Board {}
// SAFETY: as above.
unsafe impl Sync for Board {}

const BYTES: usize = SLOTS as usize * (size_of::<Line>() + size_of::<AtomicU32>()) + size_of::<Orders>();

impl Board {
    /// Makes a new board in anonymous shared memory; pages are used only for slots that are.
    ///
    /// # Errors
    /// When the system has no descriptor or memory left.
    pub fn create() -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        let fd = {
            let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
            rustix::fs::memfd_create("poolscope-board", flags)?
        };
        #[cfg(not(target_os = "linux"))]
        let fd = crate::os::temporary::unlinked_file()?;
        rustix::fs::ftruncate(&fd, BYTES as u64)?;
        // A worker that cut it short would have whoever looks at it next ended by SIGBUS.
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::SealFlags;
            rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        }
        let mut board = Self::map(fd.as_fd())?;
        board.fd = Some(fd);
        Ok(board)
    }

    /// Maps a board that was inherited.
    ///
    /// # Errors
    /// When the descriptor is not a board.
    pub(crate) fn map(fd: BorrowedFd<'_>) -> io::Result<Self> {
        if rustix::fs::fstat(fd)?.st_size < BYTES as i64 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the status board is too small"));
        }
        // SAFETY: a fresh shared mapping of a file that is at least this long; nothing else refers to the address.
        let address =
            unsafe { mmap(std::ptr::null_mut(), BYTES, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, fd, 0)? };
        let lines = NonNull::new(address.cast::<Line>()).ok_or_else(|| io::Error::other("mmap returned null"))?;
        Ok(Self { lines, fd: None, used: AtomicU32::new(0) })
    }

    /// The descriptor to hand to workers; only the creator has it.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    fn line(&self, slot: u32) -> &Line {
        let slot = slot.min(SLOTS - 1) as usize;
        // SAFETY: the mapping holds SLOTS lines, `slot` is below that, and zeroed memory is a valid line.
        unsafe { self.lines.add(slot).as_ref() }
    }

    fn orders(&self) -> &Orders {
        // SAFETY: the mapping holds them after SLOTS lines, which keep them aligned, and zeroed memory is a valid value.
        unsafe { self.lines.add(SLOTS as usize).cast::<Orders>().as_ref() }
    }

    /// Of a slot, which attempt does not count any more.
    fn cuts(&self, slot: u32) -> &AtomicU32 {
        let slot = slot.min(SLOTS - 1) as usize;
        // SAFETY: the mapping holds one for each slot behind the orders, which keep them aligned, and zeroed memory is a valid
        // value.
        unsafe { self.lines.add(SLOTS as usize).cast::<Orders>().add(1).cast::<AtomicU32>().add(slot).as_ref() }
    }

    /// Parent: gives an order (a number below 64) to whichever lane begins a task next.
    pub(crate) fn order(&self, number: u8) {
        self.orders().open.fetch_or(bit(number), Ordering::Release);
    }

    /// Parent: the orders that no lane has taken yet, a bit each.
    #[must_use]
    pub(crate) fn open_orders(&self) -> u64 {
        self.orders().open.load(Ordering::Acquire)
    }

    /// Parent: whether the worker in this slot has done wrong on purpose.
    #[must_use]
    pub(crate) fn struck(&self, slot: u32) -> bool {
        self.line(slot).struck.load(Ordering::Acquire) != 0
    }

    /// Parent: the thread of the lane in this slot, where it tells.
    #[must_use]
    pub(crate) fn thread(&self, slot: u32) -> Option<ThreadEntry> {
        let line = self.line(slot);
        let thread = line.thread.load(Ordering::Acquire);
        (thread != 0).then(|| ThreadEntry {
            id: thread & !IS_ENDING,
            ident: line.ident.load(Ordering::Relaxed),
            ending: thread & IS_ENDING != 0,
            delay: Duration::from_micros(line.delay.load(Ordering::Relaxed).into()),
        })
    }

    /// Parent: clears a slot before a new worker takes it, and after its end.
    pub fn reset(&self, slot: u32) {
        self.used.fetch_max(slot.saturating_add(1), Ordering::Relaxed);
        let line = self.line(slot);
        line.sequence.store(0, Ordering::Relaxed);
        line.recall.store(0, Ordering::Relaxed);
        self.cuts(slot).store(0, Ordering::Relaxed);
        line.started.store(0, Ordering::Relaxed);
        line.entered.store(0, Ordering::Relaxed);
        line.program.store(0, Ordering::Relaxed);
        line.struck.store(0, Ordering::Relaxed);
        line.ended.store(0, Ordering::Relaxed);
        line.ident.store(0, Ordering::Relaxed);
        line.thread.store(0, Ordering::Relaxed);
        line.delay.store(0, Ordering::Relaxed);
        line.task.store(NO_TASK, Ordering::Release);
    }

    /// A task begins: the worker says so, or the parent for a worker that does not use the board.
    pub(crate) fn begin(&self, slot: u32, task: BoardEntry) {
        self.line(slot).begin(task);
    }

    /// The program that is the task was started, which takes time: its work begins only now.
    pub(crate) fn program_started(&self, slot: u32, at: u64, pid: u32) {
        self.line(slot).program_started(at, pid);
    }

    /// No task is being worked on.
    pub(crate) fn end(&self, slot: u32) {
        self.line(slot).end();
    }

    /// Parent: the slots that were cleared at least once: the only ones that mean anything.
    #[must_use]
    pub(crate) fn used(&self) -> std::ops::Range<u32> {
        0..self.used.load(Ordering::Relaxed)
    }

    /// Parent: what the worker in this slot is in. A worker that died in the middle of writing (a few instructions) is
    /// taken to be in no task.
    #[must_use]
    pub fn task(&self, slot: u32) -> Option<BoardEntry> {
        self.read(slot).map(|(task, ..)| task)
    }

    /// Parent: the same, and when the work of that task ended, where its result is being made ready to travel
    /// (`CLOCK_MONOTONIC` in nanoseconds); `u64::MAX` once nothing of the user's is left in that.
    #[must_use]
    pub(crate) fn progress(&self, slot: u32) -> Option<(BoardEntry, Option<u64>)> {
        self.read(slot).map(|(task, _, ended)| (task, ended))
    }

    /// Parent: when the worker or lane in this slot has begun what it has to do before it can say a word, by the monotonic clock: it
    /// writes that to its line. Of one that has had a task since then this says nothing.
    #[must_use]
    pub(crate) fn awake_since(&self, slot: u32) -> Option<u64> {
        Some(self.line(slot).entered.load(Ordering::Acquire)).filter(|at| *at != 0)
    }

    /// Parent: how the worker in this slot took up the task that it is in.
    #[must_use]
    pub fn entered(&self, slot: u32) -> Option<Entered> {
        self.read(slot).map(|(_, entered, _)| entered)
    }

    fn read(&self, slot: u32) -> Option<(BoardEntry, Entered, Option<u64>)> {
        let line = self.line(slot);
        for _ in 0..1000 {
            let before = line.sequence.load(Ordering::Acquire);
            let index = line.task.load(Ordering::Relaxed);
            let started = line.started.load(Ordering::Relaxed);
            let at = line.entered.load(Ordering::Relaxed);
            let program = line.program.load(Ordering::Relaxed);
            let ended = line.ended.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && line.sequence.load(Ordering::Relaxed) == before {
                let entered = Entered { index, at, program: (program != 0).then_some(program) };
                // What is there from a task before this one is earlier than its beginning.
                let told = if ended & IS_OURS == 0 { ended } else { u64::MAX };
                let ended = (ended & !IS_OURS > started).then_some(told);
                return (index != NO_TASK).then_some((BoardEntry { index, started }, entered, ended));
            }
            std::hint::spin_loop();
        }
        None
    }

    /// Parent: asks the worker in this slot to leave after its task.
    pub fn recall(&self, slot: u32) {
        self.line(slot).recall.store(1, Ordering::Release);
    }

    /// Parent: what this attempt at a task in this slot comes to does not count any more.
    pub(crate) fn cut_off(&self, slot: u32, attempt: u32) {
        self.cuts(slot).store(attempt, Ordering::Release);
    }

    /// Parent: the run is stopped now; what ends later does not count.
    pub(crate) fn stop(&self, now: u64) {
        self.orders().stopped.store(now, Ordering::Release);
    }

    /// Parent: the run is suspended.
    pub(crate) fn suspend(&self) {
        self.orders().suspended.store(1, Ordering::Release);
    }

    /// Parent: whether what an attempt in this slot came to is its outcome, as far as that can be known.
    pub(crate) fn lets_count(&self, slot: u32, worked: Worked) -> bool {
        self.orders().let_count(self.cuts(slot), worked)
    }

    /// Worker: the line of one slot, which a lane writes to.
    #[must_use]
    pub(crate) fn own_line(self: &Arc<Self>, slot: u32) -> OwnLine {
        let (line, orders) = (NonNull::from(self.line(slot)), NonNull::from(self.orders()));
        let cut_off = NonNull::from(self.cuts(slot));
        OwnLine { line, orders, cut_off, _board: Arc::clone(self) }
    }
}

/// A lane's own line: what [`Board`] does, without looking for it.
#[derive(Debug)]
pub(crate) struct OwnLine {
    line: NonNull<Line>,
    orders: NonNull<Orders>,
    /// Which attempt does not count any more.
    cut_off: NonNull<AtomicU32>,
    /// Keeps the mapping that the line is in.
    _board: Arc<Board>,
}

// SAFETY: every access to the line is through atomics, and the board it is in may be used by any thread.
unsafe impl Send for OwnLine {}

impl OwnLine {
    fn line(&self) -> &Line {
        // SAFETY: the line lies within the board's mapping, which lives as long as this value.
        unsafe { self.line.as_ref() }
    }

    /// A task begins.
    pub(crate) fn begin(&self, task: BoardEntry) {
        self.line().begin(task);
    }

    /// The program that is the task was started, which takes time: its work begins only now.
    pub(crate) fn program_started(&self, at: u64, pid: u32) {
        self.line().program_started(at, pid);
    }

    /// The work of its task is over; its result is not on its way yet, and nothing of the user's is left in that.
    pub(crate) fn work_ended(&self, at: u64) {
        self.line().ended.store(at | IS_OURS, Ordering::Release);
    }

    /// No task is being worked on.
    pub(crate) fn end(&self) {
        self.line().end();
    }

    /// Asks itself to leave, as the parent does.
    pub(crate) fn recall(&self) {
        self.line().recall.store(1, Ordering::Release);
    }

    /// Whether what an attempt came to is its outcome, as far as that can be known.
    pub(crate) fn lets_count(&self, worked: Worked) -> bool {
        // SAFETY: as for the line.
        unsafe { self.orders.as_ref().let_count(self.cut_off.as_ref(), worked) }
    }

    /// The orders that no lane has taken yet, a bit each.
    #[inline]
    #[must_use]
    pub(crate) fn open_orders(&self) -> u64 {
        // SAFETY: as for the line.
        unsafe { self.orders.as_ref() }.open.load(Ordering::Relaxed)
    }

    /// Takes an order; says whether no other lane was first.
    #[must_use]
    pub(crate) fn take_order(&self, number: u8) -> bool {
        // SAFETY: as for the line.
        let orders = unsafe { self.orders.as_ref() };
        orders.open.fetch_and(!bit(number), Ordering::AcqRel) & bit(number) != 0
    }

    /// It is about to do wrong on purpose, and may not live to tell.
    pub(crate) fn strike(&self) {
        self.line().struck.store(1, Ordering::Release);
    }

    /// Whether the lane was asked to leave.
    #[must_use]
    pub(crate) fn recalled(&self) -> bool {
        self.line().recall.load(Ordering::Acquire) != 0
    }
}

fn bit(number: u8) -> u64 {
    1u64.checked_shl(number.into()).unwrap_or(0)
}

impl Drop for Board {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by this value and no reference into it outlives it.
        let _ = unsafe { munmap(self.lines.as_ptr().cast(), BYTES) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_worker_cannot_cut_it_short() {
        let board = Board::create().unwrap();
        let theirs = board.fd().unwrap();
        assert!(rustix::fs::ftruncate(theirs, 0).is_err() && rustix::fs::ftruncate(theirs, 1 << 30).is_err());
        assert_eq!(board.task(0), Some(BoardEntry { index: 0, started: 0 }), "it is all there");
    }

    #[test]
    fn a_second_mapping_sees_what_a_worker_writes() {
        let parent = Board::create().unwrap();
        let worker = Arc::new(Board::map(parent.fd().unwrap()).unwrap()).own_line(7);
        parent.reset(7);
        assert_eq!(parent.task(7), None);
        worker.begin(BoardEntry { index: 0, started: 5 });
        assert_eq!(parent.task(7), Some(BoardEntry { index: 0, started: 5 }));
        assert_eq!(parent.progress(7), Some((BoardEntry { index: 0, started: 5 }, None)), "it is at work");
        worker.work_ended(9);
        assert_eq!(parent.progress(7), Some((BoardEntry { index: 0, started: 5 }, Some(u64::MAX))));
        worker.begin(BoardEntry { index: 0, started: 10 });
        assert_eq!(parent.progress(7), Some((BoardEntry { index: 0, started: 10 }, None)), "that was another one");
        worker.begin(BoardEntry { index: 0, started: 5 });
        assert_eq!(parent.task(6), Some(BoardEntry { index: 0, started: 0 }), "an unused slot is zeroed memory");
        worker.program_started(9, 77);
        assert_eq!(parent.entered(7), Some(Entered { index: 0, at: 5, program: Some(77) }));
        worker.end();
        assert_eq!(parent.task(7), None);
        assert!(!worker.recalled());
        parent.recall(7);
        assert!(worker.recalled());
        parent.reset(7);
        assert!(!worker.recalled());
    }

    /// What the document says: workers in other languages write to these very bytes.
    #[test]
    fn the_layout_is_the_documented_one() {
        use std::mem::offset_of;
        assert_eq!((size_of::<Line>(), align_of::<Line>(), BYTES), (64, 64, 4096 * 64 + 64 + 4096 * 4));
        assert_eq!([offset_of!(Orders, stopped), offset_of!(Orders, suspended), size_of::<Orders>()], [8, 16, 64]);
        let offsets = [
            offset_of!(Line, sequence),
            offset_of!(Line, recall),
            offset_of!(Line, task),
            offset_of!(Line, started),
            offset_of!(Line, entered),
            offset_of!(Line, program),
            offset_of!(Line, struck),
            offset_of!(Line, ended),
            offset_of!(Line, ident),
            offset_of!(Line, thread),
            offset_of!(Line, delay),
        ];
        assert_eq!(offsets, [0, 4, 8, 16, 24, 32, 36, 40, 48, 56, 60]);
    }

    #[test]
    fn an_attempt_does_not_count_once_it_is_cut_off_too_late_or_behind_the_end() {
        let parent = Board::create().unwrap();
        parent.reset(3);
        let worker = Arc::new(Board::map(parent.fd().unwrap()).unwrap()).own_line(3);
        let second = Duration::from_nanos(100);
        let of =
            |index, number| Worked { attempt: attempt(index, number), from: 50, until: 140, timeout: Some(second) };
        assert!(worker.lets_count(of(7, 1)));
        assert!(!worker.lets_count(Worked { until: 150, ..of(7, 1) }), "it was as long as the limit");
        parent.recall(3);
        parent.cut_off(3, attempt(7, 1));
        assert!(worker.recalled() && !worker.lets_count(of(7, 1)) && parent.lets_count(4, of(7, 1)));
        assert!(worker.lets_count(of(7, 2)) && worker.lets_count(of(8, 1)), "another one");
        parent.cut_off(3, ANY_ATTEMPT);
        assert!(!worker.lets_count(of(7, 2)) && worker.recalled());
        parent.reset(3);
        parent.cut_off(3, attempt(7, 1));
        assert!(!worker.recalled(), "it goes on");
        parent.reset(3);
        parent.stop(140);
        assert!(worker.lets_count(of(7, 1)) && !worker.lets_count(Worked { until: 141, ..of(7, 1) }));
        parent.suspend();
        let stood = Worked { until: 150, from: 10, ..of(7, 1) };
        parent.stop(0);
        assert!(parent.lets_count(3, stood), "the run's clock stood");
    }

    #[test]
    fn an_order_is_taken_once_whoever_sees_it() {
        let parent = Board::create().unwrap();
        let theirs = || Arc::new(Board::map(parent.fd().unwrap()).unwrap());
        let (one, other) = (theirs().own_line(0), theirs().own_line(1));
        parent.order(3);
        parent.order(5);
        assert_eq!((one.open_orders(), other.open_orders()), (0b10_1000, 0b10_1000));
        assert!(one.take_order(3) && !other.take_order(3) && other.take_order(5));
        assert_eq!(parent.open_orders(), 0);
        assert_eq!(parent.task(SLOTS - 1), Some(BoardEntry { index: 0, started: 0 }), "beside the lines");
    }

    #[test]
    fn a_reader_never_sees_half_a_write() {
        const DIFFERENT: u32 = 20_000;
        let board = Board::create().unwrap();
        board.reset(0);
        let (stop, deadline) = (AtomicBool::new(false), Instant::now() + Duration::from_secs(60));
        let mut different = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let tasks = (0..).map(|n: u64| BoardEntry { index: n, started: n * 3 });
                tasks.take_while(|_| !stop.load(Ordering::Relaxed)).for_each(|task| board.begin(0, task));
            });
            let mut last = None;
            let mut torn = None;
            while different < DIFFERENT && torn.is_none() && Instant::now() < deadline {
                let Some(task) = board.task(0) else { continue };
                different += u32::from(last.replace(task.index) != Some(task.index));
                torn = (task.started != task.index * 3).then_some(task);
            }
            stop.store(true, Ordering::Relaxed);
            assert_eq!(torn, None);
        });
        assert_eq!(different, DIFFERENT, "so many were read while they were written");
    }
}
