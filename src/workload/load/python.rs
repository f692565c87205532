//! `kind: python`: what is called, with which arguments, and in which interpreter. Nothing of Python is run or looked for
//! in here.

use crate::workload::load::field::Field;
use crate::workload::load::items::OfItems;
use crate::workload::load::map::MapReader;
use crate::workload::load::{dist, keys};
use crate::workload::model::{
    Arguments, Comparison, Draw, PayloadSizes, PythonCall, PythonSettings, Value, Version, When,
};
use crate::workload::placeholder::{self, fixed, has_item, stands_for_itself};
use crate::workload::yaml::Tree;

/// Most entries of `env` and of `path`.
const MOST_ENTRIES: usize = 1000;
/// Most bytes of the arguments as they are sent: they travel in one piece.
const MOST_ARGUMENTS: usize = 1_000_000;
/// Most bytes of a payload: what may travel with a task, and some room for the rest.
const MOST_PAYLOAD: u64 = 128 << 20;
/// What stands for a value that depends on the task.
const PLACES: [(&str, Value); 4] =
    [("index", Value::Index), ("seed", Value::Seed), ("attempt", Value::Attempt), ("payload", Value::Payload)];

/// Reads `callable`, `args` and `payload`.
pub(crate) fn call(map: &mut MapReader<'_>, items: &OfItems<'_>) -> Option<PythonCall> {
    let callable = map.required("callable").and_then(|field| callable(&field));
    let mut varying = Varying::new(items);
    let args = match map.get("args") {
        Some(field) => arguments(&field, &mut varying),
        None => Some(Arguments::Positional(Vec::new())),
    };
    let payload = map.or("payload", PayloadSizes::default(), payload);
    let Varying { draws, told, .. } = varying;
    Some(PythonCall { callable: callable?, args: args?, payload: payload?, draws, told })
}

/// Reads `callable` and `args` of an initializer, which is called before there is a task.
pub(crate) fn initializer(map: &mut MapReader<'_>) -> Option<Option<PythonCall>> {
    let (function, given) = (map.get("callable"), map.get("args"));
    let Some(function) = function else {
        return match given {
            Some(args) => {
                args.wrong("`args` without `callable`", "name what is called with them: `callable: module:function`")
            }
            None => Some(None),
        };
    };
    let callable = callable(&function);
    let none = OfItems::none();
    let mut varying = Varying::new(&none);
    let args = match &given {
        Some(field) => arguments(field, &mut varying),
        None => Some(Arguments::Positional(Vec::new())),
    };
    let (callable, args) = (callable?, args?);
    let is_of_a_task = |value: &Value| match value {
        Value::Index | Value::Attempt | Value::Payload | Value::Told { .. } | Value::Draw { .. } => true,
        Value::Template(text) => placeholder::of_a_task(text).is_some(),
        _ => false,
    };
    if let Some(field) = given.filter(|_| args.values().any(|value| value.any(&is_of_a_task))) {
        let allowed = "the same for every worker; `{seed}` alone is replaced";
        return field.wrong("a value that differs from task to task, and an initializer is called before any", allowed);
    }
    let Varying { draws, told, .. } = varying;
    Some(Some(PythonCall { callable, args, payload: PayloadSizes::default(), draws, told }))
}

fn callable(field: &Field<'_>) -> Option<String> {
    const FORM: &str = "must be `module:function`, such as `mytasks:work` or `package.module:Class.method`";
    let text = field.line()?;
    let is_name = |name: &str| {
        name.chars().all(|c| c == '_' || c.is_alphanumeric())
            && !name.starts_with(|c: char| c.is_numeric())
            && !name.is_empty()
    };
    let is_path = |path: &str| path.split('.').all(is_name);
    match text.split_once(':') {
        Some((module, function)) if is_path(module) && is_path(function) => Some(text),
        Some((module, _)) if module.contains('/') || module.ends_with(".py") => field.refuse(
            field
                .error("a module is named as in `import`, not by its file")
                .allowed(FORM)
                .help("`python.path` says in which folders it is looked for; the first is the folder of this file"),
        ),
        Some(_) => field.wrong("not the names of a module and of something in it", FORM),
        None => match text.rsplit_once('.') {
            Some((module, function)) if is_path(module) && is_name(function) => {
                let error = field.error("there is no `:` between the module and the function").allowed(FORM);
                field.refuse(error.suggest(&format!("{module}:{function}")))
            }
            _ => field.wrong("there is no `:` between a module and a function", FORM),
        },
    }
}

/// What differs from task to task in arguments, as it is found.
pub(crate) struct Varying<'i> {
    pub(crate) draws: Vec<Draw>,
    /// Texts that only the parent can fill in.
    pub(crate) told: Vec<String>,
    items: &'i OfItems<'i>,
}

impl<'i> Varying<'i> {
    pub(crate) fn new(items: &'i OfItems<'i>) -> Self {
        Self { draws: Vec::new(), told: Vec::new(), items }
    }

    fn told(&mut self, field: &Field<'_>, text: String) -> Option<Value> {
        self.items.check(field, &text)?;
        self.told.push(text);
        Some(Value::Told { place: self.told.len() - 1 })
    }
}

pub(crate) fn arguments(field: &Field<'_>, varying: &mut Varying<'_>) -> Option<Arguments> {
    let arguments = match field.tree {
        Tree::Seq(_) => Arguments::Positional(all(&field.items()?, varying)?),
        Tree::Map(entries) => {
            let mut read = Some(Vec::new());
            for (place, (key, _)) in entries.iter().enumerate() {
                let (key_field, value_field) = entry(field, place)?;
                let Tree::Text(name) = key else {
                    read = key_field.unfit("must be text: it is the name of an argument");
                    continue;
                };
                if entries.iter().take(place).any(|(other, _)| other == key) {
                    read = key_field.wrong("a second value for this argument", "each argument once");
                }
                match (value(&value_field, varying), &mut read) {
                    (Some(value), Some(list)) => list.push((name.clone(), value)),
                    _ => read = None,
                }
            }
            Arguments::Keywords(read?)
        }
        _ => return field.unfit("must be a map of names and values, or a list of values"),
    };
    let length = serde_json::to_vec(&arguments).map_or(usize::MAX, |text| text.len());
    if length > MOST_ARGUMENTS {
        let allowed = format!("at most {MOST_ARGUMENTS} bytes; `payload` and `{{payload}}` are for more");
        return field.wrong(format!("{length} bytes of arguments"), allowed);
    }
    Some(arguments)
}

/// Key and value of an entry, as fields.
pub(super) fn entry<'a>(field: &Field<'a>, place: usize) -> Option<(Field<'a>, Field<'a>)> {
    let Tree::Map(entries) = field.tree else { return None };
    let (key, value) = entries.get(place)?;
    let nodes = field.node.and_then(|node| field.context.scan.entry(node, place));
    let mark = nodes.map(|(key, _)| field.context.scan.mark(key));
    let path = match key {
        Tree::Text(name) => format!("{}.{}", field.path, crate::workload::text::shortened(name, 40)),
        _ => field.path.clone(),
    };
    let key = Field { tree: key, node: nodes.map(|(key, _)| key), key: None, ..field.clone() };
    Some((key, Field { tree: value, node: nodes.map(|(_, value)| value), key: mark, path, ..field.clone() }))
}

fn all(items: &[Field<'_>], varying: &mut Varying<'_>) -> Option<Vec<Value>> {
    // All are read before the first refused one ends it, so that all problems are found.
    let read: Vec<Option<Value>> = items.iter().map(|item| value(item, varying)).collect();
    read.into_iter().collect()
}

fn value(field: &Field<'_>, varying: &mut Varying<'_>) -> Option<Value> {
    Some(match field.tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Int(_) | Tree::Float(_) => number(field),
        Tree::Text(text) => text_or_place(field, text, varying)?,
        Tree::Seq(_) => Value::List(all(&field.items()?, varying)?),
        Tree::Map(entries) => match entries.as_slice() {
            // `{index}` is a map to YAML.
            [(Tree::Text(name), Tree::Null)] if is_bare(field, name) && place(name).is_some() => place(name)?,
            [(Tree::Text(name), Tree::Null)]
                if is_bare(field, name) && varying.items.present && has_item(&format!("{{{name}}}")) =>
            {
                varying.told(field, format!("{{{name}}}"))?
            }
            _ if entries.iter().any(|(key, _)| matches!(key, Tree::Text(key) if key == "dist")) => {
                let (dist, whole) = dist::numbers(field)?;
                varying.draws.push(Draw { dist, whole });
                Value::Draw { place: varying.draws.len() - 1, whole }
            }
            _ => {
                let read: Vec<Option<(Value, Value)>> = (0..entries.len())
                    .map(|place| {
                        let (key, content) = entry(field, place)?;
                        if matches!(key.tree, Tree::Seq(_) | Tree::Map(_)) {
                            return key.unfit("must be a single value: a dictionary's key");
                        }
                        let key = value(&key, varying);
                        Some((key?, value(&content, varying)?))
                    })
                    .collect();
                Value::Map(read.into_iter().collect::<Option<_>>()?)
            }
        },
        Tree::Tagged(_) => return field.unfit("must be a value without a tag"),
    })
}

/// Whether a key stands alone: with `null` behind it, it is a dictionary's.
fn is_bare(field: &Field<'_>, name: &str) -> bool {
    field.entry(name).and_then(|value| value.written()).is_none_or(str::is_empty)
}

/// An integer may be larger than any that the deserialiser knows: then what was written counts.
fn number(field: &Field<'_>) -> Value {
    let digits = |text: &&str| {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        text == "0" || !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let Some(written) = field.written().filter(digits) {
        return Value::Int(written.strip_prefix('+').unwrap_or(written).to_owned());
    }
    match field.tree {
        Tree::Int(value) => Value::Int(value.to_string()),
        Tree::Float(value) => Value::Float(format!("{value:?}")),
        _ => Value::Null,
    }
}

fn place(name: &str) -> Option<Value> {
    PLACES.into_iter().find(|(word, _)| *word == name).map(|(_, value)| value)
}

fn text_or_place(field: &Field<'_>, text: &str, varying: &mut Varying<'_>) -> Option<Value> {
    if let Some(whole) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).and_then(place) {
        return Some(whole);
    }
    let items = varying.items.present;
    if items && has_item(text) {
        return varying.told(field, text.to_owned());
    }
    varying.items.check(field, text)?;
    if let Some(fixed) = fixed(text, items) {
        return Some(Value::Str(fixed));
    }
    // Who fills in what does not come from an item knows no double braces.
    if stands_for_itself(text) { varying.told(field, text.to_owned()) } else { Some(Value::Template(text.to_owned())) }
}

/// `payload`, of any kind of task.
pub(crate) fn payload(field: &Field<'_>) -> Option<PayloadSizes> {
    let mut map = field.map()?;
    let size = |field: &Field<'_>| {
        let bytes = field.size()?;
        if bytes > MOST_PAYLOAD { field.unfit("must be at most 128MiB") } else { Some(bytes) }
    };
    let (with_task, with_result) = (map.or("in", 0, size), map.or("out", 0, size));
    map.finish(&keys::PAYLOAD, "a `payload`");
    Some(PayloadSizes { with_task: with_task?, with_result: with_result? })
}

/// `python`, of the file or of an engine.
pub(crate) fn settings(field: &Field<'_>) -> Option<PythonSettings> {
    let mut map = field.map()?;
    let interpreter = map.optional("interpreter", |field| {
        let name = field.line()?;
        if name.trim().is_empty() { field.wrong("the name is empty", "must be a name or a path") } else { Some(name) }
    });
    let env = map.or("env", Vec::new(), environment);
    let path = map.optional("path", |field| {
        let items = match field.tree {
            Tree::Text(_) => vec![field.clone()],
            _ => field.some_items(MOST_ENTRIES)?,
        };
        let read: Vec<Option<String>> = items.iter().map(Field::line).collect();
        read.into_iter().collect::<Option<Vec<String>>>()
    });
    let probe_timeout = map.optional("probe_timeout", Field::positive_duration);
    map.finish(&keys::PYTHON, "`python`");
    Some(PythonSettings { interpreter: interpreter?, env: env?, path: path?, probe_timeout: probe_timeout? })
}

fn environment(field: &Field<'_>) -> Option<Vec<(String, String)>> {
    let Tree::Map(entries) = field.tree else { return field.unfit("must be a map of names and values") };
    if entries.len() > MOST_ENTRIES {
        return field.wrong(format!("{} entries", entries.len()), format!("must have at most {MOST_ENTRIES} entries"));
    }
    let read: Vec<Option<(String, String)>> = (0..entries.len()).map(|place| variable(field, place)).collect();
    read.into_iter().collect()
}

fn variable(field: &Field<'_>, place: usize) -> Option<(String, String)> {
    let (key, value) = entry(field, place)?;
    Some((variable_name(&key)?, variable_text(&value)?))
}

/// The name of a variable of an environment.
pub(super) fn variable_name(key: &Field<'_>) -> Option<String> {
    let name = key.line()?;
    if name.is_empty() || name.contains('=') {
        return key.wrong("not the name of a variable", "must be text without `=`");
    }
    if name.starts_with("POOLSCOPE_") {
        return key.wrong("names that begin with POOLSCOPE_ are Poolscope's own", "must be another name");
    }
    Some(name)
}

/// What it is.
pub(super) fn variable_text(value: &Field<'_>) -> Option<String> {
    // YAML would turn 0.10 into 0.1, so a number is taken as it was written.
    let text = match value.tree {
        Tree::Text(text) => text.clone(),
        Tree::Int(_) | Tree::Float(_) | Tree::Bool(_) => value.written()?.to_owned(),
        _ => return value.unfit("must be text"),
    };
    if text.contains('\0') {
        return value.wrong("contains a NUL character", "the values of variables end at NUL");
    }
    Some(text)
}

/// `engines[].when`.
pub(crate) fn when(field: &Field<'_>) -> Option<When> {
    const FORM: &str = "must be a condition such as `python >= 3.14`";
    let text = field.line()?;
    let Some(rest) = text.trim().strip_prefix("python") else { return field.wrong("not a condition", FORM) };
    let rest = rest.trim_start();
    let compared = Comparison::ALL.iter().find_map(|(sign, comparison)| Some((*comparison, rest.strip_prefix(sign)?)));
    let Some((comparison, version)) = compared else { return field.wrong("no comparison after `python`", FORM) };
    match Version::parse(version.trim()) {
        Some(version) => Some(When { comparison, version }),
        None => field.wrong("not a version of Python", FORM),
    }
}
