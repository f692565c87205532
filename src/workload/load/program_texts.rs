//! Arguments that are programs themselves, such as what stands behind `sh -c`: an item in one is run, whatever is in it.

use crate::workload::items::Source;
use crate::workload::load::field::Field;
use crate::workload::load::items::OfItems;
use crate::workload::load::shell::Word;
use crate::workload::placeholder::has_item;

/// Programs whose option of this letter says that an argument is a program.
const INTERPRETERS: [(&[&str], &str); 5] = [
    (&["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "yash", "rbash", "csh", "tcsh", "fish", "su", "script"], "c"),
    (&["python", "python2", "python3", "pypy", "pypy3"], "c"),
    (&["perl", "ruby", "lua", "osascript"], "eE"),
    (&["node", "nodejs", "deno", "bun"], "ep"),
    (&["php"], "r"),
];
/// Programs that join their arguments for a shell elsewhere.
const REMOTE: [&str; 3] = ["ssh", "rsh", "mosh"];
/// The same in long.
const LONG: [&str; 3] = ["--command", "--eval", "--print"];
/// What options end with that take the next word.
const WITH_VALUE: [&str; 8] = ["o", "O", "W", "X", "I", "-rcfile", "-init-file", "-require"];

/// What a program is called, without its folder and its version.
fn plain(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    if name.starts_with("python") || name.starts_with("pypy") {
        return name.split('.').next().unwrap_or(name);
    }
    name
}

/// Places of the words that are programs to the program at `at`.
fn texts(argv: &[impl AsRef<str>], at: usize) -> Vec<usize> {
    let name = argv.get(at).map_or("", |word| plain(word.as_ref()));
    let Some((_, letters)) = INTERPRETERS.into_iter().find(|(names, _)| names.contains(&name)) else {
        return Vec::new();
    };
    // Those of shells come first, and then the text; those of others have it right behind them.
    let behind_all = letters == "c" && !name.starts_with("py");
    let (mut place, mut seen, mut found) = (at + 1, false, Vec::new());
    while let Some(option) =
        argv.get(place).map(AsRef::as_ref).filter(|word| word.len() > 1 && word.starts_with(['-', '+']))
    {
        place += 1;
        let short = option.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        let says = short.is_some_and(|given| given.contains(|letter| letters.contains(letter)));
        if says || LONG.iter().any(|name| option.starts_with(name)) {
            seen = true;
            // Some have it in the same word.
            found.push(place - 1);
            if !behind_all {
                found.push(place);
                place += 1;
            }
        }
        if WITH_VALUE.iter().any(|ending| option[1..].ends_with(ending)) {
            place += 1;
        }
    }
    if behind_all && seen {
        found.push(place);
    }
    found
}

/// Refuses an item in such an argument where the items come from elsewhere, and warns of it where they stand in the file.
/// Numbers do no harm.
pub(super) fn check(fields: &[Field<'_>], argv: &[String], items: &OfItems<'_>) -> Option<()> {
    let words: Vec<_> = argv.iter().map(|word| (word.as_str(), has_item(word))).collect();
    check_words(&words, |at| fields.get(at), items)
}

/// The same of words in a text for the shell, which is one field.
pub(super) fn check_shell(field: &Field<'_>, words: &[Word], items: &OfItems<'_>) -> Option<()> {
    let words: Vec<_> = words.iter().map(|(word, holds_item)| (word.as_str(), *holds_item)).collect();
    check_words(&words, |_| Some(field), items)
}

/// `words` are told with whether an item is in them.
fn check_words<'f, 'a: 'f>(
    words: &[(&str, bool)],
    field: impl Fn(usize) -> Option<&'f Field<'a>>,
    items: &OfItems<'_>,
) -> Option<()> {
    if !items.present || matches!(items.source, Some(Source::Range { .. })) {
        return Some(());
    }
    let from_elsewhere = matches!(items.source, Some(Source::Records(..) | Source::Live(_)));
    let holds_item = |place: &usize| words.get(*place).is_some_and(|(_, holds_item)| *holds_item);
    let argv: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    // Any word may be a program that another one starts, as behind `env` and `timeout 5`.
    if let Some(field) = (0..argv.len()).flat_map(|at| texts(&argv, at)).find(holds_item).and_then(&field) {
        let mend = "let it be an argument of its own, which a shell knows as \"$1\": sh -c 'echo \"$1\"' sh {item}";
        if from_elsewhere {
            return field.wrong("what is in an item would be run as part of this text", mend);
        }
        field.warn(format!("what is in an item is run as part of this text; {mend}"));
        return Some(());
    }
    let remote = argv.iter().position(|word| REMOTE.contains(&plain(word)));
    let sent = remote.and_then(|at| (at + 1..words.len()).find(holds_item)).and_then(field);
    if let Some(field) = sent.filter(|_| from_elsewhere) {
        field.warn("what is in an item is read by the shell of another machine, which may run it");
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_behind_whatever_starts_their_program() {
        for (words, places) in [
            ("sh -c T", &[1, 2][..]),
            ("sh T", &[]),
            ("env A=1 /bin/sh -c T", &[3, 4]),
            ("timeout 5 sh -ec T a", &[3, 4]),
            ("bash -c -x T", &[1, 3]),
            ("bash -x -c T", &[2, 3]),
            ("bash -eo pipefail -c T b", &[3, 4]),
            ("bash --rcfile f -c T", &[3, 4]),
            ("bash --norc +x -c T", &[3, 4]),
            ("xargs -n 1 sh -c T", &[4, 5]),
            ("python3.11 -u -W ignore -c T", &[4, 5]),
            ("perl -ne T f", &[1, 2]),
            ("perl f -e T", &[]),
            ("node --eval T", &[1, 2]),
            ("su user", &[]),
            ("su -c T", &[1, 2]),
            ("cat -c T", &[]),
        ] {
            let argv: Vec<String> = words.split(' ').map(str::to_owned).collect();
            let found: Vec<usize> = (0..argv.len()).flat_map(|at| texts(&argv, at)).collect();
            assert_eq!(found, places, "{words}");
        }
    }
}
