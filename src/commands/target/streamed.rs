//! A target that is written while it comes to be: beside its place, where it is moved when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::{Target, named, plain, release_ending};
use crate::commands::{ExitReason, write};
use crate::os::signals;

/// What is written to, piece by piece.
#[derive(Debug)]
pub(in crate::commands) struct Streamed {
    file: File,
    /// How messages call it.
    pub(in crate::commands) name: String,
    /// What it is to replace, and where it is until then.
    moves: Option<(PathBuf, PathBuf)>,
}

impl Target {
    /// Begins to write. `sort` tells temporary names of one process apart.
    ///
    /// # Errors
    /// When the file cannot be made, and for standard output.
    pub(in crate::commands) fn begin(self, sort: &str) -> io::Result<Streamed> {
        match self {
            Self::Standard => Err(io::Error::other("standard output is for the result")),
            Self::Stream { file, name } => Ok(Streamed { file, name, moves: None }),
            Self::InPlace { path, name } => {
                let file = OpenOptions::new().write(true).truncate(true).open(path)?;
                Ok(Streamed { file, name, moves: None })
            }
            Self::File(mut replacement) => {
                replacement.room = None;
                let folder = replacement.path.parent().map(PathBuf::from).unwrap_or_else(|| "/".into());
                let mode = if replacement.kept.is_some() { 0o600 } else { 0o666 };
                let (file, temporary) = named(&folder, sort, mode)?;
                replacement.keep_owner(&file)?;
                Ok(Streamed { file, name: replacement.name, moves: Some((temporary, replacement.path)) })
            }
        }
    }
}

impl Target {
    /// Writes a result that comes piece by piece; `fill` is handed what takes a piece. What goes wrong is told, and then no
    /// file is there that was not there before. `Err` is what has kept the pieces from coming.
    pub(in crate::commands) fn deliver_pieces(
        self,
        fill: impl FnOnce(&mut dyn FnMut(&str) -> io::Result<()>) -> Result<io::Result<()>, ExitReason>,
    ) -> Result<ExitReason, ExitReason> {
        release_ending();
        let (name, written) = if self.is_standard() {
            let mut piece = |text: &str| write::stdout(text).map_err(io::Error::other);
            ("standard output".to_owned(), fill(&mut piece)?)
        } else {
            match self.begin("-pieces") {
                Err(error) => ("the result".to_owned(), Err(error)),
                Ok(mut streamed) => {
                    let filled = fill(&mut |text: &str| streamed.write(text))?;
                    (streamed.name.clone(), filled.and_then(|()| streamed.finish()))
                }
            }
        };
        let Err(error) = written else { return Ok(ExitReason::Done) };
        write::say(&format!("error: writing {name}: {}", plain(error)));
        Ok(ExitReason::Aborted)
    }
}

impl Streamed {
    /// Writes a piece. A reader that has gone is no error.
    pub(in crate::commands) fn write(&mut self, text: &str) -> io::Result<()> {
        write::tolerate_closed(self.file.write_all(text.as_bytes()))
    }

    /// It is whole: it takes its place.
    pub(in crate::commands) fn finish(mut self) -> io::Result<()> {
        let Some((temporary, path)) = self.moves.take() else { return Ok(()) };
        let moved = signals::without_ending(|| {
            // Some file systems find out only then that there is no room.
            self.file.sync_all()?;
            fs::rename(&temporary, path)
        });
        if moved.is_err() {
            let _ = fs::remove_file(temporary);
        }
        moved
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        if let Some((temporary, _)) = self.moves.take() {
            let _ = fs::remove_file(temporary);
        }
    }
}
