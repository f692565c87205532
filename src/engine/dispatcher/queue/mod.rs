//! Waiting tasks, and who gets which of them.
//!
//! `line` is the one line in which all tasks wait; `hands` are the queues of single lanes that it is dealt out to where
//! they take their tasks in turn; `door` is where those wait that there is no room for, `upcoming` those that are to come;
//! `ticket` is what waits in line and hands, `expired` what waited too long, `untold` those of them whose callers do not know
//! it yet. Nothing in here gives out work: that is the part of `dispatch`.

mod door;
pub(crate) mod expired;
mod hands;
mod line;
mod ticket;
mod untold;
mod upcoming;

use crate::engine::event::{Moment, Slot};
use crate::engine::stream::TaskStream;
use crate::workload::model::{ClassId, OnTimeout};

use door::Door;
use expired::{Gone, Limits, Place};
use hands::Hands;
use line::Line;
pub use ticket::Ticket;
pub(super) use upcoming::Upcoming;

/// Most tasks whose waiting is ended in one turn, or whose callers are told that it was: some milliseconds' worth.
const ENDED: u64 = 1 << 11;

/// See the module docs.
#[derive(Debug)]
pub(crate) struct TaskQueue {
    line: Line,
    /// `None` where all lanes take their tasks from the line.
    hands: Option<Hands>,
    /// Not in the queue yet.
    door: Door,
    /// How many of [`ENDED`] are left in this turn, and since when there are more than that.
    left: u64,
    behind_since: Option<Moment>,
}

impl TaskQueue {
    /// An empty queue over a stream. With `unit`, tasks are dealt out to lanes in turn, so many at a time.
    #[must_use]
    pub(crate) fn new(stream: Box<dyn TaskStream>, limits: Limits, unit: Option<u64>) -> Self {
        let door = Door::new(&limits);
        let hands = unit.map(Hands::new);
        Self { line: Line::new(stream, limits), hands, door, left: ENDED, behind_since: None }
    }

    /// Others have had their turn.
    pub(crate) fn turn_begins(&mut self) {
        self.left = ENDED;
        self.line.turn_begins();
    }

    /// Whether nothing can be taken in this turn, though there may be something: more tasks have waited too long than are seen
    /// to in a turn, or what is next is not found yet.
    #[must_use]
    pub(crate) fn is_shut(&self) -> bool {
        self.behind_since.is_some() || self.line.is_searching()
    }

    /// Whether the next turn has more to see to than it is asked for by [`TaskQueue::next_expiry`].
    #[must_use]
    pub(crate) fn wants_a_turn(&self) -> bool {
        self.line.is_searching() || self.line.is_telling()
    }

    /// Whether callers have not been told yet that the waiting of their tasks is over.
    #[must_use]
    pub(crate) fn is_telling(&self) -> bool {
        self.line.is_telling()
    }

    /// There are these lanes from now on, with whether each of them is to be dealt tasks.
    pub(crate) fn set_lanes(&mut self, lanes: impl Iterator<Item = bool>) {
        if let Some(hands) = &mut self.hands {
            hands.set_lanes(lanes, &mut self.line);
        }
    }

    /// What happens from now on to tasks whose callers give up.
    pub(crate) fn set_on_timeout(&mut self, on_timeout: OnTimeout) {
        self.line.limits_mut().set_on_timeout(on_timeout);
    }

    /// How long tasks may wait.
    pub(crate) fn limits(&self) -> &Limits {
        self.line.limits()
    }

    /// Tasks of the whole stream, where that is known.
    #[must_use]
    pub(crate) fn total(&self) -> Option<u64> {
        self.line.total()
    }

    /// Admits the whole stream at time zero.
    pub(crate) fn admit_batch(&mut self) -> u64 {
        self.line.admit_batch()
    }

    /// Admits the `count` tasks from this position on, which is where the last ones ended.
    pub(crate) fn admit_next(&mut self, position: u64, count: u64, arrival: Moment) {
        self.line.admit_next(position, count, arrival);
    }

    /// Admits the task at this position.
    pub(crate) fn admit(&mut self, position: u64, arrival: Moment) {
        self.door.let_in(position);
        self.line.admit(position, arrival);
    }

    /// There is no room for the tasks from this position on, which come at these times: their limits run outside too.
    pub(super) fn watch_outside(&mut self, position: u64, upcoming: &Upcoming) {
        self.door.open(position, upcoming);
    }

    /// Nobody is outside.
    pub(crate) fn watch_nobody(&mut self) {
        self.door.close();
    }

    /// Whether somebody is known to be outside.
    #[must_use]
    pub(crate) fn watches_outside(&self) -> bool {
        self.door.is_open()
    }

    /// Whether the task at this position, which would be the next to be admitted, has given up waiting for room.
    #[must_use]
    pub(crate) fn was_given_up_outside(&self, position: u64) -> bool {
        self.door.has_lost(position, &self.line)
    }

    /// Tasks in it, whether somebody waits for them or not.
    #[must_use]
    pub(crate) fn len(&self) -> u64 {
        self.line.len() + self.hands.as_ref().map_or(0, Hands::len)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Of these, tasks whose callers have given up.
    #[must_use]
    pub(crate) fn given_up(&self) -> u64 {
        self.line.given_up() + self.hands.as_ref().map_or(0, Hands::given_up)
    }

    /// Tasks that somebody waits for.
    #[must_use]
    pub(crate) fn waiting(&self) -> u64 {
        self.len() - self.given_up()
    }

    /// Tasks that a lane may take, now or later, and how many lanes share them.
    #[must_use]
    pub(crate) fn share_of(&self, slot: Slot, lanes: u32) -> (u64, u32) {
        match &self.hands {
            None => (self.line.len(), lanes),
            Some(hands) => (hands.len_of(slot) + self.line.len() / u64::from(lanes).max(1), 1),
        }
    }

    /// Earliest intended arrival among the tasks that somebody waits for.
    #[must_use]
    pub(crate) fn oldest(&self) -> Option<Moment> {
        [self.line.oldest(), self.hands.as_ref().and_then(Hands::oldest)].into_iter().flatten().min()
    }

    /// Class of the task that [`TaskQueue::take`] would give a lane next, and whether its caller has given up.
    #[must_use]
    pub(crate) fn next(&mut self, slot: Slot) -> Option<(ClassId, bool)> {
        match &mut self.hands {
            None => self.line.next(),
            Some(hands) => hands.front(slot, &mut self.line).map(|ticket| (ticket.class, ticket.given_up)),
        }
    }

    /// Whether each lane has a queue of its own.
    #[must_use]
    pub(crate) fn is_dealt(&self) -> bool {
        self.hands.is_some()
    }

    /// The first of these lanes that there is a task for.
    pub(crate) fn first_with_work(&mut self, mut lanes: impl Iterator<Item = Slot>) -> Option<Slot> {
        match &mut self.hands {
            None => lanes.next(),
            Some(hands) => lanes.find(|slot| hands.front(*slot, &mut self.line).is_some()),
        }
    }

    /// Takes up to `most` tasks for a lane that can travel as one run.
    pub(crate) fn take(&mut self, slot: Slot, most: u64) -> Option<Ticket> {
        match &mut self.hands {
            None => self.line.take(most),
            Some(hands) => hands.take(slot, most, &mut self.line),
        }
    }

    /// Puts tasks back at the head, in the order in which they are given.
    pub(crate) fn give_back(&mut self, tickets: impl DoubleEndedIterator<Item = Ticket>) {
        self.line.give_back(tickets);
    }

    /// Takes in a task that is to be tried again: behind those that came due before it, ahead of the stream.
    pub(crate) fn try_again(&mut self, ticket: Ticket) {
        self.line.try_again(ticket);
    }

    /// Removes everything; says how many tasks in it somebody waited for.
    pub(crate) fn clear(&mut self) -> u64 {
        let waiting = self.waiting();
        self.line.clear();
        self.hands.iter_mut().for_each(Hands::clear);
        self.door.close();
        waiting
    }

    /// When the waiting of a task ends next. May be early: a task that has left the queue is found out by
    /// [`TaskQueue::expire`].
    #[must_use]
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        let hands = self.hands.as_ref().and_then(Hands::expiry);
        [self.line.next_expiry(), hands, self.door.next_expiry()].into_iter().flatten().min()
    }

    /// Ends the waiting of tasks whose time is over, as many as are seen to in a turn; `with_places` says where each of them
    /// is in the stream, but for those of a batch: [`TaskQueue::next_untold`] does. `None` if there is none.
    pub(crate) fn expire(&mut self, now: Moment, with_places: bool) -> Option<Gone> {
        if self.next_expiry().is_none_or(|at| at > now) {
            self.behind_since = None;
            return None;
        }
        let mut gone = Gone::new(now, with_places, self.behind_since);
        self.line.expire(now, &mut self.left, &mut gone);
        if let Some(hands) = &mut self.hands {
            hands.expire(now, self.line.limits(), &mut self.left, &mut gone);
        }
        self.door.expire(now, &self.line, &mut self.left, &mut gone);
        let behind = self.left == 0 && self.next_expiry().is_some_and(|at| at <= now);
        self.behind_since = if behind { self.behind_since.or(Some(now)) } else { None };
        Some(gone)
    }

    /// The places of some tasks of the batch whose waiting is over, and when it was; `None` if there are no more in this turn.
    pub(crate) fn next_untold(&mut self) -> Option<(Moment, Vec<Place>)> {
        self.line.next_untold(&mut self.left)
    }
}
