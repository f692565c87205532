//! `cwd`, `env`, `stdin`, `success_codes`, `keep_output` and `result`: the surroundings of a command and what is made of its
//! end. All paths are from the folder of the workload file.

use crate::workload::load::field::Field;
use crate::workload::load::items::OfItems;
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::load::nearest::nearest;
use crate::workload::load::python;
use crate::workload::model::{CommandOptions, KeepOutput, ProgramInput, ProgramRules};
use crate::workload::text::shortened;
use crate::workload::yaml::Tree;

/// Most entries of `env`, and most exit codes.
const MOST_VARIABLES: usize = 1000;
const MOST_CODES: usize = 256;
/// The keys, and why they do not apply to a program that is there for many tasks.
const NOT_SERVED: [(&str, &str); 6] = [
    ("cwd", "it is started once for many tasks: `command: [sh, -c, \"cd FOLDER && exec PROGRAM\"]`"),
    ("env", "it is started once for many tasks: `command: [env, NAME=VALUE, PROGRAM]`"),
    ("stdin", "its tasks are what it reads; `args` sends more with each of them"),
    ("success_codes", "each answer says whether its task succeeded, and the end of the program says nothing of any"),
    ("keep_output", "what it writes are answers; the end of its standard error is told with failures"),
    ("result", "each answer has its result"),
];

/// Reads them.
pub(super) fn read(map: &mut MapReader<'_>, items: &OfItems<'_>) -> Option<CommandOptions> {
    let path = |field: &Field<'_>| path(field, items);
    let folder = map.optional("cwd", path);
    let environment = map.or("env", (false, Vec::new()), |field| environment(field, items));
    let input = map.or("stdin", ProgramInput::Null, |field| input(field, items));
    let success_codes = map.or("success_codes", vec![0], codes);
    let keep_output = map.or("keep_output", (KeepOutput::Tail, None), |field| match field.tree {
        Tree::Text(word) if word == "none" => Some((KeepOutput::None, None)),
        Tree::Text(word) if word == "tail" => Some((KeepOutput::Tail, None)),
        Tree::Text(word) => {
            warn_of_word(field, word);
            Some((KeepOutput::File, Some(path(field)?)))
        }
        _ => field.unfit("must be none, tail, or the path of a folder"),
    });
    let result =
        map.or("result", false, |field| field.choice("result", &[("output_hash", false), ("stdout", true)], &[]));
    let (clean, variables) = environment?;
    let (keep_output, output) = keep_output?;
    Some(CommandOptions {
        folder: folder?,
        clean,
        variables,
        input: input?,
        output,
        rules: ProgramRules { success_codes: success_codes?, keep_output, result_is_output: result?, timeout: None },
    })
}

/// A folder that is called as one of the words nearly is.
fn warn_of_word(field: &Field<'_>, word: &str) {
    let near = match word.trim().to_ascii_lowercase().as_str() {
        "off" | "no" | "never" | "null" | "false" | "nothing" => Some("none"),
        "all" | "on" | "yes" | "true" | "always" | "whole" => Some("tail"),
        other => nearest(other, ["none", "tail"]),
    };
    if let Some(meant) = near {
        let word = shortened(word, 40);
        field
            .warn(format!("`{word}` is the name of a folder here; did you mean `{meant}`? (`./{word}` says a folder)"));
    }
}

/// Refuses them of a program that is there for many tasks.
pub(super) fn refuse(map: &mut MapReader<'_>) {
    for (name, why) in NOT_SERVED {
        if let Some(field) = map.get(name) {
            field.wrong::<()>(format!("`{name}` with `serve: lines`"), why);
        }
    }
}

fn text(field: &Field<'_>, items: &OfItems<'_>) -> Option<String> {
    let Tree::Text(text) = field.tree else { return field.unfit("must be text") };
    items.check(field, text)?;
    Some(text.clone())
}

fn without_zero(field: &Field<'_>, text: String) -> Option<String> {
    if text.contains('\0') { field.wrong("contains a NUL character", "must be text without it") } else { Some(text) }
}

fn path(field: &Field<'_>, items: &OfItems<'_>) -> Option<String> {
    let path = without_zero(field, text(field, items)?)?;
    if path.is_empty() {
        return field.wrong("the path is empty", "must be a path, from the folder of this file");
    }
    Some(path)
}

/// A variable, or that it is taken away.
type Variable = (String, Option<String>);

fn environment(field: &Field<'_>, items: &OfItems<'_>) -> Option<(bool, Vec<Variable>)> {
    let Tree::Map(entries) = field.tree else { return field.unfit("must be a map of names and values") };
    if entries.len() > MOST_VARIABLES {
        let allowed = format!("must have at most {MOST_VARIABLES} entries");
        return field.wrong(format!("{} entries", entries.len()), allowed);
    }
    let (mut clean, mut variables, mut fine) = (None, Vec::new(), true);
    for place in 0..entries.len() {
        let (key, value) = python::entry(field, place)?;
        match (key.tree, value.tree) {
            (Tree::Text(name), Tree::Bool(flag)) if name == "clean" && clean.is_none() => clean = Some(*flag),
            (Tree::Text(name), _) if name == "clean" => {
                let (wrong, allowed) = match clean {
                    Some(_) => ("a second `clean`", "once"),
                    None => {
                        ("`clean` is no variable: it says whether the others are taken away", "must be true or false")
                    }
                };
                fine = value.wrong::<()>(wrong, allowed).is_some();
            }
            _ => match variable(&key, &value, items) {
                Some(variable) if variables.iter().all(|(name, _)| *name != variable.0) => variables.push(variable),
                Some(_) => fine = key.wrong::<()>("a second value for this variable", "each variable once").is_some(),
                None => fine = false,
            },
        }
    }
    fine.then_some((clean.unwrap_or(false), variables))
}

fn variable(key: &Field<'_>, value: &Field<'_>, items: &OfItems<'_>) -> Option<Variable> {
    let name = python::variable_name(key)?;
    if matches!(value.tree, Tree::Null) {
        return Some((name, None));
    }
    let text = python::variable_text(value)?;
    items.check(value, &text)?;
    Some((name, Some(text)))
}

fn input(field: &Field<'_>, items: &OfItems<'_>) -> Option<ProgramInput> {
    match field.tree {
        Tree::Null => Some(ProgramInput::Null),
        Tree::Text(_) => text(field, items).map(ProgramInput::Text),
        Tree::Map(_) => {
            let mut map = field.map()?;
            let file = map.required("file").and_then(|field| path(&field, items));
            map.finish(&keys::INPUT, "`stdin`");
            file.map(ProgramInput::File)
        }
        _ => field.unfit("must be text, {file: PATH}, or null"),
    }
}

fn codes(field: &Field<'_>) -> Option<Vec<u8>> {
    let items = field.some_items(MOST_CODES)?;
    let code = |item: &Field<'_>| u8::try_from(item.integer(0, 255)?).ok();
    let read: Vec<Option<u8>> = items.iter().map(code).collect();
    read.into_iter().collect()
}
