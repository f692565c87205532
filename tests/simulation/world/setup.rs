//! A world as its seed draws it.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU64;
use std::time::Duration;

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Dispatcher, InitializerRules, Policy, Settings, Submitting};
use poolscope::engine::event::Moment;
use poolscope::engine::stream::Admission;
use poolscope::workload::model::{OnFull, Recycling, StartMethod, SubmitMode};

use super::{Schedule, World};
use crate::draws::{Dice, MS, Stream, rules};
use crate::faults::Faults;
use crate::submits::SharedCaller;
use crate::told::Told;

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let known = dice.chance(80);
        let stream = Stream { known, total: dice.below(60), classes: 1 + dice.below(3), run: 1 + dice.below(20) };
        let rules: Vec<_> = (0..stream.classes).map(|_| rules(&mut dice)).collect();
        let policy =
            [Policy::Reuse, Policy::Reuse, Policy::OneTask, Policy::OneTask, Policy::OneWorker][dice.below(5) as usize];
        let chunk = match (policy, dice.below(3)) {
            (Policy::OneTask, _) => Chunk::One,
            (_, 0) => Chunk::Fixed(1 + dice.below(10)),
            _ => Chunk::Adaptive,
        };
        let modes = [SubmitMode::Apply, SubmitMode::Map, SubmitMode::Imap, SubmitMode::ImapUnordered];
        let mode = if dice.chance(50) { SubmitMode::ApplyAsync } else { modes[dice.below(4) as usize] };
        let piece = if dice.chance(50) { 1 } else { 1 + dice.below(8) };
        let queue_capacity = dice.chance(20).then(|| 1 + dice.below(8));
        let dealt = dice.chance(25).then(|| 1 + dice.below(4));
        let mut arrivals = vec![0; stream.total as usize];
        let mut timed = false;
        let on_full = if dice.chance(50) { OnFull::Drop } else { OnFull::Block };
        let caller = SharedCaller::default();
        let admission = if !known {
            let capacity = dice.chance(50).then(|| 1 + dice.below(10));
            caller.with(|caller| (caller.later, caller.capacity) = (stream.total, capacity));
            Admission::Submitted { submitter: Box::new(caller.clone()), capacity }
        } else if queue_capacity.is_some() && dice.chance(50) || mode == SubmitMode::Apply {
            // A caller who has everything ready and waits for room, or for each task.
            let capacity = (mode == SubmitMode::Apply).then_some(1);
            caller.with(|caller| {
                (caller.ready, caller.capacity, caller.total) = (stream.total, capacity, Some(stream.total));
            });
            Admission::Submitted { submitter: Box::new(caller.clone()), capacity }
        } else if dice.chance(70) {
            Admission::Batch
        } else {
            let mut at = 0;
            let gap = 1 + dice.below(10 * MS);
            for arrival in &mut arrivals {
                at += dice.below(gap);
                *arrival = at;
            }
            let times: Vec<_> = arrivals.iter().copied().map(Moment).collect();
            let max_in_flight = dice.chance(50).then(|| 1 + dice.below(10));
            timed = true;
            Admission::Open { times: Box::new(times.into_iter()), max_in_flight, on_full }
        };
        let start_timeout = Duration::from_millis(20 + dice.below(200));
        let initializer = dice.chance(20).then(|| InitializerRules {
            timeout: dice.chance(50).then(|| Duration::from_millis(1 + dice.below(30))),
            max_failures: dice.below(20) as u32,
        });
        let recycling = if dice.chance(30) { 1 + dice.below(12) } else { 0 };
        // What a recycled worker held in its window waits again.
        let starts_with_a_batch = matches!(admission, Admission::Batch) || recycling > 0;
        let kills = if dice.chance(10) { dice.below(3) } else { 0 };
        let forks = policy != Policy::OneWorker && dice.chance(25);
        let lanes = 1 + dice.below(6) as u32;
        let joins_all = policy == Policy::OneTask && dice.chance(30);
        let plan = Settings {
            policy,
            workers: lanes,
            max_workers: 16,
            chunk,
            start_timeout,
            initializer,
            joins_all,
            start_method: if forks { StartMethod::Forkserver } else { StartMethod::Spawn },
            recycling: Recycling { max_tasks: NonZeroU64::new(recycling), max_rss_bytes: None },
            join_timeout: Duration::from_secs(2),
            kills: (0..kills).map(|_| (Duration::from_nanos(dice.below(50 * MS)), None)).collect(),
            classes: rules.clone(),
            admission,
            submitting: Submitting { mode, chunk: piece, queue_capacity },
            dealt,
            halt: None,
            seed,
        };
        let trouble = [0, 2, 10, 30][dice.below(4) as usize];
        let mut later_dice = Dice::new(!seed);
        Self {
            seed,
            now: 0,
            stood: 0,
            policy,
            start_timeout: start_timeout.as_nanos() as u64,
            initializer,
            submitting: Submitting { mode, chunk: piece, queue_capacity },
            dealt: dealt.is_some(),
            lateness: if dice.chance(20) { dice.below(20 * MS) } else { 0 },
            arrivals,
            on_full,
            timed,
            begun: HashSet::new(),
            remaining: stream.total,
            depth: 0,
            dispatcher: Dispatcher::new(plan, Box::new(stream)),
            stream,
            caller,
            rules,
            told: Told::default(),
            workers: HashMap::new(),
            schedule: Schedule::default(),
            forks,
            server: None,
            servers: 0,
            faults: Faults::default(),
            trouble,
            users_left: if dice.chance(50) { dice.below(8) } else { 0 },
            cut_short: Vec::new(),
            stopped_at: None,
            misbehaved: HashSet::new(),
            verbose: false,
            starts_with_a_batch,
            lanes: u64::from(lanes),
            aimed_at: u64::from(lanes),
            // Who joins what never ends waits for ever.
            worse: trouble > 0 && !joins_all && later_dice.chance(40),
            later_dice,
            dice,
        }
    }
}
