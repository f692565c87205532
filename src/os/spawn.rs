//! Starts child processes with `posix_spawn(3)`: one system call that neither copies page tables nor runs code of ours
//! in the child.
//!
//! Every child gets a process group of its own, default signal handlers, an empty signal mask, and exactly the
//! descriptors it is given: everything else is close-on-exec.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::ptr;

use crate::os::child::{self, Child};

/// A program with its arguments and environment, ready to be started any number of times.
#[derive(Clone, Debug)]
pub struct Program {
    path: CString,
    argv: Vec<CString>,
    environment: Vec<CString>,
    search: bool,
    group: Group,
}

/// In which process group a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// One of its own, with the child's pid as its id.
    Own,
    /// Its parent's.
    Parents,
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "an argument contains a zero byte"))
}

impl Program {
    /// A program given by its path (with a slash), or by a name that is looked up in `PATH`.
    ///
    /// # Errors
    /// When a text contains a zero byte, or `argv` is empty.
    pub fn new<S: AsRef<OsStr>>(argv: &[S]) -> io::Result<Self> {
        let argv = argv.iter().map(|text| c_string(text.as_ref())).collect::<io::Result<Vec<_>>>()?;
        let Some(path) = argv.first().cloned() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program to start"));
        };
        let mut program =
            Self { search: !path.as_bytes().contains(&b'/'), path, argv, environment: Vec::new(), group: Group::Own };
        for (key, value) in std::env::vars_os() {
            program.set(&key, &value)?;
        }
        Ok(program)
    }

    /// Another program in the same environment.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn with_arguments<S: AsRef<OsStr>>(&self, argv: &[S]) -> io::Result<Self> {
        let argv = argv.iter().map(|text| c_string(text.as_ref())).collect::<io::Result<Vec<_>>>()?;
        let Some(path) = argv.first().cloned() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program to start"));
        };
        let search = !path.as_bytes().contains(&b'/');
        Ok(Self { path, argv, environment: self.environment.clone(), search, group: self.group })
    }

    /// Starts this file instead of the one `argv[0]` names.
    ///
    /// # Errors
    /// When the path contains a zero byte.
    pub fn executable(mut self, path: &OsStr) -> io::Result<Self> {
        self.path = c_string(path)?;
        self.search = false;
        Ok(self)
    }

    /// Sets a variable in the child's environment.
    ///
    /// # Errors
    /// When a text contains a zero byte.
    pub fn set(&mut self, key: &OsStr, value: &OsStr) -> io::Result<()> {
        let mut entry = OsString::from(key);
        entry.push("=");
        let prefix = entry.len();
        entry.push(value);
        let bytes = entry.into_vec();
        self.environment.retain(|old| !old.as_bytes().starts_with(&bytes[..prefix]));
        let entry = CString::new(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a variable contains a zero byte"))?;
        self.environment.push(entry);
        Ok(())
    }

    /// Keeps the child in the caller's process group.
    #[must_use]
    pub fn in_parents_group(mut self) -> Self {
        self.group = Group::Parents;
        self
    }

    /// Replaces one argument.
    ///
    /// # Errors
    /// When the text contains a zero byte.
    pub fn set_argument(&mut self, position: usize, text: &OsStr) -> io::Result<()> {
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
    /// `EACCES`, `ENOEXEC`, `E2BIG` and others when the program cannot be run.
    pub fn spawn(&self, descriptors: &[(BorrowedFd<'_>, RawFd)]) -> io::Result<Child> {
        let mut actions = FileActions::new()?;
        // A source that is also a target of an earlier entry would be overwritten before its turn: move it out of the way.
        let mut moved: Vec<OwnedFd> = Vec::new();
        for (source, target) in descriptors {
            let mut raw = source.as_raw_fd();
            if raw < 10 && raw != *target {
                let copy = rustix::io::fcntl_dupfd_cloexec(source, 10)?;
                raw = copy.as_raw_fd();
                moved.push(copy);
            }
            actions.dup2(raw, *target)?;
        }
        let attributes = Attributes::new(self.group)?;
        let argv = pointers(&self.argv);
        let environment = pointers(&self.environment);
        let spawn = if self.search { libc::posix_spawnp } else { libc::posix_spawn };
        let mut pid: libc::pid_t = 0;
        let owned = child::owned();
        // SAFETY: all pointers are to live, NUL-terminated data; both arrays end with a null pointer.
        let error = unsafe {
            spawn(
                &raw mut pid,
                self.path.as_ptr(),
                &raw const actions.0,
                &raw const attributes.0,
                argv.as_ptr(),
                environment.as_ptr(),
            )
        };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        Child::adopt(pid, self.group == Group::Own, owned)
    }

    /// The file that is started.
    #[must_use]
    pub fn path(&self) -> &CStr {
        &self.path
    }
}

/// Whether a failed start may succeed a little later.
#[must_use]
pub fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY | libc::ENOBUFS | libc::EINTR)
    )
}

fn pointers(texts: &[CString]) -> Vec<*mut libc::c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

fn check(error: libc::c_int) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

struct FileActions(libc::posix_spawn_file_actions_t);

impl FileActions {
    fn new() -> io::Result<Self> {
        // SAFETY: the type is plain data that the call initialises.
        let mut actions = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is valid for writing.
        check(unsafe { libc::posix_spawn_file_actions_init(&raw mut actions) })?;
        Ok(Self(actions))
    }

    fn dup2(&mut self, from: RawFd, to: RawFd) -> io::Result<()> {
        // SAFETY: initialised above.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, from, to) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(group: Group) -> io::Result<Self> {
        // SAFETY: the type is plain data that the call initialises.
        let mut attributes = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is valid for writing.
        check(unsafe { libc::posix_spawnattr_init(&raw mut attributes) })?;
        let mut this = Self(attributes);
        let mut flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        if group == Group::Own {
            flags |= libc::POSIX_SPAWN_SETPGROUP;
        }
        // SAFETY: `this.0` is initialised; the signal sets are initialised before they are used.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigemptyset(&raw mut none);
            check(libc::posix_spawnattr_setsigdefault(&raw mut this.0, &raw const all))?;
            check(libc::posix_spawnattr_setsigmask(&raw mut this.0, &raw const none))?;
            check(libc::posix_spawnattr_setpgroup(&raw mut this.0, 0))?;
            check(libc::posix_spawnattr_setflags(&raw mut this.0, flags as libc::c_short))?;
        }
        Ok(this)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: initialised in `new`.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}
