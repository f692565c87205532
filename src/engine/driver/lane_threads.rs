//! Lanes that have a thread of their own in their worker: what the board tells of it.

use super::core::Core;
use super::links::{Link, Peer};
use crate::engine::event::{Event, WorkerId};
use crate::os::board::Board;
use crate::os::readings;

/// How a crash names the thread that it happened in, and another (`faulthandler` of CPython).
const CURRENT: &str = "Current thread 0x";
const OTHER: &str = "Thread 0x";
/// How a crash begins where it names no other thread.
const ALONE: &str = "Stack (most recent call first):";
/// Stands for the thread of such a crash: none has this number.
const NAMELESS: u64 = 0;
/// A file of ours in a list of calls.
const OURS: &str = "File \"<poolscope>\"";
/// Bytes of the last words that are kept where there may be many threads in them: the calls of a hundred.
pub(super) const MOST_WORDS: usize = 1 << 20;

impl Core {
    /// Tells what the main thread of an interpreter has used before its first task, where that is its lane.
    pub(super) fn tell_begin(&mut self, worker: WorkerId) {
        let interprets = self.code.is_some();
        let Some(Link { child: Some(child), lanes: 1, .. }) = self.link(worker) else { return };
        let pid = child.pid();
        if let Some(times) = interprets.then(|| readings::thread_times(pid, pid).ok()).flatten() {
            let (lane, now) = (worker.lane(0), self.clock.now());
            self.observer.event(now, &Event::LaneBegins { lane, cpu: times.cpu, delay: times.delay });
        }
    }

    /// Tells what is new of the threads of a worker's lanes.
    pub(super) fn tell_threads(&mut self, worker: WorkerId) {
        let Some(Link { peer: Peer::Worker(_), lanes, .. }) = self.link(worker) else { return };
        let lanes = *lanes;
        let now = self.clock.now();
        for lane in (0..lanes).map(|number| worker.lane(number)) {
            let Some(thread) = self.board.thread(lane.slot().0) else { continue };
            self.observer.event(now, &Event::LaneThread { lane, thread: thread.id, delay: thread.delay });
        }
    }
}

/// The lane whose task has ended its worker, which is gone: the one that has said so on the board, or the one whose thread is
/// named in the worker's last words.
pub(super) fn culprit(board: &Board, worker: WorkerId, lanes: u16, words: &str) -> Option<u16> {
    let threads = || (0..lanes).filter_map(|number| Some((number, board.thread(worker.lane(number).slot().0)?)));
    let mut ending = threads().filter(|(_, thread)| thread.ending);
    if let Some((number, _)) = ending.next() {
        return ending.next().is_none().then_some(number);
    }
    let ident = crashed(words).filter(|ident| *ident != NAMELESS)?;
    threads().find(|(_, thread)| thread.ident == ident).map(|(number, _)| number)
}

/// The thread that a crash happened in.
fn crashed(words: &str) -> Option<u64> {
    words.lines().find_map(|line| ident(line, CURRENT))
}

/// The thread that a line is the heading of.
fn ident(line: &str, heading: &str) -> Option<u64> {
    if line == ALONE && heading == CURRENT {
        return Some(NAMELESS);
    }
    let digits = line.strip_prefix(heading)?.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok()
}

/// The last words of an interpreter as they are told of a task: of a crash, which names the calls of all threads, those of
/// the task alone, the last one last. `lane` is its thread; without one it is that of the crash.
pub(super) fn words_of(words: &str, lane: Option<u64>) -> String {
    let Some(wanted) = crashed(words).map(|crashed| lane.unwrap_or(crashed)) else { return words.to_owned() };
    let mut told: Vec<&str> = Vec::new();
    let mut calls: Vec<&str> = Vec::new();
    let mut of = None;
    for line in words.lines() {
        if let Some(thread) = ident(line, CURRENT).or_else(|| ident(line, OTHER)) {
            of = Some(thread);
        } else if of.is_some() && line.starts_with("  ") {
            calls.extend((of == Some(wanted)).then_some(line));
        } else if of.is_none() && !line.trim().is_empty() {
            told.push(line);
        }
    }
    // What has called it is ours.
    let own = calls.iter().position(|line| line.trim_start().starts_with(OURS)).filter(|place| *place > 0);
    calls.truncate(own.unwrap_or(calls.len()));
    if !calls.is_empty() {
        told.push("Its thread (most recent call last):");
        told.extend(calls.into_iter().rev());
    }
    told.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_that_names_no_thread_is_told_like_one_that_does() {
        let words = "printed\nFatal Python error: Segmentation fault\n\nStack (most recent call first):\n  \
                     File \"/w/own.py\", line 7 in crash\n  File \"<poolscope>\", line 300 in work_on\n  \
                     File \"<string>\", line 5 in <module>\n";
        let told = "printed\nFatal Python error: Segmentation fault\nIts thread (most recent call last):\n  \
                    File \"/w/own.py\", line 7 in crash\n";
        assert_eq!(words_of(words, None), told);
    }

    const DUMP: &str = "said before\nFatal Python error: Segmentation fault\n\n\
        Thread 0x00007f0000000002 (most recent call first):\n  File \"/w/own.py\", line 9 in bystander\n  \
        File \"<poolscope>\", line 300 in work_on\n  File \"/lib/threading.py\", line 1 in run\n\n\
        Current thread 0x00007f0000000001 [lane 0] (most recent call first):\n  File \"/w/own.py\", line 5 in inner\n  \
        File \"/w/own.py\", line 7 in crashes\n  File \"<poolscope>\", line 300 in work_on\n\n\
        Thread 0x00007f0000000003 (most recent call first):\n  <no Python frame>\n\n\
        Extension modules: numpy.core (total: 1)\n";

    #[test]
    fn of_a_crash_the_calls_of_the_task_are_told_and_no_others() {
        let head = "said before\nFatal Python error: Segmentation fault\nIts thread (most recent call last):\n";
        let crashes = format!("{head}  File \"/w/own.py\", line 7 in crashes\n  File \"/w/own.py\", line 5 in inner\n");
        assert_eq!(words_of(DUMP, None), crashes);
        assert_eq!(words_of(DUMP, Some(0x7f00_0000_0001)), crashes);
        let other = format!("{head}  File \"/w/own.py\", line 9 in bystander\n");
        assert_eq!(words_of(DUMP, Some(0x7f00_0000_0002)), other);
        assert_eq!(words_of("last words\n", Some(1)), "last words\n", "no crash");
        let none = "said before\nFatal Python error: Segmentation fault\n";
        assert_eq!(words_of(DUMP, Some(77)), none, "a thread that is not in it");
    }
}
