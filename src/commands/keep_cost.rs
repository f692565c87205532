//! What it costs to keep a session: read out of a history that the program itself has made, and kept once more in another one.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::history::Store;
use crate::history::query::Filter;
use crate::history::record::{End, Start};
use crate::history::store::Opening;
use crate::metrics::recording::Recording;

/// Most that writing may cost for each run.
const MOST: Duration = Duration::from_millis(5);
/// Times that each session is written.
const TIMES: u32 = 20;

/// Opens, notes that a session begins, opens again and writes what was measured: all that the program does.
fn keep(path: &std::path::Path, start: &Start, end: &End) -> Duration {
    let patience = Duration::from_secs(5);
    let began = Instant::now();
    let id = Store::open(path, Opening::Adding, patience).unwrap().begin(start).unwrap();
    Store::open(path, Opening::Adding, patience).unwrap().finish(Some(id), start, end).unwrap();
    began.elapsed()
}

#[test]
#[ignore = "prints times; POOLSCOPE_COST_DB names a history"]
fn keeping_a_run_costs_less_than_five_milliseconds() {
    let from = PathBuf::from(std::env::var_os("POOLSCOPE_COST_DB").expect("POOLSCOPE_COST_DB names a history"));
    let store = Store::open(&from, Opening::Reading, Duration::from_secs(5)).unwrap();
    let folder = tempfile::tempdir_in(from.parent().unwrap()).unwrap();
    let path = folder.path().join("history.db");
    let mut looked_at = 0;
    for session in store.sessions(&Filter::default()).unwrap() {
        let Some(end) = session.end() else { continue };
        let mut end = End::clone(end);
        let recordings = store.recordings(session.id).unwrap();
        let parsed: Vec<Recording> =
            recordings.iter().flatten().filter_map(|bytes| Recording::read(bytes.as_slice()).ok()).collect();
        // As often as it is written: once for each run of a session.
        let began = Instant::now();
        for recording in &parsed {
            recording.write(&mut Vec::new()).unwrap();
        }
        let encoding = began.elapsed();
        let bytes: usize = recordings.iter().flatten().map(Vec::len).sum();
        let mut kept = recordings.into_iter();
        end.arms.iter_mut().flat_map(|arm| &mut arm.runs).for_each(|run| run.recording = kept.next().flatten());
        let runs: usize = end.arms.iter().map(|arm| arm.runs.len()).sum();
        if runs == 0 {
            continue;
        }
        looked_at += 1;
        let mut times: Vec<Duration> = (0..TIMES).map(|_| keep(&path, &session.start, &end)).collect();
        times.sort();
        // What others do on this machine is in the longer ones.
        let (least, median, longest) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        let each = (least + encoding) / u32::try_from(runs).unwrap();
        println!(
            "session {}: {runs} runs, {bytes} bytes of recordings encoded in {encoding:.2?}, stored in {least:.2?} \
             (median of {TIMES}: {median:.2?}, longest: {longest:.2?}): {each:.2?} a run",
            session.id
        );
        assert!(each <= MOST, "{each:?}");
    }
    assert!(looked_at > 0, "no session with runs in {}", from.display());
}
