//! Brings a frame to the terminal: only the cells that changed, in one write, between the marks of a synchronised update.
//!
//! Does without ratatui's `Terminal`: that asks for the size, hides the cursor and flushes on its own account, each a
//! write of its own and each also when nothing changed. And without its comparison of buffers, which looks up the width of
//! every cell, changed or not: a third of the cost of a frame.

use std::io::{self, Write};

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use crate::tui::text;

/// A frame of ordinary size fits without growing.
const BYTES: usize = 64 * 1024;

/// What the terminal shows, and what it shall show next.
#[derive(Debug)]
pub(crate) struct TerminalScreen {
    shown: Buffer,
    next: Buffer,
    /// Where they differ; kept for its memory, as `bytes` is.
    changes: Vec<(u16, u16)>,
    bytes: Vec<u8>,
    whole: bool,
}

impl TerminalScreen {
    /// A screen of which nothing is known.
    #[must_use]
    pub(crate) fn new() -> Self {
        let nothing = Buffer::empty(Rect::ZERO);
        Self {
            shown: nothing.clone(),
            next: nothing,
            changes: Vec::new(),
            bytes: Vec::with_capacity(BYTES),
            whole: true,
        }
    }

    /// The next frame is drawn whole, because something else may have written to the terminal.
    pub(crate) fn invalidate(&mut self) {
        self.whole = true;
    }

    /// Draws a frame of a size and writes what changed; writes nothing when nothing did. What `draw` is given has traces
    /// of an earlier frame: it has to draw every cell.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub(crate) fn present(
        &mut self,
        out: &mut impl Write,
        (width, height): (u16, u16),
        draw: impl FnOnce(Rect, &mut Buffer),
    ) -> io::Result<()> {
        let area = Rect::new(0, 0, width, height);
        self.next.resize(area);
        draw(area, &mut self.next);
        let whole = self.whole || self.shown.area != area;
        if whole {
            self.shown.resize(area);
            self.shown.reset();
        }
        self.bytes.clear();
        find_changes(&self.shown, &self.next, &mut self.changes);
        if !whole && self.changes.is_empty() {
            return Ok(());
        }
        queue!(self.bytes, BeginSynchronizedUpdate)?;
        if whole {
            queue!(self.bytes, Clear(ClearType::All))?;
        }
        let cells = self.changes.iter().filter_map(|(x, y)| Some((*x, *y, self.next.cell((*x, *y))?)));
        CrosstermBackend::new(&mut self.bytes).draw(cells)?;
        queue!(self.bytes, EndSynchronizedUpdate)?;
        // If the write fails half way, what the terminal shows is unknown.
        self.whole = true;
        out.write_all(&self.bytes)?;
        out.flush()?;
        self.whole = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(())
    }
}

/// The places of all cells that must be written to have `next` where `shown` is; both have the same area.
///
/// Only a line in which something changed is looked at closely. Where a character takes two columns (or none), what is
/// left of it when one half is overwritten differs among terminals, so the rest of the line is written as a whole.
fn find_changes(shown: &Buffer, next: &Buffer, changes: &mut Vec<(u16, u16)>) {
    changes.clear();
    let width = usize::from(next.area.width).max(1);
    let lines = shown.content.chunks(width).zip(next.content.chunks(width));
    for (y, (old, new)) in (0..).zip(lines) {
        let Some(first) = old.iter().zip(new).position(|(old, new)| !same(old, new)) else { continue };
        let narrow = |line: &[Cell]| line.iter().all(|cell| columns(cell) == 1);
        if narrow(old) && narrow(new) {
            let changed = (0..).zip(old.iter().zip(new)).skip(first).filter(|(_, (old, new))| !same(old, new));
            changes.extend(changed.map(|(x, _)| (x, y)));
        } else {
            let mut x = 0;
            while let Some(cell) = new.get(x) {
                if x >= first {
                    changes.push((x as u16, y));
                }
                x += columns(cell).max(1);
            }
        }
    }
}

/// Columns that the symbol of a cell takes. Nothing that is wide has fewer than three bytes.
fn columns(cell: &Cell) -> usize {
    let symbol = cell.symbol();
    if symbol.len() < 2 { 1 } else { text::width(symbol) }
}

/// Whether two cells look the same. As `==`, but without calls, for the many that do.
fn same(one: &Cell, other: &Cell) -> bool {
    let (a, b) = (one.symbol().as_bytes(), other.symbol().as_bytes());
    one.fg == other.fg
        && one.bg == other.bg
        && one.modifier == other.modifier
        && a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::Style;

    use super::*;

    fn text(words: &str) -> impl FnOnce(Rect, &mut Buffer) {
        move |area, buf| {
            buf.reset();
            buf.set_stringn(0, 0, words, usize::from(area.width), Style::new());
        }
    }

    fn written(screen: &mut TerminalScreen, size: (u16, u16), words: &str) -> String {
        let mut out = Vec::new();
        screen.present(&mut out, size, text(words)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_changes_are_written_between_synchronisation_marks() {
        let mut screen = TerminalScreen::new();
        let first = written(&mut screen, (20, 2), "hello");
        assert!(first.starts_with("\x1b[?2026h\x1b[2J") && first.ends_with("\x1b[?2026l"), "{first:?}");
        assert_eq!(written(&mut screen, (20, 2), "hello"), "");
        let change = written(&mut screen, (20, 2), "hellO");
        assert!(change.contains('O') && !change.contains('h') || change.len() < 60, "{change:?}");
        assert!(!change.contains("\x1b[2J"));
    }

    fn new_terminal() -> vt100::Parser {
        let size = |size| std::num::NonZeroU16::new(size).unwrap();
        vt100::Parser::new(size(2), size(12), 0)
    }

    /// What a terminal shows that was told everything since its start.
    fn seen(terminal: &vt100::Parser) -> Vec<String> {
        terminal.screen().rows(0, 12).map(|row| row.trim_end().to_owned()).collect()
    }

    proptest! {
        #[test]
        fn what_is_shown_does_not_depend_on_what_was_shown_before(frames in prop::collection::vec("[a-c ─█工⚡é]{0,9}", 1..6)) {
            let (mut screen, mut terminal) = (TerminalScreen::new(), new_terminal());
            for frame in &frames {
                terminal.process(written(&mut screen, (12, 2), frame).as_bytes());
                let mut afresh = new_terminal();
                afresh.process(written(&mut TerminalScreen::new(), (12, 2), frame).as_bytes());
                prop_assert_eq!(seen(&terminal), seen(&afresh));
                prop_assert_eq!(written(&mut screen, (12, 2), frame), "");
            }
        }
    }

    #[test]
    fn a_resize_or_foreign_output_draws_everything() {
        let mut screen = TerminalScreen::new();
        let _first = written(&mut screen, (20, 2), "hello");
        assert!(written(&mut screen, (21, 2), "hello").contains("hello"));
        screen.invalidate();
        assert!(written(&mut screen, (21, 2), "hello").contains("hello"));
    }

    #[test]
    fn a_failed_write_is_made_up_for() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut screen = TerminalScreen::new();
        assert!(screen.present(&mut Broken, (20, 2), text("hello")).is_err());
        assert!(written(&mut screen, (20, 2), "hello").contains("hello"));
    }
}
