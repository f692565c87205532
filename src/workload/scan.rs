//! Positions: a marked scan of the same text that the deserialiser reads.
//!
//! It also bounds what the deserialiser is given: one document, no more than [`MAX_DEPTH`] levels, no more than
//! [`MAX_ALIASED`] nodes out of aliases, no more than [`MAX_NODES`] in all. It never yields a value.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deepest nesting of lists and maps.
pub(crate) const MAX_DEPTH: usize = 32;
/// Most nodes that all aliases together may expand to.
pub(crate) const MAX_ALIASED: usize = 10_000;
/// Most nodes in a document.
pub(crate) const MAX_NODES: usize = 100_000;

/// A place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub col: usize,
    /// Characters on that line; at least 1.
    pub len: usize,
}

impl Mark {
    /// The start of the text.
    pub(crate) const START: Self = Self { line: 1, col: 1, len: 1 };

    fn of(span: Span) -> Self {
        let same_line = span.start.line() == span.end.line();
        let len = if same_line { span.end.col().saturating_sub(span.start.col()) } else { usize::MAX };
        Self { line: span.start.line().max(1), col: span.start.col() + 1, len: len.max(1) }
    }
}

/// Index of a node in [`Scan`].
pub(crate) type NodeId = usize;

#[derive(Debug)]
enum Shape {
    /// A single value, and whether it is written on one line.
    Scalar {
        one_line: bool,
    },
    /// Nothing is written where a value could be.
    Nothing,
    Seq(Vec<NodeId>),
    /// Keys and values in turn.
    Map(Vec<NodeId>),
    Alias(NodeId),
}

#[derive(Debug)]
struct Node {
    mark: Mark,
    /// Line and column right after it, as in a [`Mark`].
    end: (usize, usize),
    shape: Shape,
    /// Nodes below and including this one, aliases expanded.
    size: usize,
    /// Levels below and including this one, aliases expanded.
    height: usize,
}

/// What the scan refused, and where.
#[derive(Debug)]
pub(crate) struct ScanProblem {
    pub(crate) mark: Mark,
    pub(crate) message: String,
    pub(crate) allowed: Option<String>,
}

impl ScanProblem {
    fn new(mark: Mark, message: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { mark, message: message.into(), allowed: Some(allowed.into()) }
    }
}

/// The places of all nodes of one document.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    nodes: Vec<Node>,
    root: Option<NodeId>,
}

impl Scan {
    /// The top of the document; `None` if the text is empty.
    pub(crate) fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// Where a node is: for an alias, where it is used.
    pub(crate) fn mark(&self, id: NodeId) -> Mark {
        self.nodes.get(id).map_or(Mark::START, |node| node.mark)
    }

    /// Whether nothing is written there.
    pub(crate) fn is_nothing(&self, id: NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| matches!(node.shape, Shape::Nothing))
    }

    /// Where a single value is written, for an alias that of its anchor; `None` if it is not on one line.
    pub(crate) fn written(&self, id: NodeId) -> Option<Mark> {
        let node = self.resolved(id)?;
        matches!(node.shape, Shape::Scalar { one_line: true }).then_some(node.mark)
    }

    /// The whole of a single value, for an alias that of its anchor: where it begins and where it ends (line and column right
    /// after it).
    pub(crate) fn whole(&self, id: NodeId) -> Option<(Mark, (usize, usize))> {
        let node = self.resolved(id)?;
        matches!(node.shape, Shape::Scalar { .. }).then_some((node.mark, node.end))
    }

    /// The `index`-th item of a list.
    pub(crate) fn item(&self, id: NodeId, index: usize) -> Option<NodeId> {
        match &self.resolved(id)?.shape {
            Shape::Seq(items) => items.get(index).copied(),
            _ => None,
        }
    }

    /// Key and value of the `index`-th entry of a map.
    pub(crate) fn entry(&self, id: NodeId, index: usize) -> Option<(NodeId, NodeId)> {
        match &self.resolved(id)?.shape {
            Shape::Map(pairs) => Some((*pairs.get(index * 2)?, *pairs.get(index * 2 + 1)?)),
            _ => None,
        }
    }

    fn resolved(&self, id: NodeId) -> Option<&Node> {
        let node = self.nodes.get(id)?;
        match node.shape {
            // The target of an alias is complete before it and is never itself an alias, so one step is enough.
            Shape::Alias(target) => self.nodes.get(target),
            _ => Some(node),
        }
    }
}

/// Scans a text.
///
/// # Errors
/// The first thing that is not YAML or goes beyond a limit.
pub(crate) fn scan(text: &str) -> Result<Scan, ScanProblem> {
    let mut builder = Builder::default();
    let spaced = with_spaces(text);
    let mut parser = Parser::new_from_str(&spaced);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| {
            let mark = Mark { line: error.marker().line(), col: error.marker().col() + 1, len: 1 };
            // The scanner reads ahead and has a bound of its own.
            if error.info().contains("recursion limit") {
                return too_deep(mark);
            }
            ScanProblem { mark, message: error.info().to_owned(), allowed: None }
        })?;
        if matches!(event, Event::StreamEnd) {
            break;
        }
        builder.on_event(&event, span)?;
    }
    Ok(builder.scan)
}

/// The text with a space for every tab right after a colon: the scanner refuses those before anything but `{` and `[`,
/// YAML 1.2 allows them (separation spaces, rule 66). What is inside of quotes may change, its place does not.
fn with_spaces(text: &str) -> Cow<'_, str> {
    if !text.contains(":\t") {
        return Cow::Borrowed(text);
    }
    let mut after_colon = false;
    let spaced = text.chars().map(|c| {
        let separates = c == '\t' && after_colon;
        after_colon = c == ':' || separates;
        if separates { ' ' } else { c }
    });
    Cow::Owned(spaced.collect())
}

fn too_deep(mark: Mark) -> ScanProblem {
    ScanProblem::new(mark, "nested too deeply", format!("at most {MAX_DEPTH} levels"))
}

#[derive(Default)]
struct Builder {
    scan: Scan,
    /// Lists and maps that are not closed yet, with their anchor.
    open: Vec<(NodeId, usize)>,
    anchors: HashMap<usize, NodeId>,
    aliased: usize,
    documents: usize,
}

impl Builder {
    fn on_event(&mut self, event: &Event<'_>, span: Span) -> Result<(), ScanProblem> {
        let mark = Mark::of(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(ScanProblem::new(mark, "a second document starts here", "one document per file"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let nothing = text.is_empty() && plain && tag.is_none() && *anchor == 0;
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let one_line = !block && span.start.line() == span.end.line();
                let shape = if nothing { Shape::Nothing } else { Shape::Scalar { one_line } };
                let id = self.add(mark, shape)?;
                if let Some(node) = self.scan.nodes.get_mut(id) {
                    node.end = (span.end.line(), span.end.col() + 1);
                }
                self.close(id, *anchor);
            }
            Event::SequenceStart(anchor, _) => {
                let id = self.add(Mark { len: 1, ..mark }, Shape::Seq(Vec::new()))?;
                self.open.push((id, *anchor));
            }
            Event::MappingStart(anchor, _) => {
                let id = self.add(Mark { len: 1, ..mark }, Shape::Map(Vec::new()))?;
                self.open.push((id, *anchor));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((id, anchor)) = self.open.pop() {
                    self.close(id, anchor);
                }
            }
            Event::Alias(anchor) => self.alias(mark, *anchor)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn add(&mut self, mark: Mark, shape: Shape) -> Result<NodeId, ScanProblem> {
        if self.scan.nodes.len() >= MAX_NODES {
            return Err(ScanProblem::new(mark, "too many values", format!("at most {MAX_NODES} in a file")));
        }
        self.check_depth(mark, 1)?;
        let id = self.scan.nodes.len();
        self.scan.nodes.push(Node { mark, end: (mark.line, mark.col), shape, size: 1, height: 1 });
        Ok(id)
    }

    fn check_depth(&self, mark: Mark, height: usize) -> Result<(), ScanProblem> {
        if self.open.len() + height > MAX_DEPTH {
            return Err(too_deep(mark));
        }
        Ok(())
    }

    fn alias(&mut self, mark: Mark, anchor: usize) -> Result<(), ScanProblem> {
        let Some(&target) = self.anchors.get(&anchor) else {
            return Err(ScanProblem::new(
                mark,
                "the alias stands inside its own anchor",
                "an anchor that ends before it",
            ));
        };
        let (size, height) = self.scan.nodes.get(target).map_or((1, 1), |node| (node.size, node.height));
        self.aliased = self.aliased.saturating_add(size);
        if self.aliased > MAX_ALIASED {
            let allowed = format!("at most {MAX_ALIASED} nodes out of aliases");
            return Err(ScanProblem::new(mark, "the aliases expand to too many nodes", allowed));
        }
        self.check_depth(mark, height)?;
        let id = self.add(mark, Shape::Alias(target))?;
        if let Some(node) = self.scan.nodes.get_mut(id) {
            (node.size, node.height) = (size, height);
        }
        self.close(id, 0);
        Ok(())
    }

    /// A node is complete: its anchor can be used, and its parent gets it.
    fn close(&mut self, id: NodeId, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
        let Some(&(parent, _)) = self.open.last() else {
            self.scan.root.get_or_insert(id);
            return;
        };
        let (size, height) = self.scan.nodes.get(id).map_or((1, 1), |node| (node.size, node.height));
        if let Some(parent) = self.scan.nodes.get_mut(parent) {
            parent.size = parent.size.saturating_add(size);
            parent.height = parent.height.max(height + 1);
            match &mut parent.shape {
                Shape::Seq(children) | Shape::Map(children) => children.push(id),
                Shape::Scalar { .. } | Shape::Nothing | Shape::Alias(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> ScanProblem {
        scan(text).expect_err("accepted")
    }

    #[test]
    fn places_of_keys_values_and_items() {
        let scan = scan("a: 1\nlist:\n  - x\n  - { ключ: 25ms }\n").unwrap();
        let root = scan.root().unwrap();
        let (key, value) = scan.entry(root, 1).unwrap();
        assert_eq!(scan.mark(key), Mark { line: 2, col: 1, len: 4 });
        let second = scan.item(value, 1).unwrap();
        let (key, value) = scan.entry(second, 0).unwrap();
        assert_eq!(scan.mark(key), Mark { line: 4, col: 7, len: 4 });
        assert_eq!(scan.mark(value), Mark { line: 4, col: 13, len: 4 });
    }

    #[test]
    fn inside_of_an_alias_is_where_its_anchor_is() {
        let scan = scan("a: &x { k: 1 }\nb: *x\n").unwrap();
        let (_, alias) = scan.entry(scan.root().unwrap(), 1).unwrap();
        assert_eq!(scan.mark(alias).line, 2);
        let (key, _) = scan.entry(alias, 0).unwrap();
        assert_eq!(scan.mark(key).line, 1);
    }

    #[test]
    fn an_alias_bomb_is_refused_before_it_is_expanded() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let previous = level - 1;
            let items = vec![format!("*a{previous}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        let problem = refused(&bomb);
        assert!(problem.message.contains("aliases expand"), "{problem:?}");
        assert_eq!(problem.mark.line, 4);
    }

    #[test]
    fn an_alias_inside_its_own_anchor_is_refused() {
        assert!(refused("a: &x [1, *x]\n").message.contains("own anchor"));
    }

    #[test]
    fn depth_counts_what_aliases_bring() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(scan(&nested(MAX_DEPTH)).is_ok());
        assert!(refused(&nested(MAX_DEPTH + 1)).message.contains("deeply"));
        let through_alias = format!("a: &a {}\nb: {}*a{}\n", nested(20), "[".repeat(20), "]".repeat(20));
        assert!(refused(&through_alias).message.contains("deeply"));
    }

    #[test]
    fn one_document_only() {
        let problem = refused("a: 1\n---\nb: 2\n");
        assert_eq!(problem.mark.line, 2);
        assert!(problem.message.contains("second document"));
        assert!(scan("---\na: 1\n...\n").is_ok());
    }

    #[test]
    fn an_empty_text_has_no_root() {
        assert_eq!(scan("# nothing\n").unwrap().root(), None);
    }
}
