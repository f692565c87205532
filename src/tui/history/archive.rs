//! What can be asked of the history, and what is known of it. Pure.

use std::sync::Arc;

use crate::report::history::{Compared, Listed};

/// A line of the list: the number of its session, and which of its arms.
pub(crate) type LineKey = (i64, usize);

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// At most so many sessions, the newest first, below a number.
    Page { before: Option<i64>, most: u32 },
    /// Two lines beside each other.
    Compare(LineKey, LineKey),
    /// All that there is to say of a session.
    Open(i64),
    /// The comparison of two lines as a file.
    Write(LineKey, LineKey),
}

/// The answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    Page(Page),
    Compared(Compared),
    Opened(Vec<String>),
    /// What became of the file, in a few words.
    Written(String),
}

/// A part of the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) lines: Vec<Listed>,
    /// Sessions that there are in all.
    pub(crate) sessions: u64,
    /// Whether there is nothing below it.
    pub(crate) is_last: bool,
    /// Numbers of this dashboard's own sessions.
    pub(crate) own: Vec<i64>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Somebody else has it: it is asked again.
    Busy(String),
    Failed(String),
}

/// Answers; may take its time.
pub(crate) type Archive = Arc<dyn Fn(&Wish) -> Result<Told, Unread> + Send + Sync>;

/// An answer that belongs to what was asked.
type Answered<Key, Answer> = Option<(Key, Result<Answer, String>)>;

/// What is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    pub(crate) lines: Vec<Listed>,
    pub(crate) sessions: u64,
    pub(crate) own: Vec<i64>,
    /// Whether all lines are there.
    pub(crate) is_whole: bool,
    /// Why there is nothing to read.
    pub(crate) failed: Option<String>,
    /// What is waited for.
    pub(crate) waiting: Option<String>,
    /// What was asked and is not answered.
    pub(crate) asked: Option<Wish>,
    /// Whether the list was read since it may have changed.
    pub(super) fresh: bool,
    pub(crate) compared: Answered<(LineKey, LineKey), Compared>,
    pub(crate) opened: Answered<i64, Vec<String>>,
}

impl Past {
    /// There is none, for this reason.
    #[must_use]
    pub(crate) fn none(reason: String) -> Self {
        Self { failed: Some(reason), fresh: true, ..Self::default() }
    }

    /// Something was stored, or may have been.
    pub(crate) fn stale(&mut self) {
        self.fresh = false;
    }

    /// Sessions that are known.
    pub(super) fn known(&self) -> u32 {
        let starts = self.lines.iter().filter(|line| line.place == 0).count();
        u32::try_from(starts).unwrap_or(u32::MAX)
    }

    /// Somebody else has the history.
    pub(crate) fn waits(&mut self, why: String) {
        self.waiting = Some(why);
    }

    /// Takes an answer; what is to be said of it.
    pub(crate) fn take(&mut self, wish: &Wish, answer: Result<Told, String>) -> Option<String> {
        self.waiting = None;
        if self.asked.as_ref() == Some(wish) {
            self.asked = None;
        }
        match (wish, answer) {
            (Wish::Page { before, .. }, Ok(Told::Page(page))) => self.add(*before, page),
            (Wish::Page { .. }, Err(why)) => {
                *self = Self { fresh: true, failed: Some(why), ..Self::default() };
            }
            (Wish::Compare(a, b), Ok(Told::Compared(compared))) => self.compared = Some(((*a, *b), Ok(compared))),
            (Wish::Compare(a, b), Err(why)) => self.compared = Some(((*a, *b), Err(why))),
            (Wish::Open(id), Ok(Told::Opened(lines))) => self.opened = Some((*id, Ok(lines))),
            (Wish::Open(id), Err(why)) => self.opened = Some((*id, Err(why))),
            (Wish::Write(..), Ok(Told::Written(words)) | Err(words)) => return Some(words),
            // An answer to something else is none.
            (_, Ok(_)) => {}
        }
        None
    }

    fn add(&mut self, before: Option<i64>, page: Page) {
        let Page { lines, sessions, is_last, own } = page;
        match before {
            Some(before) => {
                // What was read anew meanwhile begins somewhere else.
                if self.lines.last().is_none_or(|last| last.id != before) {
                    return;
                }
                self.lines.extend(lines);
            }
            None => {
                // A session that goes on has other figures now.
                self.compared = self.compared.take().filter(|((a, b), _)| !own.contains(&a.0) && !own.contains(&b.0));
                self.opened = self.opened.take().filter(|(id, _)| !own.contains(id));
                self.lines = lines;
                self.fresh = true;
                self.failed = None;
            }
        }
        (self.sessions, self.is_whole, self.own) = (sessions, is_last, own);
    }
}
