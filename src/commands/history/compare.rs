//! `poolscope history compare A B`: what two sessions measured, arm by arm.

use serde_json::json;

use super::contrast::{ALL, Contrast, Figure, apart, contrasts, together};
use super::{deliver, open, session, table};
use crate::analysis::verdict::Finding;
use crate::cli::{CompareRunsArgs, Selector};
use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, write};
use crate::history::comparable::{self, Differences};
use crate::history::record::{Arm, Session};
use crate::report::history::{Compared, ComparedArms, ComparedFigure, page};
use crate::report::{clean, units};

pub(super) fn execute(arguments: &CompareRunsArgs) -> Prepared<ExitReason> {
    let CompareRunsArgs { a: of_a, b: of_b, anyway, place } = arguments;
    let store = open(place.db.as_deref())?;
    let (a, b) = (session(&store, of_a.id)?, session(&store, of_b.id)?);
    let mut differences = between(&a, &b);
    let can_be = a.end().is_some() && b.end().is_some();
    if !(differences.refused.is_empty() || *anyway && can_be) {
        differences
            .refused
            .iter()
            .for_each(|reason| write::say(&format!("error: not comparable: {}", clean::line(reason))));
        write::say("--anyway compares them all the same");
        return Err(ExitReason::BadInput);
    }
    let pairs = pairs(&a, of_a, &b, of_b)?;
    if of_a.arm.is_none() && of_b.arm.is_none() {
        let [only_a, only_b] = apart(of(&a), of(&b), &pairs);
        let alone = |side: &'static str, arms: Vec<String>| {
            arms.into_iter().map(move |arm| format!("{arm} is in {side} alone: it is compared with nothing"))
        };
        differences.warned.extend(alone("A", only_a).chain(alone("B", only_b)));
    }
    let found = contrasts(&pairs, &ALL, ["A", "B"]);
    let latency = a.end().map_or("", |end| &end.latency);
    let json = || {
        table::document(json!({
            "a": table::session(&a, false),
            "b": table::session(&b, false),
            "refused": differences.refused,
            "warnings": differences.warned,
            "arms": found.iter().map(|contrast| contrast.json(latency)).collect::<Vec<_>>(),
        }))
    };
    deliver(place, &store, || page(&words(&a, &b, differences.clone(), &found)), json)
}

/// The arms that are to be compared.
fn pairs<'a>(a: &'a Session, of_a: &Selector, b: &'a Session, of_b: &Selector) -> Prepared<Vec<(&'a Arm, &'a Arm)>> {
    let (one, other) = (chosen(a, of_a)?, chosen(b, of_b)?);
    if let ([one], [other]) = (one.as_slice(), other.as_slice()) {
        return Ok(vec![(*one, *other)]);
    }
    let (one, other) = (of(a), of(b));
    let all = together(one, other).into_iter();
    let wanted = |arm: &Arm, of: &Selector| {
        of.arm.as_ref().is_none_or(|name| arm.name == *name) && of.workers.is_none_or(|count| arm.workers == count)
    };
    let pairs: Vec<_> = all.filter(|(one, other)| wanted(one, of_a) && wanted(other, of_b)).collect();
    if pairs.is_empty() {
        let names = |arms: &[Arm]| {
            arms.iter().map(|arm| format!("{}@{}", arm.name, arm.workers)).collect::<Vec<_>>().join(", ")
        };
        let (one, other) = (names(one), names(other));
        write::say(&format!(
            "error: no arm of {} belongs to one of {}: they have {} and {}; {}:ARM names one of each",
            a.id,
            b.id,
            clean::line(&one),
            clean::line(&other),
            a.id
        ));
        return Err(ExitReason::BadInput);
    }
    Ok(pairs)
}

fn of(session: &Session) -> &[Arm] {
    session.end().map_or(&[], |end| &end.arms)
}

/// The arms that a selector names; all if it names none.
fn chosen<'a>(session: &'a Session, selector: &Selector) -> Prepared<Vec<&'a Arm>> {
    let arms = of(session).iter();
    let named = arms.filter(|arm| selector.arm.as_ref().is_none_or(|name| arm.name == *name));
    let found: Vec<&Arm> = named.filter(|arm| selector.workers.is_none_or(|count| arm.workers == count)).collect();
    if found.is_empty() {
        write::say(&format!("error: session {} has no such arm (poolscope history show {0})", session.id));
        return Err(ExitReason::BadInput);
    }
    Ok(found)
}

/// A comparison in words.
pub(super) fn words(a: &Session, b: &Session, differences: Differences, found: &[Contrast<'_>]) -> Compared {
    let Differences { refused, warned } = differences;
    Compared { sides: [line(a), line(b)], refused, warned, arms: found.iter().map(of_arms).collect() }
}

/// Compares an arm of each of two sessions, each with its place in its session, whatever speaks against that, which is told.
pub(crate) fn of_places(a: (&Session, usize), b: (&Session, usize)) -> Compared {
    let differences = between(a.0, b.0);
    let arm = |(session, place): (&'_ Session, usize)| of(session).get(place).cloned();
    let pair = arm(a).zip(arm(b));
    let pairs: Vec<(&Arm, &Arm)> = pair.iter().map(|(one, other)| (one, other)).collect();
    words(a.0, b.0, differences, &contrasts(&pairs, &ALL, ["A", "B"]))
}

/// What stands between two sessions.
fn between(a: &Session, b: &Session) -> Differences {
    let mut differences = comparable::between(a, b);
    if a.id == b.id {
        differences.warned.push("both are of one session, whose own report compares them in pairs".to_owned());
    }
    differences
}

pub(super) fn head(side: &str, session: &Session) -> String {
    format!("{side} {}\n", line(session))
}

fn line(session: &Session) -> String {
    let start = &session.start;
    let commit = start.commit.as_ref().map_or_else(String::new, |commit| format!("  commit {}", table::commit(commit)));
    let name = clean::line(&start.workload.name);
    format!("{:>5}  {} UTC  {} {name}{}", session.id, table::moment(start.at), start.verb, clean::line(&commit))
}

fn of_arms(contrast: &Contrast<'_>) -> ComparedArms {
    let Contrast { a, b, figures, warned } = contrast;
    let label = |arm: &Arm| format!("{}@{}", clean::line(&arm.name), arm.workers);
    let labels = [label(a), label(b)];
    let name = if labels[0] == labels[1] { labels[0].clone() } else { labels.join(" and ") };
    let cores = |arm: &Arm| {
        let used = arm.figures(|run| Some(run.cores_used));
        if used.is_empty() { "–".to_owned() } else { units::rate(used.iter().sum::<f64>() / used.len() as f64) }
    };
    let failures = |arm: &Arm| arm.runs.iter().map(|run| run.unsuccessful).sum::<u64>().to_string();
    let rate = figures.iter().find(|figure| figure.metric.is_rate());
    ComparedArms {
        name,
        labels,
        runs: [a.complete().count(), b.complete().count()],
        warned: warned.clone(),
        figures: figures.iter().map(of_figure).collect(),
        counts: vec![["cores".to_owned(), cores(a), cores(b)], ["failures".to_owned(), failures(a), failures(b)]],
        verdict: rate.map(|figure| (verdict(figure), figure.finding)),
    }
}

fn of_figure(figure: &Figure) -> ComparedFigure {
    let ci95 = figure.found.and_then(|found| found.ci95);
    ComparedFigure {
        name: figure.metric.words().to_owned(),
        values: [shown(figure, figure.a), shown(figure, figure.b)],
        change: figure.found.map_or_else(|| "–".to_owned(), |found| change(found.ratio)),
        interval: ci95.map(|(low, high)| format!("{} to {}", change(low), change(high))),
        too_few: figure.too_few,
        finding: figure.finding,
    }
}

/// A value in its unit.
pub(super) fn shown(figure: &Figure, value: Option<f64>) -> String {
    match value {
        Some(rate) if figure.metric.is_rate() => units::rate(rate),
        value => {
            let time = value.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
            time.map_or("–".to_owned(), units::duration)
        }
    }
}

/// A ratio as a change: `−4.9 %`, `+102 %`.
pub(super) fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let sign = if percent < 0.0 { "−" } else { "+" };
    let size = percent.abs();
    if size < 99.95 { format!("{sign}{size:.1} %") } else { format!("{sign}{size:.0} %") }
}

fn verdict(figure: &Figure) -> String {
    let ratio = figure.found.map_or_else(String::new, |found| units::ratio(found.ratio));
    match figure.finding {
        Finding::TooEarly => "B against A: too few runs to say (two of each at least)".to_owned(),
        Finding::NoClearDifference => "B against A: no clear difference in tasks/s".to_owned(),
        Finding::Faster => format!("B is faster: {ratio} the tasks/s of A"),
        Finding::Slower => format!("B is slower: {ratio} the tasks/s of A"),
    }
}
