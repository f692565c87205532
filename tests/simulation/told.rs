//! What a dispatcher tells, and what must hold of it whatever happens.

use std::collections::{HashMap, HashSet, VecDeque};

use poolscope::engine::dispatcher::{Effect, Sink};
use poolscope::engine::event::{Event, LaneId, Moment, RunState, WaitingLimit};
use poolscope::engine::outcome::Cause;

/// Everything a dispatcher has told.
#[derive(Default)]
pub struct Told {
    pub effects: VecDeque<Effect>,
    pub over: Option<RunState>,
    pub ended: HashSet<u64>,
    pub attempts: HashMap<u64, u32>,
    pub succeeded: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub lost: u64,
    pub expired: u64,
    /// Tasks whose callers gave up before they were begun.
    pub given_up: u64,
    pub retries: u64,
    /// Tasks whose waiting has ended, and when.
    pub expiries: Vec<(u64, u64, WaitingLimit)>,
    /// Lanes whose task was given up by its caller.
    pub haunted: Vec<LaneId>,
    /// Tasks whose results the caller has.
    pub delivered: u64,
    pub gave_up: u64,
    pub ghosts_ended: u64,
    pub initialized: u64,
    /// Workers that were said to have been silent.
    pub silent: u64,
    pub notes: Vec<String>,
}

impl Told {
    fn final_outcome(&mut self, index: u64) {
        assert!(self.ended.insert(index), "task {index} has two outcomes");
    }
}

impl Sink for Told {
    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn event(&mut self, now: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => {
                for record in batch.records {
                    self.final_outcome(record.index);
                    self.succeeded += 1;
                }
            }
            Event::Attempt(report) => {
                use poolscope::engine::outcome::Outcome::{Failed, Lost, TimedOut};
                let attempts = self.attempts.entry(report.index).or_default();
                *attempts += 1;
                assert_eq!(report.attempt.number(), *attempts, "attempts of task {} are counted", report.index);
                assert!(report.attempt.number() <= report.attempts_allowed, "task {} is tried too often", report.index);
                if report.retried {
                    self.retries += 1;
                    return;
                }
                self.final_outcome(report.index);
                match report.outcome {
                    Failed => self.failed += 1,
                    TimedOut => {
                        self.timed_out += 1;
                        self.gave_up += u64::from(matches!(report.cause, Cause::WaitTimeout { .. }));
                    }
                    Lost => self.lost += 1,
                    other => panic!("an attempt cannot be {other:?}"),
                }
            }
            Event::Expired { count, reports, limit, .. } => {
                assert_eq!(*count, reports.len() as u64, "so few are all named");
                match limit {
                    WaitingLimit::Queue(_) => self.expired += count,
                    WaitingLimit::Caller(_) => self.given_up += count,
                }
                for report in *reports {
                    self.final_outcome(report.index);
                    assert_eq!((report.wait, report.times()), (Some(limit.duration()), None));
                    let before = self.attempts.get(&report.index).copied().unwrap_or(0);
                    assert_eq!(report.attempt.number(), before + 1, "attempts of task {}", report.index);
                    self.expiries.push((report.index, now.0, *limit));
                }
            }
            Event::WorkerInitialized { .. } => self.initialized += 1,
            Event::Delivered(parts) => {
                assert!(parts.iter().all(|part| part.count > 0 && part.first_end <= now && part.arrival <= now));
                self.delivered += parts.iter().map(|part| part.count).sum::<u64>();
            }
            Event::GhostBegan { lane } => self.haunted.push(*lane),
            Event::GhostEnded { .. } => self.ghosts_ended += 1,
            Event::Note { text, .. } => {
                self.silent += u64::from(text.contains("and is ended") && text.contains("said nothing"));
                self.notes.push(text.clone());
            }
            _ => {}
        }
    }
}
