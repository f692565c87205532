//! What a shim has seen of a program's workers, joined with what its caller says it got back. The caller hands in its tasks in
//! the order in which it was given them, so that a task is known by its position in that order.
//!
//! Whether a task has succeeded is decided by what came back: one that ran and whose result was lost on the way has not.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use super::pieces::Unsuccessful;
use super::unborn::Unborn;
use super::{Heard, Ledger};
use crate::engine::error::Contradiction;
use crate::engine::event::{CallerView, Chunks, Delivered, Event, Moment, Severity, Slot};
use crate::engine::outcome::{AttemptReport, Cause, Exit, Outcome};
use crate::os::board;
use crate::worker::shim::Record;
use crate::workload::model::{ClassId, SubmitMode, TaskIndex};

/// A result may be on its way for so long after the end of its worker.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// What the tasks of an observed program are known by, and what is not settled.
#[derive(Debug, Default)]
pub(in crate::engine::external) struct Observed {
    pub(super) mode: SubmitMode,
    /// Number of the first job, and how many tasks are in a piece.
    base: u64,
    chunk: u64,
    /// Tasks in the order in which they were given.
    pub(super) order: Vec<TaskIndex>,
    /// What each worker has taken and its caller has not got back, as far as that is the last that it took.
    pieces: HashMap<u32, Piece>,
    /// What was told by workers that are gone and has not come back, since when.
    on_its_way: Vec<(Range<u64>, Exit, Moment)>,
    /// Workers that ended against expectation and were not replaced yet.
    deaths: u32,
    /// Whether each of its workers is there for one task.
    pub(in crate::engine::external) process_per_task: bool,
    /// Whether its workers have an initializer, and how many of them in a row did not come through it.
    pub(in crate::engine::external) has_initializer: bool,
    pub(in crate::engine::external) not_initialized: u32,
    /// How many initializers have raised something.
    pub(in crate::engine::external) failed_initializers: u32,
    /// Tasks whose caller has given up: their classes, and since when.
    abandoned: HashMap<TaskIndex, (ClassId, Moment)>,
    /// Ends of tasks whose results the caller has not got: by position where it gets them in order, or as they came.
    by_position: BTreeMap<u64, (Moment, Moment)>,
    as_they_came: VecDeque<(Moment, Moment)>,
    next_delivered: u64,
    pub(in crate::engine::external) chunks: Chunks,
    /// When the caller began to hand in tasks, and when it had every result.
    pub(in crate::engine::external) began: Option<Moment>,
    pub(in crate::engine::external) over: Option<Moment>,
    /// Whether the caller may have ended those that end now. The pipe says so, in which their ends come: by what comes over the
    /// socket it may be too late.
    closing: bool,
    /// What a caller of CPython's own waits for in vain, in words.
    pub(in crate::engine::external) in_vain: Option<String>,
    /// Whether nothing more can come back at all.
    pub(in crate::engine::external) nothing_comes: bool,
    /// Whether somebody tells of the end of a worker to those who wait for its results.
    pub(in crate::engine::external) tells_of_ends: bool,
    pub(super) compared: bool,
    /// Processes that were heard before whoever has started them.
    pub(super) unborn: Vec<Unborn>,
}

#[derive(Debug)]
struct Piece {
    /// The numbers by which it is known: job and piece.
    number: (u64, u64),
    positions: Range<u64>,
    /// So many have run, and when the last of them ended.
    ran: u64,
    end: u64,
    over: bool,
}

impl Observed {
    pub(in crate::engine::external) fn new(mode: SubmitMode, tells_of_ends: bool) -> Self {
        let chunks = Chunks::default();
        Self { mode, chunk: 1, tells_of_ends, chunks, ..Self::default() }
    }

    /// The caller, and how tasks travel.
    pub(in crate::engine::external) fn view(&self, now: Moment) -> (CallerView, Option<Chunks>) {
        let until = self.over.unwrap_or(now);
        let began = self.began.filter(|_| self.mode.blocks());
        let caller = CallerView {
            mode: self.mode,
            blocked: began.is_some() && self.over.is_none(),
            blocked_for: began.map_or(Duration::ZERO, |began| until.since(began)),
        };
        (caller, (self.chunks.sent > 0).then_some(self.chunks))
    }

    /// The positions of the tasks of a piece.
    pub(super) fn positions(&self, job: u64, piece: u64) -> Range<u64> {
        let given = self.order.len() as u64;
        let number = job.saturating_sub(self.base).saturating_add(piece);
        let first = number.saturating_mul(self.chunk).min(given);
        first..first.saturating_add(self.chunk).min(given)
    }

    pub(super) fn tasks(&self, positions: Range<u64>) -> Vec<TaskIndex> {
        let place = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        self.order.get(place(positions.start)..place(positions.end)).unwrap_or_default().to_vec()
    }
}

impl Ledger {
    pub(super) fn seen(&mut self) -> &mut Observed {
        self.observed.get_or_insert_default()
    }

    /// Takes in what waits for nothing; `now` is `CLOCK_MONOTONIC`.
    pub(super) fn take_in(&mut self, record: Record, now: u64) -> Heard {
        match record {
            Record::Begins { base, chunk } => {
                let moment = self.clock.now();
                let seen = self.seen();
                (seen.base, seen.chunk) = (base, chunk.max(1));
                seen.began = Some(moment);
                let size = u32::try_from(chunk).ok().and_then(std::num::NonZeroU32::new);
                seen.chunks.size = size.unwrap_or(std::num::NonZeroU32::MIN);
                Ok(())
            }
            Record::Started { pid, at } => self.observed_worker(pid, at).map(drop),
            Record::Began { pid, executed, began } => {
                self.observed_worker(pid, executed)?;
                self.worker(pid)?.began = Some((executed, began));
                Ok(())
            }
            Record::Waits { pid, at } => {
                let slot = self.observed_worker(pid, at)?;
                self.worker_began(pid, at)?;
                if self.worker(pid)?.ready {
                    return Ok(());
                }
                let kept = !self.seen().process_per_task;
                self.seen().not_initialized = 0;
                // What is handed to one that is kept before it is there waits until then. That of a process of its own begins
                // with it.
                if let Some(lane) = self.lanes.get_mut(slot.index()).filter(|_| kept) {
                    lane.free_since = lane.free_since.max(at);
                }
                self.worker_ready(pid, at)
            }
            Record::Initialized { pid, wall, cpu, rss_bytes, well, at } => {
                self.observed_worker(pid, at.saturating_sub(wall))?;
                self.worker_began(pid, at.saturating_sub(wall))?;
                if well {
                    let worker = self.worker(pid)?.id;
                    let (wall, cpu) = (Duration::from_nanos(wall), Duration::from_nanos(cpu));
                    let rss_bytes = Some(rss_bytes).filter(|bytes| *bytes > 0);
                    self.tell_of(at, &Event::WorkerInitialized { worker, wall, cpu, rss_bytes });
                } else {
                    self.seen().failed_initializers += 1;
                }
                Ok(())
            }
            Record::Took { pid, job, piece, count, at } => self.took(pid, (job, piece, count), at, now),
            Record::Ran { pid, job, piece, start, lengths, raised, more } => {
                self.ran(pid, (job, piece), (start, &lengths), (raised, more), now)
            }
            Record::Usage { pid, user, system, peak_rss_bytes } => {
                if !self.workers.contains_key(&pid) {
                    return Ok(());
                }
                let usage = super::usage(user, system);
                let known = self.worker(pid)?;
                known.usage = usage;
                known.peak_rss_bytes = Some(peak_rss_bytes).filter(|bytes| *bytes > 0);
                let lane = known.id.lane(0);
                self.tell(&Event::WorkerUsage { lane, usage });
                Ok(())
            }
            Record::Ended { pid, code } => {
                self.observed_end(pid, if code < 0 { Exit::Signal(-code) } else { Exit::Code(code) });
                Ok(())
            }
            Record::GaveUp { job, at } => {
                self.gave_up(job, at);
                Ok(())
            }
            Record::Closes => {
                self.seen().closing = true;
                Ok(())
            }
            // The caller says more.
            Record::CameBack { .. } | Record::Pool { .. } => Ok(()),
        }
    }

    /// The lane of a worker, which has one from the first that is seen of it on: of what was at a reading of
    /// `CLOCK_MONOTONIC`.
    fn observed_worker(&mut self, pid: u32, at: u64) -> Result<Slot, Contradiction> {
        if let Some(known) = self.workers.get(&pid) {
            return Ok(known.id.slot);
        }
        let free = (0..board::SLOTS)
            .map(Slot)
            .find(|slot| self.lanes.get(slot.index()).is_none_or(|lane| lane.worker.is_none()));
        let slot = free.ok_or(Contradiction::Worker { worker: pid, how: "which is one too many" })?;
        let deaths = &mut self.seen().deaths;
        let restart = *deaths > 0;
        *deaths = deaths.saturating_sub(1);
        self.worker_started_at(at, (pid, pid), vec![slot], restart)?;
        Ok(slot)
    }

    fn took(&mut self, pid: u32, (job, piece, count): (u64, u64, u64), at: u64, now: u64) -> Heard {
        let slot = self.observed_worker(pid, at)?;
        let seen = self.seen();
        let positions = seen.positions(job, piece);
        let positions = positions.start..positions.end.min(positions.start.saturating_add(count));
        seen.chunks.sent += 1;
        seen.chunks.tasks += positions.end - positions.start;
        let first = seen.tasks(positions.clone()).first().copied();
        seen.pieces.insert(pid, Piece { number: (job, piece), positions, ran: 0, end: 0, over: false });
        match first {
            Some(task) if self.given.contains_key(&task) => self.started(slot, task, at, now),
            Some(task) => {
                self.haunt(slot, task, at);
                Ok(())
            }
            None => Err(Contradiction::Order("a worker has taken a task that was not given")),
        }
    }

    /// A task that nobody waits for any more begins.
    fn haunt(&mut self, slot: Slot, task: TaskIndex, at: u64) {
        let (class, since) = self.seen().abandoned.get(&task).copied().unwrap_or_default();
        let Some(lane) = self.lanes.get_mut(slot.index()) else { return };
        lane.task = Some((task, class, at));
        lane.ghost = Some(since.max(self.clock.moment(at)));
        if let Some(worker) = lane.worker.and_then(|worker| self.workers.get(&worker)) {
            let lane = worker.id.lane(0);
            self.tell(&Event::GhostBegan { lane });
        }
    }

    fn ran(
        &mut self,
        pid: u32,
        number: (u64, u64),
        (start, lengths): (u64, &[u64]),
        (raised, more): (bool, bool),
        now: u64,
    ) -> Heard {
        let slot = self.observed_worker(pid, start)?;
        let seen = self.seen();
        // A task that forks comes back twice. Who is first tells of the piece, and what the other one tells is none of it.
        let goes_on = |piece: &Piece| !piece.over && (piece.ran == 0 || piece.end == start);
        let Some(piece) = seen.pieces.get_mut(&pid).filter(|piece| piece.number == number && goes_on(piece)) else {
            return Ok(());
        };
        let first = piece.positions.start + piece.ran;
        let left = usize::try_from(piece.positions.end - first).unwrap_or(usize::MAX);
        let lengths = &lengths[..lengths.len().min(left)];
        let count = lengths.len() as u64;
        piece.ran += count;
        piece.end = lengths.iter().fold(start, |end, length| end.saturating_add(*length));
        piece.over = !more;
        let tasks = seen.tasks(first..first + count);
        let mut start = start;
        for (place, (task, length)) in tasks.iter().zip(lengths).enumerate() {
            let raised = raised && place + 1 == lengths.len();
            self.task_ran(slot, *task, (start, *length), raised, now)?;
            start = start.saturating_add(*length);
        }
        Ok(())
    }

    /// A worker has ended. Tasks that it had and did not finish are lost, unless somebody waits for them with a limit: then
    /// that is what ends them, since CPython's own does not tell.
    fn observed_end(&mut self, pid: u32, exit: Exit) {
        let Some(known) = self.workers.get(&pid) else { return };
        let (usage, peak, on_request, ready) =
            (known.usage, known.peak_rss_bytes, known.killed_on_request, known.ready);
        let now = self.clock.now();
        let seen = self.seen();
        let piece = seen.pieces.remove(&pid);
        let unfinished = piece.as_ref().is_some_and(|piece| !piece.over);
        let expected = seen.closing || exit.is_success() && !unfinished;
        if !expected {
            seen.deaths += 1;
            seen.not_initialized += u32::from(seen.has_initializer && !ready);
        }
        let cause = Cause::WorkerDied { exit, by_user: on_request, out_of_memory: false };
        if let Some(piece) = piece.as_ref().filter(|piece| piece.over) {
            seen.on_its_way.push((piece.positions.clone(), exit, now));
        }
        let tells_of_ends = seen.tells_of_ends;
        let tasks = piece.filter(|_| unfinished).map(|piece| seen.tasks(piece.positions)).unwrap_or_default();
        let mut lost = 0;
        for task in tasks {
            let Some(given) = self.given.get(&task) else { continue };
            if !tells_of_ends && self.waits.get(usize::from(given.class)).copied().flatten().is_some() {
                self.leave_lane(task);
                continue;
            }
            self.lose_task(task, cause.clone(), Some((exit, pid)));
            lost += 1;
        }
        if lost > 0 && !tells_of_ends {
            let words = format!(
                "waits for ever: a worker (pid {pid}) ended with {exit} and did not return {lost} task{}; CPython's Pool \
                 replaces it and tells nobody",
                if lost == 1 { "" } else { "s" }
            );
            self.in_vain(words);
        }
        self.worker_exited(pid, exit, usage, peak, expected);
    }

    /// Something is waited for that cannot come: said once.
    fn in_vain(&mut self, words: String) {
        if self.stopped_at.is_none() && self.seen().in_vain.is_none() {
            self.warn(words.clone());
            self.seen().in_vain = Some(words);
        }
    }

    /// Results that do not come, because their workers are gone for long enough.
    pub(in crate::engine::external) fn look_for_lost(&mut self) {
        let now = self.clock.now();
        let Some(seen) = &mut self.observed else { return };
        let late = seen.on_its_way.extract_if(.., |(.., since)| now.since(*since) >= ON_ITS_WAY).collect::<Vec<_>>();
        for (positions, exit, _) in late {
            let tasks: Vec<TaskIndex> =
                self.seen().tasks(positions).into_iter().filter(|task| self.given.contains_key(task)).collect();
            let count = tasks.len();
            for task in tasks {
                let message = format!("it ran, and its worker ended with {exit} before its result was through");
                self.lose_task(task, Cause::Error { message }, None);
            }
            if count > 0 {
                let words =
                    format!("waits for ever: a worker ended with {exit} before {count} of its results were through");
                self.in_vain(words);
            }
        }
    }

    /// No result comes back any more: `why`. Tasks that have run are lost, and the others will not be.
    pub(in crate::engine::external) fn stuck(&mut self, why: &str) {
        let ran: Vec<TaskIndex> =
            self.given.iter().filter(|(_, given)| given.ran.is_some()).map(|(task, _)| *task).collect();
        for task in ran {
            let message = format!("it ran, and its result was not delivered: {why}");
            self.lose_task(task, Cause::Error { message }, None);
        }
        self.seen().nothing_comes = true;
        self.in_vain(format!("waits for ever: {why}"));
    }

    fn gave_up(&mut self, job: u64, at: u64) {
        let seen = self.seen();
        let positions = seen.positions(job, 0);
        for task in seen.tasks(positions) {
            let Some(given) = self.given.get(&task).copied() else { continue };
            let Some(limit) = self.waits.get(usize::from(given.class)).copied().flatten() else { continue };
            let moment = self.clock.moment(at);
            // One whose worker has died runs nowhere any more.
            let is_in = |slot: &Slot| {
                self.lanes.get(slot.index()).and_then(|lane| lane.task).is_some_and(|(current, ..)| current == task)
            };
            let running = given.lane.filter(|_| given.ran.is_none()).filter(is_in);
            self.given.remove(&task);
            let mut report = self.report(task, given, Outcome::TimedOut, Cause::WaitTimeout { limit });
            match (given.ran, running) {
                (Some(ran), _) => self.set_ran(&mut report, given, (ran.slot, ran.start, ran.service), ran.free_since),
                (None, Some(slot)) => {
                    let lane = self.lanes.get(slot.index()).copied().unwrap_or_default();
                    let start = lane.task.map_or(at, |(.., start)| start);
                    let ran = (slot, start, at.saturating_sub(start));
                    self.set_ran(&mut report, given, ran, lane.free_since);
                    self.counts.running -= 1;
                    self.seen().abandoned.insert(task, (given.class, moment));
                    self.haunt(slot, task, start);
                }
                (None, None) => report.wait = Some(limit),
            }
            report.ended = moment;
            self.seen().abandoned.insert(task, (given.class, moment));
            self.counts.wait_timed_out += 1;
            self.reported.timed_out += 1;
            self.count_at(moment, &report);
        }
    }

    /// The caller has got so many results more at a reading of `CLOCK_MONOTONIC`.
    pub(super) fn delivered(&mut self, count: u64, at: u64) {
        let now = self.clock.moment(at);
        let seen = self.seen();
        let mut parts: Vec<Delivered> = Vec::new();
        for _ in 0..count {
            let next = match seen.mode {
                SubmitMode::Imap => {
                    seen.next_delivered += 1;
                    seen.by_position.remove(&(seen.next_delivered - 1))
                }
                _ => seen.as_they_came.pop_front(),
            };
            let Some((arrival, end)) = next else { continue };
            match parts.last_mut().filter(|part| part.arrival == arrival) {
                Some(part) => {
                    part.count += 1;
                    part.ends += u128::from(end.0);
                    part.first_end = part.first_end.min(end);
                }
                None => parts.push(Delivered { count: 1, arrival, ends: end.0.into(), first_end: end }),
            }
        }
        if !parts.is_empty() {
            self.observer.event(now, &Event::Delivered(&parts));
        }
    }

    /// A result, or an error, has come back and waits for its caller to take it; from `apply` it has it.
    pub(super) fn deliverable(&mut self, back: Moment, position: u64, arrival: Moment, end: Moment) {
        let seen = self.seen();
        match seen.mode {
            SubmitMode::ApplyAsync => {}
            SubmitMode::Imap => drop(seen.by_position.insert(position, (arrival, end))),
            SubmitMode::Apply => {
                let part = Delivered { count: 1, arrival, ends: end.0.into(), first_end: end };
                self.observer.event(back, &Event::Delivered(&[part]));
            }
            SubmitMode::Map | SubmitMode::ImapUnordered => seen.as_they_came.push_back((arrival, end)),
        }
    }

    /// What results are worth, told at the end; `None` if that is not known.
    pub(super) fn values(&mut self, values: Option<&[(TaskIndex, u64)]>) {
        if values.is_none() {
            self.warn("results were not compared: there were more than 64 MiB of them".to_owned());
        }
        self.seen().compared = true;
        self.tell(&Event::Values(values));
    }

    /// The results of a run that was cut short are not known.
    pub(super) fn close_observed(&mut self) {
        if self.observed.as_ref().is_some_and(|seen| !seen.compared) {
            self.tell(&Event::Values(None));
        }
    }

    /// What the caller says to a piece that did not go well.
    pub(super) fn piece_failed(&mut self, (job, piece): (u64, u64), at: u64, how: &Unsuccessful<'_>) {
        let positions = self.seen().positions(job, piece);
        let tasks = self.seen().tasks(positions.clone());
        self.tasks_failed(&tasks, positions.start, at, how);
    }

    /// A process has ended without a result, and without having begun with its task, if that has no outcome yet.
    pub(super) fn ended_before(&mut self, job: u64, exit: Exit) {
        let positions = self.seen().positions(job, 0);
        for task in self.seen().tasks(positions) {
            if self.given.contains_key(&task) {
                self.lose_task(task, Cause::WorkerDied { exit, by_user: false, out_of_memory: false }, None);
            }
        }
    }

    /// Counts an outcome of this moment.
    pub(super) fn count_at(&mut self, moment: Moment, report: &AttemptReport) {
        match report.outcome {
            Outcome::TimedOut => self.counts.timed_out += 1,
            Outcome::Lost => self.counts.lost += 1,
            _ => self.counts.failed += 1,
        }
        self.observer.event(moment, &Event::Attempt(report));
    }

    fn warn(&mut self, text: String) {
        let note = Event::Note { severity: Severity::Warning, text };
        self.tell(&note);
    }

    /// Whether whoever calls waits for ever for what is left: nothing else can come.
    pub(in crate::engine::external) fn waits_for_ever(&self, all_given: bool) -> bool {
        let Some(Observed { in_vain: Some(_), nothing_comes, mode, .. }) = &self.observed else { return false };
        *nothing_comes || *mode == SubmitMode::Apply || all_given && self.given.is_empty()
    }
}
