//! What was measured before, in the words that commands and the dashboard share: a line for each arm of a session, and two of
//! them beside each other. Who reads the history fills them in.

use crate::analysis::verdict::Finding;
use crate::report::clean;
use crate::report::markdown::{escape, row};
use crate::report::text::table::{pad, pad_left};
use crate::workload::model::EngineKind;

/// An arm of a session with one worker count; of a session without any, the session alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Number of the session.
    pub(crate) id: i64,
    /// Which of its arms, from 0.
    pub(crate) place: usize,
    /// `2026-11-23 05:41`, in UTC.
    pub(crate) when: String,
    pub(crate) verb: String,
    pub(crate) workload: String,
    pub(crate) host: String,
    /// As `history list` says it; empty where there is none.
    pub(crate) commit: String,
    pub(crate) arm: Option<ListedArm>,
    /// Settings that a step of a sweep or a search tried: `chunksize=4 workers=2`; empty elsewhere.
    pub(crate) step: String,
    /// What is to be known before its figures are believed.
    pub(crate) note: String,
}

/// Figures of an arm over its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedArm {
    pub(crate) name: String,
    /// Its kind, where this program knows it.
    pub(crate) kind: Option<EngineKind>,
    pub(crate) workers: u32,
    /// Mean of the runs and half of its 95 % interval, in tasks per second.
    pub(crate) rate: String,
    /// Mean of the runs, of the latency that the workload leads with.
    pub(crate) p95: String,
    /// Tasks that did not succeed.
    pub(crate) failed: u64,
}

/// Two sessions beside each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    /// Each with its number, its beginning and its workload.
    pub(crate) sides: [String; 2],
    /// Why they are not comparable.
    pub(crate) refused: Vec<String>,
    /// What is to be known of the comparison.
    pub(crate) warned: Vec<String>,
    pub(crate) arms: Vec<ComparedArms>,
}

/// Two arms beside each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ComparedArms {
    /// `pool@2`, or both where they differ.
    pub(crate) name: String,
    /// Each of them.
    pub(crate) labels: [String; 2],
    /// Whole runs of each.
    pub(crate) runs: [usize; 2],
    pub(crate) warned: Vec<String>,
    pub(crate) figures: Vec<ComparedFigure>,
    /// What is told without an interval: its name, and of each.
    pub(crate) counts: Vec<[String; 3]>,
    /// What follows for the rate, and how it reads.
    pub(crate) verdict: Option<(String, Finding)>,
}

/// A figure of both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ComparedFigure {
    pub(crate) name: String,
    pub(crate) values: [String; 2],
    pub(crate) change: String,
    /// Of the change; `None` where there are too few runs.
    pub(crate) interval: Option<String>,
    /// Tasks of a run, where they are too few for this percentile: it is not judged.
    pub(crate) too_few: Option<u64>,
    pub(crate) finding: Finding,
}

/// Said of every comparison.
pub(crate) const NOT_IN_TURNS: &str =
    "The runs of A and B were not made in turns: what changed on the machine in between is in every ratio.";

/// A finding of a figure, in words.
#[must_use]
pub(crate) fn finding_words(finding: Finding) -> &'static str {
    match finding {
        Finding::TooEarly => "too few runs to say",
        Finding::NoClearDifference => "no clear difference",
        Finding::Faster => "better",
        Finding::Slower => "worse",
    }
}

impl ComparedFigure {
    /// What is found, in words, or why nothing is.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        match self.too_few {
            Some(tasks) => format!("not judged: {tasks} tasks a run are too few"),
            None => finding_words(self.finding).to_owned(),
        }
    }
}

/// The comparison as text.
#[must_use]
pub(crate) fn page(compared: &Compared) -> String {
    let [a, b] = &compared.sides;
    let mut text = format!("A {a}\nB {b}\n");
    notes(compared).iter().for_each(|note| text.push_str(&format!(" ! {}\n", clean::line(note))));
    compared.arms.iter().for_each(|arms| text.push_str(&of_arms(arms)));
    text.push_str(&format!("\n{NOT_IN_TURNS}\n"));
    text
}

/// What is to be known of both, what forbids a comparison first.
fn notes(compared: &Compared) -> Vec<String> {
    let refused = compared.refused.iter().map(|reason| format!("NOT COMPARABLE: {reason}"));
    refused.chain(compared.warned.iter().cloned()).collect()
}

fn of_arms(arms: &ComparedArms) -> String {
    let mut text = format!("\n{}: {} and {} runs\n", arms.name, arms.runs[0], arms.runs[1]);
    arms.warned.iter().for_each(|note| text.push_str(&format!(" ! {}\n", clean::line(note))));
    text.push_str(&format!(
        "  {} {} {} {}   95 % interval\n",
        pad("", 9),
        pad_left("A", 9),
        pad_left("B", 9),
        pad_left("change", 8)
    ));
    for figure in &arms.figures {
        let ComparedFigure { name, values: [a, b], change, interval, .. } = figure;
        text.push_str(&format!(
            "  {} {} {} {}   {}  {}\n",
            pad(name, 9),
            pad_left(a, 9),
            pad_left(b, 9),
            pad_left(change, 8),
            pad(interval.as_deref().unwrap_or("–"), 20),
            figure.words()
        ));
    }
    for [name, a, b] in &arms.counts {
        text.push_str(&format!("  {} {} {}\n", pad(name, 9), pad_left(a, 9), pad_left(b, 9)));
    }
    if let Some((verdict, _)) = &arms.verdict {
        text.push_str(&format!("  {verdict}\n"));
    }
    text
}

/// The same in Markdown.
#[must_use]
pub(crate) fn markdown(compared: &Compared) -> String {
    let mut out = "# B against A\n\n".to_owned();
    for (side, words) in ["A", "B"].iter().zip(&compared.sides) {
        out.push_str(&format!("* {side}: {}\n", escape(words.trim_start())));
    }
    notes(compared).iter().for_each(|note| out.push_str(&format!("* **{}**\n", escape(note))));
    for arms in &compared.arms {
        out.push_str(&format!("\n## {}\n\n", escape(&arms.name)));
        if let Some((verdict, _)) = &arms.verdict {
            out.push_str(&format!("**{}** ({} and {} runs)\n\n", escape(verdict), arms.runs[0], arms.runs[1]));
        }
        let [a, b] = arms.labels.each_ref().map(|label| escape(label));
        let head = ["", &format!("A: {a}"), &format!("B: {b}"), "change", "95 % interval", ""].map(str::to_owned);
        row(&mut out, &head);
        row(&mut out, &["---", "---:", "---:", "---:", "---", "---"].map(str::to_owned));
        for figure in &arms.figures {
            let ComparedFigure { name, values: [a, b], change, interval, .. } = figure;
            let interval = interval.as_deref().unwrap_or("–");
            let cells = [name.as_str(), a, b, change, interval, &figure.words()].map(escape);
            row(&mut out, &cells);
        }
        for [name, a, b] in &arms.counts {
            row(&mut out, &[name.as_str(), a, b, "", "", ""].map(escape));
        }
        let mut warned = arms.warned.iter().map(|note| format!("* {}\n", escape(note))).peekable();
        if warned.peek().is_some() {
            out.push('\n');
        }
        out.extend(warned);
    }
    out.push_str(&format!("\n{NOT_IN_TURNS}\n"));
    out
}
