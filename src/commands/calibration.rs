//! Measures how much work a second is: once per machine, then fixed, so that a CPU task is the same work in every engine
//! and under any load.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::worker::calibration::Calibration;
use crate::worker::spin::spin;

/// Rounds of a measurement; the fastest counts, because everything that disturbs it makes it slower.
const ROUNDS: u32 = 20;
/// Length of a round.
const ROUND: Duration = Duration::from_millis(10);

/// Where a calibration comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// Measured by an earlier start of the program.
    Stored {
        path: PathBuf,
        /// When it was measured, if the file says so.
        measured: Option<Timestamp>,
    },
    /// Measured just now and stored for the next start.
    Measured {
        path: PathBuf,
        /// Why the stored one could not be used; `None` if there was none, or if it was not asked for.
        because: Option<String>,
    },
    /// Measured just now; it could not be stored: why.
    NotStored(String),
}

/// The build that measured: another one may compile the kernel to other instructions.
pub(super) const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " (optimised ", env!("POOLSCOPE_OPT_LEVEL"), ")");

/// Largest file that is read: a calibration takes a few hundred bytes.
const LARGEST: u64 = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Stored {
    cpu_model: String,
    build: String,
    measured: Option<Timestamp>,
    calibration: Calibration,
}

/// Why a stored calibration is not used.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("there is none")]
    Absent,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is not a small regular file")]
    NotAFile,
    #[error("it is damaged: {0}")]
    Damaged(#[from] serde_json::Error),
    #[error("it is of another processor: {0}")]
    OtherProcessor(String),
    #[error("it is of another build: {0}")]
    OtherBuild(String),
    #[error("{0} iterations per second cannot be")]
    Impossible(f64),
}

impl Unusable {
    fn reason(&self) -> Option<String> {
        (!matches!(self, Self::Absent)).then(|| self.to_string())
    }
}

impl Calibration {
    /// Measures for about 200 ms.
    #[must_use]
    pub(crate) fn measure() -> Self {
        let mut iterations: u64 = 100_000;
        let mut best = 0.0f64;
        let mut rounds = 0;
        while rounds < ROUNDS {
            let begin = Instant::now();
            std::hint::black_box(spin(iterations, u64::from(rounds)));
            let took = begin.elapsed();
            if took < ROUND / 2 {
                iterations = iterations.saturating_mul(2);
                continue;
            }
            best = best.max(iterations as f64 / took.as_secs_f64());
            rounds += 1;
        }
        Self { iterations_per_second: best }
    }

    /// Takes the stored calibration of this machine, or measures and stores one.
    #[must_use]
    pub(crate) fn load_or_measure(cpu_model: &str) -> (Self, Origin) {
        match cache_file() {
            Some(path) => Self::load_or_measure_at(&path, cpu_model),
            None => (Self::measure(), Origin::NotStored("HOME is not set".to_owned())),
        }
    }

    /// Measures anew and stores the result.
    #[must_use]
    pub(crate) fn measure_again(cpu_model: &str) -> (Self, Origin) {
        let calibration = Self::measure();
        let origin = match cache_file() {
            Some(path) => calibration.store(&path, cpu_model, None),
            None => Origin::NotStored("HOME is not set".to_owned()),
        };
        (calibration, origin)
    }

    fn load_or_measure_at(path: &Path, cpu_model: &str) -> (Self, Origin) {
        match Self::load(path, cpu_model) {
            Ok(stored) => (stored.calibration, Origin::Stored { path: path.to_owned(), measured: stored.measured }),
            Err(unusable) => {
                let calibration = Self::measure();
                (calibration, calibration.store(path, cpu_model, unusable.reason()))
            }
        }
    }

    fn load(path: &Path, cpu_model: &str) -> Result<Stored, Unusable> {
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::Absent),
            other => other?,
        };
        // A pipe would be waited for, and a device may never end.
        if !metadata.is_file() || metadata.len() > LARGEST {
            return Err(Unusable::NotAFile);
        }
        let stored: Stored = serde_json::from_slice(&fs::read(path)?)?;
        if stored.cpu_model != cpu_model {
            return Err(Unusable::OtherProcessor(stored.cpu_model));
        }
        if stored.build != BUILD {
            return Err(Unusable::OtherBuild(stored.build));
        }
        if !(1e6..1e12).contains(&stored.calibration.iterations_per_second) {
            return Err(Unusable::Impossible(stored.calibration.iterations_per_second));
        }
        Ok(stored)
    }

    fn store(self, path: &Path, cpu_model: &str, because: Option<String>) -> Origin {
        let stored = Stored {
            cpu_model: cpu_model.to_owned(),
            build: BUILD.to_owned(),
            measured: Some(Timestamp::now()),
            calibration: self,
        };
        match write_atomically(path, &stored) {
            Ok(()) => Origin::Measured { path: path.to_owned(), because },
            Err(error) => Origin::NotStored(format!("{}: {error}", path.display())),
        }
    }
}

/// Whole or not at all: another start may read it at this moment.
fn write_atomically(path: &Path, stored: &Stored) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("no folder"))?;
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".calibration.{}", std::process::id()));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        serde_json::to_writer_pretty(&mut file, stored)?;
        file.flush()?;
        file.sync_all()
    });
    let result = written.and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// `$POOLSCOPE_CACHE_DIR/calibration.json`, or the one in the user's cache folder (XDG). Without `$HOME` there is none: the
/// database of users is behind shared libraries, which a static program must not load.
fn cache_file() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let folder = match std::env::var_os("POOLSCOPE_CACHE_DIR") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ if std::env::var_os("HOME").is_none_or(|home| home.is_empty()) => return None,
        _ => etcetera::choose_base_strategy().ok()?.cache_dir().join("poolscope"),
    };
    let name = if cfg!(debug_assertions) { "calibration-debug.json" } else { "calibration.json" };
    Some(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_calibration_is_used_again_and_only_on_its_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("calibration.json");
        let begin = Timestamp::now();
        let (measured, origin) = Calibration::load_or_measure_at(&path, "cpu a");
        assert_eq!(origin, Origin::Measured { path: path.clone(), because: None });
        let (again, origin) = Calibration::load_or_measure_at(&path, "cpu a");
        assert_eq!(again, measured);
        assert!(matches!(origin, Origin::Stored { measured: Some(time), .. } if time >= begin), "{origin:?}");
        let (_, origin) = Calibration::load_or_measure_at(&path, "cpu b");
        assert_eq!(because(&origin), "it is of another processor: cpu a");
        assert!(Calibration::load(&path, "cpu b").is_ok());
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[track_caller]
    fn because(origin: &Origin) -> &str {
        let Origin::Measured { because: Some(because), .. } = origin else { panic!("{origin:?}") };
        because
    }

    #[test]
    fn a_corrupt_cache_is_measured_over_and_why_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.json");
        let stored = |build: &str, speed: &str| {
            format!(r#"{{"cpu_model":"c","build":"{build}","calibration":{{"iterations_per_second":{speed}}}}}"#)
        };
        let cases = [
            (String::new(), "it is damaged: EOF"),
            ("{".to_owned(), "it is damaged: EOF"),
            ("[1]".to_owned(), "it is damaged: "),
            (stored("0", "2e9"), "it is of another build: 0"),
            (stored(BUILD, "0"), "0 iterations per second cannot be"),
            (stored(BUILD, "1e300"), "1000"),
            (" ".repeat(LARGEST as usize + 1), "it is not a small regular file"),
        ];
        for (text, reason) in cases {
            fs::write(&path, &text).unwrap();
            let (_, origin) = Calibration::load_or_measure_at(&path, "c");
            assert!(because(&origin).starts_with(reason), "{origin:?}");
            assert!(Calibration::load(&path, "c").is_ok(), "{text:.80}");
        }
    }

    #[test]
    fn a_pipe_in_its_place_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.json");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (_, origin) = Calibration::load_or_measure_at(&path, "c");
        assert_eq!(because(&origin), "it is not a small regular file");
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_lived_without() {
        let folder = tempfile::tempdir().unwrap();
        let in_the_way = folder.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let (calibration, origin) = Calibration::load_or_measure_at(&in_the_way.join("calibration.json"), "c");
        assert!(matches!(origin, Origin::NotStored(_)), "{origin:?}");
        assert!(calibration.iterations_per_second > 1e6);
    }

    #[test]
    fn twice_the_work_takes_twice_as_long() {
        // Of this thread's own CPU time: other use of the processor does not matter.
        let clock = || {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        };
        let time = |iterations| {
            let begin = clock();
            std::hint::black_box(spin(iterations, 1));
            clock() - begin
        };
        // The fastest of several, in turn, so that a disturbance does not decide.
        let (mut single, mut double) = (f64::MAX, f64::MAX);
        for _ in 0..20 {
            single = single.min(time(2_000_000));
            double = double.min(time(4_000_000));
        }
        let ratio = double / single;
        assert!((1.6..2.4).contains(&ratio), "{ratio}");
    }
}
