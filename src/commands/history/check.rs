//! `poolscope history check`: a session against the baseline of its workload, and those between them.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::compare::{change, head, shown};
use super::contrast::{Contrast, Figure, apart, contrasts, together};
use super::{deliver, open, refused, session, table};
use crate::analysis::holm::holm;
use crate::analysis::verdict::ALPHA;
use crate::cli::RegressionArgs;
use crate::commands::prepare::Prepared;
use crate::commands::tune::VERB as TUNE;
use crate::commands::{ExitReason, write};
use crate::history::Store;
use crate::history::comparable;
use crate::history::query::{Filter, Order};
use crate::history::record::Session;
use crate::report::clean;
use crate::report::text::table::{pad, pad_left};

/// Most sessions between the baseline and the one that is checked that are told, the newest.
const MOST_BETWEEN: usize = 20;

/// What became of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It is worse than allowed.
    Regression,
    /// It is not worse than allowed.
    Holds,
    /// Neither can be said.
    TooNoisy,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Holds => "holds",
            Self::TooNoisy => "too_noisy_to_say",
        }
    }
}

/// A session against the baseline.
struct Checked<'a> {
    session: &'a Session,
    contrasts: Vec<Contrast<'a>>,
    /// Of each figure of each contrast in turn.
    outcomes: Vec<Outcome>,
    /// Arms of the baseline that this session has not run, and those that it alone has: nothing is said of either.
    apart: [Vec<String>; 2],
}

pub(super) fn execute(arguments: &RegressionArgs) -> Prepared<ExitReason> {
    let place = &arguments.place;
    let store = open(place.db.as_deref())?;
    let candidate = candidate(&store, arguments)?;
    let baseline = baseline(&store, &candidate)?;
    if candidate.newness() <= baseline.newness() {
        write::say(&format!(
            "error: nothing was kept of {} since its baseline, session {}",
            clean::line(&candidate.start.workload.name),
            baseline.id
        ));
        return Err(ExitReason::BadInput);
    }
    let differences = comparable::between(&baseline, &candidate);
    if !differences.refused.is_empty() {
        for reason in &differences.refused {
            write::say(&format!("error: not comparable with the baseline: {}", clean::line(reason)));
        }
        write::say(&format!("poolscope history baseline set {} begins anew", candidate.id));
        return Err(ExitReason::BadInput);
    }
    let between = between(&store, &baseline, &candidate)?;
    let checked: Vec<Checked<'_>> =
        between.iter().chain([&candidate]).map(|session| check(&baseline, session, arguments)).collect();
    let Some((newest, _)) = checked.split_last().filter(|(newest, _)| !newest.outcomes.is_empty()) else {
        write::say(&format!(
            "error: no arm of session {} belongs to one of the baseline {}",
            candidate.id, baseline.id
        ));
        return Err(ExitReason::BadInput);
    };
    let latency = baseline.end().map_or("", |end| &end.latency);
    let json = || {
        table::document(json!({
            "baseline": table::session(&baseline, false),
            "margin": arguments.margin,
            "outcome": newest.outcome().word(),
            "warnings": differences.warned,
            "checked": checked.iter().map(|checked| checked.json(latency)).collect::<Vec<_>>(),
        }))
    };
    let page = || page(&baseline, &checked, &differences.warned, arguments.margin);
    let delivered = deliver(place, &store, page, json)?;
    let suspect = newest.contrasts.iter().any(|contrast| {
        let runs = || contrast.a.complete().chain(contrast.b.complete());
        runs().any(|run| !run.suspect.is_empty()) || comparable::fails(contrast.b)
    });
    // What was not measured cannot be said to hold.
    let unsure = suspect || !newest.apart[0].is_empty();
    let exit = match newest.outcome() {
        Outcome::Regression => ExitReason::Failed,
        Outcome::TooNoisy if arguments.strict => ExitReason::Suspect,
        Outcome::Holds | Outcome::TooNoisy if arguments.strict && unsure => ExitReason::Suspect,
        Outcome::Holds | Outcome::TooNoisy => ExitReason::Done,
    };
    Ok(exit.or_graver(delivered))
}

/// The session that is to be checked.
fn candidate(store: &Store, arguments: &RegressionArgs) -> Prepared<Session> {
    if let Some(id) = arguments.id {
        return session(store, id);
    }
    // Newest first. One that was ended before anything was kept is not passed over in silence; steps of a search are no
    // comparison that anybody has asked for.
    let (mut found, mut shared) = (None, None);
    let filter = Filter { workload: arguments.workload.clone(), brief: true, ..Filter::default() };
    let read = store.each(&filter, Order::ByEnd, |session| {
        let shares = session.end().is_some_and(|end| end.sharing_cores);
        shared = shared.or(shares.then_some(session.id));
        let is_wanted = !shares && session.start.verb != TUNE;
        found = is_wanted.then_some(session);
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.map_err(refused)?;
    // It is the one that was just made, and somebody waits for its verdict.
    if let Some(id) = shared {
        write::say(&format!("note: session {id} is passed over: its arms shared the cores, which is no measurement"));
    }
    let Some(session) = found else {
        let of = arguments.workload.as_ref().map_or_else(String::new, |name| format!(" of {}", clean::line(name)));
        write::say(&format!("error: there is no session{of} to be checked (poolscope history list)"));
        return Err(ExitReason::BadInput);
    };
    if session.end().is_none() {
        write::say(&format!("error: session {} did not come to its end; --id ID checks another one", session.id));
        return Err(ExitReason::BadInput);
    }
    Ok(session)
}

fn baseline(store: &Store, candidate: &Session) -> Prepared<Session> {
    let name = &candidate.start.workload.name;
    let found = store.baseline(name, &candidate.start.host.fingerprint()).map_err(refused)?;
    let found = match found {
        Some(id) => store.session(id).map_err(refused)?,
        None => None,
    };
    found.ok_or_else(|| {
        write::say(&format!(
            "error: there is no baseline of {} on this machine: poolscope history baseline set ID",
            clean::line(name)
        ));
        ExitReason::BadInput
    })
}

/// Sessions between both, the oldest first, that can be compared.
fn between(store: &Store, baseline: &Session, candidate: &Session) -> Prepared<Vec<Session>> {
    let workload = Some(candidate.start.workload.name.clone());
    let filter = Filter { workload, brief: true, ..Filter::default() };
    let mut found = Vec::new();
    let read = store.each(&filter, Order::ByEnd, |session| {
        if session.newness() <= baseline.newness() || found.len() == MOST_BETWEEN {
            return ControlFlow::Break(());
        }
        if session.newness() >= candidate.newness() {
            return ControlFlow::Continue(());
        }
        if session.start.verb != TUNE && comparable::between(baseline, &session).refused.is_empty() {
            found.push(session);
        }
        ControlFlow::Continue(())
    });
    read.map_err(refused)?;
    found.reverse();
    Ok(found)
}

fn check<'a>(baseline: &'a Session, session: &'a Session, arguments: &RegressionArgs) -> Checked<'a> {
    let arms = |session: &'a Session| session.end().map_or(&[][..], |end| &end.arms);
    let pairs = together(arms(baseline), arms(session));
    let apart = apart(arms(baseline), arms(session), &pairs);
    let contrasts = contrasts(&pairs, &arguments.metric, ["the baseline", "this session"]);
    let outcomes = outcomes(contrasts.iter().flat_map(|contrast| &contrast.figures), arguments.margin);
    Checked { session, contrasts, outcomes, apart }
}

/// A figure is a regression if a ratio so bad would be rare were it just at its limit, corrected for all figures that are
/// looked at; it holds if one so good would be rare there. Runs that are in no mean are in no ratio either: where not one
/// task succeeded in a run of this session alone, no margin allows that, and with any other such run nothing can hold. A
/// percentile of too few tasks is neither.
fn outcomes<'a>(figures: impl Iterator<Item = &'a Figure>, margin: f64) -> Vec<Outcome> {
    let figures: Vec<&Figure> = figures.collect();
    // What is not judged is no question.
    let judged: Vec<&Figure> = figures.iter().filter(|figure| figure.too_few.is_none()).copied().collect();
    let chances = judged.iter().map(|figure| {
        // A rate may be lower by so much, and a time higher.
        let (limit, above) = if figure.metric.is_rate() { (1.0 - margin, false) } else { (1.0 + margin, true) };
        let chance = |above| figure.found.and_then(|found| found.p_beyond(limit, above));
        (chance(above), chance(!above))
    });
    let (worse, fine): (Vec<_>, Vec<_>) = chances.unzip();
    let is_rare = |p: Option<f64>| p.is_some_and(|p| p <= ALPHA);
    let mut each = holm(&worse).into_iter().zip(fine);
    let outcome = |figure: &Figure| {
        if figure.too_few.is_some() {
            return Outcome::TooNoisy;
        }
        let (worse, fine) = each.next().unwrap_or_default();
        match figure.left_out {
            [0, left_out] if left_out > 0 && figure.metric.is_rate() => Outcome::Regression,
            _ if is_rare(worse) => Outcome::Regression,
            [0, 0] if is_rare(fine) => Outcome::Holds,
            _ => Outcome::TooNoisy,
        }
    };
    figures.into_iter().map(outcome).collect()
}

impl Checked<'_> {
    /// That of all figures together.
    fn outcome(&self) -> Outcome {
        let has = |outcome| self.outcomes.contains(&outcome);
        match () {
            () if has(Outcome::Regression) => Outcome::Regression,
            () if has(Outcome::TooNoisy) || self.outcomes.is_empty() => Outcome::TooNoisy,
            () => Outcome::Holds,
        }
    }

    /// What is to be said of arms that only one side has.
    fn unchecked(&self) -> Vec<String> {
        let [missing, new] = &self.apart;
        let missing =
            missing.iter().map(|arm| format!("NOT CHECKED: {arm} of the baseline was not run in this session"));
        let new = new.iter().map(|arm| format!("{arm} is not in the baseline: it was compared with nothing"));
        missing.chain(new).collect()
    }

    fn json(&self, latency: &str) -> Value {
        let mut outcomes = self.outcomes.iter();
        let arms = self.contrasts.iter().map(|contrast| {
            let mut arm = contrast.json(latency);
            for figure in arm["figures"].as_array_mut().into_iter().flatten() {
                figure["outcome"] = outcomes.next().map_or(Value::Null, |outcome| outcome.word().into());
            }
            arm
        });
        let arms: Vec<Value> = arms.collect();
        json!({ "session": table::session(self.session, false), "outcome": self.outcome().word(), "not_checked": self.apart[0], "new": self.apart[1], "arms": arms })
    }
}

fn page(baseline: &Session, checked: &[Checked<'_>], warned: &[String], margin: f64) -> String {
    let mut text = head("baseline", baseline);
    warned.iter().for_each(|note| text.push_str(&format!(" ! {}\n", clean::line(note))));
    for (place, one) in checked.iter().enumerate() {
        let is_newest = place + 1 == checked.len();
        text.push_str(&head(if is_newest { "checked " } else { "between " }, one.session));
        text.push_str(&lines(one));
        if is_newest {
            let notes = one.contrasts.iter().flat_map(|contrast| &contrast.warned);
            let notes = notes.cloned().chain(one.unchecked());
            notes.for_each(|note| text.push_str(&format!(" ! {}\n", clean::line(&note))));
            text.push_str(&format!("\n{}\n", verdict(one.outcome(), margin)));
        }
    }
    text
}

fn lines(checked: &Checked<'_>) -> String {
    let mut outcomes = checked.outcomes.iter();
    let mut text = String::new();
    for contrast in &checked.contrasts {
        for figure in &contrast.figures {
            let outcome = match outcomes.next() {
                Some(Outcome::Regression) => "REGRESSION",
                Some(Outcome::Holds) => "holds",
                Some(Outcome::TooNoisy) | None => "too noisy to say",
            };
            let outcome = match figure.too_few {
                Some(tasks) => format!("not judged: {tasks} tasks a run are too few"),
                None => outcome.to_owned(),
            };
            let interval = figure.found.and_then(|found| found.ci95);
            let interval = interval.map(|(low, high)| format!("{} to {}", change(low), change(high)));
            let ratio = figure.found.map_or("–".to_owned(), |found| change(found.ratio));
            let name = format!("{}@{}", clean::line(&contrast.b.name), contrast.b.workers);
            text.push_str(&format!(
                "  {} {} {} to {} {}  {}  {outcome}\n",
                pad(&name, 14),
                pad(figure.metric.words(), 8),
                pad_left(&shown(figure, figure.a), 7),
                pad(&shown(figure, figure.b), 7),
                pad_left(&ratio, 8),
                pad(&interval.unwrap_or_else(|| "no interval: one run".to_owned()), 20),
            ));
        }
    }
    text
}

fn verdict(outcome: Outcome, margin: f64) -> String {
    let percent = margin * 100.0;
    match outcome {
        Outcome::Regression => format!("REGRESSION: worse than the baseline by more than {percent} %"),
        Outcome::Holds => format!("ok: not worse than the baseline by more than {percent} %"),
        Outcome::TooNoisy => {
            format!(
                "too noisy to say whether it is worse by more than {percent} %: more runs, or a quieter machine, would tell"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::unpaired::unpaired;
    use crate::analysis::verdict::Finding;
    use crate::cli::Metric;

    fn of(metric: Metric, before: &[f64], after: &[f64]) -> Figure {
        let left_out = [before, after].map(|values| values.iter().filter(|value| **value <= 0.0).count());
        let found = unpaired(before, after);
        Figure { metric, a: None, b: None, found, left_out, too_few: None, p: None, finding: Finding::TooEarly }
    }

    #[test]
    fn a_figure_is_worse_fine_or_open() {
        let one = |figure: Figure| outcomes([&figure].into_iter(), 0.05)[0];
        let steady = &[100.0, 100.5, 99.5, 100.2];
        let scaled = |by: f64| steady.map(|value| value * by);
        assert_eq!(one(of(Metric::Throughput, steady, &scaled(0.9))), Outcome::Regression);
        assert_eq!(one(of(Metric::Throughput, steady, &scaled(0.97))), Outcome::Holds, "within the margin");
        assert_eq!(one(of(Metric::Throughput, steady, &scaled(1.3))), Outcome::Holds);
        assert_eq!(one(of(Metric::Throughput, steady, &scaled(0.95))), Outcome::TooNoisy, "just at the limit");
        assert_eq!(one(of(Metric::P95, steady, &scaled(1.1))), Outcome::Regression, "a time");
        assert_eq!(one(of(Metric::P95, steady, &scaled(0.7))), Outcome::Holds);
        assert_eq!(one(of(Metric::Throughput, &[100.0, 60.0, 140.0], &[90.0, 130.0, 60.0])), Outcome::TooNoisy);
        assert_eq!(one(of(Metric::Throughput, &[100.0], &[50.0])), Outcome::TooNoisy, "one run has no interval");
        let few = Figure { too_few: Some(20), ..of(Metric::P99, steady, &scaled(9.0)) };
        let worse = of(Metric::Throughput, steady, &scaled(0.9));
        assert_eq!(outcomes([&few, &worse].into_iter(), 0.05), [Outcome::TooNoisy, Outcome::Regression]);
        // What no logarithm has is in no ratio, and not passed over.
        let with_zero = &[100.0, 0.0, 100.3, 99.8];
        assert_eq!(
            one(of(Metric::Throughput, steady, with_zero)),
            Outcome::Regression,
            "a run in which nothing succeeded"
        );
        assert_eq!(one(of(Metric::Throughput, steady, &[0.0, 0.0])), Outcome::Regression);
        assert_eq!(one(of(Metric::Throughput, with_zero, steady)), Outcome::TooNoisy, "of the baseline");
        assert_eq!(one(of(Metric::Throughput, with_zero, with_zero)), Outcome::TooNoisy);
        assert_eq!(one(of(Metric::P95, steady, with_zero)), Outcome::TooNoisy, "a time of 0 is none");
        assert_eq!(
            one(of(Metric::P95, steady, &scaled(1.2).map(|v| if v > 120.5 { 0.0 } else { v }))),
            Outcome::Regression
        );
    }

    #[test]
    fn equal_sessions_are_rarely_found_worse_however_many_figures_are_looked_at() {
        use crate::analysis::simulated::{Trials, most_by_chance};
        const TRIALS: u32 = 1000;
        let mut trials = Trials::new(29);
        let mut wrong = 0;
        for _ in 0..TRIALS {
            // Worse by just what is allowed: the case in which it goes wrong most often.
            let mut group = |scale: f64| (0..5).map(|_| scale * trials.normal(0.02).exp()).collect::<Vec<_>>();
            let figures: Vec<Figure> =
                (0..6).map(|_| of(Metric::Throughput, &group(250.0), &group(250.0 * 0.95))).collect();
            wrong += u32::from(outcomes(figures.iter(), 0.05).contains(&Outcome::Regression));
        }
        println!("seed 29: {wrong} of {TRIALS}");
        assert!(wrong <= most_by_chance(TRIALS, 0.05), "{wrong} of {TRIALS}");
    }
}
