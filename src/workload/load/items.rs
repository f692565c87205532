//! `items`, `repeat` and `sample`: what the tasks of a class are about.

use std::cell::Cell;
use std::num::NonZeroU64;

use crate::workload::items::{
    self, BadPattern, Format, Item, ItemError, ItemValue, LiveFormat, Source, Store, TaskItems,
};
use crate::workload::load::field::{Field, list};
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::text::shortened;
use crate::workload::yaml::Tree;

/// Most tasks of a workload.
pub(crate) const MOST_TASKS: u64 = 10_000_000_000;
/// Most items of a list that stands in the file.
const MOST_LISTED: usize = 100_000;
/// Most names of a CSV header.
const MOST_COLUMNS: usize = 10_000;
const FORMS: &str = "must be a list, or a map such as {lines: FILE}, {csv: FILE}, {jsonl: FILE}, {glob: \"*.jpg\"} or {range: [0, 100]}";

/// The items of a task, as far as they are known when its other fields are read.
pub(crate) struct OfItems<'s> {
    /// Whether it has any.
    pub(crate) present: bool,
    /// Where they come from; `None` where that was refused.
    pub(crate) source: Option<&'s Source>,
    /// Whether something names them.
    pub(crate) used: Cell<bool>,
}

impl OfItems<'_> {
    /// Of a task without items.
    pub(crate) fn none() -> Self {
        Self { present: false, source: None, used: Cell::new(false) }
    }
}

/// Reads `items`, `repeat` and `sample`: the field and what is in it. `seed` is that of the file.
pub(crate) fn read<'a>(map: &mut MapReader<'a>, seed: u64) -> Option<(Field<'a>, Option<TaskItems>)> {
    let field = map.get("items");
    let repeat = map.optional("repeat", |field| field.count(MOST_TASKS));
    let sample_field = map.get("sample");
    let sample = sample_field.as_ref().map(|field| field.count(MOST_TASKS));
    let Some(field) = field else {
        for name in ["repeat", "sample"] {
            if let Some(alone) = map.peek(name) {
                alone.wrong::<()>(format!("`{name}` without `items`"), "goes with `items`");
            }
        }
        return None;
    };
    let is_plain = sample_field.is_none() && map.peek("repeat").is_none();
    let read = source(&field, is_plain).and_then(|source| {
        let mut items = TaskItems::new(source)?;
        if let (Some(field), Some(count)) = (&sample_field, sample) {
            let count = count?;
            if count.get() > items.len() {
                return field.wrong(
                    format!("a sample of {count} of {} items", items.len()),
                    "must be at most as many as there are",
                );
            }
            items = items.sampled(count, seed);
        }
        items = items.repeated(repeat?.unwrap_or(NonZeroU64::MIN));
        if items.tasks().get() > MOST_TASKS {
            return field.wrong("too many tasks", format!("at most {MOST_TASKS} tasks in all"));
        }
        Some(items)
    });
    Some((field, read))
}

/// `is_plain`: each is taken once, in their order.
fn source(field: &Field<'_>, is_plain: bool) -> Option<Source> {
    match field.tree {
        Tree::Seq(_) => listed(field),
        Tree::Map(_) => of_map(field, is_plain),
        _ => field.unfit(FORMS),
    }
}

fn of_map(field: &Field<'_>, is_plain: bool) -> Option<Source> {
    let mut map = field.map()?;
    let forms = ["range", "lines", "csv", "jsonl", "glob"].map(|name| (name, map.get(name)));
    let separator =
        map.optional("separator", |field| field.choice("separator", &[("newline", false), ("nul", true)], &[]));
    let mut given = forms.into_iter().filter_map(|(name, field)| Some((name, field?)));
    let first = given.next();
    let others: Vec<_> = given.collect();
    let separator_field = map.peek("separator");
    map.finish(&keys::ITEMS, "`items`");
    let Some((name, form)) = first else { return field.wrong("it does not say where the items come from", FORMS) };
    if let Some((other, second)) = others.into_iter().next() {
        return second.wrong(format!("`{name}` and `{other}` together"), "one of them");
    }
    if let Some(separator) = separator_field.filter(|_| name != "lines") {
        return separator.wrong(format!("`separator` with `{name}`"), "goes with `lines`");
    }
    match name {
        "range" => range(&form),
        "glob" => glob(&form),
        "lines" => {
            let nul = separator?.unwrap_or(false);
            let (live, whole) = if nul { (LiveFormat::Nul, Format::Nul) } else { (LiveFormat::Lines, Format::Lines) };
            coming(&form, live, is_plain).unwrap_or_else(|| file(&form, |_| Some(whole.clone())))
        }
        "jsonl" => {
            coming(&form, LiveFormat::JsonLines, is_plain).unwrap_or_else(|| file(&form, |_| Some(Format::JsonLines)))
        }
        _ => coming(&form, LiveFormat::Csv, is_plain).unwrap_or_else(|| file(&form, |store| header(&form, store))),
    }
}

/// As Python's `range`: the end is not part of it.
fn range(field: &Field<'_>) -> Option<Source> {
    const FORM: &str =
        "must be [from, to] or [from, to, step], integers; `to` is not one of the items, as in Python's range";
    let Tree::Seq(parts) = field.tree else { return field.unfit(FORM) };
    let number = |tree: &Tree| match tree {
        Tree::Int(value) => i64::try_from(*value).ok(),
        _ => None,
    };
    let numbers: Option<Vec<i64>> = parts.iter().map(number).collect();
    let (first, end, step) = match numbers.as_deref() {
        Some([first, end]) => (*first, *end, 1),
        Some([first, end, step]) => (*first, *end, *step),
        _ => return field.wrong("not a range", FORM),
    };
    if step == 0 {
        return field.wrong("a step of 0", "must be above or below 0");
    }
    let span = i128::from(end) - i128::from(first);
    let step_wide = i128::from(step);
    let count = if (span > 0) == (step > 0) { (span.abs() + step_wide.abs() - 1) / step_wide.abs() } else { 0 };
    if span == 0 || count == 0 {
        return field.wrong("there is no item in it", FORM);
    }
    Some(Source::Range { first, step, count: u64::try_from(count).unwrap_or(u64::MAX) })
}

fn name_of(field: &Field<'_>) -> Option<String> {
    let name = field.line()?;
    if name.is_empty() {
        field.wrong("the name is empty", "must be the path of a file, from the folder of this one")
    } else {
        Some(name)
    }
}

/// Items on standard input that can be taken while they are still coming; `None` where they are to be in a file.
fn coming(field: &Field<'_>, format: LiveFormat, is_plain: bool) -> Option<Option<Source>> {
    let name = name_of(field).filter(|_| is_plain)?;
    let shown = shortened(&name, 60);
    let live = match field.context.files.live(&name, format) {
        Ok(live) => live?,
        Err(why) => return Some(field.refuse(field.error(format!("{shown}: {why}")))),
    };
    // What has fields is asked for them: they have to be known.
    if matches!(format, LiveFormat::Csv | LiveFormat::JsonLines) {
        match live.wait_for_fields() {
            Ok(Some(names)) if format == LiveFormat::Csv => {
                if let Err(refused) = are_names(field, names) {
                    return Some(refused);
                }
            }
            Ok(_) => {}
            Err(error) => return Some(field.refuse(of_file(field, &shown, &error))),
        }
    }
    Some(Some(Source::Live(live)))
}

/// Items of a file; `format` may look into it.
fn file(field: &Field<'_>, format: impl Fn(&Store) -> Option<Format>) -> Option<Source> {
    let name = name_of(field)?;
    let shown = shortened(&name, 60);
    let store = match field.context.files.open(&name) {
        Ok(file) => Store::File(file),
        Err(why) => return field.refuse(field.error(format!("{shown}: {why}"))),
    };
    let format = format(&store)?;
    match Source::of_records(store, format) {
        Ok(source) => Some(source),
        Err(error) => field.refuse(of_file(field, &shown, &error)),
    }
}

fn of_file(field: &Field<'_>, name: &str, error: &ItemError) -> crate::workload::diagnostic::Diagnostic {
    let diagnostic = field.error(format!("{name}: {error}"));
    match error {
        ItemError::Empty => diagnostic.allowed("must have at least one item; empty lines are none"),
        ItemError::TooLong(_) => diagnostic.allowed("items of at most 1 MiB"),
        _ => diagnostic,
    }
}

/// The names of a CSV file's columns.
fn header(field: &Field<'_>, store: &Store) -> Option<Format> {
    let names = match items::csv_names(store) {
        Ok(names) => names,
        Err(error) => return field.refuse(of_file(field, &shortened(&name_of(field)?, 60), &error)),
    };
    are_names(field, &names).map_or_else(|refused| refused, |()| Some(Format::Csv(names)))
}

/// Whether these can be the names of columns, or what was said about them.
fn are_names<T>(field: &Field<'_>, names: &[String]) -> Result<(), Option<T>> {
    let wrong = |message: String| Err(field.wrong(message, "must begin with a line of names, one for each column"));
    if names.len() > MOST_COLUMNS {
        return wrong(format!("the header has {} names", names.len()));
    }
    for (place, name) in names.iter().enumerate() {
        if name.trim().is_empty() {
            return wrong(format!("name {} of the header is empty", place + 1));
        }
        if names.iter().take(place).any(|other| other == name) {
            return wrong(format!("the header has `{}` twice", shortened(name, 40)));
        }
    }
    Ok(())
}

fn glob(field: &Field<'_>) -> Option<Source> {
    let pattern = name_of(field)?;
    let folder = match field.context.files.folder() {
        Ok(folder) => folder,
        Err(why) => return field.refuse(field.error(why)),
    };
    let names = match items::matches(&pattern, &folder) {
        Ok(names) => names,
        Err(BadPattern::Wrong(why)) => {
            return field.wrong(format!("not a pattern: {why}"), "such as \"data/**/*.jpg\"");
        }
        Err(error) => return field.refuse(field.error(error.to_string())),
    };
    if names.is_empty() {
        let place = shortened(&folder.display().to_string(), 60);
        return field.wrong(
            "no file matches it",
            format!("must match files below {place}; `*` matches no name that begins with a dot"),
        );
    }
    let read = items::spooled(names.as_slice()).map_err(ItemError::from);
    match read.and_then(|store| Source::of_records(store, Format::Nul)) {
        Ok(source) => Some(source),
        Err(error) => field.refuse(field.error(error.to_string())),
    }
}

fn listed(field: &Field<'_>) -> Option<Source> {
    let fields = field.some_items(MOST_LISTED)?;
    let read: Vec<Option<Item>> = fields.iter().map(item).collect();
    let items: Vec<Item> = read.into_iter().collect::<Option<_>>()?;
    let has_fields = items.iter().filter(|item| item.fields.is_some()).count();
    if let Some(odd) = (has_fields > 0 && has_fields < items.len())
        .then(|| fields.iter().zip(&items).find(|(_, item)| item.fields.is_none()))
        .flatten()
    {
        return odd.0.wrong("a single value among maps", "single values, or maps, and not both");
    }
    Some(Source::List(items))
}

fn item(field: &Field<'_>) -> Option<Item> {
    let Tree::Map(entries) = field.tree else { return Some(Item::of(value(field)?)) };
    let mut fields = Vec::new();
    let mut fine = !entries.is_empty();
    if entries.is_empty() {
        field.wrong::<()>("an empty map", "must have at least one entry");
    }
    for (place, (key, _)) in entries.iter().enumerate() {
        let Tree::Text(key) = key else {
            fine = field.wrong::<()>("a key that is no text", "must be text").is_some();
            continue;
        };
        if entries.iter().take(place).any(|(other, _)| matches!(other, Tree::Text(other) if other == key)) {
            fine = field.wrong::<()>(format!("`{}` twice", shortened(key, 40)), "each key once").is_some();
            continue;
        }
        match field.entry(key).and_then(|field| value(&field)) {
            Some(value) => fields.push((key.clone(), value)),
            None => fine = false,
        }
    }
    let whole = Item { whole: ItemValue::Json(String::new()), fields: Some(fields) };
    let mut json = String::new();
    whole.put_json(items::Part::Whole, &mut json).ok()?;
    fine.then_some(Item { whole: ItemValue::Json(json), ..whole })
}

fn value(field: &Field<'_>) -> Option<ItemValue> {
    if let Tree::Text(text) = field.tree {
        return Some(ItemValue::Text(text.clone().into_bytes()));
    }
    if matches!(field.tree, Tree::Null) {
        return field.unfit("must be a value");
    }
    let mut json = String::new();
    put_json(field, field.tree, &mut json)?;
    // 0.10 is not 0.1 to whoever reads it as text.
    let written = field.written().filter(|written| {
        !matches!(field.tree, Tree::Seq(_) | Tree::Map(_)) && serde_json::from_str::<serde_json::Value>(written).is_ok()
    });
    Some(ItemValue::Json(written.map_or(json, str::to_owned)))
}

fn put_json(field: &Field<'_>, tree: &Tree, out: &mut String) -> Option<()> {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Int(value) => out.push_str(&value.to_string()),
        Tree::Float(value) if value.is_finite() => out.push_str(&format!("{value:?}")),
        Tree::Float(_) => return field.wrong("JSON has no infinity and no NaN", "must be finite numbers"),
        Tree::Text(text) => ItemValue::Text(text.clone().into_bytes()).put_json(out),
        Tree::Seq(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                put_json(field, value, out)?;
            }
            out.push(']');
        }
        Tree::Map(entries) => {
            out.push('{');
            for (place, (key, value)) in entries.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                let Tree::Text(_) = key else { return field.wrong("a key that is no text", "must be text") };
                put_json(field, key, out)?;
                out.push(':');
                put_json(field, value, out)?;
            }
            out.push('}');
        }
        Tree::Tagged(_) => return field.unfit("must be a value without a tag"),
    }
    Some(())
}

/// Names in a message.
pub(super) fn names(all: &[&str]) -> String {
    const MOST: usize = 20;
    let shown: Vec<String> = all.iter().take(MOST).map(|name| shortened(name, 40)).collect();
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    if all.len() > MOST { format!("{}, ...", shown.join(", ")) } else { list(&shown) }
}
