//! What workers say: frames become inputs of the dispatcher.

use std::collections::HashSet;
use std::time::Duration;

use super::breach::Breach;
use super::core::Core;
use super::links::{Initialization, Link, Peer};
use super::programs::Which;
use crate::engine::dispatcher::Input;
use crate::engine::dispatcher::input::{TaskFailure, TaskOutput};
use crate::engine::event::{Beginning, Carried, Event, InitializerFigures, Moment, Record, Severity, WorkerId};
use crate::os::accounting::Usage;
use crate::os::child::Child;
use crate::os::clock::monotonic;
use crate::os::{readings, relatives};
use crate::worker::protocol::{
    self, Changed, DoneFrame, Failure, FromWorker, Hello, Initialized, LaneNumber, Piece, Tells,
};
use crate::workload::model::Work;

/// How often the size of a worker is looked at, at most, in nanoseconds.
const MEASURE_EVERY: u64 = 1_000_000;
/// Most kinds of changes that are told in a run: a worker of ours knows four.
const MOST_CHANGES: usize = 16;

/// Records of one lane that are fed together.
struct Unfed {
    lane: LaneNumber,
    records: Vec<Record>,
    usage: Option<Usage>,
}

impl Core {
    /// Works through whole frames; says how many bytes they took up.
    pub(super) fn take_frames(&mut self, worker: WorkerId, bytes: &[u8]) -> Result<usize, Breach> {
        self.heard = self.clock.now();
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        let mut unfed = Unfed { lane: 0, records, usage: None };
        let mut used = 0;
        let result = loop {
            match self.take_frame(worker, &bytes[used..], &mut unfed) {
                Ok(0) => break Ok(used),
                Ok(length) => used += length,
                Err(breach) => break Err(breach),
            }
        };
        self.feed_records(worker, &mut unfed);
        self.records = unfed.records;
        self.look_for_strays();
        result
    }

    /// Works through the first frame; says how many bytes it took up: none if it is not whole.
    fn take_frame(&mut self, worker: WorkerId, bytes: &[u8], unfed: &mut Unfed) -> Result<usize, Breach> {
        let Some(frame) = protocol::split(bytes)? else { return Ok(0) };
        let Some(Link { peer: Peer::Worker(peer), lanes, .. }) = self.link(worker) else { return Ok(frame.length()) };
        if !peer.greeted && !protocol::is_hello(frame) {
            return Err(Breach::NoHello);
        }
        let lanes = *lanes;
        if frame.lane != unfed.lane {
            self.feed_records(worker, unfed);
            if frame.lane >= lanes {
                return Err(Breach::NoLane { lane: frame.lane, lanes });
            }
            unfed.lane = frame.lane;
        }
        match protocol::decode_from_worker(frame)? {
            FromWorker::Done(done) => {
                self.may_report(worker, frame.lane, None)?;
                unfed.usage = Some(done.usage);
                let begin = unfed.records.len();
                unfed.records.extend(done.records().map(|record| self.record(record)));
                self.tell_carried(worker, frame.lane, &done, &mut unfed.records[begin..]);
            }
            other => {
                self.feed_records(worker, unfed);
                self.take_other(worker, frame.lane, other)?;
            }
        }
        Ok(frame.length())
    }

    /// Whether a lane may report now, be it that this task has `failed`.
    fn may_report(&mut self, worker: WorkerId, lane: LaneNumber, failed: Option<u64>) -> Result<(), Breach> {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
        peer.may_work()?;
        peer.results.reports(lane, failed)
    }

    fn feed_records(&mut self, worker: WorkerId, unfed: &mut Unfed) {
        let lane = worker.lane(unfed.lane);
        if let Some(last) = unfed.records.last() {
            let (index, end) = (last.index, self.clock.monotonic(last.start + Duration::from_nanos(last.service)));
            self.reported(lane, unfed.records.len() as u64, index, end);
            self.feed(Input::Done { lane, records: &unfed.records });
            self.wrong.reported(lane, unfed.records.iter().map(|record| record.index));
            unfed.records.clear();
            self.look_at_size(worker);
        }
        if let Some(usage) = unfed.usage.take() {
            if let Some(Link { peer: Peer::Worker(peer), lanes: 1, .. }) = self.link(worker) {
                peer.told = usage;
            }
            self.observer.event(self.clock.now(), &Event::WorkerUsage { lane, usage });
        }
    }

    /// Tells what the bytes took that travelled with tasks which are reported as done.
    fn tell_carried(&mut self, worker: WorkerId, number: LaneNumber, done: &DoneFrame<'_>, records: &mut [Record]) {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return };
        if peer.payloads.is_empty() {
            return;
        }
        let mut told = Vec::new();
        for (wire, record) in done.records().zip(records) {
            let end = wire.start.saturating_add(wire.service);
            match peer.payloads.reported(wire.index) {
                Some(task) => {
                    let (carried, after) = peer.payloads.carried(number, task, end);
                    record.after = after;
                    told.push(Carried { opaque: !carried.hashing.is_zero() && record.value == 0, ..carried });
                }
                None => peer.payloads.free_from(number, end),
            }
        }
        let slot = worker.lane(number).slot();
        told.into_iter().for_each(|carried| self.observer.event(self.heard, &Event::Carried { slot, carried }));
    }

    /// Tasks have changed something for those after them: told once for each kind of change.
    fn changed(&mut self, worker: WorkerId, changed: &Changed) {
        if self.changes_told.len() >= MOST_CHANGES || !self.changes_told.insert(changed.what.clone()) {
            return;
        }
        let by = match (changed.first, changed.last) {
            (first, last) if first == last => format!("task {first}"),
            (first, last) => format!("one of the tasks {first} to {last}"),
        };
        if changed.undone {
            let how = if changed.how.is_empty() { String::new() } else { format!(" ({})", changed.how) };
            let text = format!("{by} left {} in worker {}{how}: it was undone", changed.what, worker.slot);
            return self.note(Severity::Info, text);
        }
        let text = format!(
            "{by} changed the {} of worker {} ({}): the tasks after it there find it so",
            changed.what, worker.slot, changed.how
        );
        self.note(Severity::Info, text);
    }

    /// A worker may have grown beyond what it may have.
    fn look_at_size(&mut self, worker: WorkerId) {
        let Some(most) = self.max_rss_bytes else { return };
        let Some(Link { peer: Peer::Worker(peer), child: Some(child), .. }) = self.link(worker) else { return };
        let now = monotonic();
        if now.saturating_sub(peer.measured) < MEASURE_EVERY {
            return;
        }
        peer.measured = now;
        let pid = child.pid();
        // Programs that stay with it are part of it. One that has ended has no size.
        let stay = self.works.iter().any(|work| matches!(work, Work::Served(_)));
        let family = if stay { relatives::descendants(pid, &HashSet::new()) } else { Vec::new() };
        let others: u64 = family.iter().filter_map(|pid| readings::rss(*pid).ok()).sum();
        if readings::rss(pid).is_ok_and(|bytes| bytes.saturating_add(others) > most) {
            self.feed(Input::Grown { worker });
        }
    }

    /// Anything but results of tasks that succeeded.
    fn take_other(&mut self, worker: WorkerId, number: LaneNumber, said: FromWorker<'_>) -> Result<(), Breach> {
        let lane = worker.lane(number);
        match said {
            FromWorker::Done(_) => {}
            FromWorker::Hello(hello) => return self.hello(worker, hello),
            FromWorker::Initialized(initialized) => return self.initialized(worker, initialized),
            FromWorker::Skipped(runs) => {
                self.may_report(worker, number, None)?;
                for (first, count) in runs {
                    let end = first.saturating_add(count);
                    self.reported(lane, count, end.saturating_sub(1).max(first), monotonic());
                    if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
                        peer.payloads.reported_all(first, end);
                    }
                    self.feed(Input::Skipped { lane, first, count });
                }
            }
            FromWorker::Failed(failure) => {
                self.may_report(worker, number, Some(failure.index))?;
                self.reported(lane, 1, failure.index, failure.start.saturating_add(failure.service));
                if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
                    let end = failure.start.saturating_add(failure.service);
                    let task = peer.payloads.reported(failure.index);
                    if let Some((carried, _)) = task.map(|task| peer.payloads.carried(number, task, end)) {
                        self.observer.event(self.heard, &Event::Carried { slot: lane.slot(), carried });
                    }
                }
                if let Some(exit) = failure.exit {
                    // It has crashed like any other program; that is told beside it.
                    self.out_of_memory(&format!("the program of task {}", failure.index), exit);
                }
                self.wrong.reported(lane, [failure.index]);
                let failure = Box::new(self.failure(worker, failure));
                self.feed(Input::Failed { lane, failure });
                self.look_at_size(worker);
            }
            FromWorker::Wrong(index) => {
                let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
                peer.may_work()?;
                if !self.wrong.told(lane, index) {
                    return Err(Breach::TooManyWrong);
                }
            }
            FromWorker::Late(late) => {
                let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
                peer.may_work()?;
                self.tell_late(late);
            }
            FromWorker::Result(piece) => return self.returned(worker, number, piece),
            FromWorker::Handled(handled) => {
                let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
                peer.may_work()?;
                handled.into_iter().for_each(|task| peer.payloads.handled(task));
            }
            FromWorker::Changed(changed) => self.changed(worker, &changed),
            FromWorker::Probed(probed) => {
                let late: Vec<Duration> = probed.late.into_iter().map(Duration::from_nanos).collect();
                let switch_interval = Duration::from_nanos(probed.switch_interval);
                self.observer.event(self.heard, &Event::Probed { late: &late, switch_interval });
            }
            FromWorker::Started(started) => {
                let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
                if peer.tells != Tells::Started {
                    return Err(Breach::NotPromised);
                }
                peer.may_work()?;
                if !peer.holds(number, started.index) {
                    return Err(Breach::NotHeld(started.index));
                }
                self.write_started(lane, started);
            }
        }
        Ok(())
    }

    fn hello(&mut self, worker: WorkerId, hello: Hello) -> Result<(), Breach> {
        let Some(Link { peer: Peer::Worker(peer), lanes, .. }) = self.link(worker) else { return Ok(()) };
        if hello.lanes < *lanes {
            return Err(Breach::FewLanes { can: hello.lanes, asked: *lanes });
        }
        if std::mem::replace(&mut peer.greeted, true) {
            return Err(Breach::SecondHello);
        }
        peer.tells = hello.tells;
        peer.payloads.free_from(0, hello.ready);
        let held = std::mem::take(&mut peer.held);
        if hello.tells != Tells::Board {
            for (number, runs) in held {
                self.sent(worker.lane(number), &Vec::from(runs));
            }
        }
        let told = (hello.began > 0).then_some((hello.began, hello.ready));
        self.tell_beginning(worker, told);
        self.tell_begin(worker);
        self.feed(Input::Hello { worker });
        Ok(())
    }

    /// Tells how a process came to be; `own` is what it says itself. What it says cannot be out of order.
    pub(super) fn tell_beginning(&mut self, worker: WorkerId, own: Option<(u64, u64)>) {
        let now = self.clock.now();
        let Some(link) = self.link(worker) else { return };
        let (called, Some(executed)) = (link.called, link.child.as_ref().map(Child::started_at)) else { return };
        let at = |monotonic: u64, from: Moment| self.clock.moment(monotonic).clamp(from, now.max(from));
        let called = at(called, Moment::ZERO);
        // A worker may have its turn before the fork server that has forked it.
        let executed = at(own.map_or(executed, |(began, _)| executed.min(began)), called);
        let own = own.map(|(began, ready)| {
            let began = at(began, executed);
            (began, at(ready, began))
        });
        let beginning = Beginning { called, executed, own };
        self.observer.event(now, &Event::WorkerBegan { worker, beginning });
    }

    fn initialized(&mut self, worker: WorkerId, told: Initialized) -> Result<(), Breach> {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
        if peer.initialization != Initialization::Awaited {
            return Err(Breach::NotAsked);
        }
        peer.initialization = if told.error.is_none() { Initialization::Done } else { Initialization::Failed };
        let figures = InitializerFigures {
            wall: Duration::from_nanos(told.wall_ns),
            cpu: Duration::from_nanos(told.cpu_ns),
            rss_bytes: (told.rss_bytes > 0).then_some(told.rss_bytes),
        };
        self.feed(Input::Initialized { worker, result: told.failure().map_or(Ok(Some(figures)), Err) });
        Ok(())
    }

    /// Puts together what a task returns.
    fn returned(&mut self, worker: WorkerId, number: LaneNumber, piece: Piece<'_>) -> Result<(), Breach> {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
        peer.may_work()?;
        if let Some((index, bytes)) = peer.results.add(number, piece)? {
            peer.payloads.returned(index, bytes.len());
            self.feed(Input::Returned { lane: worker.lane(number), index, bytes: &bytes });
        }
        Ok(())
    }

    fn record(&self, wire: protocol::WireRecord) -> Record {
        let start = self.clock.moment(wire.start);
        let end = self.clock.moment(wire.start.saturating_add(wire.service));
        let (start, end) = (start.min(self.heard), end.min(self.heard));
        Record { index: wire.index, start, service: end.0 - start.0, after: 0, value: wire.value }
    }

    fn failure(&mut self, worker: WorkerId, mut failure: Failure) -> TaskFailure {
        if let Some(number) = failure.output {
            self.add_output(worker, number, &mut failure);
        }
        let start = self.clock.moment(failure.start);
        let end = self.clock.moment(failure.start.saturating_add(failure.service));
        let (start, end) = (start.min(self.heard), end.min(self.heard));
        TaskFailure {
            index: failure.index,
            start,
            service: end.0 - start.0,
            message: failure.message,
            exit: failure.exit,
            not_started: failure.not_started,
            output: TaskOutput {
                stdout: failure.stdout_tail,
                stderr: failure.stderr_tail,
                omitted: failure.output_omitted_bytes,
            },
        }
    }

    /// What a task printed goes before what is told of its failure, as on a terminal. It is in the pipe by now.
    fn add_output(&mut self, worker: WorkerId, number: u64, failure: &mut Failure) {
        self.read_stream(worker, Which::Stderr);
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return };
        let Some(printed) = peer.output.marks.as_mut().and_then(|marks| marks.take(number)) else { return };
        let mut text = printed.text();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        failure.stderr_tail.insert_str(0, &text);
        failure.output_omitted_bytes += printed.omitted();
    }
}
