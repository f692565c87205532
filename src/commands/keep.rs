//! Keeps what a session measures in the history. That must never cost the result: what cannot be kept is told in a note,
//! after the result was written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::analysis::latencies;
use crate::cli::Keep;
use crate::commands::{calibration, measured, write};
use crate::history::commit;
use crate::history::place::Place;
use crate::history::record::{Arm, Begun, End, HostFacts, Run, SessionId, Start, WorkloadFacts};
use crate::history::store::Opening;
use crate::history::{HistoryError, Store};
use crate::metrics::recording::{Header, Recording};
use crate::metrics::snapshot::Snapshot;
use crate::metrics::track::Track;
use crate::os::host::Host;
use crate::report::ending::Ending;
use crate::report::{clean, settings};
use crate::session::view::{ArmView, Mode, SessionView};
use crate::workload::model::{LatencyFrom, Workload};
use crate::workload::redact;

/// Longest that other programs are waited for before anything runs, at the end, and at an end that a signal asked for.
const AT_BEGIN: Duration = Duration::from_millis(200);
const AT_END: Duration = Duration::from_secs(5);
const AFTER_SIGNAL: Duration = Duration::from_millis(50);

/// A session that is to be kept, if one is.
pub(super) struct Keeper(Option<Kept>);

struct Kept {
    path: PathBuf,
    /// Open from the beginning to the end: to open it again is to read its log again.
    store: Option<Store>,
    /// The row that says that it has begun; `None` where it could not be written in time.
    begun: Option<Begun>,
    start: Start,
    /// Whether something that was measured is kept.
    stored: bool,
}

/// How a session is kept that is over.
pub(super) struct Over<'a> {
    pub(crate) view: &'a SessionView,
    pub(crate) stream_hash: String,
    pub(crate) ending: &'a Ending,
    /// The result as JSON.
    pub(crate) result: String,
    /// Whether a signal wants the program to end: then others are not waited for.
    pub(crate) hurry: bool,
}

impl Keeper {
    /// Notes that a session begins, before anything runs. `told` says what keeps it from being kept.
    pub(super) fn begin(
        keep: &Keep,
        verb: &str,
        workload: &Workload,
        host: &Host,
        set: &[String],
        told: impl FnOnce(&str),
    ) -> Self {
        if keep.no_history {
            return Self(None);
        }
        let path = match Place::find(keep.db.as_deref()) {
            Ok(Place::At(path)) => path,
            Ok(Place::Off) => return Self(None),
            Err(error) => {
                told(&note(&error));
                return Self(None);
            }
        };
        let opened = Store::open(&path, Opening::Adding, AT_BEGIN);
        let start = start(verb, workload, host, set);
        let kept = |store, begun, start| Self(Some(Kept { path: path.clone(), store, begun, start, stored: false }));
        match opened.and_then(|mut store| Ok((store.begin(&start)?, store))) {
            Ok((begun, store)) => kept(Some(store), Some(begun), start),
            // There may be time for it at the end.
            Err(HistoryError::Busy { .. }) => kept(None, None, start),
            Err(error) => {
                told(&note(&error));
                Self(None)
            }
        }
    }

    /// The session did not come to be, or nothing was measured in it.
    pub(super) fn forget(&mut self) {
        let Some(kept) = self.0.as_mut().filter(|kept| kept.begun.is_some()) else { return };
        let Ok(mut store) = kept.open(AFTER_SIGNAL) else { return };
        if let Some(begun) = kept.begun.take() {
            // What cannot be taken back is a session that did not end.
            let _ = store.forget(&begun);
        }
        kept.store = Some(store);
    }

    /// Nothing more comes of it, and nothing runs that waiting for the disk could disturb.
    pub(super) fn close(self) {
        if let Some(store) = self.0.and_then(|kept| kept.store) {
            store.close();
        }
    }

    /// Whether anything will be kept: what costs time is made for that alone.
    pub(super) fn keeps(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps what was measured until now, in the place of what was kept of it before, and says whether that was possible.
    /// `told` says what was not kept, and why.
    pub(super) fn finish(&mut self, over: Over<'_>, told: impl FnOnce(&str)) -> bool {
        let Some(kept) = &mut self.0 else { return false };
        let patience = if over.hurry { AFTER_SIGNAL } else { AT_END };
        let end = end(over);
        let written = kept.open(patience).and_then(|mut store| {
            let begun = store.finish(kept.begun.as_ref(), &kept.start, &end)?;
            Ok((begun, store))
        });
        match written {
            Ok((begun, store)) => {
                (kept.begun, kept.store, kept.stored) = (Some(begun), Some(store), true);
            }
            Err(error) if kept.stored => told(&format!(
                "note: what this session has measured since it was last looked at is not kept in the history: {}",
                clean::line(&error.to_string())
            )),
            Err(error) => told(&note(&error)),
        }
        kept.stored && kept.store.is_some()
    }

    /// What is measured completes a session that was kept before, as the folder of its state says: it is kept in its place.
    pub(super) fn completes(&mut self, folder: &Path) {
        let Some(kept) = &mut self.0 else { return };
        let Some(earlier) = Earlier::read(folder).filter(|earlier| earlier.database == whole(&kept.path)) else {
            return;
        };
        let Ok(mut store) = kept.open(AT_BEGIN) else { return };
        if let Some(earlier) = store.to_complete(earlier.session, &kept.start, earlier.began_ms)
            && let Some(begun) = kept.begun.replace(earlier)
        {
            // What cannot be taken back is a session that did not end.
            let _ = store.forget(&begun);
        }
        kept.store = Some(store);
    }

    /// Says in the folder of a state which session its runs are in.
    pub(super) fn note_in(&self, folder: &Path) {
        let Some(Kept { path, begun: Some(begun), stored: true, .. }) = &self.0 else { return };
        let now = Earlier { database: whole(path), session: begun.id, began_ms: begun.began_ms };
        if Earlier::read(folder).as_ref() != Some(&now) {
            now.write(folder);
        }
    }

    /// The number that it has in the history, if it is there.
    pub(super) fn id(&self) -> Option<SessionId> {
        Some(self.0.as_ref()?.begun.as_ref()?.id)
    }
}

impl Kept {
    /// The history, which may have been moved away since it was opened. In another one nothing is kept of this session yet.
    fn open(&mut self, patience: Duration) -> Result<Store, HistoryError> {
        let store = match self.store.take().filter(Store::is_there) {
            Some(store) => store.wait_for(patience).map(|()| store)?,
            None => Store::open(&self.path, Opening::Adding, patience)?,
        };
        if let Some(begun) = &self.begun
            && !store.there(begun)?
        {
            (self.begun, self.stored) = (None, false);
        }
        Ok(store)
    }
}

/// In the folder of the state of a sweep: the session that its runs are in.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Earlier {
    database: String,
    session: SessionId,
    began_ms: i64,
}

impl Earlier {
    const FILE: &str = "history.json";

    fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(Self::FILE)).ok()?).ok()
    }

    /// Without it, a sweep that is resumed is a session of its own.
    fn write(&self, folder: &Path) {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let unfinished = folder.join("history.unfinished");
        let _ = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(unfinished, folder.join(Self::FILE)));
    }
}

/// A path that means the same in every folder.
fn whole(path: &Path) -> String {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn note(error: &HistoryError) -> String {
    format!("note: this session is not kept in the history: {}", clean::line(&error.to_string()))
}

/// Says it on standard error.
pub(super) fn say(note: &str) {
    write::say(note);
}

fn start(verb: &str, workload: &Workload, host: &Host, set: &[String]) -> Start {
    let Workload { name, title, hash, seed, text, .. } = workload;
    Start {
        at: Timestamp::now(),
        verb: verb.to_owned(),
        workload: WorkloadFacts {
            name: name.clone(),
            title: title.clone(),
            hash: hash.clone(),
            seed: *seed,
            text: text.to_string(),
            set: asked(verb, workload, set),
        },
        host: facts(host),
        commit: commit::current(),
    }
}

/// What was run otherwise than the file says, whichever option said so. One run is one run, and a sweep has many counts.
fn asked(verb: &str, workload: &Workload, set: &[String]) -> Vec<String> {
    let mut all = redact::changes(set);
    if matches!(verb, "compare" | "dashboard") {
        all.extend(settings::overridden(workload));
    }
    all
}

/// The machine and the program, as the history knows them.
pub(super) fn facts(host: &Host) -> HostFacts {
    HostFacts {
        name: host.name.clone(),
        cpu_model: host.cpu_model.clone(),
        kernel: host.kernel.clone(),
        cores_online: host.cores_online,
        cores_usable: host.usable_cores(),
        cores_quota: host.cores_quota,
        memory_bytes: host.memory_bytes,
        program: calibration::BUILD.to_owned(),
    }
}

fn end(over: Over<'_>) -> End {
    let Over { view, stream_hash, ending, result, .. } = over;
    // A demonstration is told of only where nothing was measured.
    let measured = view.arms.iter().any(|arm| !arm.counted.is_empty());
    let sharing_cores = !measured && view.mode == Mode::Together;
    let arms = view.arms.iter().enumerate();
    End {
        at: Timestamp::now(),
        aborted: ending.aborted(),
        stream_hash,
        latency: latencies::name(view.workload.measure.latency_from).to_owned(),
        sharing_cores,
        // No text in it has a line break that is not escaped.
        result: result.lines().map(str::trim_start).collect(),
        arms: arms.flat_map(|(place, arm)| of_arm(view, arm, place == view.baseline, sharing_cores)).collect(),
    }
}

/// One entry for each worker count.
fn of_arm(view: &SessionView, arm: &ArmView, is_baseline: bool, sharing_cores: bool) -> Vec<Arm> {
    let workload = &view.workload;
    let counts = if sharing_cores { vec![arm.told.clone()] } else { arm.counted.clone() };
    let entry = |workers, runs: Vec<Run>| Arm {
        name: arm.spec.name.clone(),
        engine: arm.spec.kind.word().to_owned(),
        workers,
        settings: settings::of_engine(&arm.spec, &workload.arrivals),
        is_baseline,
        runs,
    };
    let mut entries: Vec<Arm> = counts
        .iter()
        .map(|(workers, runs)| {
            let rounds = runs.rounds().iter().zip(runs.iter());
            entry(*workers, rounds.map(|(round, run)| of_run(workload, arm, run, *round, true)).collect())
        })
        .collect();
    if let Some(partial) = measured::partial(view, arm).filter(|partial| !partial.warmup) {
        let run = of_run(workload, arm, &partial.run, partial.run.run.round, false);
        match entries.iter_mut().find(|entry| entry.workers == arm.measured) {
            Some(entry) => entry.runs.push(run),
            None => entries.push(entry(arm.measured, vec![run])),
        }
    }
    entries
}

fn of_run(workload: &Workload, arm: &ArmView, run: &Arc<Snapshot>, round: u32, complete: bool) -> Run {
    let latency = match workload.measure.latency_from {
        LatencyFrom::IntendedArrival => &run.latency.sojourn,
        LatencyFrom::Start => &run.latency.service,
    };
    let time = |time: Duration| (latency.count > 0).then_some(time.as_secs_f64());
    Run {
        round,
        complete,
        wall_s: run.wall().as_secs_f64(),
        throughput: run.throughput_whole,
        succeeded: run.counts.succeeded,
        unsuccessful: run.counts.finished() - run.counts.succeeded,
        cores_used: run.cpu.cores_used_whole,
        p50_s: time(latency.p50),
        p95_s: time(latency.p95),
        p99_s: time(latency.p99),
        peak_pss_bytes: run.memory.peak_pss_bytes,
        results_hash: (run.results_hash != 0).then(|| format!("{:016x}", run.results_hash)),
        suspect: run.suspect.clone(),
        recording: recording(workload, arm, run),
    }
}

fn recording(workload: &Workload, arm: &ArmView, run: &Arc<Snapshot>) -> Option<Vec<u8>> {
    let header = Header::new(&workload.name, &arm.spec.name, run.run);
    let recording = Recording { header, track: Track { frames: vec![Arc::clone(run)] } };
    let mut bytes = Vec::new();
    // One that is too large has its figures all the same.
    recording.write(&mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;

    fn begin(db: &Path, verb: &'static str) -> Keeper {
        let keep = Keep { db: Some(db.to_owned()), no_history: false, verb: Some(verb) };
        let view = fixture::finished();
        Keeper::begin(&keep, verb, &view.workload, &view.host, &[], |note| panic!("{note}"))
    }

    fn finish(keeper: &mut Keeper) {
        let view = fixture::finished();
        let ending = crate::commands::drive::ending(&view, None);
        let over = Over { view: &view, stream_hash: String::new(), ending: &ending, result: "{}".into(), hurry: false };
        assert!(keeper.finish(over, |note| panic!("{note}")));
    }

    /// Where the database goes, its log goes too.
    fn move_away(db: &Path) {
        for end in ["", "-wal", "-shm"] {
            let from = format!("{}{end}", db.display());
            std::fs::rename(&from, format!("{from}.old")).unwrap();
        }
    }

    #[test]
    fn a_session_writes_to_no_other_one_that_has_its_number_in_another_database() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("history.db");
        let mut mine = begin(&db, "compare");
        move_away(&db);
        // No two sessions of one program begin in one millisecond.
        let began = Timestamp::now().as_millisecond();
        while Timestamp::now().as_millisecond() == began {
            std::hint::spin_loop();
        }
        let mut other = begin(&db, "run");
        finish(&mut other);
        assert_eq!((mine.id(), other.id()), (Some(1), Some(1)));
        finish(&mut mine);
        assert_eq!(mine.id(), Some(2));
        let store = Store::open(&db, Opening::Reading, AT_END).unwrap();
        let verb = |id| store.session(id).unwrap().unwrap().start.verb;
        assert_eq!([verb(1), verb(2)], ["run", "compare"]);
        // What is taken back is not in the other database either.
        drop((store, mine));
        let mut begun = begin(&db, "try");
        move_away(&db);
        begun.forget();
        assert_eq!(begun.id(), None);
    }

    #[test]
    fn the_folder_of_a_state_names_the_database_and_the_moment_too() {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("history.db");
        let mut keeper = begin(&db, "sweep");
        finish(&mut keeper);
        keeper.note_in(folder.path());
        let noted = || Earlier::read(folder.path()).unwrap();
        let now = noted();
        assert_eq!((now.session, now.database.as_str()), (1, whole(&db).as_str()));
        for stale in
            [Earlier { database: "/other.db".to_owned(), ..noted() }, Earlier { began_ms: now.began_ms - 1, ..noted() }]
        {
            stale.write(folder.path());
            keeper.note_in(folder.path());
            assert!(noted() == now, "another session of this number");
        }
    }
}
