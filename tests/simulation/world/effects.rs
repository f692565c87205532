//! What comes of the dispatcher's effects: workers start, are sent tasks, are ended, or fail to.

use std::io::ErrorKind;

use poolscope::engine::dispatcher::queue::Ticket;
use poolscope::engine::dispatcher::{Effect, Input, StartFailure, Stop};
use poolscope::engine::event::{LaneId, WorkerId};
use poolscope::engine::outcome::Exit;

use super::{Scheduled, Worker, World};
use crate::draws::{MS, not_started};
use crate::limits::GONE_AT_STOP;

impl World {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker: id, task, .. } => self.start(id, task),
            Effect::StartForkServer => self.start_fork_server(),
            Effect::NoMoreForks => self.forks = false,
            Effect::StopForkServer => self.stop_fork_server(),
            Effect::AbandonForkServer => self.kill_fork_server(),
            Effect::Send { lane, tickets } => self.send(lane, &tickets),
            Effect::Probe { lane } => {
                let task = self.in_task(lane);
                self.feed(Input::Progress { lane, task });
            }
            Effect::LookFor { worker, due } => {
                if self.workers.contains_key(&worker) {
                    self.feed(Input::StillThere { worker, due });
                }
            }
            Effect::Retire { worker: id } => {
                let Some(worker) = self.workers.get_mut(&id) else { return };
                worker.leaving = true;
                if worker.unborn {
                    return;
                }
                let idle = !worker.is_in_task();
                let quits = !idle && self.worse && self.later_dice.chance(20);
                let slow = self.dice.chance(2);
                let delay = if slow { 3000 * MS } else { self.dice.below(MS) };
                if idle {
                    self.later(delay, Scheduled::Leave(id));
                } else if quits {
                    self.later(delay, Scheduled::Quit(id));
                }
            }
            Effect::Stop { worker: id, how } => self.stop(id, how),
            Effect::Order(_) => {}
            Effect::Abandon { worker: id } => {
                let Some(worker) = self.workers.get(&id) else { return };
                let early = worker.killed.is_none_or(|at| self.now < at + GONE_AT_STOP);
                assert!(!early, "seed {}: {:?} was given up too early", self.seed, (id));
                self.faults.abandoned += 1;
                assert!(!worker.unborn, "seed {}: {id:?} was given up before it was there", self.seed);
                self.die(id, Exit::Unknown);
            }
            Effect::Over(state) => {
                assert!(self.told.over.replace(state).is_none(), "over twice");
            }
        }
    }

    pub(super) fn stop(&mut self, id: WorkerId, how: Stop) {
        let delay = self.dice.below(MS);
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.stopped = true;
        let one = worker.started_for_one;
        for lane in worker.lanes.values() {
            let only = lane.tasks.front().filter(|_| one).map(|(index, _)| *index);
            let in_work = lane.current.map(|current| current.index);
            let begins = lane.beginning.map(|(index, _)| index);
            worker.ended_in.extend(in_work.or(begins).or(only));
        }
        if worker.unborn {
            worker.stop_at_birth = Some(how);
            if how == Stop::Kill {
                worker.killed.get_or_insert(now);
            }
            return;
        }
        match how {
            Stop::Terminate => {
                // Whose grace period it is is known if it was in a task.
                let current = worker.lanes.values().filter_map(|lane| lane.current);
                let grace =
                    current.map(|current| self.rules[usize::from(self.stream.class(current.index))].grace_period);
                worker.gone_by = grace.max().map(|grace| now + grace.as_nanos() as u64);
            }
            Stop::Kill => _ = worker.killed.get_or_insert(now),
        }
        match how {
            _ if worker.never_goes => {}
            Stop::Terminate if worker.ignores_term => self.faults.ignored_terms += 1,
            Stop::Terminate => self.later(delay, Scheduled::Die(id, 15)),
            Stop::Kill => self.later(delay, Scheduled::Die(id, 9)),
        }
    }

    /// The caller has given up the task that a lane is in, holds, or is about to be sent; what else it holds is taken back.
    pub(super) fn becomes_a_ghost(&mut self, id: LaneId) {
        self.faults.ghosts += 1;
        let after = self.dice.below(100 * MS);
        let endless = self.worse && self.later_dice.chance(40);
        let Some(lane) = self.lane(id) else { panic!("a ghost in {id:?}, where nobody is") };
        assert!(!lane.ghost, "a ghost in a ghost");
        lane.ghost = true;
        if !lane.in_no_task() {
            lane.tasks.clear();
            // One that hangs may come to an end after all.
            lane.endless = endless;
            if endless {
                self.faults.endless_ghosts += 1;
            } else {
                self.later(after, Scheduled::Finish(id));
            }
        }
    }

    fn endless_ghosts(&self) -> Vec<LaneId> {
        let lanes = |(id, worker): (&WorkerId, &Worker)| {
            let endless = worker.lanes.iter().filter(|(_, lane)| lane.ghost && lane.endless && !lane.in_no_task());
            let id = *id;
            endless.map(move |(number, _)| id.lane(*number)).collect::<Vec<_>>()
        };
        let mut all: Vec<LaneId> = self.workers.iter().flat_map(lanes).collect();
        all.sort_unstable();
        all
    }

    /// Whether nothing can go on before a ghost ends.
    pub(super) fn is_full_of_ghosts(&self) -> bool {
        self.endless_ghosts().len() as u64 >= self.aimed_at
    }

    pub(super) fn endless_ghosts_end(&mut self) {
        for id in self.endless_ghosts() {
            self.later(0, Scheduled::Finish(id));
        }
    }

    fn start(&mut self, id: WorkerId, task: Option<Ticket>) {
        if self.trouble() {
            self.faults.failed_starts += 1;
            let failure = if self.dice.chance(1) {
                self.faults.engine_failures += 1;
                StartFailure::Engine(not_started(ErrorKind::NotFound))
            } else if task.is_some() && self.dice.chance(30) {
                StartFailure::Task("no such program".to_owned())
            } else {
                StartFailure::Transient(not_started(ErrorKind::WouldBlock))
            };
            return self.feed(Input::StartFailed { worker: id, failure });
        }
        assert!(!self.workers.keys().any(|other| other.slot == id.slot), "two workers in slot {}", id.slot);
        let of_use =
            |worker: &&Worker| !worker.leaving && !worker.stopped && !worker.lanes.values().any(|lane| lane.ghost);
        let at_work = self.workers.values().filter(of_use).count() as u64;
        // A process that has done its task is still there when the next one is started for another.
        let more = self.policy.keeps_workers() && self.stream.known && !self.dealt && at_work >= self.remaining;
        assert!(!more, "seed {}: more workers than tasks remain", self.seed);
        let worker = Worker {
            ignores_term: self.trouble(),
            never_goes: self.trouble() && self.dice.chance(30),
            started_for_one: task.is_some(),
            ..Worker::default()
        };
        self.workers.insert(id, worker);
        if let Some(ticket) = task {
            assert_eq!(ticket.expires, None, "a task that is being started does not wait any more");
            self.take_tickets(id.lane(0), &[ticket]);
        }
        if self.forks { self.asked_for(id) } else { self.comes_alive(id) }
    }

    /// Its process is there.
    pub(super) fn comes_alive(&mut self, id: WorkerId) {
        if self.workers.get(&id).is_some_and(|worker| worker.leaving) {
            self.later(0, Scheduled::Leave(id));
            return self.feed(Input::Started { worker: id, pid: id.slot.0 + 1000 });
        }
        let delay = self.dice.below(3 * MS);
        if self.trouble() && self.dice.chance(30) {
            self.falls_silent(id);
        } else if self.trouble() && self.dice.chance(30) {
            self.later(delay, Scheduled::CloseSocket(id));
        } else if self.trouble() {
            self.later(delay, Scheduled::Die(id, 11));
        } else {
            self.later(delay, Scheduled::Hello(id));
        }
        self.feed(Input::Started { worker: id, pid: id.slot.0 + 1000 });
    }

    fn take_tickets(&mut self, id: LaneId, tickets: &[Ticket]) {
        for ticket in tickets {
            assert!(ticket.count > 0, "an empty ticket");
            for index in ticket.first..ticket.first + ticket.count {
                assert_eq!(ticket.class, self.stream.class(index));
                let ended = self.told.ended.contains(&index);
                assert_eq!(ended, ticket.given_up, "task {index} is given out after its end, and only then is a ghost");
                let elsewhere = self.workers.values().flat_map(|worker| worker.lanes.values()).any(|lane| {
                    lane.tasks.iter().any(|(held, _)| *held == index)
                        || lane.current.is_some_and(|current| current.index == index && !lane.ghost)
                });
                assert!(!elsewhere, "task {index} was given out twice");
                if let Some(limit) = self.rules[usize::from(ticket.class)].queue_timeout
                    && !ticket.given_up
                    && !self.begun.contains(&index)
                    && !self.told.attempts.contains_key(&index)
                {
                    let due = self.arrivals[index as usize] + limit.as_nanos() as u64;
                    assert!(
                        self.now < due,
                        "seed {}: task {index} was given out after its queue_timeout, due {due}",
                        self.seed
                    );
                }
                let begin_by = ticket.expires.map(|at| at.0 + self.stood);
                if let Some(lane) = self.lane(id) {
                    lane.tasks.push_back((index, begin_by));
                }
            }
        }
    }

    fn send(&mut self, id: LaneId, tickets: &[Ticket]) {
        let Some(worker) = self.workers.get(&id.worker) else { return };
        assert!(worker.ready, "work was sent to a worker that is not ready");
        assert_eq!(worker.closed_since, None, "work was sent to a worker whose socket is closed");
        assert!(id.number == 0 || self.policy.shares_worker(), "a worker of its own has one lane");
        let idle = worker.lanes.get(&id.number).is_none_or(|lane| lane.in_no_task() && lane.tasks.is_empty());
        self.take_tickets(id, tickets);
        if !idle {
            return;
        }
        if self.trouble() && self.dice.chance(30) {
            self.falls_silent(id.worker);
        } else if self.trouble() {
            let delay = self.dice.below(8 * MS);
            self.later(delay, Scheduled::Begin(id));
        } else {
            self.begin(id);
        }
    }
}
