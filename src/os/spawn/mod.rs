//! Starts child processes: the memory of this process is not copied, and the child makes only the few system calls of
//! `start` before its own program.
//!
//! Every child gets a process group of its own (or its parent's), default signal handlers, an empty signal mask, the
//! caller's umask and limits ([`crate::os::inherited`]), the surroundings that it is given, and exactly the descriptors it is
//! given: everything else is close-on-exec.

mod lookup;
pub(super) mod start;

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use crate::os::child::{Child, StartedChild};
use crate::os::inherited;
use crate::os::owned::owned;
use crate::os::process_owner::ProcessOwner;
use crate::os::surroundings::Surroundings;
use crate::os::worded::{errno, worded};
use lookup::{Files, Lookups};
use start::{ChildSetup, Failed, StartStep};

/// A program with its arguments and environment, ready to be started any number of times.
#[derive(Clone, Debug)]
pub struct Program {
    /// Files that are tried in turn: one, or the name in each folder of `PATH`.
    files: Arc<Files>,
    lookups: Arc<Lookups>,
    argv: Vec<CString>,
    environment: Vec<Arc<CStr>>,
    folder: Option<CString>,
    group: Group,
    dies_with_parent: bool,
    is_ours: bool,
    surroundings: Surroundings,
}

/// In which process group a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// One of its own, with the child's pid as its id.
    Own,
    /// Its parent's.
    Parents,
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "an argument contains a zero byte"))
}

fn c_strings<S: AsRef<OsStr>>(argv: &[S]) -> io::Result<Vec<CString>> {
    if argv.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program to start"));
    }
    argv.iter().map(|text| c_string(text.as_ref())).collect()
}

/// The files of a program that is looked for in this `PATH`.
fn looked_up<S: AsRef<OsStr>>(argv: &[S], lookups: &Lookups, path: Option<OsString>) -> io::Result<Arc<Files>> {
    argv.first().map_or_else(|| Ok(Files::new(Vec::new())), |name| lookups.of(name.as_ref(), path))
}

impl Program {
    /// A program given by its path (with a slash), or by a name that is looked up in `PATH`, in the environment of this
    /// process.
    ///
    /// # Errors
    /// When a text contains a zero byte, or `argv` is empty.
    pub fn new<S: AsRef<OsStr>>(argv: &[S]) -> io::Result<Self> {
        let lookups = Arc::<Lookups>::default();
        let mut program = Self {
            files: looked_up(argv, &lookups, std::env::var_os("PATH"))?,
            lookups,
            argv: c_strings(argv)?,
            environment: Vec::new(),
            folder: None,
            group: Group::Own,
            dies_with_parent: false,
            is_ours: false,
            surroundings: Surroundings::default(),
        };
        for (key, value) in std::env::vars_os() {
            program.set(&key, &value)?;
        }
        Ok(program)
    }

    /// Another program in the same surroundings; a name is looked up in the `PATH` of its own environment, as a shell does
    /// with `PATH=... name`.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub(crate) fn with_arguments<S: AsRef<OsStr>>(&self, argv: &[S]) -> io::Result<Self> {
        let mut program = self.clone();
        program.files = looked_up(argv, &program.lookups, program.variable("PATH"))?;
        program.argv = c_strings(argv)?;
        Ok(program)
    }

    /// The same program file, in the same surroundings, with other arguments.
    ///
    /// # Errors
    /// When an argument contains a zero byte, or there is none.
    pub(crate) fn with_arguments_alone<S: AsRef<OsStr>>(&self, argv: &[S]) -> io::Result<Self> {
        Ok(Self { argv: c_strings(argv)?, ..self.clone() })
    }

    /// The same program file, in the same surroundings, with these arguments in place of those from a number on.
    ///
    /// # Errors
    /// When an argument contains a zero byte.
    pub(crate) fn with_last_arguments<S: AsRef<OsStr>>(&self, from: usize, last: &[S]) -> io::Result<Self> {
        let kept = self.argv.iter().take(from).cloned().map(Ok);
        let argv: io::Result<Vec<CString>> = kept.chain(last.iter().map(|text| c_string(text.as_ref()))).collect();
        Ok(Self { argv: argv?, ..self.clone() })
    }

    /// Starts this file instead of the one `argv[0]` names.
    ///
    /// # Errors
    /// When the path contains a zero byte.
    pub fn executable(mut self, path: &OsStr) -> io::Result<Self> {
        self.files = Files::new(vec![c_string(path)?]);
        Ok(self)
    }

    /// Sets a variable in the child's environment.
    ///
    /// # Errors
    /// When a text contains a zero byte.
    pub(crate) fn set(&mut self, key: &OsStr, value: &OsStr) -> io::Result<()> {
        let mut entry = OsString::from(key);
        entry.push("=");
        let prefix = entry.len();
        entry.push(value);
        let bytes = entry.into_vec();
        self.environment.retain(|old| !old.to_bytes().starts_with(&bytes[..prefix]));
        let entry = CString::new(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a variable contains a zero byte"))?;
        self.environment.push(entry.into());
        Ok(())
    }

    /// Takes all variables out of the child's environment but those whose names begin so.
    pub(crate) fn unset_all_but(&mut self, prefix: &str) {
        self.environment.retain(|entry| entry.to_bytes().starts_with(prefix.as_bytes()));
    }

    /// Takes a variable out of the child's environment.
    pub(crate) fn unset(&mut self, key: impl AsRef<[u8]>) {
        let key = key.as_ref();
        let is_it = |entry: &Arc<CStr>| entry.to_bytes().strip_prefix(key).is_some_and(|rest| rest.starts_with(b"="));
        self.environment.retain(|entry| !is_it(entry));
    }

    /// Whether the child's environment has a variable.
    pub(crate) fn has(&self, key: &str) -> bool {
        let is_it = |entry: &Arc<CStr>| {
            entry.to_bytes().strip_prefix(key.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
        };
        self.environment.iter().any(is_it)
    }

    /// What a variable is in the child's environment.
    pub(crate) fn variable(&self, key: &str) -> Option<OsString> {
        let value =
            |entry: &Arc<CStr>| Some(entry.to_bytes().strip_prefix(key.as_bytes())?.strip_prefix(b"=")?.to_vec());
        self.environment.iter().find_map(value).map(OsString::from_vec)
    }

    /// Starts it in this folder; a relative path of the program is looked for from there.
    ///
    /// # Errors
    /// When the path contains a zero byte.
    pub(crate) fn in_folder(mut self, folder: Option<&Path>) -> io::Result<Self> {
        self.folder = folder.map(|folder| c_string(folder.as_os_str())).transpose()?;
        Ok(self)
    }

    /// The folder that it is started in; `None` for that of this process.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(|folder| Path::new(OsStr::from_bytes(folder.as_bytes())))
    }

    /// Keeps the child in the caller's process group.
    #[must_use]
    pub(crate) fn in_parents_group(mut self) -> Self {
        self.group = Group::Parents;
        self
    }

    /// Has the kernel kill the child when the thread that started it ends (`PR_SET_PDEATHSIG`, prctl(2)). A set-user-ID
    /// program is not reached by it.
    #[must_use]
    pub(crate) fn dies_with_parent(mut self) -> Self {
        self.dies_with_parent = true;
        self
    }

    /// Gives the child the umask and limits of this process instead of the caller's: for processes that are Poolscope's own.
    #[must_use]
    pub(crate) fn with_our_limits(mut self) -> Self {
        self.is_ours = true;
        self
    }

    /// Gives the child CPUs, a niceness or limits of its own.
    #[must_use]
    pub(crate) fn surrounded_by(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// Replaces one argument.
    ///
    /// # Errors
    /// When the text contains a zero byte.
    pub(crate) fn set_argument(&mut self, position: usize, text: &OsStr) -> io::Result<()> {
        if let Some(argument) = self.argv.get_mut(position) {
            *argument = c_string(text)?;
        }
        Ok(())
    }

    /// Starts the program. `descriptors` are pairs of an open descriptor and the number it gets in the child, numbers
    /// below 10.
    ///
    /// # Errors
    /// `EAGAIN`, `ENOMEM`, `EMFILE` and `ENFILE` when the system is short of something (see [`is_transient`]); `ENOENT`,
    /// `EACCES`, `ENOEXEC`, `E2BIG` and others when the program cannot be run. A folder that cannot be entered is named.
    pub fn spawn(&self, descriptors: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<Child> {
        self.spawn_in(descriptors, None)
    }

    /// As [`Program::spawn`]; the child is born in this control group (version 2), given by its folder.
    ///
    /// # Errors
    /// As [`Program::spawn`]; `Unsupported` where the system cannot do that.
    pub(crate) fn spawn_in(
        &self,
        descriptors: &[(BorrowedFd<'_>, RawFd)],
        group: Option<BorrowedFd<'_>>,
    ) -> io::Result<Child> {
        let owned = owned();
        match self.start(descriptors, group) {
            Ok(started) => Child::adopt(started, self.group == Group::Own, owned),
            Err(failed) => Err(self.explain(&failed)),
        }
    }

    /// Whether a process can be born in this control group. A program that is not there is started, so that nothing runs.
    ///
    /// # Errors
    /// What the system says against it.
    pub(crate) fn can_be_born_in(group: BorrowedFd<'_>) -> io::Result<()> {
        Self::new(&["/nothing/to/run"])?.can_be_prepared(Some(group))
    }

    /// Whether this process may give a child these surroundings; tried like [`Program::can_be_born_in`].
    ///
    /// # Errors
    /// What the system says against it.
    pub(crate) fn can_be_surrounded_by(surroundings: &Surroundings) -> io::Result<()> {
        Self::new(&["/nothing/to/run"])?.surrounded_by(surroundings.clone()).can_be_prepared(None)
    }

    /// Whether a child gets as far as to the program, which is not there.
    fn can_be_prepared(&self, group: Option<BorrowedFd<'_>>) -> io::Result<()> {
        match self.start(&[], group) {
            Err(failed) if failed.step == StartStep::Exec => Ok(()),
            Err(failed) => Err(io::Error::from_raw_os_error(failed.errno)),
            Ok(_) => Err(io::Error::other("a program that is not there was started")),
        }
    }

    fn start(
        &self,
        descriptors: &[(BorrowedFd<'_>, RawFd)],
        group: Option<BorrowedFd<'_>>,
    ) -> Result<StartedChild, Failed> {
        let descriptors: Vec<(RawFd, RawFd)> =
            descriptors.iter().map(|(source, target)| (source.as_raw_fd(), *target)).collect();
        let files = pointers(self.files.in_turn().map(CString::as_c_str));
        let argv = pointers(self.argv.iter().map(CString::as_c_str));
        let environment = pointers(self.environment.iter().map(|entry| &**entry));
        let setup = ChildSetup {
            files: files.as_ptr(),
            argv: argv.as_ptr(),
            environment: environment.as_ptr(),
            folder: self.folder.as_ref().map_or(ptr::null(), |folder| folder.as_ptr()),
            descriptors: descriptors.as_ptr(),
            descriptor_count: descriptors.len(),
            own_group: self.group == Group::Own,
            dies_with_parent: self.dies_with_parent,
            caller: inherited::caller().filter(|_| !self.is_ours),
            cpus: self.surroundings.cpus.as_ptr(),
            cpus_words: self.surroundings.cpus.len(),
            nice: self.surroundings.nice,
            open_files: self.surroundings.open_files,
            of_a_guest: ProcessOwner::current().is_none(),
        };
        // SAFETY: every pointer is to live, NUL-terminated data, and the arrays of pointers end with a null pointer.
        let (started, turn) = unsafe { start::start(&setup, group) }?;
        self.files.has_run(turn);
        Ok(started)
    }

    fn explain(&self, failed: &Failed) -> io::Error {
        let error = io::Error::from_raw_os_error(failed.errno);
        let because = match (failed.step, failed.errno, &self.folder) {
            (StartStep::Folder, _, Some(folder)) => {
                Some(format!("the folder {} cannot be entered: {error}", folder.to_string_lossy()))
            }
            (StartStep::Affinity, ..) => Some(format!("it cannot be placed on its CPUs: {error}")),
            (StartStep::OpenFiles, ..) => Some(format!("it cannot be given its limit of open files: {error}")),
            (StartStep::Nice, ..) => Some(format!("it cannot be given its niceness: {error}")),
            (StartStep::Exec, libc::ENOENT, _) => self.missing_interpreter(),
            (StartStep::Exec, libc::ENOEXEC, _) => Some(format!("{error}: {}", self.not_a_program())),
            _ => None,
        };
        match because {
            Some(because) => worded(&error, because),
            None => error,
        }
    }

    /// Whether its name is looked up in `PATH`.
    pub(crate) fn is_looked_up(&self) -> bool {
        self.argv.first().is_some_and(|name| !name.as_bytes().contains(&b'/'))
    }

    /// Why a file that is there may not be run, where that is to be seen (execve(2)).
    pub(crate) fn not_executable(&self) -> Option<&'static str> {
        use std::os::unix::fs::PermissionsExt as _;
        let found = self.files.all().iter().filter_map(|file| std::fs::metadata(self.within_folder(file)).ok());
        found
            .filter_map(|found| {
                if found.is_dir() {
                    Some("a folder, not a program")
                } else if found.permissions().mode() & 0o111 == 0 {
                    Some("the file is not executable (chmod +x)")
                } else {
                    None
                }
            })
            .next()
    }

    fn within_folder(&self, file: &CString) -> PathBuf {
        let folder = self.folder().unwrap_or(Path::new(""));
        folder.join(OsStr::from_bytes(file.as_bytes()))
    }

    /// Why the system knows no way to run a file (execve(2), ENOEXEC), by how it begins.
    fn not_a_program(&self) -> &'static str {
        match self.begin_of_file().as_deref() {
            Some([]) => "the file is empty",
            Some(begin) if begin.starts_with(b"\x7fELF") => "a program that is for another machine, or is damaged",
            Some(begin) if begin.contains(&0) => "it is neither a program of this system nor a script",
            _ => "a script needs a first line such as #!/bin/sh",
        }
    }

    /// The first bytes of the file that was found.
    fn begin_of_file(&self) -> Option<Vec<u8>> {
        let path = self.files.all().iter().map(|file| self.within_folder(file)).find(|path| path.is_file())?;
        let mut begin = Vec::new();
        io::Read::take(std::fs::File::open(path).ok()?, 256).read_to_end(&mut begin).ok()?;
        Some(begin)
    }

    /// A script that is there cannot be run if the program of its first line is not (execve(2)).
    fn missing_interpreter(&self) -> Option<String> {
        let begin = self.begin_of_file()?;
        let line = begin.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        let line = String::from_utf8_lossy(line).into_owned();
        let hint = if line.ends_with('\r') { " (the file has the line ends of Windows)" } else { "" };
        Some(format!("the program of its first line, {:?}, was not found{hint}", line.trim_start()))
    }
}

/// Whether a failed start may succeed a little later.
#[must_use]
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY | libc::ENOBUFS | libc::EINTR)
    )
}

/// Ended by null. They are as good as the texts.
fn pointers<'t>(texts: impl Iterator<Item = &'t CStr>) -> Vec<*const libc::c_char> {
    texts.map(CStr::as_ptr).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests;
