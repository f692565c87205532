//! A control group (version 2) for each slot of a run, where this process may make any.
//!
//! A process is born in its group and its descendants stay there, whatever they do to their session, their environment or
//! their parents. The groups are made at the start of a run; nothing is ever moved into one, which would cost
//! milliseconds. Containers and ordinary users usually cannot make groups: that is an ordinary case.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::os::cgroup;
use crate::os::spawn::Program;

/// How long the processes of a group may take to be gone.
const PATIENCE: Duration = Duration::from_millis(500);

/// The groups of one run.
#[derive(Debug)]
pub(crate) struct SlotGroups {
    name: String,
    folder: PathBuf,
}

impl SlotGroups {
    /// Makes a group of this name with a group in it for each slot, and tries whether a process can be born there.
    ///
    /// # Errors
    /// When there is no such hierarchy, it may not be written to, or the system cannot start a process in a group.
    pub(crate) fn make(name: &str, slots: u32) -> io::Result<Self> {
        let parent = cgroup::own_folder().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        let folder = parent.join(name);
        // A folder that is there already is another program's: nothing is touched in it.
        fs::create_dir(&folder)?;
        let groups = Self { name: name.to_owned(), folder };
        for slot in 0..slots {
            fs::create_dir(groups.folder.join(slot.to_string()))?;
        }
        Program::can_be_born_in(groups.open(0)?.as_fd())?;
        Ok(groups)
    }

    /// Opens the group of a slot, to start a process in it; made if it is not there yet.
    ///
    /// # Errors
    /// When it cannot be made or no descriptor is left.
    pub(crate) fn open(&self, slot: u32) -> io::Result<File> {
        let folder = self.folder.join(slot.to_string());
        match File::open(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&folder)?;
                File::open(&folder)
            }
            other => other,
        }
    }

    /// The slot whose group a path of `/proc/PID/cgroup` names; `None` if it is none of these groups.
    #[must_use]
    pub(crate) fn slot_of(&self, path: &str) -> Option<u32> {
        let mut parts = path.split('/').skip_while(|part| *part != self.name);
        parts.next()?;
        parts.next()?.parse().ok()
    }

    #[must_use]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for SlotGroups {
    fn drop(&mut self) {
        end(&self.folder);
    }
}

/// Kills everyone in a folder of groups (`cgroup.kill`, since Linux 5.14) and removes it, with whatever groups were made
/// below it.
pub(crate) fn end(folder: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while folder.exists() {
        // Older kernels cannot; then the processes were ended one by one before.
        let _ = fs::write(folder.join("cgroup.kill"), "1");
        if remove(folder).is_ok() || Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
