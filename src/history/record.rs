//! What is kept of a session, in both directions.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Number of a session: what people name it by.
pub(crate) type SessionId = i64;

/// The row of a session. Its number alone is another one's in another database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) id: SessionId,
    pub(crate) began_ms: i64,
    /// Of the program that has made it.
    pub(crate) pid: u32,
    /// Start of the machine within which that means something.
    pub(crate) boot: String,
}

/// What is known before anything runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Start {
    pub(crate) at: Timestamp,
    /// `run`, `compare`, `sweep`, `try`, `tune` or `dashboard`.
    pub(crate) verb: String,
    pub(crate) workload: WorkloadFacts,
    pub(crate) host: HostFacts,
    /// Of the folder that it was started in.
    pub(crate) commit: Option<Commit>,
}

/// The workload of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WorkloadFacts {
    pub(crate) name: String,
    pub(crate) title: String,
    /// Of its text and of what the command line has changed in it.
    pub(crate) hash: String,
    pub(crate) seed: u64,
    /// As it may be told: without the values of any `env`.
    pub(crate) text: String,
    /// `--set`, likewise.
    pub(crate) set: Vec<String>,
}

/// The machine, as far as figures depend on it or people know it by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HostFacts {
    pub(crate) name: String,
    pub(crate) cpu_model: String,
    pub(crate) kernel: String,
    pub(crate) cores_online: u32,
    pub(crate) cores_usable: u32,
    pub(crate) cores_quota: Option<f64>,
    pub(crate) memory_bytes: u64,
    /// What has run: version and kind of build of this program.
    pub(crate) program: String,
}

impl HostFacts {
    /// What has to be the same for figures to be of the same machine. Not its name, which a container draws anew.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        let Self { cpu_model, cores_online, cores_usable, cores_quota, .. } = self;
        let quota = cores_quota.map_or_else(String::new, |quota| format!(", quota {quota}"));
        format!("{cpu_model}, {cores_usable} of {cores_online} cores{quota}")
    }
}

/// The version of the user's own work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Its full hash.
    pub(crate) id: String,
    /// Whether files that are under version control differ from it; `None` where that could not be found out quickly.
    pub(crate) dirty: Option<bool>,
}

/// What is known when a session is over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) at: Timestamp,
    /// Why it was aborted, if it was.
    pub(crate) aborted: Option<String>,
    pub(crate) stream_hash: String,
    /// The latency that the workload leads with: `sojourn` or `service`.
    pub(crate) latency: String,
    /// Whether its arms ran at the same time.
    pub(crate) sharing_cores: bool,
    /// The result as `--format json` writes it.
    pub(crate) result: String,
    pub(crate) arms: Vec<Arm>,
}

/// One arm with one worker count.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arm {
    pub(crate) name: String,
    /// Its kind.
    pub(crate) engine: String,
    pub(crate) workers: u32,
    /// What is not the default, in words.
    pub(crate) settings: Vec<String>,
    pub(crate) is_baseline: bool,
    /// Oldest first.
    pub(crate) runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) round: u32,
    /// Whether it was made to its end: another one is in no mean.
    pub(crate) complete: bool,
    pub(crate) wall_s: f64,
    /// Succeeded tasks per second.
    pub(crate) throughput: f64,
    pub(crate) succeeded: u64,
    /// Tasks with another outcome.
    pub(crate) unsuccessful: u64,
    pub(crate) cores_used: f64,
    /// Of the latency that the workload leads with, in seconds.
    pub(crate) p50_s: Option<f64>,
    pub(crate) p95_s: Option<f64>,
    pub(crate) p99_s: Option<f64>,
    pub(crate) peak_pss_bytes: Option<u64>,
    pub(crate) results_hash: Option<String>,
    /// Why its figures should not be trusted.
    pub(crate) suspect: Vec<String>,
    /// Its last moment with its whole distributions, format `poolscope.track/1`; `None` where it could not be written, and
    /// where nobody asks for it.
    pub(crate) recording: Option<Vec<u8>>,
}

/// A session as it is in the store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) start: Start,
    pub(crate) state: State,
}

/// What became of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// It is under way.
    Running,
    /// Its program was gone before it could say how it ended.
    DidNotEnd,
    /// It is over.
    Ended(Box<End>),
}

impl Session {
    /// How new it is: when it ended, or when it began where it has not. A sweep that was resumed is as new as its last runs.
    pub(crate) fn newness(&self) -> (Timestamp, SessionId) {
        (self.end().map_or(self.start.at, |end| end.at), self.id)
    }

    /// What was measured, if it is over.
    pub(crate) fn end(&self) -> Option<&End> {
        match &self.state {
            State::Ended(end) => Some(end),
            State::Running | State::DidNotEnd => None,
        }
    }
}

impl Arm {
    /// The runs that figures are made of.
    pub(crate) fn complete(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.complete)
    }

    /// One figure of each of them.
    pub(crate) fn figures(&self, figure: impl Fn(&Run) -> Option<f64>) -> Vec<f64> {
        self.complete().filter_map(figure).filter(|value| value.is_finite()).collect()
    }
}
