//! Which faults happened, and how often.

/// How often each fault happened.
#[derive(Debug, Default, Clone, Copy)]
pub struct Faults {
    pub deaths: u64,
    pub lost_reports: u64,
    pub failed_starts: u64,
    pub hangs: u64,
    pub ignored_terms: u64,
    pub errors: u64,
    pub expired: u64,
    pub timeouts: u64,
    pub retries: u64,
    pub dropped: u64,
    pub stops: u64,
    pub resizes: u64,
    pub kills: u64,
    pub misbehaviour: u64,
    pub skips: u64,
    pub closed_sockets: u64,
    pub silences: u64,
    pub cut_short: u64,
    pub abandoned: u64,
    pub submitted: u64,
    pub engine_failures: u64,
    pub failed_initializers: u64,
    pub shared_deaths: u64,
    pub late_wakes: u64,
}

impl Faults {
    pub fn list(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("a death", self.deaths),
            ("a lost report", self.lost_reports),
            ("a failed start", self.failed_starts),
            ("a hang", self.hangs),
            ("an ignored SIGTERM", self.ignored_terms),
            ("an error", self.errors),
            ("a queue timeout", self.expired),
            ("a timeout", self.timeouts),
            ("a retry", self.retries),
            ("a dropped arrival", self.dropped),
            ("a stop", self.stops),
            ("a resize", self.resizes),
            ("a kill", self.kills),
            ("misbehaviour", self.misbehaviour),
            ("a skipped task", self.skips),
            ("a closed socket", self.closed_sockets),
            ("a silence", self.silences),
            ("a task cut short", self.cut_short),
            ("a worker that never goes", self.abandoned),
            ("a task submitted by a caller", self.submitted),
            ("a death of a worker in several tasks", self.shared_deaths),
            ("a failed initializer", self.failed_initializers),
            ("a failure of the engine itself", self.engine_failures),
            ("a late wake", self.late_wakes),
        ]
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            deaths: self.deaths + other.deaths,
            lost_reports: self.lost_reports + other.lost_reports,
            failed_starts: self.failed_starts + other.failed_starts,
            hangs: self.hangs + other.hangs,
            ignored_terms: self.ignored_terms + other.ignored_terms,
            errors: self.errors + other.errors,
            expired: self.expired + other.expired,
            timeouts: self.timeouts + other.timeouts,
            retries: self.retries + other.retries,
            dropped: self.dropped + other.dropped,
            stops: self.stops + other.stops,
            resizes: self.resizes + other.resizes,
            kills: self.kills + other.kills,
            misbehaviour: self.misbehaviour + other.misbehaviour,
            skips: self.skips + other.skips,
            closed_sockets: self.closed_sockets + other.closed_sockets,
            silences: self.silences + other.silences,
            cut_short: self.cut_short + other.cut_short,
            abandoned: self.abandoned + other.abandoned,
            submitted: self.submitted + other.submitted,
            shared_deaths: self.shared_deaths + other.shared_deaths,
            failed_initializers: self.failed_initializers + other.failed_initializers,
            engine_failures: self.engine_failures + other.engine_failures,
            late_wakes: self.late_wakes + other.late_wakes,
        }
    }
}
