//! What it costs to keep a session, for the benchmark `history`: sessions are read out of a history that the program itself
//! has made, and kept once more in another one, with the very steps that the program takes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::history::Store;
use crate::history::query::Filter;
use crate::history::record::{End, Start};
use crate::history::store::Opening;
use crate::metrics::recording::Recording;

const PATIENCE: Duration = Duration::from_secs(5);

/// What it costs to keep one session.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Runs of the session.
    pub runs: usize,
    /// Of their recordings.
    pub bytes: usize,
    /// Time in which its recordings were put into bytes, each time that it was kept.
    pub encoding: Vec<Duration>,
    /// Time in which it was stored, likewise: the history was opened, its beginning noted, what was measured written, and the
    /// history closed.
    pub storing: Vec<Duration>,
}

/// Keeps each session of a history so many times in one at `into`, which grows as that of a user does.
///
/// # Errors
/// When a history cannot be read or written.
pub fn of_each(from: &Path, into: &Path, times: u32) -> anyhow::Result<Vec<Cost>> {
    let store = Store::open(from, Opening::Reading, PATIENCE)?;
    let mut costs = Vec::new();
    for session in store.sessions(&Filter::default())? {
        let Some(end) = session.end() else { continue };
        let mut end = End::clone(end);
        let recordings = store.recordings(session.id)?;
        let parsed: Vec<Recording> =
            recordings.iter().flatten().filter_map(|bytes| Recording::read(bytes.as_slice()).ok()).collect();
        let bytes = recordings.iter().flatten().map(Vec::len).sum();
        let mut kept = recordings.into_iter();
        end.arms.iter_mut().flat_map(|arm| &mut arm.runs).for_each(|run| run.recording = kept.next().flatten());
        let runs = end.arms.iter().map(|arm| arm.runs.len()).sum();
        let mut cost = Cost { runs, bytes, encoding: Vec::new(), storing: Vec::new() };
        for _ in 0..times {
            let began = Instant::now();
            for recording in &parsed {
                recording.write(&mut Vec::new()).context("a recording is not written")?;
            }
            cost.encoding.push(began.elapsed());
            cost.storing.push(keep(into, &session.start, &end)?);
        }
        costs.push(cost);
    }
    costs.sort_by_key(|cost| cost.runs);
    Ok(costs)
}

fn keep(path: &Path, start: &Start, end: &End) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut store = Store::open(path, Opening::Adding, PATIENCE)?;
    let begun = store.begin(start)?;
    store.wait_for(PATIENCE)?;
    anyhow::ensure!(store.is_there(), "the history is gone");
    store.finish(Some(&begun), start, end)?;
    // What follows at the end, when the result is told already, costs no run anything.
    drop(store);
    Ok(began.elapsed())
}
