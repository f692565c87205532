//! The workload file that says the same as the command line. Strings are written as JSON has them, which YAML reads.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::cli::{ChangeArgs, TryArgs};
use crate::commands::farewell;
use crate::report::shell;
use crate::workload::placeholder::has_item;
use crate::workload::source;
use crate::workload::text::is_unsafe;
use crate::workload::units::format_duration;

/// What stands for the item, in short and in full.
const SHORT: &str = "{}";
const ITEM: &str = "{item}";
/// What the name of a task may have.
const LONGEST_NAME: usize = 40;

/// The text of the workload.
///
/// # Errors
/// Why the command line says no workload.
pub(super) fn workload(arguments: &TryArgs) -> Result<String, String> {
    if arguments.python.is_none() && !arguments.arg.is_empty() {
        return Err("--arg is an argument of a function: it goes with --python".to_owned());
    }
    let has_seed = arguments.changes.seed.is_some() || arguments.changes.set.iter().any(|set| set.starts_with("seed="));
    let command = arguments.command.iter().filter_map(|word| word.to_str());
    if !has_seed && command.chain(arguments.arg.iter().map(String::as_str)).any(|word| word.contains("{seed}")) {
        return Err("{seed} is drawn for each task from one number, so that it can be repeated: --seed 1".to_owned());
    }
    let items = arguments.items.as_deref().map(|named| items(named, arguments.null)).transpose()?;
    if items.is_none() && arguments.count.is_none() {
        return Err(
            "how often? --items FILE, PATTERN or - does it once for each item, --count N so many times".to_owned()
        );
    }
    let mut task: Vec<(&str, String)> = Vec::new();
    let name = match &arguments.python {
        Some(function) => {
            task.extend([("kind", "python".to_owned()), ("callable", json(function))]);
            if let Some(args) = python_args(arguments, items.is_some())? {
                task.push(("args", args));
            }
            function.rsplit([':', '.']).next().unwrap_or(function)
        }
        None => {
            let words = words(arguments, items.is_some())?;
            task.extend([("kind", "command".to_owned()), ("command", list(&words))]);
            let program = arguments.command.first().and_then(|word| word.to_str()).unwrap_or_default();
            Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or(program)
        }
    };
    match (items, arguments.count) {
        (Some(items), _) => task.push(("items", items)),
        (None, Some(count)) => task.push(("count", count.to_string())),
        (None, None) => {}
    }
    if let Some(timeout) = arguments.timeout {
        task.push(("timeout", format_duration(timeout)));
    }
    if let Some(retries) = arguments.retries {
        task.push(("retries", format!("{{ max: {retries} }}")));
    }
    Ok(written(arguments, &self::name(name), &task))
}

fn written(arguments: &TryArgs, name: &str, task: &[(&str, String)]) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        text.push_str(words);
        text.push('\n');
    };
    if let Some(rest) = not_in_it(arguments) {
        line(&format!("# To be run with: {rest}"));
    }
    line("version: 1");
    line(&format!("name: {}", json(name)));
    if let Some(seed) = arguments.changes.seed {
        line(&format!("seed: {seed}"));
    }
    line("tasks:");
    line(&format!("  - name: {}", json(name)));
    for (key, value) in task {
        line(&format!("    {key}: {value}"));
    }
    if let Some(rate) = &arguments.rate {
        line(&format!("arrivals: {{ mode: open, process: constant, rate: {} }}", json(rate)));
    }
    line("engines:");
    let workers = arguments.changes.workers.as_ref().and_then(|counts| counts.single());
    let workers = workers.map_or_else(String::new, |workers| format!(", workers: {workers}"));
    for kind in engines(arguments) {
        // One worker is what a serial engine is.
        let workers = if kind == "serial" { "" } else { workers.as_str() };
        line(&format!("  - {{ kind: {}{workers} }}", json(kind)));
    }
    line(&format!("measure: {{ warmup: 0, repeats: {} }}", arguments.repeats.unwrap_or(1)));
    text
}

/// What of the command line is said to a file, and not by it.
pub(super) fn not_in_it(arguments: &TryArgs) -> Option<String> {
    let changes = ChangeArgs { seed: None, ..arguments.changes.clone() };
    let workers = changes.workers.clone().filter(|counts| counts.single().is_none());
    let mut words = farewell::changes(&ChangeArgs { workers, ..changes }, &[]);
    words.extend(arguments.batch.words());
    (!words.is_empty()).then(|| shell::join(&words))
}

/// The kinds of engine: those that were asked for, or those that make a question of it.
fn engines(arguments: &TryArgs) -> Vec<&str> {
    match (arguments.engines.is_empty(), &arguments.python) {
        (false, _) => arguments.engines.iter().map(String::as_str).collect(),
        (true, Some(_)) => vec!["pool", "process"],
        (true, None) => vec!["process"],
    }
}

/// What is to be known of the engines that nobody asked for.
pub(super) fn advice(arguments: &TryArgs) -> Option<String> {
    let asked = arguments.engines.is_empty() && arguments.python.is_none() && arguments.batch.first().is_none();
    asked.then(|| {
        "note: no pool: it would reuse a program that exits (one that stays can be: `serve: lines`, see README)"
            .to_owned()
    })
}

/// Items of a file, by how it is called; of a pattern where there is no such file.
fn items(named: &str, null: bool) -> Result<String, String> {
    let is_there = named == "-" || Path::new(named).exists();
    if !is_there && named.contains(['*', '?', '[', '{']) {
        if null {
            return Err("--null goes with a file or -, and not with a pattern".to_owned());
        }
        return Ok(format!("{{ glob: {} }}", json(named)));
    }
    if named.is_empty() {
        return Err("--items needs the name of a file, a pattern or -".to_owned());
    }
    let is_pipe = std::fs::metadata(named).is_ok_and(|found| found.file_type().is_fifo());
    if is_pipe && !source::is_standard_input(named) {
        let named = shell::quote(named);
        return Err(format!("{named} is a pipe, which gives its items once: COMMAND | poolscope try --items - ..."));
    }
    if named != "-" && Path::new(named).is_dir() {
        let all = shell::quote(&format!("{}/*", named.trim_end_matches('/')));
        return Err(format!("{} is a folder; what is in it: --items {all}", shell::quote(named)));
    }
    if null {
        return Ok(format!("{{ lines: {}, separator: nul }}", json(named)));
    }
    let ending = Path::new(named).extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    let form = match ending.as_deref() {
        Some("csv") => "csv",
        Some("jsonl" | "ndjson") => "jsonl",
        _ => "lines",
    };
    Ok(format!("{{ {form}: {} }}", json(named)))
}

/// The words of the command, with the item in it.
fn words(arguments: &TryArgs, has_items: bool) -> Result<Vec<String>, String> {
    let text = |word: &std::ffi::OsString| {
        word.to_str().map(str::to_owned).ok_or_else(|| {
            format!("{} is not UTF-8, which a workload is; it can be an item", shell::quote(&word.to_string_lossy()))
        })
    };
    let mut words = arguments.command.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    if words.is_empty() {
        return Err("what? `-- COMMAND ...` or --python module:function".to_owned());
    }
    if let [only] = words.as_slice()
        && only.trim().contains([' ', '\t'])
        && !is_a_program(only)
    {
        let quoted = shell::quote(only);
        return Err(format!(
            "{quoted} is the name of one program, with its spaces: leave out the quotes (-- {only}), or have a shell read it (-- sh -c ...)"
        ));
    }
    if has_items {
        for word in &mut words {
            *word = filled(word);
        }
        if !words.iter().any(|word| has_item(word)) {
            words.push(ITEM.to_owned());
        }
    }
    Ok(words)
}

/// Whether there is something of this name, spaces and all.
fn is_a_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    name.contains('/') && Path::new(name).exists()
        || std::env::split_paths(&path).any(|folder| folder.join(name).exists())
}

/// A text with the item in it. Behind `$` braces are the shell's.
fn filled(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for (place, part) in text.split(SHORT).enumerate() {
        match place {
            0 => {}
            _ if all.ends_with('$') => all.push_str(SHORT),
            _ => all.push_str(ITEM),
        }
        all.push_str(part);
    }
    all
}

/// Arguments of the function: named ones, or the item alone.
fn python_args(arguments: &TryArgs, has_items: bool) -> Result<Option<String>, String> {
    if arguments.arg.is_empty() {
        return Ok(has_items.then(|| list(&[ITEM.to_owned()])));
    }
    let mut text = String::from("{ ");
    for (place, argument) in arguments.arg.iter().enumerate() {
        let (key, value) = argument
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| format!("--arg {}: must be KEY=VALUE", shell::quote(argument)))?;
        let filled = |text: &str| if has_items { self::filled(text) } else { text.to_owned() };
        let value = match serde_json::from_str::<&RawValue>(value) {
            Ok(_) if has_items && value.trim() == SHORT => json(ITEM),
            Ok(value) => of_json(value.get(), &filled),
            // What is no JSON is text.
            Err(_) => json(&filled(value)),
        };
        let comma = if place > 0 { ", " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}: {value}", json(key));
    }
    text.push_str(" }");
    Ok(Some(text))
}

/// A name for the task: what it is called, without what a name cannot have.
fn name(word: &str) -> String {
    let sane: String = word.chars().filter(|c| !is_no_yaml(*c)).take(LONGEST_NAME).collect();
    if sane.trim().is_empty() { "task".to_owned() } else { sane }
}

/// Whether YAML does not take a character as it stands, or nobody would see it.
fn is_no_yaml(c: char) -> bool {
    is_unsafe(c) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// A text in double quotes, as JSON has it.
fn json(text: &str) -> String {
    let mut quoted = String::new();
    for c in Value::from(text).to_string().chars() {
        // Writing to a string cannot fail.
        let _ = match u32::from(c) {
            code @ 0x10000.. if is_no_yaml(c) => write!(quoted, "\\U{code:08x}"),
            code if is_no_yaml(c) => write!(quoted, "\\u{code:04x}"),
            _ => quoted.write_char(c),
        };
    }
    quoted
}

/// JSON as YAML reads it, with what is in its texts filled in. Numbers stay as they are written, however long they are.
fn of_json(value: &str, filled: &impl Fn(&str) -> String) -> String {
    let (mut text, mut rest) = (String::new(), value);
    while let Some(at) = rest.find('"') {
        let (before, from) = rest.split_at(at);
        text.extend(before.chars().filter(|c| !c.is_ascii_whitespace()));
        let mut texts = serde_json::Deserializer::from_str(from).into_iter::<String>();
        // It was read as JSON before.
        let Some(Ok(found)) = texts.next() else { break };
        text.push_str(&json(&filled(&found)));
        rest = from.get(texts.byte_offset()..).unwrap_or_default();
    }
    text.extend(rest.chars().filter(|c| !c.is_ascii_whitespace()));
    text
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| json(word)).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Verb};

    fn text(words: &[&str]) -> Result<String, String> {
        let cli = Cli::try_parse_from(["poolscope", "try"].iter().chain(words)).unwrap();
        let Some(Verb::Try(arguments)) = cli.command else { panic!("{words:?}") };
        workload(&arguments)
    }

    #[test]
    fn the_file_says_what_the_command_line_says() {
        insta::assert_snapshot!(
            text(&[
                "--items",
                "*.jpg",
                "--workers",
                "4",
                "--timeout",
                "5s",
                "--retries",
                "2",
                "--",
                "convert",
                "{}",
                "{item.stem}.png"
            ])
            .unwrap()
        );
        insta::assert_snapshot!(
            text(&[
                "--python",
                "json:dumps",
                "--arg",
                "obj={}",
                "--arg",
                "indent=2",
                "--items",
                "-",
                "--rate",
                "50/s",
                "--repeats",
                "3",
                "--seed",
                "7"
            ])
            .unwrap()
        );
        insta::assert_snapshot!(
            text(&[
                "--count",
                "10",
                "--engines",
                "pool,serial",
                "--workers",
                "2",
                "--",
                "sh",
                "-c",
                "echo \"{}\" 'é' ${HOME}"
            ])
            .unwrap()
        );
    }

    #[test]
    fn values_are_what_was_written() {
        let arg = |value: &str, more: &[&str]| {
            let text = text(&[&["--python", "a:b", "--arg", &format!("x={value}")], more].concat()).unwrap();
            let from = text.find("args: ").unwrap() + "args: { \"x\": ".len();
            text[from..].lines().next().unwrap().trim_end_matches(" }").to_owned()
        };
        let digits = "123456789012345678901234567890";
        for (value, written) in [
            (digits, digits),
            ("{\"k\": {}, \"t\": \"<{}>\"}", "{\"k\":{},\"t\":\"<{item}>\"}"),
            ("{}", "\"{item}\""),
            ("a{}b", "\"a{item}b\""),
            ("[1.50, 1e5,\n true, null]", "[1.50,1e5,true,null]"),
            ("{\"index\":null}", "{\"index\":null}"),
            ("\u{85}\u{202e}\u{fffe}\u{e0001}\x7f\u{e9}", "\"\\u0085\\u202e\\ufffe\\U000e0001\\u007f\u{e9}\""),
        ] {
            assert_eq!(arg(value, &["--items", "-"]), written, "{value}");
        }
        assert_eq!(arg("{}", &["--count", "2"]), "{}");
    }

    #[test]
    fn what_a_file_does_not_say_is_beside_it() {
        let text = |more: &[&str]| text(&[&["--count", "1"], more, &["--", "x"]].concat()).unwrap();
        assert!(text(&["--seed", "3", "--workers", "2"]).starts_with("version: 1\n"));
        let batch = text(&["--joblog", "log", "--halt", "now,fail=1", "-k"]);
        assert!(batch.starts_with("# To be run with: --joblog log --halt now,fail=1 --keep-order\n"), "{batch}");
        let changed = text(&["--workers", "1..3", "--set", "name=a\nb"]);
        assert!(
            changed.starts_with("# To be run with: --set $'name=a\\nb' --workers 1,2,3\nversion: 1\n"),
            "{changed}"
        );
    }

    #[test]
    fn a_name_has_what_a_name_may_have() {
        let named = text(&["--count", "1", "--", "/bin/a\u{202e}b\u{feff}\u{fffe}\u{85}c"]).unwrap();
        assert!(named.contains("name: \"abc\"\n"), "{named}");
        assert!(text(&["--items", "-", "--", "x", "${}{}", "a$${}"]).unwrap().contains(r#""${}{item}", "a$${}"]"#));
        assert!(text(&["--items", "-", "--", "x", "${}"]).unwrap().contains(r#""${}", "{item}"]"#));
        assert!(text(&["--items", "-", "--", "x", "{{}}", "{items}"]).unwrap().contains(r#""{items}", "{item}"]"#));
    }

    #[test]
    fn an_item_that_is_not_named_is_the_last_word() {
        assert!(text(&["--items", "-", "--", "wc", "-l"]).unwrap().contains(r#"["wc", "-l", "{item}"]"#));
        assert!(text(&["--items", "-", "--", "x", "{item.dir}"]).unwrap().contains(r#"["x", "{item.dir}"]"#));
        assert!(text(&["--count", "2", "--", "wc", "-l"]).unwrap().contains(r#"["wc", "-l"]"#));
    }

    #[test]
    fn files_are_read_as_they_are_called() {
        for (named, form) in
            [("a.csv", "csv"), ("b.JSONL", "jsonl"), ("c.txt", "lines"), ("-", "lines"), ("d?", "glob")]
        {
            assert!(
                text(&["--items", named, "--", "x"]).unwrap().contains(&format!("{{ {form}: {named:?} }}")),
                "{named}"
            );
        }
    }

    #[test]
    fn items_may_end_with_zeros() {
        let nul = text(&["-0", "--items", "a.csv", "--", "x"]).unwrap();
        assert!(nul.contains(r#"items: { lines: "a.csv", separator: nul }"#), "{nul}");
        assert!(text(&["--null", "--items", "*.no", "--", "x"]).unwrap_err().contains("not with a pattern"));
        assert!(text(&["--items", "{a,b}.no", "--", "x"]).unwrap().contains(r#"{ glob: "{a,b}.no" }"#));
    }

    #[test]
    fn what_is_missing_is_asked_for() {
        for (words, reason) in [
            (&["--", "x"][..], "how often?"),
            (&["--count", "2"], "what?"),
            (&["--items", "-", "--", "gzip -k {}"], "leave out the quotes (-- gzip -k {})"),
            (&["--count", "2", "--", "echo", "{seed}"], "--seed 1"),
            (&["--items", "", "--", "x"], "--items needs"),
            (&["--count", "2", "--python", "a:b", "--arg", "=1"], "KEY=VALUE"),
        ] {
            let error = text(words).unwrap_err();
            assert!(error.contains(reason), "{words:?}: {error}");
        }
    }
}
