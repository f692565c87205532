//! Observes a Python program that uses `multiprocessing` or `concurrent.futures`, from inside and without a change to it.
//!
//! `shim.py` is put on the program's `PYTHONPATH` as its `sitecustomize` and is there in each of its processes, whatever
//! their start method. It writes lines into a named pipe: [`Record`] says which. The program itself sees neither of both in
//! its environment. Nothing in here knows an engine, or decides anything: whoever reads the pipe does.

mod record;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;

pub(crate) use record::Record;

use crate::os::private_folder::PrivateFolder;
use crate::os::spawn::Program;
use crate::worker::keeper::Keeper;

/// What is imported at the start of each interpreter.
const SHIM: &str = include_str!("shim.py");
/// Names the pipe to it.
const PIPE: &str = "POOLSCOPE_SHIM";
/// The process whose workers are told of; the first one takes the place.
const ROOT: &str = "POOLSCOPE_SHIM_ROOT";

/// Where a shim is. It goes when this is dropped, or with this process, however that ends.
#[derive(Debug)]
pub(crate) struct ShimFolder {
    folder: PrivateFolder,
    _keeper: Keeper,
}

/// A shim in its folder, and the end of its pipe.
#[derive(Debug)]
pub(crate) struct Shim {
    folder: ShimFolder,
    pipe: OsString,
    end: OwnedFd,
}

impl Shim {
    /// Unpacks it, with modules of the observing side beside it, which the program can import. `own_program` is this one's
    /// file, or that of a program that takes over like it.
    ///
    /// # Errors
    /// When there is no place for it.
    pub(crate) fn unpack(modules: &[(&str, &str)], own_program: &OsStr) -> io::Result<Self> {
        let (folder, keeper) = PrivateFolder::kept(|path| Keeper::of(path, own_program))?;
        folder.put("sitecustomize.py", SHIM.as_bytes())?;
        for (name, source) in modules {
            folder.put(&format!("{name}.py"), source.as_bytes())?;
        }
        let (pipe, end) = folder.pipe("told")?;
        Ok(Self { folder: ShimFolder { folder, _keeper: keeper }, pipe: pipe.into_os_string(), end })
    }

    /// Has a program observed from its start on.
    ///
    /// # Errors
    /// When a path contains a zero byte.
    pub(crate) fn observe(&self, program: &mut Program) -> io::Result<()> {
        let mut path = self.folder.folder.path().as_os_str().to_owned();
        if let Some(others) = program.variable("PYTHONPATH") {
            path.push(":");
            path.push(others);
        }
        program.set("PYTHONPATH".as_ref(), &path)?;
        program.unset(ROOT);
        program.set(PIPE.as_ref(), &self.pipe)
    }

    /// Where the lines come out.
    pub(crate) fn into_parts(self) -> (ShimFolder, OwnedFd) {
        (self.folder, self.end)
    }
}
