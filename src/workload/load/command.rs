//! `command`: an argument list, or one string with an explicit `shell: true`.

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::model::CommandLine;
use crate::workload::yaml::Tree;

/// Linux limits one argument to 128 KiB; a list this long is a mistake anyway.
const MOST_ARGUMENTS: usize = 1000;
const LONGEST_ARGUMENT: usize = 128 * 1024 - 1;
/// What may stand between braces.
const PLACEHOLDERS: [&str; 3] = ["index", "attempt", "seed"];

/// Reads `command` and `shell`.
pub(crate) fn read(map: &mut MapReader<'_>) -> Option<CommandLine> {
    let shell_field = map.get("shell");
    let shell = match &shell_field {
        Some(field) => field.boolean(),
        None => Some(false),
    };
    let field = map.required("command")?;
    match (shell?, field.tree) {
        (true, Tree::Text(_)) => {
            let text = argument(&field)?;
            if text.trim().is_empty() {
                return field.wrong("the command is empty", "must be a shell command");
            }
            Some(CommandLine::of_shell(text))
        }
        (true, _) => field.wrong("`shell: true` goes with one string", "must be one string, or leave `shell` out"),
        (false, Tree::Text(_)) => field.refuse(
            field
                .error("a command in one string is not split into arguments")
                .allowed("must be a list such as [sort, -n, file], or one string with `shell: true`"),
        ),
        (false, _) => argv(&field),
    }
}

fn argv(field: &Field<'_>) -> Option<CommandLine> {
    let items = field.some_items(MOST_ARGUMENTS)?;
    let read: Vec<Option<String>> = items.iter().map(argument).collect();
    let argv: Vec<String> = read.into_iter().collect::<Option<_>>()?;
    let program = items.first()?;
    if argv.first().is_some_and(|name| name.trim().is_empty()) {
        return program.wrong("the program's name is empty", "must be the name or path of a program");
    }
    Some(CommandLine { argv })
}

/// One argument. Control characters other than NUL are the program's business: it is not shown, it is run.
fn argument(field: &Field<'_>) -> Option<String> {
    let Tree::Text(text) = field.tree else {
        // YAML would turn 0.10 into 0.1 and 0x10 into 16.
        return field.unfit("must be text: quote numbers, true and false");
    };
    if text.contains('\0') {
        return field.wrong("contains a NUL character", "arguments end at NUL, so it cannot be passed on");
    }
    if text.len() > LONGEST_ARGUMENT {
        return field.wrong("the argument is too long", format!("must have at most {LONGEST_ARGUMENT} bytes"));
    }
    warn_about_placeholders(field, text);
    Some(text.clone())
}

/// `{indx}` would reach the program as it stands. Other braces are common in awk and in the shell and stay as they are.
fn warn_about_placeholders(field: &Field<'_>, text: &str) {
    for part in text.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        let word = name.len() >= 3 && name.chars().all(|c| c.is_ascii_alphabetic());
        if word
            && !PLACEHOLDERS.contains(&name)
            && let Some(meant) = crate::workload::load::nearest::nearest(name, PLACEHOLDERS)
        {
            field.warn(format!("`{{{name}}}` is passed on as it stands; did you mean `{{{meant}}}`?"));
        }
    }
}
