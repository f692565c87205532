//! A diagnostic as text with the source line and a caret. The layout is annotate-snippets' part.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::workload::diagnostic::{Diagnostic, DiagnosticSeverity, Excerpt, Related};
use crate::workload::text::neutral;

impl Diagnostic {
    /// The problem with its source line and a caret; ends with a line feed.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render(self, color)
    }
}

/// One diagnostic, ended with a line feed.
fn render(diagnostic: &Diagnostic, color: bool) -> String {
    let level = match diagnostic.severity {
        DiagnosticSeverity::Error => Level::ERROR,
        DiagnosticSeverity::Warning => Level::WARNING,
    };
    let file = neutral(&diagnostic.file);
    // The title carries the place itself, in the form that editors recognise.
    let mut group = Group::with_title(level.no_name().primary_title(diagnostic.summary()));
    if let Some(excerpt) = &diagnostic.excerpt {
        let same_line = diagnostic.related.iter().filter(|related| related.line == diagnostic.line);
        let annotations = same_line.filter_map(|related| annotation(excerpt, related));
        let primary = AnnotationKind::Primary.span(span(excerpt));
        group = group.element(snippet(excerpt, diagnostic.line).annotation(primary).annotations(annotations));
    }
    for related in diagnostic.related.iter().filter(|related| related.line != diagnostic.line) {
        if let Some(excerpt) = &related.excerpt {
            let annotation = annotation(excerpt, related);
            group = group.element(snippet(excerpt, related.line).path(file.as_ref()).annotations(annotation));
        }
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

fn snippet<'a>(excerpt: &'a Excerpt, line: usize) -> Snippet<'a, Annotation<'a>> {
    Snippet::source(excerpt.text.as_str()).line_start(line).fold(false)
}

/// The mark of another place, if it can be seen in this excerpt.
fn annotation<'a>(shown: &Excerpt, related: &'a Related) -> Option<Annotation<'a>> {
    let own = related.excerpt.as_ref().filter(|own| own.text == shown.text)?;
    Some(AnnotationKind::Context.span(span(own)).label(related.message.as_str()))
}

/// The marked bytes.
fn span(excerpt: &Excerpt) -> std::ops::Range<usize> {
    let byte = |chars: usize| excerpt.text.char_indices().nth(chars).map_or(excerpt.text.len(), |(byte, _)| byte);
    let start = byte(excerpt.start);
    start..byte(excerpt.start + excerpt.len).max(start)
}
