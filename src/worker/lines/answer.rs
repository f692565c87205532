//! The line that a program answers with: taken in piece by piece, then read. Nothing is waited for or run in here.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::canonical;
use crate::os::accounting::Exit;
use crate::os::capture::Capture;
use crate::os::pipe::Sink;

/// Most bytes of a line, without its line feed.
pub(crate) const LONGEST: usize = 1 << 20;
/// Why a program has no answer that closes its standard output and lives on.
pub(crate) const CLOSED: &str = "its program closed its standard output and had not answered";
/// Most characters of a line that are told in the reason why it is none.
const SHOWN: usize = 120;

/// What a program has written for one task.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    line: Vec<u8>,
    end: End,
    /// Bytes after the line.
    more: u64,
    /// Whether it was there before the program had read what it is asked.
    early: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    NotYet,
    There,
    TooLong,
}

/// Why an answer is not a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The program says that the task has failed.
    Error(String),
    /// It cannot be relied on any more.
    OutOfStep(String),
}

impl Wrong {
    /// In words.
    pub(crate) fn into_words(self) -> String {
        match self {
            Self::Error(words) | Self::OutOfStep(words) => words,
        }
    }
}

impl Sink for Answer {
    fn push(&mut self, bytes: &[u8]) {
        if self.end != End::NotYet {
            self.more += bytes.len() as u64;
            return;
        }
        let (piece, rest) = match bytes.iter().position(|byte| *byte == b'\n') {
            Some(place) => (&bytes[..place], Some(&bytes[place + 1..])),
            None => (bytes, None),
        };
        if self.line.len() + piece.len() > LONGEST {
            self.end = End::TooLong;
            return;
        }
        self.line.extend_from_slice(piece);
        if let Some(rest) = rest {
            self.end = End::There;
            self.more = rest.len() as u64;
        }
    }
}

/// What is taken apart is kept too, as output.
impl Sink for (&mut Answer, &mut Capture) {
    fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
        self.1.push(bytes);
    }
}

impl Answer {
    /// Whether there is something to be judged: a line, or more than one can have.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.early || self.end != End::NotYet
    }

    /// The program has not read its line to the end by now: what is there answers something else, such as that it is ready.
    pub(crate) fn look_if_early(&mut self) {
        self.early |= self.end != End::NotYet || !self.line.is_empty();
    }

    /// Whether there is more than a line.
    #[must_use]
    pub(crate) fn has_more(&self) -> bool {
        self.more > 0
    }

    /// What an answer that is over comes to: the value of its result.
    pub(crate) fn verdict(&self, index: u64) -> Result<u64, Wrong> {
        let out_of_step = |words: String| Err(Wrong::OutOfStep(words));
        match self.end {
            _ if self.early => out_of_step(format!(
                "it wrote this before it had read its line, and only answers may be written: {}",
                shown(String::from_utf8_lossy(&self.line).trim_end())
            )),
            End::NotYet => out_of_step("it has not answered".to_owned()),
            End::TooLong => out_of_step(format!("its answer has no line end within {LONGEST} bytes")),
            End::There if self.more > 0 => out_of_step(format!(
                "it wrote more than one line: {} more bytes after {}",
                self.more,
                shown(&String::from_utf8_lossy(&self.line))
            )),
            End::There => read(&self.line, index),
        }
    }

    /// Why a program has no answer that has ended like this; `None` where its exit status says enough.
    #[must_use]
    pub(crate) fn missing(&self, exit: Exit) -> Option<String> {
        match (self.line.len(), exit) {
            (0, Exit::Code(0)) => Some(format!("its program ended with {exit} and had not answered")),
            (0, _) => None,
            (bytes, _) => {
                Some(format!("its program ended with {exit} after {bytes} bytes of an answer without a line end"))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    index: Option<u64>,
    ok: Option<bool>,
    /// That there is a null is something else than that there is none.
    #[serde(borrow, default, deserialize_with = "there")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn read(line: &[u8], index: u64) -> Result<u64, Wrong> {
    let wrong = |words: String| Wrong::OutOfStep(words);
    let text = std::str::from_utf8(line)
        .map_err(|_| wrong(format!("its answer is not UTF-8: {}", shown(&String::from_utf8_lossy(line)))))?;
    let no_answer = |why: &dyn std::fmt::Display| {
        wrong(format!("not an answer such as {{\"index\":{index},\"result\":1}}: {why}: {}", shown(text)))
    };
    if !text.trim_start().starts_with('{') {
        return Err(no_answer(&"no JSON object"));
    }
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| no_answer(&error))?;
    if let Some(other) = fields.index.filter(|other| *other != index) {
        return Err(wrong(format!("it answers task {other} where it was asked about task {index}")));
    }
    match (fields.ok, fields.result, fields.error) {
        (None | Some(true), Some(result), None) => value(result.get()).map_err(|why| no_answer(&why)),
        (Some(true), None, None) => value("null").map_err(|why| no_answer(&why)),
        (None | Some(false), None, Some(error)) => Err(Wrong::Error(words(error))),
        (Some(false), None, None) => Err(Wrong::Error("it says that it failed, and not why".to_owned())),
        (None, None, None) => Err(no_answer(&"neither `result` nor `error` nor `ok`")),
        (_, Some(_), Some(_)) => Err(no_answer(&"a `result` and an `error`")),
        (Some(true), _, Some(_)) => Err(no_answer(&"`ok` is true, and there is an `error`")),
        (Some(false), Some(_), _) => Err(no_answer(&"`ok` is false, and there is a `result`")),
    }
}

fn value(result: &str) -> Result<u64, String> {
    let mut hash = Capture::default();
    canonical::put(result, &mut hash)?;
    Ok(hash.hash())
}

/// An error in its own words, as much of it as is kept.
fn words(error: &RawValue) -> String {
    let text = serde_json::from_str::<String>(error.get()).unwrap_or_else(|_| error.get().to_owned());
    let mut kept = Capture::default();
    kept.push(text.as_bytes());
    kept.text()
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<u64, Wrong> {
        let mut answer = Answer::default();
        answer.push(text.as_bytes());
        assert!(answer.is_over(), "{text}");
        answer.verdict(7)
    }

    fn out_of_step(text: &str) -> String {
        match verdict(text) {
            Err(Wrong::OutOfStep(words)) => words,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn an_answer_is_a_result_or_an_error() {
        let value = verdict("{\"result\":[1]}\n").unwrap();
        for same in ["{\"index\":7,\"result\":[1]}\n", " { \"ok\" : true, \"result\" : [ 1.0 ], \"error\" : null }\r\n"]
        {
            assert_eq!(verdict(same), Ok(value), "{same}");
        }
        assert_eq!(verdict("{\"ok\":true}\n"), verdict("{\"result\":null}\n"));
        assert_ne!(verdict("{\"ok\":true}\n"), Ok(value));
        let error = |words: &str| Err(Wrong::Error(words.to_owned()));
        assert_eq!(verdict("{\"error\":\"no \\\"such\\\" page\"}\n"), error("no \"such\" page"));
        assert_eq!(verdict("{\"ok\":false,\"error\":{\"code\":4}}\n"), error("{\"code\":4}"));
        assert_eq!(verdict("{\"ok\":false}\n"), error("it says that it failed, and not why"));
    }

    #[test]
    fn anything_else_is_none_and_says_why() {
        for (text, why) in [
            ("\n", "no JSON object: ``"),
            ("42\n", "no JSON object: `42`"),
            ("hello {}\n", "no JSON object: `hello {}`"),
            ("{}\n", "neither `result` nor `error` nor `ok`"),
            ("{\"reslut\":1}\n", "unknown field `reslut`"),
            ("{\"result\":1,\"result\":2}\n", "duplicate field `result`"),
            ("{\"result\":1} {}\n", "trailing characters"),
            ("{\"result\":NaN}\n", "expected value"),
            ("{\"result\":1\n", "EOF"),
            ("{\"error\":null}\n", "neither `result`"),
            ("{\"result\":1,\"error\":\"x\"}\n", "a `result` and an `error`"),
            ("{\"ok\":true,\"error\":\"x\"}\n", "`ok` is true"),
            ("{\"ok\":false,\"result\":1}\n", "`ok` is false"),
            ("{\"ok\":1}\n", "invalid type"),
            ("{\"index\":8,\"result\":1}\n", "it answers task 8 where it was asked about task 7"),
            ("{\"index\":-1,\"result\":1}\n", "invalid value"),
            ("{\"result\":\"\\ud800\"}\n", "not an answer"),
            ("{\"result\":1}\n{\"result\":2}\n", "more than one line: 13 more bytes"),
            ("{\"result\":1}\n\n", "more than one line: 1 more bytes"),
        ] {
            let words = out_of_step(text);
            assert!(words.contains(why), "{text}: {words}");
        }
        let deep = format!("{{\"result\":{}1{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
        assert!(out_of_step(&deep).contains("nested more than"), "and no end of the stack");
        let mut answer = Answer::default();
        answer.push(b"{\"result\":\"\xff\"}\n");
        assert!(matches!(answer.verdict(7), Err(Wrong::OutOfStep(words)) if words.contains("not UTF-8")));
    }

    #[test]
    fn what_is_there_before_the_question_answers_something_else() {
        for text in ["{\"result\":1}\n", "{\"error\":\"x\"}\n", "ready", "\n"] {
            let mut answer = Answer::default();
            answer.look_if_early();
            assert!(!answer.is_over(), "nothing is there yet");
            answer.push(text.as_bytes());
            answer.look_if_early();
            assert!(answer.is_over());
            let words = match answer.verdict(7) {
                Err(Wrong::OutOfStep(words)) => words,
                other => panic!("{text}: {other:?}"),
            };
            assert!(
                words.ends_with(&format!(
                    "before it had read its line, and only answers may be written: `{}`",
                    text.trim_end()
                )),
                "{words}"
            );
        }
    }

    #[test]
    fn a_line_has_a_bound_and_comes_in_any_pieces() {
        let room = LONGEST - "{\"result\":\"\"}".len();
        let fits = format!("{{\"result\":\"{}\"}}\n", "x".repeat(room));
        for size in [1, 4096, fits.len()] {
            let mut answer = Answer::default();
            fits.as_bytes().chunks(size).for_each(|piece| answer.push(piece));
            assert!(answer.verdict(7).is_ok(), "{size}");
            let mut answer = Answer::default();
            let longer = format!("{{\"result\":\"{}\"}}\n", "x".repeat(room + 1));
            longer.as_bytes().chunks(size).for_each(|piece| answer.push(piece));
            let words = answer.verdict(7).unwrap_err().into_words();
            assert_eq!(words, "its answer has no line end within 1048576 bytes", "{size}");
        }
    }

    #[test]
    fn the_end_of_a_program_says_what_is_missing() {
        let mut answer = Answer::default();
        assert_eq!(answer.missing(Exit::Code(3)), None);
        assert!(answer.missing(Exit::Code(0)).unwrap().contains("had not answered"));
        answer.push(b"{\"result\"");
        assert!(!answer.is_over());
        assert!(answer.missing(Exit::Signal(9)).unwrap().contains("after 9 bytes of an answer without a line end"));
    }
}
