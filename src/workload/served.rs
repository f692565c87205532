//! What a program is sent for a task: one line of JSON. Nothing is run or written in here.

use serde_json::value::RawValue;

use crate::workload::items::ItemError;
use crate::workload::model::{Arguments, Attempt, Draw, ServedProgram, TaskIndex, Value};
use crate::workload::placeholder::Values;
use crate::workload::told::told_list;

/// What varies from task to task.
struct Task<'a> {
    index: TaskIndex,
    attempt: Attempt,
    seed: u64,
    drawn_with: u64,
    draws: &'a [Draw],
    /// What is told of it in JSON.
    told: &'a [Box<RawValue>],
}

impl ServedProgram {
    /// Program and arguments.
    #[must_use]
    pub(crate) fn argv(&self, seed: u64) -> Vec<String> {
        let seed = seed.to_string();
        self.command.argv.iter().map(|argument| argument.replace("{seed}", &seed)).collect()
    }

    /// The line that it is sent for one attempt at a task, with its line feed: an object whose fields are in this order.
    #[must_use]
    pub(crate) fn line(&self, index: TaskIndex, attempt: Attempt, seed: u64) -> Vec<u8> {
        self.line_with(&Values { index, attempt, seed, item: None }, seed, &[])
    }

    /// The same for a task with an item, or with what is drawn anew for each attempt.
    ///
    /// # Errors
    /// When its item cannot be read.
    pub(crate) fn line_told(&self, values: &Values<'_>, drawn_with: u64) -> Result<Vec<u8>, ItemError> {
        let told: Vec<Box<RawValue>> = serde_json::from_str(&told_list(&self.told, values)?)
            .map_err(|error| ItemError::Json(values.index, error.to_string()))?;
        Ok(self.line_with(values, drawn_with, &told))
    }

    fn line_with(&self, values: &Values<'_>, drawn_with: u64, told: &[Box<RawValue>]) -> Vec<u8> {
        let Values { index, attempt, seed, .. } = *values;
        let task = Task { index, attempt, seed, drawn_with, draws: &self.draws, told };
        let mut line = format!("{{\"index\":{index},\"attempt\":{attempt},\"seed\":{seed}");
        if let Some(args) = &self.args {
            line.push_str(",\"args\":");
            match args {
                Arguments::Positional(values) => put_list(&mut line, values, &task),
                Arguments::Keywords(values) => {
                    put_map(&mut line, values.iter().map(|(name, value)| (name.clone(), value)), &task);
                }
            }
        }
        line.push_str("}\n");
        line.into_bytes()
    }
}

fn put_list(out: &mut String, values: &[Value], task: &Task<'_>) {
    out.push('[');
    for (place, value) in values.iter().enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        put(out, value, task);
    }
    out.push(']');
}

fn put_map<'v>(out: &mut String, entries: impl Iterator<Item = (String, &'v Value)>, task: &Task<'_>) {
    out.push('{');
    for (place, (key, value)) in entries.enumerate() {
        out.push_str(if place == 0 { "" } else { "," });
        put_text(out, &key);
        out.push(':');
        put(out, value, task);
    }
    out.push('}');
}

fn put_text(out: &mut String, text: &str) {
    // As JSON has it, escapes and all.
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn put(out: &mut String, value: &Value, task: &Task<'_>) {
    match value {
        // No file can ask for bytes here.
        Value::Null | Value::Payload => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(digits) | Value::Float(digits) => out.push_str(digits),
        Value::Str(text) => put_text(out, text),
        Value::List(values) => put_list(out, values, task),
        Value::Map(entries) => put_map(out, entries.iter().map(|(key, value)| (task.key(key), value)), task),
        Value::Index => out.push_str(&task.index.to_string()),
        Value::Seed => out.push_str(&task.seed.to_string()),
        Value::Attempt => out.push_str(&task.attempt.to_string()),
        Value::Template(text) => put_text(out, &task.filled(text)),
        Value::Told { place } => out.push_str(task.told.get(*place).map_or("null", |told| told.get())),
        Value::Draw { place, whole } => out.push_str(&task.drawn(*place, *whole)),
    }
}

impl Task<'_> {
    fn filled(&self, text: &str) -> String {
        let values = [
            ("{index}", self.index.to_string()),
            ("{attempt}", self.attempt.to_string()),
            ("{seed}", self.seed.to_string()),
        ];
        values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// A key is text, whatever stands for it.
    fn key(&self, key: &Value) -> String {
        match key {
            Value::Str(text) => text.clone(),
            Value::Template(text) => self.filled(text),
            Value::Told { place } => {
                let told = self.told.get(*place).map_or("null", |told| told.get());
                serde_json::from_str(told).unwrap_or_else(|_| told.to_owned())
            }
            other => {
                let mut text = String::new();
                put(&mut text, other, self);
                text
            }
        }
    }

    fn drawn(&self, place: usize, whole: bool) -> String {
        let Some(draw) = self.draws.get(place) else { return "null".to_owned() };
        // A microsecond stands for 1.
        let number = draw.dist.draw(self.drawn_with, self.index, place as u64).as_nanos() as f64 / 1000.0;
        if whole { format!("{:.0}", number.round()) } else { format!("{number:?}") }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::workload::model::{CommandLine, Dist};

    fn line(args: Option<Arguments>, draws: Vec<Draw>) -> String {
        let argv = vec!["serve".to_owned(), "{seed}-{index}".to_owned()];
        let program = ServedProgram { command: CommandLine::new(argv), args, draws, told: Vec::new() };
        assert_eq!(program.argv(5), ["serve", "5-{index}"]);
        let line = program.line(7, Attempt::FIRST.next(), 5);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn the_task_comes_first_and_in_a_fixed_order() {
        assert_eq!(line(None, Vec::new()), "{\"index\":7,\"attempt\":2,\"seed\":5}\n");
    }

    #[test]
    fn arguments_are_one_line_whatever_is_in_them() {
        let text = |text: &str| Value::Str(text.to_owned());
        let values = vec![
            ("n".to_owned(), Value::Int("123456789012345678901234567890".to_owned())),
            ("line\nfeed".to_owned(), text("a\n\"b\"\u{2028}")),
            ("list".to_owned(), Value::List(vec![Value::Null, Value::Bool(true), Value::Float("1.5".to_owned())])),
            ("map".to_owned(), Value::Map(vec![(text("k"), Value::Index), (Value::Int("3".into()), Value::Seed)])),
            ("name".to_owned(), Value::Template("page-{index}.{attempt}".to_owned())),
            ("drawn".to_owned(), Value::Draw { place: 0, whole: true }),
        ];
        let draws = vec![Draw { dist: Dist::Constant(Duration::from_micros(250)), whole: true }];
        let line = line(Some(Arguments::Keywords(values)), draws);
        let expected = "{\"index\":7,\"attempt\":2,\"seed\":5,\"args\":{\"n\":123456789012345678901234567890,\
                        \"line\\nfeed\":\"a\\n\\\"b\\\"\u{2028}\",\"list\":[null,true,1.5],\"map\":{\"k\":7,\"3\":5},\
                        \"name\":\"page-7.2\",\"drawn\":250}}\n";
        assert_eq!(line, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
    }
}
