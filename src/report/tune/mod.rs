//! What a search for settings has found, with each of its steps, as text, as JSON and as Markdown.
//!
//! Nothing in here recommends: what follows from the figures is said by `analysis::tuning` and by who searched.

pub(crate) mod answers;
pub(crate) mod json;
pub(crate) mod markdown;
pub(crate) mod text;

use std::sync::Arc;

use crate::analysis::failing::AllFailed;
use crate::analysis::statistics::Estimate;
use crate::analysis::tuning::found::Distance;
use crate::os::host::Host;
use crate::report::ending::Ending;
use crate::workload::model::Workload;

/// Everything that a search has shown.
#[derive(Clone, Debug)]
pub(crate) struct TuneResults {
    pub(crate) workload: Arc<Workload>,
    pub(crate) host: Arc<Host>,
    /// Hash of the stream of tasks as the file says them.
    pub(crate) stream_hash: String,
    /// Tasks of one run as the file says them.
    pub(crate) tasks: u64,
    /// What was searched for.
    pub(crate) target: String,
    /// What was tried, in order.
    pub(crate) steps: Vec<TuneStep>,
    /// What came out; `None` where it was ended before.
    pub(crate) outcome: Option<Outcome>,
    /// How it came to its end.
    pub(crate) ending: Ending,
    /// Arms of which not one task succeeded.
    pub(crate) failed: Vec<(String, AllFailed)>,
    /// Tasks that did not succeed, in all counted runs.
    pub(crate) unsuccessful: u64,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TuneStep {
    /// Arm and setting.
    pub(crate) what: String,
    /// Why it was tried then.
    pub(crate) why: String,
    /// Counted runs.
    pub(crate) runs: u32,
    /// Of these, suspect ones.
    pub(crate) suspect: u32,
    /// Succeeded tasks per second.
    pub(crate) rate: Option<Estimate>,
    /// The figure that the target is about, in words, where that is another one, and what it says.
    pub(crate) figure: Option<String>,
}

/// What came out of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// In a few words.
    pub(crate) words: String,
    /// A sentence with the reason.
    pub(crate) why: String,
    /// Whether the target is met, or the place was found; `None` where that cannot be told, and where the search was ended before.
    pub(crate) met: Option<bool>,
    /// Whether it rests on suspect runs.
    pub(crate) suspect: bool,
    /// The figure that the limit is about, of the count that is named.
    pub(crate) distance: Option<Distance>,
    /// The arms that were compared for a break-even, with their worker counts; `None` for one without a limit of them.
    pub(crate) compared: Vec<(String, Option<u32>)>,
    pub(crate) engine: Option<String>,
    pub(crate) workers: Option<u32>,
    /// Settings that are better than the file's.
    pub(crate) settings: Vec<(String, String)>,
    /// What `--set` is to be given for all of that.
    pub(crate) set: Vec<String>,
    /// Between which values a break-even or a knee lies.
    pub(crate) place: Option<Ends>,
}

/// Two values between which something changes; `None` where it lies beyond what was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ends {
    /// `s` or `1/s`.
    pub(crate) unit: &'static str,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
}

impl Outcome {
    /// The words, marked where they rest on suspect runs.
    pub(crate) fn marked(&self) -> String {
        format!("{}{}", if self.suspect { "SUSPECT " } else { "" }, self.words)
    }
}

impl TuneResults {
    /// Counted runs of all steps.
    pub(crate) fn runs(&self) -> u32 {
        self.steps.iter().map(|step| step.runs).sum()
    }

    /// Of these, suspect ones.
    pub(crate) fn suspect(&self) -> u32 {
        self.steps.iter().map(|step| step.suspect).sum()
    }
}

#[cfg(test)]
mod tests;
