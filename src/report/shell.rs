//! A command line as it is typed into a shell, so that what is shown can be pasted.

use std::fmt::Write as _;

use crate::workload::text::is_unsafe;

/// Words of a command line with spaces between them, each [`quote`]d.
#[must_use]
pub(crate) fn join<S: AsRef<str>>(words: &[S]) -> String {
    words.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// One word as a POSIX shell reads it back (POSIX.1-2024, 2.2 Quoting): as it is where nothing in it is special, otherwise
/// in single quotes. What could command a terminal is written as bytes in `$'...'`.
#[must_use]
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(is_unsafe) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if is_unsafe(c) => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a string cannot fail. Octal digits end by themselves, hexadecimal ones need not.
                    let _ = write!(quoted, "\\{byte:03o}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_needs_quotes_has_them() {
        for (word, quoted) in [
            ("engines.0.workers=6", "engines.0.workers=6"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME;~*", "'$HOME;~*'"),
            ("工作.yaml", "'工作.yaml'"),
            ("a\nb\\'\x1b7", r"$'a\nb\\\'\0337'"),
        ] {
            assert_eq!(quote(word), quoted);
        }
        assert_eq!(join(&["echo", "a b"]), "echo 'a b'");
    }

    /// What a shell that knows `$'...'` makes of it.
    fn read_back(quoted: &str) -> Option<String> {
        let script = format!("printf %s {quoted}");
        let output = std::process::Command::new("bash").args(["-c", &script]).env("LC_ALL", "C.UTF-8").output().ok()?;
        String::from_utf8(output.stdout).ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_shell_reads_the_same_word_back(word in "[a-z0-7 '\"\\\\$`!*~#;&|\u{1}-\u{1f}\u{7f}\u{9b}\u{202e}工é-]{0,20}") {
            let quoted = quote(&word);
            prop_assert!(!quoted.contains(is_unsafe), "{quoted:?}");
            prop_assert_eq!(read_back(&quoted), Some(word));
        }
    }
}
