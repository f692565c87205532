//! What workers say: frames become inputs of the dispatcher.

use std::time::Duration;

use super::core::Core;
use super::links::{Link, Peer};
use crate::engine::dispatcher::Input;
use crate::engine::dispatcher::input::{TaskFailure, TaskOutput};
use crate::engine::event::{Event, Record, WorkerId};
use crate::os::accounting::Usage;
use crate::os::clock::monotonic;
use crate::worker::protocol::{
    self, Failure, FromWorker, Hello, Initialized, LaneNumber, MAX_BYTES, Piece, ProtocolError, Tells,
};

/// Records of one lane that are handed in together.
struct Batch {
    lane: LaneNumber,
    records: Vec<Record>,
    usage: Option<Usage>,
}

impl Core {
    /// Works through whole frames; says how many bytes they took up.
    pub(super) fn take_frames(&mut self, worker: WorkerId, bytes: &[u8]) -> Result<usize, String> {
        self.heard = self.clock.now();
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        let mut batch = Batch { lane: 0, records, usage: None };
        let mut used = 0;
        let result = loop {
            let frame = match protocol::split(&bytes[used..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(used),
                Err(error) => break Err(error.to_string()),
            };
            used += frame.length();
            if !matches!(self.link(worker), Some(Link { peer: Peer::Worker(peer), .. }) if peer.greeted)
                && !protocol::is_hello(frame)
            {
                break Err("something before its hello".to_owned());
            }
            if frame.lane != batch.lane {
                self.hand_in(worker, &mut batch);
                let lanes = self.link(worker).map_or(0, |link| link.lanes);
                if frame.lane >= lanes {
                    break Err(format!("a frame from lane {}, where it has {lanes}", frame.lane));
                }
                batch.lane = frame.lane;
            }
            match protocol::decode_from_worker(frame) {
                Ok(FromWorker::Done(done)) => {
                    batch.usage = Some(done.usage);
                    batch.records.extend(done.records().map(|record| self.record(record)));
                }
                Ok(other) => {
                    self.hand_in(worker, &mut batch);
                    if let Err(reason) = self.take_other(worker, frame.lane, other) {
                        break Err(reason);
                    }
                }
                Err(error) => break Err(error.to_string()),
            }
        };
        self.hand_in(worker, &mut batch);
        self.records = batch.records;
        self.look_for_strays();
        result
    }

    fn hand_in(&mut self, worker: WorkerId, batch: &mut Batch) {
        let lane = worker.lane(batch.lane);
        if let Some(last) = batch.records.last() {
            let (index, end) = (last.index, self.clock.monotonic(last.start + Duration::from_nanos(last.service)));
            self.reported(lane, batch.records.len() as u64, index, end);
            self.feed(Input::Done { lane, records: &batch.records });
            batch.records.clear();
        }
        if let Some(usage) = batch.usage.take() {
            self.observer.event(self.clock.now(), &Event::WorkerUsage { lane, usage });
        }
    }

    /// Anything but results of tasks that succeeded.
    fn take_other(&mut self, worker: WorkerId, number: LaneNumber, said: FromWorker<'_>) -> Result<(), String> {
        let lane = worker.lane(number);
        match said {
            FromWorker::Done(_) => {}
            FromWorker::Hello(hello) => return self.hello(worker, hello),
            FromWorker::Initialized(initialized) => self.initialized(worker, initialized),
            FromWorker::Skipped(runs) => {
                for (first, count) in runs {
                    self.reported(lane, count, first.saturating_add(count.saturating_sub(1)), monotonic());
                    self.feed(Input::Skipped { lane, first, count });
                }
            }
            FromWorker::Failed(failure) => {
                self.reported(lane, 1, failure.index, failure.start.saturating_add(failure.service));
                let failure = Box::new(self.failure(failure));
                self.feed(Input::Failed { lane, failure });
            }
            FromWorker::Result(piece) => return self.returned(worker, number, piece),
            FromWorker::Started(started) => {
                if !matches!(self.link(worker), Some(Link { peer: Peer::Worker(peer), .. }) if peer.tells == Tells::Started)
                {
                    return Err("a started frame, which its hello did not promise".to_owned());
                }
                self.write_started(lane, started);
            }
        }
        Ok(())
    }

    fn hello(&mut self, worker: WorkerId, hello: Hello) -> Result<(), String> {
        let Some(Link { peer: Peer::Worker(peer), lanes, .. }) = self.link(worker) else { return Ok(()) };
        if hello.lanes < *lanes {
            return Err(format!("it can have {} lanes and was asked for {lanes}", hello.lanes));
        }
        if std::mem::replace(&mut peer.greeted, true) {
            return Err("a second hello".to_owned());
        }
        peer.tells = hello.tells;
        let held = std::mem::take(&mut peer.held);
        if hello.tells == Tells::Nothing {
            for (number, runs) in held {
                self.suppose_sent(worker.lane(number), &Vec::from(runs));
            }
        }
        self.feed(Input::Hello { worker });
        Ok(())
    }

    fn initialized(&mut self, worker: WorkerId, told: Initialized) {
        if told.error.is_none() {
            let event = Event::WorkerInitialized {
                worker,
                wall: Duration::from_nanos(told.wall_ns),
                cpu: Duration::from_nanos(told.cpu_ns),
                rss_bytes: (told.rss_bytes > 0).then_some(told.rss_bytes),
            };
            self.observer.event(self.clock.now(), &event);
        }
        self.feed(Input::Initialized { worker, result: told.error.map_or(Ok(()), Err) });
    }

    /// Puts together what a task returns.
    fn returned(&mut self, worker: WorkerId, number: LaneNumber, piece: Piece<'_>) -> Result<(), String> {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return Ok(()) };
        let (index, mut bytes) = peer.returning.remove(&number).unwrap_or((piece.index, Vec::new()));
        if index != piece.index {
            return Err(format!("bytes of task {} within those of task {index}", piece.index));
        }
        if bytes.len() + piece.bytes.len() > MAX_BYTES {
            return Err(ProtocolError::TooMuch.to_string());
        }
        bytes.extend_from_slice(piece.bytes);
        if piece.more {
            peer.returning.insert(number, (index, bytes));
        } else {
            self.feed(Input::Returned { lane: worker.lane(number), index, bytes: &bytes });
        }
        Ok(())
    }

    fn record(&self, wire: protocol::WireRecord) -> Record {
        let start = self.clock.moment(wire.start);
        let end = self.clock.moment(wire.start.saturating_add(wire.service));
        let (start, end) = (start.min(self.heard), end.min(self.heard));
        Record { index: wire.index, start, service: end.0 - start.0, value: wire.value }
    }

    fn failure(&self, failure: Failure) -> TaskFailure {
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
}
