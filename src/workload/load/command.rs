//! `command`: an argument list, or one string with an explicit `shell: true`; and whether it is sent its tasks (`serve`).

use crate::workload::load::field::Field;
use crate::workload::load::items::OfItems;
use crate::workload::load::map::MapReader;
use crate::workload::load::python::{self, Varying};
use crate::workload::load::{program_options, program_texts, shell};
use crate::workload::model::{Arguments, CommandLine, ServedProgram, Value, Work};
use crate::workload::placeholder::of_a_task;
use crate::workload::yaml::Tree;

/// Linux limits one argument to 128 KiB; a list this long is a mistake anyway.
const MOST_ARGUMENTS: usize = 1000;
const LONGEST_ARGUMENT: usize = 128 * 1024 - 1;

/// How a program is sent its tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serve {
    Lines,
}

/// Reads `command`, `shell`, `serve`, `args`, and what surrounds a command.
pub(crate) fn work(map: &mut MapReader<'_>, items: &OfItems<'_>) -> Option<Work> {
    let serve = map.optional("serve", |field| field.choice("way to be sent tasks", &[("lines", Serve::Lines)], &[]));
    let command = read(map, items);
    let is_served = serve.is_none_or(|serve| serve.is_some());
    let args = map.get("args");
    if let Some(args) = args.as_ref().filter(|_| !is_served) {
        let error = args.error("a command has its arguments in `command`");
        return args.refuse(error.allowed("goes with `serve: lines`, which sends them to the program"));
    }
    if !is_served {
        let options = program_options::read(map, items);
        return Some(Work::Command(CommandLine { options: Box::new(options?), ..command? }));
    }
    program_options::refuse(map);
    if let Some(field) = map.peek("command") {
        refuse_task_in(&field);
    }
    let mut varying = Varying::new(items);
    let args = args.map(|field| python::arguments(&field, &mut varying).and_then(|args| as_json(&field, args)));
    let args = match args {
        Some(read) => Some(read?),
        None => None,
    };
    serve?;
    let Varying { draws, told, .. } = varying;
    Some(Work::Served(Box::new(ServedProgram { command: command?, args, draws, told })))
}

/// A program that is there for many tasks has none in its command line.
fn refuse_task_in(field: &Field<'_>) {
    let parts = match field.tree {
        Tree::Seq(_) => field.items().unwrap_or_default(),
        _ => vec![field.clone()],
    };
    for part in parts {
        let Tree::Text(text) = part.tree else { continue };
        if let Some(name) = of_a_task(text) {
            let error = part.error(format!("`{name}` differs from task to task, and the program stays for many"));
            part.refuse::<()>(error.allowed("must be left out: it is in each line that the program is sent"));
        }
    }
}

/// Arguments that JSON can carry.
fn as_json(field: &Field<'_>, args: Arguments) -> Option<Arguments> {
    let any = |is_so: &dyn Fn(&Value) -> bool| args.values().any(|value| value.any(is_so));
    if any(&|value| matches!(value, Value::Payload)) {
        return field.wrong("no bytes travel in a line", "must be values, without `{payload}`");
    }
    if any(&|value| matches!(value, Value::Float(digits) if !digits.bytes().any(|byte| byte.is_ascii_digit()))) {
        return field.wrong("JSON has no infinity and no NaN", "must be finite numbers");
    }
    let is_key = |key: &Value| matches!(key, Value::Str(_) | Value::Template(_) | Value::Told { .. });
    if any(&|value| matches!(value, Value::Map(entries) if !entries.iter().all(|(key, _)| is_key(key)))) {
        return field.wrong("a key that is no text", "must be maps with text as keys, as JSON has them");
    }
    Some(args)
}

fn read(map: &mut MapReader<'_>, items: &OfItems<'_>) -> Option<CommandLine> {
    let shell_field = map.get("shell");
    let shell = match &shell_field {
        Some(field) => field.boolean(),
        None => Some(false),
    };
    let field = map.required("command")?;
    match (shell?, field.tree) {
        (true, Tree::Text(_)) => {
            let text = argument(&field, items)?;
            if items.present {
                match shell::words(&text) {
                    Ok(words) => program_texts::check_shell(&field, &words, items)?,
                    Err(why) => {
                        let error = field
                            .error(format!("an item {why}"))
                            .allowed("a word of a command, without quotes: it is quoted as it is filled in");
                        let help = "`f={item}; ...` gives it a name; `\"$f\"` then stands anywhere";
                        return field.refuse(error.help(help));
                    }
                }
            }
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
        (false, _) => argv(&field, items),
    }
}

fn argv(field: &Field<'_>, of_items: &OfItems<'_>) -> Option<CommandLine> {
    let items = field.some_items(MOST_ARGUMENTS)?;
    let read: Vec<Option<String>> = items.iter().map(|item| argument(item, of_items)).collect();
    let argv: Vec<String> = read.into_iter().collect::<Option<_>>()?;
    let program = items.first()?;
    if argv.first().is_some_and(|name| name.trim().is_empty()) {
        return program.wrong("the program's name is empty", "must be the name or path of a program");
    }
    program_texts::check(&items, &argv, of_items)?;
    Some(CommandLine::new(argv))
}

/// One argument. Control characters other than NUL are the program's business: it is not shown, it is run.
fn argument(field: &Field<'_>, items: &OfItems<'_>) -> Option<String> {
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
    items.check(field, text)?;
    Some(text.clone())
}
