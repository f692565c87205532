//! A caller that starts as many processes as there are places, or as there are tasks, and then joins them one by one in the
//! order of their starts before it starts more: `for p in ps: p.start()`, then `for p in ps: p.join()`.
//!
//! It is a rule of the caller alone: a process that has ended is reaped and reported at once, and what is told here is how
//! long its caller has not heard of it.

use std::collections::VecDeque;

use super::Dispatcher;
use super::input::Sink;
use crate::engine::event::{Event, Moment, WorkerId};

/// The processes that the caller has started together.
#[derive(Debug, Default)]
pub(super) struct Joins {
    /// Those that it has not joined, in the order of their starts, with their ends.
    waiting: VecDeque<(WorkerId, Option<Moment>)>,
    /// How many it has started.
    started: u32,
    /// Whether it has started all, and joins.
    joining: bool,
}

impl Dispatcher {
    /// Whether the caller would start another process now.
    pub(super) fn caller_starts(&mut self, now: Moment, out: &mut dyn Sink) -> bool {
        let workers = self.workers;
        let Some(joins) = &mut self.joins else { return true };
        joins.joining |= joins.started >= workers;
        self.join(now, out);
        self.joins.as_ref().is_none_or(|joins| !joins.joining)
    }

    /// There is nothing more to start for now: the caller joins what it has started.
    pub(super) fn caller_joins(&mut self, now: Moment, out: &mut dyn Sink) {
        if let Some(joins) = self.joins.as_mut().filter(|joins| joins.started > 0) {
            joins.joining = true;
            self.join(now, out);
        }
    }

    pub(super) fn caller_started(&mut self, id: WorkerId) {
        if let Some(joins) = &mut self.joins {
            joins.started += 1;
            joins.waiting.push_back((id, None));
        }
    }

    /// It could not be started after all.
    pub(super) fn caller_did_not_start(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        if let Some(joins) = &mut self.joins {
            joins.started = joins.started.saturating_sub(1);
            joins.waiting.retain(|(other, _)| *other != id);
            self.join(now, out);
        }
    }

    /// A process has ended.
    pub(super) fn ended_for_caller(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let run_ends = self.ending.is_some();
        let Some(joins) = &mut self.joins else { return };
        joins.joining |= run_ends;
        if let Some((_, end)) = joins.waiting.iter_mut().find(|(other, _)| *other == id) {
            *end = Some(now);
        }
        self.join(now, out);
    }

    /// Joins those whose turn it is.
    fn join(&mut self, now: Moment, out: &mut dyn Sink) {
        let Some(joins) = self.joins.as_mut().filter(|joins| joins.joining) else { return };
        while let Some(&(worker, Some(end))) = joins.waiting.front() {
            joins.waiting.pop_front();
            out.event(now, &Event::WorkerJoined { worker, delay: now.since(end) });
        }
        if joins.waiting.is_empty() {
            *joins = Joins::default();
        }
    }
}
