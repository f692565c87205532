//! The guardian: a small process that outlives Poolscope by a moment. When Poolscope is gone, however it went, every
//! process of the run is killed, even one that left its group, its session or its environment.
//!
//! Workers and programs need no guardian (the kernel ends them with their parent); what programs have started does. Where
//! there are control groups, these tell exactly what that is. Where there are none, it is what carries the run's mark and
//! what was seen below Poolscope in the last moments of its life, with its descendants.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::os::family::Family;
use crate::os::slot_groups;
use crate::worker::environment;

/// How long it looks for processes that are being started at this very moment.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);
/// How often it looks at who lives below Poolscope.
const LOOK: Duration = Duration::from_millis(20);
/// Looking may take a part in so many of a processor's time, up to the longest pause.
const SHARE: u32 = 50;
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Waits for the end of standard input, then kills every process of the run. `program` is 0 where only what carries the
/// run's mark is the run's. `spared` lists those that were there before
/// Poolscope; `groups` is empty where there are none.
pub(crate) fn main(run: &str, program: u32, spared: &str, groups: &Path) {
    // Ctrl-C is for the foreground group; the guardian leads its own, but a plain `kill` must not stop it either.
    crate::os::signals::ignore_terminating();
    let grouped = !groups.as_os_str().is_empty();
    let mut family = Family::sparing(spared);
    let mut pause = LOOK;
    while !line_ended((!grouped).then_some(pause)) {
        let begin = own_time();
        family.look(program);
        // On a busy machine a look takes long that does not take much.
        pause = LOOK.max(own_time().saturating_sub(begin) * SHARE).min(LONGEST_PAUSE);
    }
    if grouped {
        slot_groups::end(groups);
    } else {
        // Its lines end before its children lose it.
        family.look(program);
    }
    let mark = format!("{}={run}", environment::RUN);
    let deadline = Instant::now() + PATIENCE;
    // One that was dismissed leaves the family to Poolscope, which lives on and may have other runs.
    let gone = !was_dismissed();
    loop {
        let last = Instant::now() >= deadline;
        if family.end(&mark, gone, last) == 0 || last {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Processor time of this process.
fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Whether standard input ended with a word: without one Poolscope itself has ended.
fn was_dismissed() -> bool {
    let mut word = [0u8; 1];
    matches!(rustix::io::read(io::stdin(), &mut word), Ok(1))
}

/// Waits at most so long, and says whether standard input has ended.
fn line_ended(wait: Option<Duration>) -> bool {
    let stdin = io::stdin();
    let mut line = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
    // Whatever happens to it, other than an interruption, is its end; there may be a word before it.
    matches!(poll(&mut line, wait.as_ref()), Ok(1..))
}
