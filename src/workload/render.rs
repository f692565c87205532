//! A diagnostic as text with the source line and a caret. The layout is annotate-snippets' part.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::workload::diagnostic::{Diagnostic, Excerpt, Severity};

/// One diagnostic, ended with a line feed.
pub(crate) fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    // The title carries the place itself, in the form that editors and compilers' readers recognise.
    let mut report: Vec<Group<'_>> = Vec::new();
    let mut group = Group::with_title(level.no_name().primary_title(diagnostic.summary()));
    if let Some(excerpt) = &diagnostic.excerpt {
        group = group.element(snippet(excerpt, diagnostic.line, AnnotationKind::Primary, None));
    }
    for related in &diagnostic.related {
        if let Some(excerpt) = &related.excerpt {
            group =
                group.element(snippet(excerpt, related.line, AnnotationKind::Context, Some(related.message.as_str())));
        }
    }
    report.push(group);
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&report);
    text.push('\n');
    text
}

fn snippet<'a>(
    excerpt: &'a Excerpt,
    line: usize,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let start = byte_of(&excerpt.text, excerpt.start);
    let end = byte_of(&excerpt.text, excerpt.start + excerpt.len);
    Snippet::source(excerpt.text.as_str())
        .line_start(line)
        .fold(false)
        .annotation(kind.span(start..end.max(start)).label(label))
}

fn byte_of(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars).map_or(text.len(), |(byte, _)| byte)
}
