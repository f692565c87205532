//! The line in which is typed what is to be looked for, with what is offered for it. A reducer.

use std::time::Duration;

use crate::analysis::tuning::goal::Goal;
use crate::analysis::tuning::target::Percentile;
use crate::session::view::{ArmView, SessionView, SweepCounts};
use crate::tui::format;
use crate::tui::keys::Action;
use crate::tui::line_edit::LineEdit;
use crate::tui::search::Wanted;
use crate::workload::model::{Arrivals, Dimension, EngineKind, Work};
use crate::workload::sweep;
use crate::workload::units::{format_duration, format_size};

/// What the line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A target, or a place where something changes.
    Goal,
    /// Fields and their values.
    Sweep,
}

/// The line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoalLine {
    pub(crate) asks: Asks,
    pub(crate) line: LineEdit,
    /// What may be typed, and what that means.
    pub(crate) offers: Vec<(String, String)>,
    /// Which of them stands in the line, as long as it was not changed.
    pub(crate) chosen: Option<usize>,
    /// What is wrong with the line.
    pub(crate) wrong: Option<String>,
}

/// What is to be looked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// In the session that is open.
    Here(SweepCounts),
    /// In sessions of its own.
    Beside(Wanted),
}

impl GoalLine {
    /// The line with its offers, the first of which stands in it.
    #[must_use]
    pub(crate) fn new(asks: Asks, view: &SessionView, arm: &ArmView, last: Option<&str>) -> Self {
        let mut offers = match asks {
            Asks::Goal => goals(arm, format::tasks_of_a_run(view)),
            Asks::Sweep => sweeps(view),
        };
        if let Some(last) = last.filter(|last| !offers.iter().any(|(text, _)| text == last)) {
            offers.insert(0, (last.to_owned(), "what was looked for last".to_owned()));
        }
        let mut line = Self { asks, line: LineEdit::default(), offers, chosen: None, wrong: None };
        line.choose(0);
        line
    }

    fn choose(&mut self, place: usize) {
        if let Some((text, _)) = self.offers.get(place) {
            self.line.clear();
            self.line.insert(text);
            (self.chosen, self.wrong) = (Some(place), None);
        }
    }

    /// Another offer takes the place of what stands in the line.
    pub(crate) fn step(&mut self, by: isize) {
        let last = self.offers.len().saturating_sub(1);
        let place = self.chosen.map_or(0, |chosen| chosen.saturating_add_signed(by).min(last));
        self.choose(place);
    }

    /// An action on the line; false for one that has nothing to do with it.
    pub(crate) fn edit(&mut self, action: Action) -> bool {
        let before = self.line.text().to_owned();
        let edited = self.line.edit(action);
        if self.line.text() != before {
            (self.chosen, self.wrong) = (None, None);
        }
        edited
    }

    /// A text goes in at the cursor.
    pub(crate) fn paste(&mut self, text: &str) {
        self.line.insert(text);
        (self.chosen, self.wrong) = (None, None);
    }

    /// What the line says.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn read(&self) -> Result<Look, String> {
        let text = self.line.text().trim();
        match self.asks {
            Asks::Goal => text.parse().map(|goal| match goal {
                Goal::Count(target) => Look::Here(SweepCounts::For(target)),
                edge @ (Goal::BreakEven | Goal::Knee) => Look::Beside(Wanted::Edge(edge)),
            }),
            Asks::Sweep => sweep::line(text).and_then(look_of),
        }
    }
}

/// Where the points of a sweep are looked at: worker counts alone are those of the session that is open.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn look_of(fields: Vec<Dimension>) -> Result<Look, String> {
    match fields.as_slice() {
        [field] if field.is_workers() => {
            let count = |value: &String| value.parse::<u32>().ok().filter(|count| *count > 0);
            let counts: Option<Vec<u32>> = field.values.iter().map(count).collect();
            counts.map(|counts| Look::Here(SweepCounts::Given(counts))).ok_or("workers must be 1 or more".to_owned())
        }
        _ => Ok(Look::Beside(Wanted::Sweep(fields))),
    }
}

/// The targets, with limits that what was measured makes interesting.
fn goals(arm: &ArmView, tasks: u64) -> Vec<(String, String)> {
    let points = || arm.tuning.points.iter();
    // The highest that so many tasks of a run can tell about.
    let percentile = [Percentile::P99, Percentile::P95, Percentile::P90]
        .into_iter()
        .find(|percentile| percentile.needs_more(tasks).is_none())
        .unwrap_or(Percentile::Max);
    let p99 =
        points().flat_map(|point| &point.sojourns).filter(|run| run.count > 0).map(|run| percentile.of(run)).min();
    let memory = points().filter_map(|point| point.peak_pss_bytes).max();
    // A little above the best that was seen: whether fewer workers do it too.
    let latency = p99.map_or(Duration::from_millis(250), rounded);
    let memory = memory.map_or(1 << 30, u64::next_power_of_two);
    [
        ("throughput".to_owned(), "the smallest worker count as good as the fastest"),
        (
            format!("{}<{}", percentile.word(), format_duration(latency)),
            "the smallest whose sojourn stays below (p50 p90 p95 p99 max)",
        ),
        (format!("memory<{}", format_size(memory)), "as good as the fastest whose highest memory (PSS) stays below"),
        ("break-even".to_owned(), "the size of a task at which a process each costs no more"),
        ("knee".to_owned(), "the rate of arrivals beyond which the queue grows"),
    ]
    .map(|(text, words)| (text, words.to_owned()))
    .to_vec()
}

/// A fifth more, in two digits of a unit.
fn rounded(latency: Duration) -> Duration {
    let micros = (latency.as_secs_f64() * 1.2e6).max(1.0);
    let digit = 10_f64.powf(micros.log10().floor() - 1.0).max(1.0);
    Duration::from_micros(((micros / digit).ceil() * digit) as u64)
}

/// What the file says, and fields that this workload has.
fn sweeps(view: &SessionView) -> Vec<(String, String)> {
    let workload = &view.workload;
    let mut offers: Vec<(String, String)> = Vec::new();
    if !workload.sweep.is_empty() {
        offers.push((Wanted::Sweep(workload.sweep.clone()).to_string(), "as its file says (sweep:)".to_owned()));
    }
    let mut offer = |text: &str, words: &str| {
        if !offers.iter().any(|(other, _)| other == text) {
            offers.push((text.to_owned(), words.to_owned()));
        }
    };
    let has = |is: fn(EngineKind) -> bool| view.arms.iter().any(|arm| is(arm.spec.kind));
    let pool = has(|kind| kind == EngineKind::Pool);
    if pool {
        offer("chunksize=auto,1,4,16,64", "tasks that travel together");
    }
    if pool || has(|kind| kind == EngineKind::Process) {
        offer("start_method=spawn,forkserver", "how workers are started");
    }
    if has(EngineKind::has_worker_count) {
        offer("workers=1..8", "these counts, and no others");
    }
    if pool {
        offer("workers=1..8x2 chunksize=auto,1,16", "two fields: a table");
    }
    if workload.classes.iter().all(|class| matches!(class.work, Work::Cpu(_) | Work::Sleep(_))) {
        offer("service_time=1ms..64msx4", "the size of the tasks");
    }
    if let Arrivals::Open(open) = &workload.arrivals
        && let [stage] = open.stages.as_slice()
    {
        let at = |share: f64| format::rate(stage.rate * share);
        offer(&format!("rate={}/s,{}/s,{}/s", at(0.5), at(1.0), at(1.5)), "the rate of the arrivals");
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::tuning::target::Target;
    use crate::tui::fixture;

    fn line(asks: Asks) -> GoalLine {
        let view = fixture::tuned();
        GoalLine::new(asks, &view, &view.arms[0], None)
    }

    fn typed(line: &mut GoalLine, text: &str) {
        line.edit(Action::EraseAll);
        text.chars().for_each(|c| assert!(line.edit(Action::Type(c))));
    }

    #[test]
    fn everything_that_is_offered_can_be_looked_for() {
        for asks in [Asks::Goal, Asks::Sweep] {
            let mut line = line(asks);
            for place in 0..line.offers.len() {
                assert_eq!(line.chosen, Some(place));
                assert!(line.read().is_ok(), "{}: {:?}", line.line.text(), line.read());
                line.step(1);
            }
            line.step(-100);
            assert_eq!(line.line.text(), line.offers[0].0);
        }
    }

    #[test]
    fn what_is_typed_is_what_the_command_line_takes() {
        let mut goal = line(Asks::Goal);
        typed(&mut goal, " p99<40ms ");
        let limit = "p99<40ms".parse::<Target>().unwrap();
        assert_eq!((goal.read(), goal.chosen), (Ok(Look::Here(SweepCounts::For(limit))), None));
        typed(&mut goal, "knee");
        assert_eq!(goal.read(), Ok(Look::Beside(Wanted::Edge(Goal::Knee))));
        typed(&mut goal, "p99<40");
        assert!(goal.read().is_err());
        let mut sweep = line(Asks::Sweep);
        typed(&mut sweep, "workers=1,3");
        assert_eq!(sweep.read(), Ok(Look::Here(SweepCounts::Given(vec![1, 3]))));
        typed(&mut sweep, "chunksize=1,4 args={ n: 1 }, { n: 2 }");
        let Ok(Look::Beside(Wanted::Sweep(fields))) = sweep.read() else { panic!("{:?}", sweep.read()) };
        assert_eq!((fields.len(), fields[1].values.len()), (2, 2));
        for wrong in ["", "workers=0,1", "chunksize", "chunksize=1 chunksize=2", "measure.repeats=1,2"] {
            typed(&mut sweep, wrong);
            assert!(sweep.read().is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_are_near_to_what_was_seen() {
        let at = |micros| rounded(Duration::from_micros(micros)).as_micros();
        assert_eq!([at(1), at(12_345), at(5_900_000)], [2, 15_000, 7_100_000]);
    }
}
