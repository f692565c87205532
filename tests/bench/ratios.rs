//! The verdict on ratios of what is ours to a limit.
#![allow(dead_code, reason = "each benchmark has its own ratios")]

/// Ratios of ours to a limit that was measured right before or after it.
pub struct Ratios {
    name: &'static str,
    unit: &'static str,
    must: f64,
    goal: f64,
    measured: Vec<f64>,
}

impl Ratios {
    /// Of rates: the more the better. `must` and `goal` are what the median of the ratios is held against.
    pub fn new(name: &'static str, must: f64, goal: f64) -> Self {
        Self { name, unit: "/s", must, goal, measured: Vec::new() }
    }

    /// Of times, in this unit: the less the better, so that `must` is more than `goal`.
    pub fn of_times(name: &'static str, unit: &'static str, must: f64, goal: f64) -> Self {
        Self { unit, ..Self::new(name, must, goal) }
    }

    /// Adds one ratio and prints it.
    pub fn round(&mut self, limit: f64, ours: f64) {
        let ratio = ours / limit;
        self.measured.push(ratio);
        let (round, Self { name, unit, .. }) = (self.measured.len(), self);
        println!("round {round}: {name}: {ours:.1}{unit}, limit {limit:.1}{unit}, ratio {ratio:.3}");
    }

    /// Prints what follows from their median, and how far apart they are.
    pub fn verdict(mut self) {
        self.measured.sort_by(f64::total_cmp);
        let median = self.measured[self.measured.len() / 2];
        let reaches = |bar: f64| if self.goal < self.must { median <= bar } else { median >= bar };
        let verdict = if reaches(self.goal) {
            "reaches the goal"
        } else if reaches(self.must) {
            "reaches what it must"
        } else {
            "TOO SLOW"
        };
        let Self { name, must, goal, measured, .. } = self;
        let (least, most) = (measured[0], measured[measured.len() - 1]);
        println!("{name}: median {median:.2} ({least:.2} to {most:.2}; must {must}, goal {goal}): {verdict}");
    }
}
