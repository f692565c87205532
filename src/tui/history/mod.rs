//! What was measured before, as the dashboard knows it: the lines of a list, two of them beside each other, one opened.
//!
//! [`archive`] says what can be asked and what is known of it, [`choice`] what the user has chosen; both are pure. `reader` asks
//! on a thread of its own. Nothing in here knows a database: who starts the dashboard answers.

pub(crate) mod archive;
pub(crate) mod choice;
pub(super) mod reader;

#[cfg(test)]
mod tests;

pub(crate) use archive::{Archive, Page, Past, Told, Unread, Wish};
pub(crate) use choice::Choice;
