//! The workload file that says the same as the command line. Strings are written as JSON has them, which YAML reads.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::cli::TryArgs;
use crate::report::shell;
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
    let items = arguments.items.as_deref().map(items).transpose()?;
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
    (arguments.engines.is_empty() && arguments.python.is_none()).then(|| {
        "note: how many workers is the question here: a pool reuses its processes, and a program that exits cannot be \
         reused (one that stays and answers line by line can: `serve: lines`, see README)"
            .to_owned()
    })
}

/// Items of a file, by how it is called; of a pattern where there is no such file.
fn items(named: &str) -> Result<String, String> {
    let is_there = named == "-" || Path::new(named).exists();
    if !is_there && named.contains(['*', '?', '[']) {
        return Ok(format!("{{ glob: {} }}", json(named)));
    }
    if named.is_empty() {
        return Err("--items needs the name of a file, a pattern or -".to_owned());
    }
    if named != "-" && Path::new(named).is_dir() {
        let all = shell::quote(&format!("{}/*", named.trim_end_matches('/')));
        return Err(format!("{} is a folder; what is in it: --items {all}", shell::quote(named)));
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
    if has_items {
        for word in &mut words {
            *word = word.replace(SHORT, ITEM);
        }
        if !words.iter().any(|word| word.contains("{item")) {
            words.push(ITEM.to_owned());
        }
    }
    Ok(words)
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
        let value = if has_items { value.replace(SHORT, ITEM) } else { value.to_owned() };
        // What is no JSON is text.
        let value = serde_json::from_str::<Value>(&value).map_or_else(|_| json(&value), |value| value.to_string());
        let comma = if place > 0 { ", " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{}: {value}", json(key));
    }
    text.push_str(" }");
    Ok(Some(text))
}

/// A name for the task: what it is called, without what a name cannot have.
fn name(word: &str) -> String {
    let sane: String = word.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    if sane.trim().is_empty() { "task".to_owned() } else { sane }
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
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
    fn what_is_missing_is_asked_for() {
        for (words, reason) in [
            (&["--", "x"][..], "how often?"),
            (&["--count", "2"], "what?"),
            (&["--items", "", "--", "x"], "--items needs"),
            (&["--count", "2", "--python", "a:b", "--arg", "=1"], "KEY=VALUE"),
        ] {
            let error = text(words).unwrap_err();
            assert!(error.contains(reason), "{words:?}: {error}");
        }
    }
}
