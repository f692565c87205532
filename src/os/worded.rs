//! Errors of the system in more words than it has, of which its number is still known.

use std::fmt;
use std::io;

#[derive(Debug)]
struct Worded {
    words: String,
    errno: Option<i32>,
}

impl fmt::Display for Worded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Worded {}

/// The same error in these words.
pub(crate) fn worded(error: &io::Error, words: String) -> io::Error {
    io::Error::new(error.kind(), Worded { words, errno: errno(error) })
}

/// The number that the system gave, whatever the words are.
#[must_use]
pub(crate) fn errno(error: &io::Error) -> Option<i32> {
    let words = || error.get_ref()?.downcast_ref::<Worded>()?.errno;
    error.raw_os_error().or_else(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::spawn::is_transient;

    #[test]
    fn words_take_nothing_away() {
        let short = io::Error::from_raw_os_error(libc::EMFILE);
        let told = worded(&worded(&short, format!("x.out: {short}")), "its output cannot be kept".to_owned());
        assert_eq!((errno(&told), told.kind()), (Some(libc::EMFILE), short.kind()));
        assert!(is_transient(&told) && told.to_string() == "its output cannot be kept");
        assert_eq!(errno(&io::Error::other("no number")), None);
    }
}
