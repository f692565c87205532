//! A search beside the comparison that is open: what is looked for, and the story of it until now. It has sessions of its own, one
//! after the other; who starts it shows the one under way. Data alone.

use std::sync::Arc;

use tokio::sync::watch;

use crate::analysis::tuning::goal::Goal;
use crate::report::ending::Ending;
use crate::report::sweep::SweepResults;
use crate::report::tune::{Outcome, TuneStep};
use crate::session::handle::SessionHandle;
use crate::session::view::SessionView;
use crate::workload::model::Dimension;

/// What is looked for in sessions of its own: the workload that is open is run with other tasks, arrivals or settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A break-even or a knee.
    Edge(Goal),
    /// The points of a sweep.
    Sweep(Vec<Dimension>),
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Edge(goal) => goal.fmt(f),
            Self::Sweep(fields) => {
                let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
                f.write_str(&fields.join(" "))
            }
        }
    }
}

/// What a search is started with.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) wanted: Wanted,
    /// Index of the workload in the catalogue.
    pub(crate) entry: usize,
    /// Name of the arm that is chosen.
    pub(crate) engine: String,
    /// Names of the arms whose worker count was changed, with the one that they are to have.
    pub(crate) workers: Vec<(String, u32)>,
    /// The comparison that it is beside.
    pub(crate) base: Arc<SessionView>,
}

/// A search under way. It is over when its session is gone; without a listener it ends.
pub(crate) struct Search {
    /// The session under way, as if all of them were one that runs until the search is over.
    pub(crate) session: SessionHandle,
    /// Its last one has how it ended.
    pub(crate) story: watch::Receiver<Arc<Story>>,
}

/// Starts a search; does not wait for anything.
pub(crate) type StartSearch = Arc<dyn Fn(Request) -> anyhow::Result<Search> + Send + Sync>;

/// A search until now.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) wanted: Wanted,
    /// What was tried, in order.
    pub(crate) steps: Vec<TuneStep>,
    /// What is tried now, and why.
    pub(crate) trying: Option<(String, String)>,
    /// The points of a sweep.
    pub(crate) swept: Option<Arc<SweepResults>>,
    /// What came out.
    pub(crate) outcome: Option<Outcome>,
    /// Notes, and where it was refused why.
    pub(crate) said: Vec<String>,
    pub(crate) state: State,
}

/// How far a search is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    UnderWay,
    /// It has ended so.
    Over(Ending),
    /// It was not begun: what was said tells why.
    Refused,
}

impl Story {
    /// One that begins.
    #[must_use]
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            steps: Vec::new(),
            trying: None,
            swept: None,
            outcome: None,
            said: Vec::new(),
            state: State::UnderWay,
        }
    }

    /// Whether it goes on.
    #[must_use]
    pub(crate) fn is_under_way(&self) -> bool {
        self.state == State::UnderWay
    }

    /// Counted runs until now.
    #[must_use]
    pub(crate) fn runs(&self) -> u32 {
        let points = self.swept.iter().flat_map(|swept| swept.places().map(|place| place.point.runs()));
        self.steps.iter().map(|step| step.runs).chain(points).sum()
    }
}
