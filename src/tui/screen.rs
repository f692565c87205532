//! Brings a frame to the terminal: only the cells that changed, in one write, between the marks of a synchronised update.
//!
//! Does without ratatui's `Terminal`: that asks for the size, hides the cursor and flushes on its own account, each a
//! write of its own and each also when nothing changed.

use std::io::{self, Write};

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A frame of ordinary size fits without growing.
const BYTES: usize = 64 * 1024;

/// What the terminal shows, and what it shall show next.
#[derive(Debug)]
pub struct Screen {
    shown: Buffer,
    next: Buffer,
    bytes: Vec<u8>,
    whole: bool,
}

impl Screen {
    /// A screen of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        let nothing = Buffer::empty(Rect::ZERO);
        Self { shown: nothing.clone(), next: nothing, bytes: Vec::with_capacity(BYTES), whole: true }
    }

    /// The next frame is drawn whole, because something else may have written to the terminal.
    pub fn invalidate(&mut self) {
        self.whole = true;
    }

    /// Draws a frame of a size and writes what changed; writes nothing when nothing did.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn present(
        &mut self,
        out: &mut impl Write,
        (width, height): (u16, u16),
        draw: impl FnOnce(Rect, &mut Buffer),
    ) -> io::Result<()> {
        let area = Rect::new(0, 0, width, height);
        self.next.resize(area);
        self.next.reset();
        draw(area, &mut self.next);
        let whole = self.whole || self.shown.area != area;
        if whole {
            self.shown.resize(area);
            self.shown.reset();
        }
        self.bytes.clear();
        let mut changes = self.shown.diff_iter(&self.next).peekable();
        if !whole && changes.peek().is_none() {
            return Ok(());
        }
        queue!(self.bytes, BeginSynchronizedUpdate)?;
        if whole {
            queue!(self.bytes, Clear(ClearType::All))?;
        }
        CrosstermBackend::new(&mut self.bytes).draw(changes)?;
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

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn text(words: &'static str) -> impl FnOnce(Rect, &mut Buffer) {
        move |area, buf| {
            buf.set_stringn(0, 0, words, usize::from(area.width), Style::new());
        }
    }

    fn written(screen: &mut Screen, size: (u16, u16), words: &'static str) -> String {
        let mut out = Vec::new();
        screen.present(&mut out, size, text(words)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_changes_are_written_between_synchronisation_marks() {
        let mut screen = Screen::new();
        let first = written(&mut screen, (20, 2), "hello");
        assert!(first.starts_with("\x1b[?2026h\x1b[2J") && first.ends_with("\x1b[?2026l"), "{first:?}");
        assert_eq!(written(&mut screen, (20, 2), "hello"), "");
        let change = written(&mut screen, (20, 2), "hellO");
        assert!(change.contains('O') && !change.contains('h') || change.len() < 60, "{change:?}");
        assert!(!change.contains("\x1b[2J"));
    }

    #[test]
    fn a_resize_or_foreign_output_draws_everything() {
        let mut screen = Screen::new();
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
        let mut screen = Screen::new();
        assert!(screen.present(&mut Broken, (20, 2), text("hello")).is_err());
        assert!(written(&mut screen, (20, 2), "hello").contains("hello"));
    }
}
