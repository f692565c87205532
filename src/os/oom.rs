//! Whether the kernel killed a process for want of memory: nothing in its exit status tells that from any other SIGKILL.
//!
//! The control group that its memory is charged to counts such kills (`oom_kill` in `memory.events`, or in `memory.oom_control`
//! of version 1, both since Linux 4.13). Where there is none that tells, the count of the whole system does
//! (`/proc/vmstat`), which says less: who is asked about may have been killed by somebody else while the kernel killed a
//! stranger. Knows no workers: whose death it may have been is for others to say.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::os::{cgroup, clock};

/// A kill is taken to be that of a death which is heard of within this time, or twice as long: a process with a large memory
/// takes a while to be gone.
const WINDOW: Duration = Duration::from_secs(5);

/// Who counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The control group that the processes are in: the file that tells.
    ControlGroup(PathBuf),
    /// The whole system.
    System,
}

impl Source {
    fn file(&self) -> &Path {
        match self {
            Self::ControlGroup(file) => file,
            Self::System => Path::new("/proc/vmstat"),
        }
    }

    fn read(&self) -> Option<u64> {
        std::fs::read_to_string(self.file()).ok().and_then(|text| cgroup::field(&text, "oom_kill"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlGroup(file) => write!(f, "its control group counts that ({})", file.display()),
            Self::System => f.write_str(
                "the system has killed some process for that (/proc/vmstat), and no control group tells which",
            ),
        }
    }
}

/// Kills that are counted somewhere, and which of them are still to be told of a death.
#[derive(Debug)]
pub(crate) struct Kills {
    source: Source,
    /// How many are told of a death, or are too old to be.
    settled: u64,
    /// The reading before which all are too old after the next one, and when it was taken: `CLOCK_MONOTONIC`.
    last: (u64, u64),
}

impl Kills {
    /// Those among processes that are born in this control group of version 2; in that of this process without one.
    /// `None` where nobody counts.
    #[must_use]
    pub(crate) fn among(group: Option<&Path>) -> Option<Self> {
        let in_group = group.map(|group| group.join("memory.events"));
        let own = || cgroup::memory_files(["memory.events", "memory.oom_control"]);
        let files = in_group.into_iter().chain(own());
        files.map(Source::ControlGroup).chain([Source::System]).find_map(Self::told_by)
    }

    fn told_by(source: Source) -> Option<Self> {
        let count = source.read()?;
        Some(Self { source, settled: count, last: (count, clock::monotonic()) })
    }

    /// Now and then: what was counted long ago is nobody's death now.
    pub(crate) fn look(&mut self) {
        let now = clock::monotonic();
        if now.saturating_sub(self.last.1) < WINDOW.as_nanos() as u64 {
            return;
        }
        self.settled = self.settled.max(self.last.0);
        if let Some(count) = self.source.read() {
            self.last = (count, now);
        }
    }

    /// A process has ended by a SIGKILL that is not ours: who says that it was for want of memory, if anybody does. Each kill
    /// is told once.
    #[must_use]
    pub(crate) fn take(&mut self) -> Option<&Source> {
        if self.source.read()? <= self.settled {
            return None;
        }
        self.settled += 1;
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(count: u64) -> (tempfile::NamedTempFile, Kills) {
        let file = tempfile::NamedTempFile::new().unwrap();
        tell(&file, count);
        let kills = Kills::told_by(Source::ControlGroup(file.path().to_owned())).unwrap();
        (file, kills)
    }

    fn tell(file: &tempfile::NamedTempFile, count: u64) {
        std::fs::write(file.path(), format!("low 0\noom 9\noom_kill_disable 0\noom_kill {count}\noom_group_kill 1\n"))
            .unwrap();
    }

    #[test]
    fn each_kill_is_one_death() {
        let (file, mut kills) = counted(3);
        assert_eq!(kills.take(), None, "those were before");
        tell(&file, 5);
        assert!(kills.take().is_some() && kills.take().is_some(), "two were killed at once");
        assert_eq!(kills.take(), None, "a third one was killed by somebody else");
    }

    #[test]
    fn a_kill_of_long_ago_is_nobodys_death() {
        let (file, mut kills) = counted(0);
        tell(&file, 1);
        for _ in 0..2 {
            kills.last.1 -= WINDOW.as_nanos() as u64;
            kills.look();
        }
        assert_eq!(kills.take(), None);
        tell(&file, 2);
        kills.look();
        assert!(kills.take().is_some());
    }

    #[test]
    fn the_group_is_asked_first_and_the_system_last() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("memory.events"), "oom_kill 0\n").unwrap();
        let kills = Kills::among(Some(folder.path())).unwrap();
        assert_eq!(kills.source, Source::ControlGroup(folder.path().join("memory.events")));
        // A group without the memory controller tells nothing: that of this process is asked, and the system at last.
        let empty = tempfile::tempdir().unwrap();
        let source = |kills: Option<Kills>| kills.map(|kills| kills.source);
        assert_eq!(source(Kills::among(Some(empty.path()))), source(Kills::among(None)));
    }
}
