//! What a command line of a POSIX shell says, however it is quoted: GNU parallel quotes otherwise than we do.

/// The line in one form for all ways to quote it: words with a line feed behind each. What is special to a shell and quoted is
/// told from what is special and not.
pub(super) fn canonical(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len() + 8);
    let mut in_word = false;
    let mut rest = line.iter().copied().peekable();
    let put = |out: &mut Vec<u8>, byte: u8, quoted: bool| {
        if !is_plain(byte) {
            out.push(if quoted { 1 } else { 2 });
        }
        out.push(byte);
    };
    while let Some(byte) = rest.next() {
        match byte {
            b' ' | b'\t' => {
                if std::mem::take(&mut in_word) {
                    out.push(b'\n');
                }
                continue;
            }
            b'\\' => match rest.next() {
                // It is taken away together with the line feed.
                Some(b'\n') => continue,
                Some(byte) => put(&mut out, byte, true),
                None => put(&mut out, b'\\', false),
            },
            b'\'' => rest.by_ref().take_while(|byte| *byte != b'\'').for_each(|byte| put(&mut out, byte, true)),
            b'"' => {
                while let Some(byte) = rest.next().filter(|byte| *byte != b'"') {
                    match byte {
                        b'\\' if rest.peek().is_some_and(|next| b"$`\"\\".contains(next)) => {
                            put(&mut out, rest.next().unwrap_or(b'\\'), true);
                        }
                        byte => put(&mut out, byte, !matches!(byte, b'$' | b'`')),
                    }
                }
            }
            byte => put(&mut out, byte, false),
        }
        in_word = true;
    }
    if in_word {
        out.push(b'\n');
    }
    out
}

/// Words of a command line with a space between them, quoted where that is needed.
pub(super) fn join<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        if !word.is_empty() && word.iter().all(|byte| is_plain(*byte)) {
            line.extend_from_slice(word);
        } else {
            crate::workload::placeholder::shell_quoted(word, &mut line);
        }
    }
    line
}

/// Whether it stands for itself, quoted or not.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte) || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_ways_to_quote_are_one() {
        let line = canonical(b"gzip 'a b' it\\'s");
        for same in [&b"gzip a\\ b 'it'\\''s'"[..], b" gzip  \"a b\"\t\"it's\" ", b"'gzip' a' 'b it\"'\"s"] {
            assert_eq!(canonical(same), line, "{}", String::from_utf8_lossy(same));
        }
        for other in [&b"gzip a b it\\'s"[..], b"gzip 'a  b' it\\'s"] {
            assert_ne!(canonical(other), line, "{}", String::from_utf8_lossy(other));
        }
        assert_ne!(canonical(b"echo a | wc"), canonical(b"echo a '|' wc"));
        assert_ne!(canonical(b"echo \"$x\""), canonical(b"echo '$x'"));
        assert_eq!(canonical(b"echo '' x"), canonical(b"echo \"\" x"));
        assert_ne!(canonical(b"echo '' x"), canonical(b"echo x"));
    }

    proptest! {
        #[test]
        fn different_words_are_different_lines(
            words in proptest::collection::vec(proptest::collection::vec(1_u8.., 0..6), 1..4),
            others in proptest::collection::vec(proptest::collection::vec(1_u8.., 0..6), 1..4),
        ) {
            let line = |words: &[Vec<u8>]| canonical(&join(words.iter().map(Vec::as_slice)));
            prop_assert_eq!(line(&words) == line(&others), words == others);
        }
    }
}
