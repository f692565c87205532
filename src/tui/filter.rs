//! Which unsuccessful attempts are listed: the words of a filter, all of which must fit.
//!
//! `status:failed,timeout engine:pool class:NAME item:NAME run:2 #41`; any other word is looked for in cause, class, item and output. Quotes
//! keep words together. Upper and lower case are the same.

use crate::session::view::SessionView;
use crate::tui::failures::{FailedAttempt, Kept, List, Sort, run_word};
use crate::tui::{model, text};

/// A filter ready to be asked; without words everything fits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

/// A word, in lower case. Of several values one must fit.
#[derive(Clone, Debug)]
enum Term {
    Status(Vec<String>),
    Engine(Vec<String>),
    Class(Vec<String>),
    Item(Vec<String>),
    Run(Vec<String>),
    Task(u64),
    Text(String),
}

impl Filter {
    /// Reads what was typed. A word that is no `key:value` of ours is text: error messages have colons too.
    #[must_use]
    pub(crate) fn new(typed: &str) -> Self {
        Self { terms: words(&typed.to_lowercase()).into_iter().filter_map(term).collect() }
    }

    /// The list of those of a view that fit. `kept` was chosen; without it the first one is.
    #[must_use]
    pub(crate) fn list<'a>(&self, view: &'a SessionView, sort: Sort, kept: Option<&'a Kept>) -> List<'a> {
        List::new(view, |failure| self.fits(view, failure), sort, kept)
    }

    /// Whether an attempt is to be listed.
    #[must_use]
    pub(crate) fn fits(&self, view: &SessionView, failure: &FailedAttempt<'_>) -> bool {
        self.terms.iter().all(|term| term.fits(view, failure))
    }
}

/// Words between spaces; quotes keep spaces, and vanish.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match (c, words.last_mut()) {
            ('"', _) => quoted = !quoted,
            (c, _) if c.is_whitespace() && !quoted => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// `None` for a word that is not finished: it does not hide anything yet.
fn term(word: String) -> Option<Term> {
    if let Some(index) = word.strip_prefix('#') {
        return match index.parse() {
            Ok(index) => Some(Term::Task(index)),
            Err(_) if index.is_empty() => None,
            Err(_) => Some(Term::Text(word)),
        };
    }
    let Some((key, values)) = word.split_once(':') else { return Some(Term::Text(word)) };
    let kind = match key {
        "status" | "outcome" => Term::Status,
        "engine" => Term::Engine,
        "class" => Term::Class,
        "item" => Term::Item,
        "run" => Term::Run,
        _ => return Some(Term::Text(word)),
    };
    let values: Vec<String> = values.split(',').filter(|value| !value.is_empty()).map(str::to_owned).collect();
    (!values.is_empty()).then(|| kind(values))
}

fn one_of(values: &[String], fits: impl Fn(&str) -> bool) -> bool {
    values.iter().any(|value| fits(value))
}

impl Term {
    fn fits(&self, view: &SessionView, failure: &FailedAttempt<'_>) -> bool {
        let report = failure.report;
        let has = |text: &str, part: &str| text::clean(text).to_lowercase().contains(part);
        let class = || view.workload.classes.get(usize::from(report.class)).map_or("", |class| class.name.as_str());
        let item = || view.workload.item_text(report.index).unwrap_or_default();
        match self {
            // `timeout`, `timed_out` and `timed-out`, or the start of one of them.
            Self::Status(values) => one_of(values, |value| {
                let value = value.replace('-', "_");
                let word = report.outcome.word();
                word.starts_with(&value) || word.replace("timed_out", "timeout").starts_with(&value)
            }),
            Self::Engine(values) => {
                let Some(arm) = view.arms.get(failure.arm) else { return false };
                let name = model::label(arm).to_lowercase();
                one_of(values, |value| name.contains(value) || arm.spec.kind.word() == value)
            }
            Self::Class(values) => one_of(values, |value| has(class(), value)),
            Self::Item(values) => {
                let item = item();
                one_of(values, |value| has(&item, value))
            }
            Self::Run(values) => {
                let word = run_word(failure.run);
                one_of(values, |value| word == value || failure.run.warmup && word.starts_with(value))
            }
            Self::Task(index) => report.index == *index,
            Self::Text(part) => {
                has(&report.cause.to_string(), part)
                    || has(class(), part)
                    || has(&item(), part)
                    || has(&report.stderr_tail, part)
                    || has(&report.stdout_tail, part)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::tui::{failures, fixture};
    use crate::workload::items::{Item, ItemValue, Source, TaskItems};

    /// The tasks that a filter leaves of #41 (process, timeout), #17 (process, failed) and #5 (pool, lost).
    fn left(typed: &str) -> Vec<u64> {
        let view = fixture::with_failures();
        let filter = Filter::new(typed);
        let list = failures::all(&view);
        list.iter().filter(|failure| filter.fits(&view, failure)).map(|failure| failure.report.index).collect()
    }

    #[test]
    fn words_choose_by_status_engine_class_task_and_text() {
        for (typed, tasks) in [
            ("", &[41, 17, 5][..]),
            ("status:failed", &[17]),
            ("status:failed,timeout", &[41, 17]),
            ("STATUS:timed_out", &[41]),
            ("status:timed-out,lost", &[41, 5]),
            ("engine:pool", &[5]),
            ("engine:PROCESS #41", &[41]),
            ("class:prim", &[41, 17, 5]),
            ("class:other", &[]),
            ("#5", &[5]),
            ("#4", &[]),
            ("run:1", &[41, 17, 5]),
            ("run:2", &[]),
            ("valueerror: 工作", &[17]),
            ("ValueError:", &[17]),
            ("\"of output\"", &[17]),
            ("simulate status:timeout", &[41]),
            ("status:nonsense", &[]),
        ] {
            assert_eq!(left(typed), tasks, "{typed}");
        }
    }

    #[test]
    fn words_choose_by_item() {
        let mut view = fixture::with_failures();
        let items = (0..100).map(|number| Item::of(ItemValue::Text(format!("photo {number}.JPG").into_bytes())));
        let items = TaskItems::new(Source::List(items.collect())).unwrap();
        Arc::make_mut(&mut view.workload).classes[0].items = Some(items);
        let list = failures::all(&view);
        let left = |typed: &str| -> Vec<u64> {
            let filter = Filter::new(typed);
            list.iter().filter(|failure| filter.fits(&view, failure)).map(|failure| failure.report.index).collect()
        };
        for (typed, tasks) in [
            ("item:5.jpg", &[5][..]),
            ("item:41.jpg,17", &[41, 17]),
            ("\"photo 17\"", &[17]),
            ("item:none", &[]),
            ("item:", &[41, 17, 5]),
        ] {
            assert_eq!(left(typed), tasks, "{typed}");
        }
    }

    #[test]
    fn a_word_that_is_being_typed_hides_nothing_yet() {
        for typed in ["status:", "status:failed,", "#", "engine:", "  "] {
            assert!(!left(typed).is_empty(), "{typed}");
        }
        assert_eq!(left("status:f"), [17]);
    }
}
