//! Commands of a shell itself that evaluate what they are given: what is in an item would be run there, however it is quoted.

/// What such a command evaluates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evaluates {
    /// Its arguments.
    Arguments,
    /// Those that are not `name=value`, and everything once a variable is a number or another one's name.
    Names,
    /// Its arguments where it has this option.
    With(char),
}

/// A command that may evaluate an item, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wary {
    evaluates: Evaluates,
    /// Contexts around it.
    pub(super) depth: usize,
    /// Whether its option was seen.
    has_option: bool,
    why: &'static str,
}

const AS_CODE: &str = "in what a shell keeps to run it later";
const AS_NAME: &str = "in the name of a variable, whose subscript is evaluated";

/// What POSIX has, and what bash has beside that.
const COMMANDS: [(&str, Evaluates, &str); 15] = [
    ("trap", Evaluates::Arguments, AS_CODE),
    ("alias", Evaluates::Arguments, AS_CODE),
    ("read", Evaluates::Arguments, AS_NAME),
    ("unset", Evaluates::Arguments, AS_NAME),
    ("getopts", Evaluates::Arguments, AS_NAME),
    ("mapfile", Evaluates::Arguments, AS_NAME),
    ("readarray", Evaluates::Arguments, AS_NAME),
    ("declare", Evaluates::Names, AS_NAME),
    ("typeset", Evaluates::Names, AS_NAME),
    ("local", Evaluates::Names, AS_NAME),
    ("export", Evaluates::Names, AS_NAME),
    ("readonly", Evaluates::Names, AS_NAME),
    ("printf", Evaluates::With('v'), AS_NAME),
    ("test", Evaluates::With('v'), AS_NAME),
    ("[", Evaluates::With('v'), AS_NAME),
];

impl Wary {
    /// Of the command of this name.
    pub(super) fn of(name: &str, depth: usize) -> Option<Self> {
        let (_, evaluates, why) = COMMANDS.into_iter().find(|(known, ..)| *known == name)?;
        Some(Self { evaluates, depth, has_option: false, why })
    }

    /// One of its words has ended. Says why nothing behind the command is certain any more.
    pub(super) fn word(&mut self, word: &str) -> Option<&'static str> {
        self.has_option |= matches!(self.evaluates, Evaluates::With(letter) if is_option(word, letter));
        let is_kept = self.evaluates == Evaluates::Names && ['i', 'n'].iter().any(|letter| is_option(word, *letter));
        is_kept.then_some("behind a variable whose values are evaluated")
    }

    /// Why an item may not stand here; `word` is what of its word was read, `depth` how many contexts are around it.
    pub(super) fn place(&self, word: &str, depth: usize) -> Option<&'static str> {
        let evaluated = match self.evaluates {
            Evaluates::Arguments => true,
            Evaluates::Names => depth == self.depth && !word.contains('='),
            Evaluates::With(letter) => self.has_option || is_option(word, letter),
        };
        evaluated.then_some(self.why)
    }
}

fn is_option(word: &str, letter: char) -> bool {
    word.strip_prefix('-').is_some_and(|letters| letters.split('=').next().unwrap_or_default().contains(letter))
}
