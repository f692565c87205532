//! Waiting that is over: which limit ended it, and how many tasks that were.

use std::collections::BTreeMap;
use std::time::Duration;

use super::ticket::Ticket;
use crate::engine::event::Moment;
use crate::engine::stream::{ClassRules, WaitingLimit};
use crate::workload::model::{Attempt, ClassId, OnTimeout, TaskIndex};

/// Most expired tasks of a class that are named one by one: as many as anybody keeps.
pub(crate) const NAMED: usize = 200;
/// Most runs of the stream that are looked at for names: of a rare class, fewer are named.
pub(super) const LOOKED_AT: usize = 10_000;

/// How long tasks of each class may wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits(Vec<ClassLimits>);

#[derive(Clone, Copy, Debug)]
struct ClassLimits {
    /// The first one that ends the waiting of a task that was never in work.
    first: Option<WaitingLimit>,
    /// Its `wait_timeout`, which holds for later attempts too.
    caller: Option<Duration>,
    /// Whether a task stays where it is when its caller gives up.
    abandons: bool,
}

impl Limits {
    /// Those of these classes.
    pub(crate) fn new(classes: &[ClassRules]) -> Self {
        let limits = |rules: &ClassRules| ClassLimits {
            first: rules.waiting_limit(),
            caller: rules.wait_timeout,
            abandons: rules.on_timeout == OnTimeout::Abandon,
        };
        Self(classes.iter().map(limits).collect())
    }

    /// What happens from now on to tasks whose callers give up.
    pub(super) fn set_on_timeout(&mut self, on_timeout: OnTimeout) {
        self.0.iter_mut().for_each(|limits| limits.abandons = on_timeout == OnTimeout::Abandon);
    }

    pub(super) fn classes(&self) -> usize {
        self.0.len()
    }

    /// Whether there is any limit.
    pub(crate) fn any(&self) -> bool {
        self.0.iter().any(|limits| limits.first.is_some())
    }

    pub(super) fn first_of(&self, class: usize) -> Option<WaitingLimit> {
        self.0.get(class)?.first
    }

    /// When the waiting of a task ends that was never in work.
    pub(super) fn first_expiry(&self, class: ClassId, arrival: Moment) -> Option<Moment> {
        Some(arrival + self.first_of(usize::from(class))?.duration())
    }

    /// When its caller gives up.
    pub(super) fn caller_expiry(&self, class: ClassId, arrival: Moment) -> Option<Moment> {
        Some(arrival + self.0.get(usize::from(class))?.caller?)
    }

    /// Which limit ended the waiting of a ticket.
    pub(crate) fn reached(&self, ticket: &Ticket) -> Option<WaitingLimit> {
        let limits = self.0.get(usize::from(ticket.class))?;
        // Where both end at the same moment, it is the queue's, as for a batch.
        let in_queue =
            matches!(limits.first, Some(WaitingLimit::Queue(limit)) if ticket.expires == Some(ticket.arrival + limit));
        let caller =
            limits.caller.filter(|_| !in_queue).filter(|limit| ticket.expires == Some(ticket.arrival + *limit));
        caller.map(WaitingLimit::Caller).or(limits.first)
    }

    /// Whether a task whose waiting was ended by this limit stays where it is.
    pub(crate) fn stays(&self, class: ClassId, limit: WaitingLimit) -> bool {
        matches!(limit, WaitingLimit::Caller(_)) && self.0.get(usize::from(class)).is_some_and(|class| class.abandons)
    }
}

/// Tasks that follow each other in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) count: u64,
    pub(crate) arrival: Moment,
}

/// Tasks of one class whose waiting is over for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) count: u64,
    /// Some of them by name, at most [`NAMED`], each with the attempt that it waited for.
    pub(crate) named: Vec<(TaskIndex, Attempt)>,
    /// All of them but those of a batch, where somebody wants to know.
    pub(crate) places: Option<Vec<Place>>,
}

impl Expired {
    pub(super) fn has_room(&self) -> bool {
        self.named.len() < NAMED
    }

    /// Names tasks that follow each other.
    pub(super) fn name(&mut self, first: TaskIndex, count: u64, attempt: Attempt) {
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend((first..first + count).take(room).map(|index| (index, attempt)));
    }

    fn add(&mut self, first: TaskIndex, attempt: Attempt, place: Place) {
        self.count += place.count;
        self.name(first, place.count, attempt);
        if let Some(places) = &mut self.places {
            places.push(place);
        }
    }
}

/// Tasks that were never let in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outside {
    pub(crate) count: u64,
    /// For how long all of them together waited, in nanoseconds.
    pub(crate) waited: u128,
}

/// Everything whose waiting is over at one moment.
#[derive(Debug)]
pub(crate) struct Gone {
    groups: BTreeMap<(ClassId, WaitingLimit), Expired>,
    /// Those among them that were never let in.
    pub(crate) outside: Outside,
    with_places: bool,
    now: Moment,
    /// Since when there are more than are seen to in a turn.
    behind_since: Option<Moment>,
    /// For how long they were there longer than their limits for that reason, in nanoseconds.
    pub(crate) behind: u128,
}

impl Gone {
    /// Nothing yet; with the places of all tasks where somebody wants to know them.
    pub(crate) fn new(now: Moment, with_places: bool, behind_since: Option<Moment>) -> Self {
        Self { groups: BTreeMap::new(), outside: Outside::default(), with_places, now, behind_since, behind: 0 }
    }

    pub(super) fn wants_places(&self) -> bool {
        self.with_places
    }

    /// Adds a task that was never let in.
    pub(super) fn add_outside(&mut self, class: ClassId, limit: WaitingLimit, first: TaskIndex, place: Place) {
        self.of(class, limit).add(first, Attempt::FIRST, place);
        self.outside.count += place.count;
        self.outside.waited += self.now.since(place.arrival).as_nanos() * u128::from(place.count);
        self.add_behind(place.count, Some(place.arrival + limit.duration()));
    }

    fn add_behind(&mut self, count: u64, expires: Option<Moment>) {
        if let Some(since) = self.behind_since {
            let from = since.max(expires.unwrap_or(since));
            self.behind += self.now.since(from).as_nanos() * u128::from(count);
        }
    }

    pub(super) fn of(&mut self, class: ClassId, limit: WaitingLimit) -> &mut Expired {
        let places = self.with_places.then(Vec::new);
        self.groups.entry((class, limit)).or_insert(Expired { count: 0, named: Vec::new(), places })
    }

    /// Adds a ticket whose waiting is over. Says whether it stays: then nobody waits for it any more.
    pub(crate) fn add(&mut self, ticket: &mut Ticket, limits: &Limits) -> bool {
        let Some(limit) = limits.reached(ticket) else { return true };
        let Ticket { first, count, attempt, arrival, expires, .. } = *ticket;
        self.of(ticket.class, limit).add(first, attempt, Place { position: ticket.position(), count, arrival });
        self.add_behind(count, expires);
        ticket.expires = None;
        ticket.given_up = limits.stays(ticket.class, limit);
        ticket.given_up
    }

    /// Every group, by class.
    pub(crate) fn groups(self) -> impl Iterator<Item = (ClassId, WaitingLimit, Expired)> {
        self.groups.into_iter().map(|((class, limit), expired)| (class, limit, expired))
    }
}
