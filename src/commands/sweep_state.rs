//! The state of a sweep in a folder, so that it can be resumed after an interruption: what it is the state of, and a recording of each
//! counted run, written whole or not at all as soon as it was made.
//!
//! It is resumed by the same sweep on the same machine alone: figures of another workload or another host are no figures of
//! this one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, write};
use crate::metrics::recording::{Header, Recording};
use crate::metrics::track::Track;
use crate::os::host::Host;
use crate::os::threads;
use crate::report::clean;
use crate::session::keeping::{Keeping, KeptRun};
use crate::workload::model::{EngineSpec, Workers, Workload};
use crate::workload::stream::Stream;

const SCHEMA: &str = "poolscope.sweep-state/1";
const HEAD: &str = "sweep.json";
const ENDING: &str = "track";

/// What a sweep is, as far as its figures depend on it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    schema: String,
    version: String,
    workload: String,
    /// Hash of its tasks, which other seeds and other files of items or times change.
    stream: String,
    arms: Vec<String>,
    /// Worker counts of the arms, where these are not what is tried.
    #[serde(default)]
    workers: Option<Vec<String>>,
    host: String,
    cpu: String,
    cores: u32,
}

/// A state that is open, with the runs that were made before.
pub(super) struct State {
    folder: PathBuf,
    workload: String,
    arms: Vec<String>,
    earlier: Vec<KeptRun>,
    /// Number of the next recording.
    next: usize,
    /// Whether runs that are there are none of this sweep.
    leaves_out: bool,
}

impl State {
    /// Opens the state of a sweep in a folder, or begins it there; tells how much there is, or why it cannot be used.
    /// `counts_are_tried` is whether worker counts are: more of them go on from there; other ones for settings do not. Runs with
    /// other counts than `counts`, where these are known, stay in the folder and are none of this sweep, which is told.
    pub(super) fn open(
        folder: &Path,
        workload: &Workload,
        arms: &[EngineSpec],
        counts_are_tried: bool,
        counts: Option<&[u32]>,
        host: &Host,
    ) -> Prepared<Self> {
        let count = |arm: &EngineSpec| match arm.workers {
            Workers::Fixed(count) => count.to_string(),
            Workers::Auto => "auto".to_owned(),
            Workers::Unbounded => "unbounded".to_owned(),
        };
        let identity = Identity {
            schema: SCHEMA.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            workload: workload.hash.clone(),
            stream: Stream::new(workload).hash().to_owned(),
            arms: arms.iter().map(|arm| arm.name.clone()).collect(),
            workers: (!counts_are_tried).then(|| arms.iter().map(count).collect()),
            host: host.name.clone(),
            cpu: host.cpu_model.clone(),
            cores: host.usable_cores(),
        };
        let shown = clean::line(&folder.display().to_string()).into_owned();
        let refused = |why: String| {
            write::say(&format!("error: --resume {shown}: {why}"));
            ExitReason::BadInput
        };
        fs::create_dir_all(folder).map_err(|error| refused(format!("cannot be made: {error}")))?;
        let head = folder.join(HEAD);
        match fs::read(&head) {
            Ok(bytes) => {
                let found: Identity = serde_json::from_slice(&bytes)
                    .map_err(|error| refused(format!("{HEAD} is not the state of a sweep: {error}")))?;
                if let Some(differs) = identity.differs(&found) {
                    return Err(refused(format!("{differs}; another folder begins anew")));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = serde_json::to_vec_pretty(&identity).unwrap_or_default();
                put(&head, &text).map_err(|error| refused(format!("cannot be written: {error}")))?;
            }
            Err(error) => return Err(refused(format!("{HEAD} cannot be read: {error}"))),
        }
        let mut state = Self {
            folder: folder.to_owned(),
            workload: workload.name.clone(),
            arms: identity.arms,
            earlier: Vec::new(),
            next: 1,
            leaves_out: false,
        };
        state.read().map_err(|error| refused(format!("cannot be read: {error}")))?;
        if let Some(note) = counts.and_then(|counts| state.leave_out(counts)) {
            write::say(&format!("note: --resume {shown}: {note}"));
        }
        match state.earlier.len() {
            0 => {}
            1 => write::say(&format!("note: resumed with 1 run of {shown}")),
            many => write::say(&format!("note: resumed with {many} runs of {shown}")),
        }
        Ok(state)
    }

    /// Leaves out the runs with counts that are not asked for, and says which, if there are any.
    fn leave_out(&mut self, counts: &[u32]) -> Option<String> {
        let (kept, other): (Vec<KeptRun>, Vec<KeptRun>) =
            std::mem::take(&mut self.earlier).into_iter().partition(|run| counts.contains(&run.workers));
        self.earlier = kept;
        self.leaves_out = !other.is_empty();
        let not_asked: BTreeSet<u32> = other.iter().map(|run| run.workers).collect();
        let not_asked: Vec<String> = not_asked.iter().map(u32::to_string).collect();
        let plural = if other.len() == 1 { " is" } else { "s are" };
        self.leaves_out.then(|| {
            format!(
                "{} run{plural} left out, with worker counts that are not asked for: {}",
                other.len(),
                not_asked.join(", ")
            )
        })
    }

    /// The folder, and whether all runs that are there are of this sweep.
    pub(super) fn folder(&self) -> (PathBuf, bool) {
        (self.folder.clone(), !self.leaves_out)
    }

    /// Reads the recordings in their order.
    fn read(&mut self) -> io::Result<()> {
        let entries: Vec<PathBuf> =
            fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        let mut recordings: Vec<(Name, PathBuf)> =
            entries.into_iter().filter_map(|path| Some((Name::read(&path)?, path))).collect();
        recordings.sort_by_key(|(name, _)| name.number);
        for (name, path) in recordings {
            self.next = self.next.max(name.number + 1);
            let kept = File::open(&path).ok().and_then(|file| Recording::read(BufReader::new(file)).ok());
            let kept = kept.and_then(|recording| {
                let arm = self.arms.iter().position(|arm| *arm == recording.header.arm)?;
                let run = recording.track.frames.into_iter().next_back()?;
                Some(KeptRun { arm, workers: name.workers, round: name.round, run })
            });
            match kept {
                Some(kept) => self.earlier.push(kept),
                None => {
                    let shown = clean::line(&path.display().to_string()).into_owned();
                    write::say(&format!("note: {shown} is damaged and left out: that run is made again"));
                }
            }
        }
        Ok(())
    }

    /// What a session is to go on from; its runs are written by a thread of its own, which ends with the session.
    pub(super) fn keeping(mut self) -> io::Result<(Keeping, JoinHandle<()>)> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let earlier = std::mem::take(&mut self.earlier);
        let writer = threads::start("sweep state", move || self.write_all(receiver))?;
        Ok((Keeping { earlier, sender: Some(sender) }, writer))
    }

    fn write_all(mut self, mut runs: UnboundedReceiver<KeptRun>) {
        while let Some(kept) = runs.blocking_recv() {
            let name = Name { number: self.next, workers: kept.workers, round: kept.round };
            self.next += 1;
            if let Err(error) = self.write(&name, &kept) {
                // A sweep is worth more than its state.
                write::say(&format!("note: the state of the sweep cannot be written any more: {error}"));
                return;
            }
        }
    }

    fn write(&self, name: &Name, kept: &KeptRun) -> io::Result<()> {
        let arm = self.arms.get(kept.arm).map_or("", String::as_str);
        let header = Header::new(&self.workload, arm, kept.run.run);
        let recording = Recording { header, track: Track { frames: vec![Arc::clone(&kept.run)] } };
        let mut bytes = Vec::new();
        recording.write(BufWriter::new(&mut bytes)).map_err(io::Error::other)?;
        put(&self.folder.join(name.file()), &bytes)
    }
}

impl Identity {
    /// In what another one differs, in words.
    fn differs(&self, other: &Self) -> Option<String> {
        if self.schema != other.schema || self.version != other.version {
            return Some(format!(
                "it was written by version {}, this is {}",
                clean::line(&other.version),
                self.version
            ));
        }
        if (&self.workload, &self.stream, &self.arms) != (&other.workload, &other.stream, &other.arms) {
            return Some("it is the state of another sweep: the workload, its changes or its points differ".to_owned());
        }
        if self.workers != other.workers {
            let said = |one: &Self| match &one.workers {
                None => "tries worker counts".to_owned(),
                Some(counts) => {
                    let mut counts = counts.clone();
                    counts.dedup();
                    format!("tries settings with {} workers", clean::line(&counts.join(", ")))
                }
            };
            return Some(format!("it is the state of a sweep that {}, and this one {}", said(other), said(self)));
        }
        let host = |one: &Self| (one.host.clone(), one.cpu.clone(), one.cores);
        let shown =
            |one: &Self| format!("{} ({}, {} cores usable)", clean::line(&one.host), clean::line(&one.cpu), one.cores);
        (host(self) != host(other)).then(|| format!("it was measured on {}, this is {}", shown(other), shown(self)))
    }
}

/// What the name of a recording says: `00012-w4-r3.track`.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    number: usize,
    workers: u32,
    round: u32,
}

impl Name {
    fn read(path: &Path) -> Option<Self> {
        if path.extension()? != ENDING {
            return None;
        }
        let mut parts = path.file_stem()?.to_str()?.split('-');
        let number = parts.next()?.parse().ok()?;
        let workers = parts.next()?.strip_prefix('w')?.parse().ok()?;
        let round = parts.next()?.strip_prefix('r')?.parse().ok()?;
        Some(Self { number, workers, round })
    }

    fn file(&self) -> String {
        format!("{:05}-w{}-r{}.{ENDING}", self.number, self.workers, self.round)
    }
}

/// Writes a file whole or not at all.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(unfinished, path)
}
