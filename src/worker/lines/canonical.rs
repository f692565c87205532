//! A JSON value in the one form that does not depend on how it was written.

use std::collections::BTreeMap;

use crate::os::pipe::Sink;

/// Deepest nesting that is read: of more there would be no end of the stack.
const DEEPEST: u32 = 128;

/// Puts a value, as valid JSON has it: keys in order, without spaces, texts with as few escapes as there can be, numbers as
/// [`number`] has them. Each byte is looked at once, however deep it is.
///
/// # Errors
/// Why it cannot be: nested too deep, or a text that is none.
pub(super) fn put(json: &str, out: &mut impl Sink) -> Result<(), String> {
    let mut form = Vec::with_capacity(json.len());
    Reader { rest: json }.value(0, &mut form)?;
    out.push(&form);
    Ok(())
}

/// What is left of a text. That it is JSON is known; who is wrong about that is told so.
struct Reader<'j> {
    rest: &'j str,
}

impl<'j> Reader<'j> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Result<u8, String> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        self.rest.bytes().next().ok_or_else(|| "it ends too early".to_owned())
    }

    /// Goes on behind so many bytes of it, and gives them.
    fn take(&mut self, bytes: usize) -> Result<&'j str, String> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or_else(|| "it ends too early".to_owned())?;
        self.rest = rest;
        Ok(taken)
    }

    /// Goes on behind the comma or the end of a list or a map; whether there is more of it.
    fn goes_on(&mut self) -> Result<bool, String> {
        let more = self.peek()? == b',';
        self.take(1)?;
        Ok(more)
    }

    /// A text with its quotes, as it stands.
    fn text(&mut self) -> Result<String, String> {
        self.peek()?;
        let (mut end, mut escaped) = (0, true);
        for byte in self.rest.bytes() {
            end += 1;
            match byte {
                // The first one opens it.
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => break,
                _ => {}
            }
        }
        serde_json::from_str(self.take(end)?).map_err(|error| error.to_string())
    }

    fn value(&mut self, depth: u32, out: &mut Vec<u8>) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("nested more than {DEEPEST} deep"));
        }
        match self.peek()? {
            b'{' => {
                self.take(1)?;
                let mut entries: BTreeMap<String, Vec<u8>> = BTreeMap::new();
                let mut more = self.peek()? != b'}';
                if !more {
                    self.take(1)?;
                }
                while more {
                    let key = self.text()?;
                    // The colon.
                    self.peek()?;
                    self.take(1)?;
                    let mut value = Vec::new();
                    self.value(depth + 1, &mut value)?;
                    entries.insert(key, value);
                    more = self.goes_on()?;
                }
                out.push(b'{');
                for (key, value) in entries {
                    put_text(&key, out);
                    out.push(b':');
                    out.extend_from_slice(&value);
                    out.push(b',');
                }
                out.push(b'}');
            }
            b'[' => {
                self.take(1)?;
                out.push(b'[');
                let mut more = self.peek()? != b']';
                if !more {
                    self.take(1)?;
                }
                while more {
                    self.value(depth + 1, out)?;
                    out.push(b',');
                    more = self.goes_on()?;
                }
                out.push(b']');
            }
            b'"' => put_text(&self.text()?, out),
            first => {
                let ends = |c: char| matches!(c, ',' | ']' | '}' | ' ' | '\t' | '\n' | '\r');
                let word = self.take(self.rest.find(ends).unwrap_or(self.rest.len()))?;
                match first {
                    b'-' | b'0'..=b'9' => out.extend_from_slice(number(word).as_bytes()),
                    _ => out.extend_from_slice(word.as_bytes()),
                }
            }
        }
        Ok(())
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

/// An integer as all of its digits, however it was written; any other number as the bits of the nearest double.
fn number(json: &str) -> String {
    if json.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) {
        return if json == "-0" { "0".to_owned() } else { json.to_owned() };
    }
    match json.parse::<f64>() {
        Ok(0.0) => "0".to_owned(),
        Ok(value) if value.is_finite() && value.fract() == 0.0 => format!("{value:.0}"),
        Ok(value) if value.is_finite() => format!("f{:016x}", value.to_bits()),
        // Beyond all doubles: what was written is all there is.
        _ => json.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(json: &str) -> String {
        let mut out: Vec<u8> = Vec::new();
        put(json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_means_the_same_has_one_form() {
        for (one, other) in [
            ("{\"a\":1,\"b\":[2,3]}", "{ \"b\" : [ 2.0, 3e0 ],\n\"a\" : 1.0 }"),
            ("\"\\u00e9\\/\"", "\"é/\""),
            ("0", "-0.0"),
            ("-0", "0"),
            ("100000000000000000000", "1e20"),
            ("0.1", "1e-1"),
            ("{}", "{ }"),
            ("[]", "[\t]"),
            ("{\"b\":{\"d\":1,\"c\":[]},\"a\":\"x\"}", "{\"a\":\"\\u0078\",\"b\" :{\"c\":[ ],\"d\":1}}"),
            ("{\"a\":2}", "{\"a\":1,\"a\":2}"),
            ("\"\\\\\"", "\"\\u005c\""),
            ("[\"a]\\\"\",true]", "[ \"a]\\u0022\" , true ]"),
        ] {
            assert_eq!(form(one), form(other));
        }
    }

    #[test]
    fn what_differs_has_another() {
        let all = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "1.5",
            "\"1\"",
            "[]",
            "[1]",
            "[[1]]",
            "[1,1]",
            "{}",
            "{\"1\":1}",
            "\"null\"",
            "12345678901234567890",
            "12345678901234567891",
            "0.1",
            "0.10000000000000002",
            "1e999",
            "2e999",
            "\"a\\u0000\"",
            "\"a\"",
        ];
        let forms: std::collections::BTreeSet<String> = all.iter().map(|json| form(json)).collect();
        assert_eq!(forms.len(), all.len());
    }
    /// The quickest of some, which nobody else on the machine has slowed down.
    fn quickest(json: &str) -> std::time::Duration {
        let once = || {
            let begin = std::time::Instant::now();
            let _ = std::hint::black_box(put(json, &mut Vec::<u8>::new()));
            begin.elapsed()
        };
        (0..5).map(|_| once()).min().unwrap()
    }

    #[test]
    fn what_is_deep_takes_no_longer_than_what_is_flat() {
        let numbers = vec!["12345"; 20_000].join(",");
        let nested = |open: &str, close: &str| format!("{}[{numbers}]{}", open.repeat(127), close.repeat(127));
        let (flat, list, map) = (format!("[{numbers}]"), nested("[", "]"), nested("{\"a\":", "}"));
        assert!([&flat, &list, &map].iter().all(|json| put(json, &mut Vec::<u8>::new()).is_ok()));
        let flat = quickest(&flat);
        for deep in [list, map] {
            let took = quickest(&deep);
            assert!(took < flat * 8, "{took:?} for what takes {flat:?} where it is flat");
        }
    }

    #[test]
    fn what_is_too_deep_is_said_to_be_so_at_once() {
        let deep = |count: usize| format!("{}1{}", "[".repeat(count), "]".repeat(count));
        assert!(put(&deep(128), &mut Vec::<u8>::new()).is_ok());
        for count in [129, 500_000] {
            let why = put(&deep(count), &mut Vec::<u8>::new()).unwrap_err();
            assert_eq!(why, "nested more than 128 deep", "{count}");
        }
        let (little, much) = (quickest(&deep(1_000)), quickest(&deep(500_000)));
        assert!(much < little * 50, "{much:?} for 500,000 levels, {little:?} for 1,000");
    }
}
