//! The sessions of a search on their way into the history: each is one there, under the verb of the search.

use std::sync::Arc;

use super::Tuner;
use crate::commands::drive::Driven;
use crate::commands::keep::{self, Keeper, Over};
use crate::commands::measured::{self, partial};
use crate::report;
use crate::report::ending::Ending;
use crate::report::sweep::{SweepResults, SweptArm};
use crate::session::view::{ArmView, SessionCommand, SessionView};
use crate::workload::model::Workload;

/// What the history calls sessions of a search.
pub(in crate::commands) const VERB: &str = "tune";

impl Tuner<'_> {
    /// Notes that a session begins.
    pub(super) fn begin(&mut self, workload: &Workload) -> Keeper {
        let set: Vec<String> = self.arguments.changes.set.iter().chain(&self.set).cloned().collect();
        let told = &mut self.not_kept;
        // Every session may meet the same.
        let tell = |note: &str| {
            if !told.iter().any(|before| before == note) {
                told.push(note.to_owned());
                keep::say(note);
            }
        };
        Keeper::begin(&self.arguments.output.keep, VERB, workload, &self.platform.host, &set, tell)
    }

    /// Keeps what one has measured.
    pub(super) fn keep(&self, mut keeper: Keeper, command: SessionCommand, driven: &Driven) {
        if !keeper.keeps() {
            return;
        }
        if !was_measured(&driven.view) {
            keeper.forget();
            return keeper.close();
        }
        let result = match command {
            SessionCommand::Sweep(sweep) => report::sweep::json::text(&swept(driven, sweep.runs)),
            _ => report::json::text(&measured::results(driven)),
        };
        let hurry = matches!(driven.ending, Ending::Stopped(Some(_)));
        let (view, stream_hash, ending) = (&driven.view, driven.stream_hash.clone(), &driven.ending);
        keeper.finish(Over { view, stream_hash, ending, result, hurry }, keep::say);
        keeper.close();
    }
}

fn was_measured(view: &SessionView) -> bool {
    view.arms.iter().any(|arm| !arm.counted.is_empty() || partial(view, arm).is_some())
}

/// Worker counts alone, of arms as they are in the file.
fn swept(driven: &Driven, runs: u32) -> SweepResults {
    let view = &driven.view;
    let arm = |(group, arm): (usize, &ArmView)| SweptArm {
        spec: arm.spec.clone(),
        base: arm.spec.name.clone(),
        settings: Vec::new(),
        group,
        tuning: Arc::clone(&arm.tuning),
        partial: partial(view, arm).map(|partial| (arm.measured, partial)),
    };
    SweepResults {
        workload: Arc::clone(&view.workload),
        host: Arc::clone(&view.host),
        stream_hash: driven.stream_hash.clone(),
        arms: view.arms.iter().enumerate().map(arm).collect(),
        dimensions: Vec::new(),
        baseline: view.baseline,
        runs,
        expectations: measured::results(driven).expectations(),
        ending: driven.ending.clone(),
    }
}
