//! Keys that YAML reads otherwise than their writer: merge keys, which it takes for fields called `<<`, and keys with
//! characters that only look like a space, a colon or nothing.

use crate::workload::load::field::Field;
use crate::workload::lookalike;
use crate::workload::scan::Mark;
use crate::workload::text::shortened;
use crate::workload::yaml::Tree;

/// Further merge keys that are pointed at.
const SHOWN: usize = 3;

/// Reports them; returns whether there were any. `file` is the whole file.
pub(crate) fn report(file: &Field<'_>) -> bool {
    let mut merges = Vec::new();
    let mut found = false;
    visit(file, &mut |key| {
        let Tree::Text(name) = key.tree else { return };
        // In quotes it is a name like any other. (What comes from `--set` is not in the file and has none.)
        if name == "<<" && (key.node.is_none() || key.describe() == "`<<`") {
            merges.push(key.clone());
        } else if let Some(it) = lookalike::first(name).filter(|it| !it.letter) {
            let mark = key.mark();
            let quoted = usize::from(key.describe() != format!("`{}`", shortened(name, 40)));
            let mark = Mark { col: mark.col + it.at + quoted, len: 1, ..mark };
            let mut error = key.context.error(mark, &key.path, &format!("the key has {} in it", it.name));
            // It would say the same once more.
            error.help = None;
            key.context.report(error.allowed(it.advice()));
            found = true;
        }
    });
    if let [first, others @ ..] = merges.as_slice() {
        let mut error = first
            .error("merge keys (`<<`) are not supported")
            .allowed("write the fields of the other map out here")
            .help("an alias may stand for one whole value, as in `service_time: *fast`");
        for other in others.iter().filter(|other| other.mark() != first.mark()).take(SHOWN) {
            error = error.related(other.context.lines, other.mark(), "another one");
        }
        first.context.report(error);
        found = true;
    }
    found
}

/// Shows every key of every map, in the order of the file; a key's path is that of its value.
fn visit<'a>(field: &Field<'a>, see: &mut impl FnMut(&Field<'a>)) {
    match field.tree {
        Tree::Map(entries) => {
            for (place, (key, value)) in entries.iter().enumerate() {
                let nodes = field.node.and_then(|node| field.context.scan.entry(node, place));
                let name = if let Tree::Text(name) = key { shortened(name, 40) } else { "?".to_owned() };
                let path = if field.path.is_empty() { name } else { format!("{}.{name}", field.path) };
                let inner = |tree, node| Field { context: field.context, tree, node, key: None, path: path.clone() };
                see(&inner(key, nodes.map(|(key, _)| key)));
                visit(&inner(value, nodes.map(|(_, value)| value)), see);
            }
        }
        Tree::Seq(_) => field.items().unwrap_or_default().iter().for_each(|item| visit(item, see)),
        _ => {}
    }
}
