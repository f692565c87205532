//! The last lines for people: notes and unsuccessful attempts, bounded however many there are.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::outcome::{AttemptReport, Cause, Exit};
use crate::metrics::snapshot::Note;
use crate::workload::model::ClassId;

/// Notes and attempts that are kept.
pub(crate) const KEPT: usize = 200;
/// Most bytes of a text that is kept.
const TEXT: usize = 2048;

/// The last [`KEPT`] entries. The shared list is made anew only when it is asked for after a change.
#[derive(Debug)]
pub(crate) struct Last<T> {
    entries: VecDeque<T>,
    shared: Arc<Vec<T>>,
    changed: bool,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), shared: Arc::default(), changed: false }
    }
}

impl<T: Clone> Last<T> {
    /// Adds an entry; the oldest one goes when there are too many.
    pub(crate) fn push(&mut self, entry: T) {
        if self.entries.len() >= KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.changed = true;
    }

    /// All entries, oldest first; the same list as before if nothing was added.
    pub(crate) fn shared(&mut self) -> Arc<Vec<T>> {
        if self.changed {
            self.shared = Arc::new(self.entries.iter().cloned().collect());
            self.changed = false;
        }
        Arc::clone(&self.shared)
    }
}

/// A copy of a report whose texts are no longer than they must be.
#[must_use]
pub(crate) fn trimmed(report: &AttemptReport) -> AttemptReport {
    let mut report = report.clone();
    keep_end(&mut report.stdout_tail);
    keep_end(&mut report.stderr_tail);
    if let Cause::Error { message } | Cause::NotStarted { message } = &mut report.cause {
        keep_begin(message);
    }
    report
}

/// Cuts a text after at most 2 KiB.
pub(crate) fn keep_begin(text: &mut String) {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.shrink_to_fit();
    }
}

/// Leaves at most the last 2 KiB of a text.
fn keep_end(text: &mut String) {
    if text.len() > TEXT {
        let from = text.ceil_char_boundary(text.len() - TEXT);
        text.drain(..from);
        text.shrink_to_fit();
    }
}

/// The places of at most so many entries, in their order: first one of each sort of what went wrong (of each group, class and
/// cause), then another one of each. Final attempts, which say what failed for good, come before those that were repeated.
pub(crate) fn of_each_sort<'a, T, K: PartialEq>(
    all: &'a [T],
    most: usize,
    group: impl Fn(&'a T) -> K,
    report: impl Fn(&'a T) -> &'a AttemptReport,
) -> Vec<usize> {
    let mut turns: Vec<(usize, &T)> = all.iter().enumerate().collect();
    turns.sort_by_key(|(_, entry)| report(entry).retried);
    let mut sorts: Vec<((K, ClassId, Sort), usize)> = Vec::new();
    let mut ranked: Vec<(usize, usize, usize)> = Vec::with_capacity(all.len());
    for (turn, (place, entry)) in turns.into_iter().enumerate() {
        let key = (group(entry), report(entry).class, sort_of(&report(entry).cause));
        let rank = match sorts.iter_mut().find(|(other, _)| *other == key) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                sorts.push((key, 0));
                0
            }
        };
        ranked.push((rank, turn, place));
    }
    ranked.sort_unstable();
    ranked.truncate(most);
    let mut chosen: Vec<usize> = ranked.into_iter().map(|(.., place)| place).collect();
    chosen.sort_unstable();
    chosen
}

/// What sort of thing went wrong.
type Sort = (std::mem::Discriminant<Cause>, Option<Exit>, bool);

fn sort_of(cause: &Cause) -> Sort {
    let (exit, killed) = match cause {
        Cause::Exited { exit } => (Some(*exit), false),
        Cause::WorkerDied { exit, by_user, out_of_memory } => (Some(*exit), *by_user || *out_of_memory),
        _ => (None, false),
    };
    (std::mem::discriminant(cause), exit, killed)
}

/// Whether a note tells of processes that tasks left behind: nothing is wrong with the figures, but a user would not
/// guess it.
#[must_use]
pub(crate) fn tells_of_strays(note: &Note) -> bool {
    note.text.contains("left processes behind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_entries_stay_and_the_list_is_shared_until_it_changes() {
        let mut last = Last::default();
        (0..KEPT + 5).for_each(|number| last.push(number));
        let list = last.shared();
        assert_eq!((list.len(), list.first(), list.last()), (KEPT, Some(&5), Some(&(KEPT + 4))));
        assert!(Arc::ptr_eq(&list, &last.shared()));
        last.push(0);
        assert!(!Arc::ptr_eq(&list, &last.shared()));
        assert_eq!(list.first(), Some(&5), "what was handed out does not change");
    }

    #[test]
    fn every_sort_of_failure_is_chosen_before_a_second_of_another_and_final_ones_first() {
        let died = |exit| Cause::WorkerDied { exit, by_user: false, out_of_memory: false };
        let report = |index: u64, cause: &Cause, retried| AttemptReport {
            cause: cause.clone(),
            retried,
            ..crate::metrics::fixtures::attempt(index)
        };
        let (crash, exit) = (died(Exit::Signal(11)), died(Exit::Code(3)));
        let mut all: Vec<AttemptReport> = (0..40).map(|index| report(index, &exit, index % 2 == 0)).collect();
        all.push(report(40, &crash, true));
        let chosen = |most| of_each_sort(&all, most, |_| (), |report| report);
        assert_eq!(chosen(2), [1, 40], "the first final one, and the only crash");
        assert_eq!(chosen(4), [1, 3, 5, 40]);
        assert_eq!(chosen(100).len(), 41);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let mut report = crate::metrics::fixtures::attempt(1);
        report.stderr_tail = format!("x{}", "é".repeat(5000));
        report.cause = Cause::Error { message: "日".repeat(5000) };
        let trimmed = trimmed(&report);
        assert!(trimmed.stderr_tail.len() <= TEXT && trimmed.stderr_tail.ends_with('é'));
        let Cause::Error { message } = trimmed.cause else { panic!("another cause") };
        assert!(message.len() <= TEXT && message.starts_with('日'));
    }
}
