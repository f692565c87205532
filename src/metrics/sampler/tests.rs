use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;

const MS: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Fake {
    cpu: HashMap<u32, Duration>,
    threads: HashMap<(u32, u32), Duration>,
    memory: HashMap<u32, MemoryReading>,
    memory_reads: Vec<u32>,
    /// Children, and what was waited for.
    children: HashMap<u32, Vec<u32>>,
    waited_for: HashMap<u32, Duration>,
    /// What one look at a process costs, and what all have cost.
    cost: Duration,
    spent: Duration,
    forbidden: Option<u32>,
    own: Duration,
    no_clocks: bool,
}

impl Readings for Fake {
    fn cpu_time(&mut self, pid: u32) -> io::Result<Duration> {
        if self.no_clocks {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.cpu.get(&pid).copied().ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
    }

    fn thread_cpu(&mut self, pid: u32, thread: u32) -> io::Result<Duration> {
        self.threads.get(&(pid, thread)).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn waited_for(&mut self, pid: u32) -> Option<Duration> {
        self.waited_for.get(&pid).copied()
    }

    fn descendants(&mut self, pid: u32, others: &HashSet<u32>) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        let mut next = vec![pid];
        while let Some(parent) = next.pop() {
            let children = self.children.get(&parent).into_iter().flatten();
            next.extend(children.filter(|child| !others.contains(child)));
            found.extend(next.last());
        }
        found
    }

    fn spent(&mut self) -> Duration {
        self.spent
    }

    fn memory(&mut self, pid: u32) -> io::Result<MemoryReading> {
        self.spent += self.cost;
        self.memory_reads.push(pid);
        if self.forbidden == Some(pid) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.memory.get(&pid).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn own_cpu(&mut self) -> Duration {
        self.own
    }

    fn pressure(&mut self) -> Pressure {
        Pressure::default()
    }
}

fn live(pid: u32) -> Account {
    Account { pid: Some(pid), ..Account::default() }
}

fn percents(gauges: &Gauges) -> Vec<Option<f32>> {
    gauges.live().slots.iter().map(|slot| slot.percent.map(f32::round)).collect()
}

#[test]
fn bar_of_a_long_lived_worker_is_the_growth_of_its_clock() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    fake.cpu.insert(7, 50 * MS);
    gauges.tick(100 * MS, Duration::ZERO, &[live(7)], &mut fake);
    assert_eq!(percents(&gauges), [Some(50.0)]);
    fake.cpu.insert(7, 140 * MS);
    gauges.tick(200 * MS, Duration::ZERO, &[live(7)], &mut fake);
    assert_eq!(percents(&gauges), [Some(90.0)]);
    gauges.tick(300 * MS, Duration::ZERO, &[live(7)], &mut fake);
    assert_eq!(percents(&gauges), [Some(0.0)]);
}

#[test]
fn bar_of_processes_too_short_to_be_sampled_comes_from_their_accounts() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    // Thirty processes have used 80 ms within the interval; the one that lives has gone before its clock is read.
    let account = Account { pid: Some(8), exited: 80 * MS, ..Account::default() };
    gauges.tick(100 * MS, Duration::ZERO, &[account], &mut fake);
    assert_eq!(percents(&gauges), [Some(80.0)]);
    gauges.tick(150 * MS, Duration::ZERO, &[account], &mut fake);
    assert_eq!(percents(&gauges), [Some(80.0)], "nothing new is known");
    let account = Account { pid: None, exited: 160 * MS, ..Account::default() };
    gauges.tick(200 * MS, Duration::ZERO, &[account], &mut fake);
    assert_eq!(percents(&gauges), [Some(80.0)], "since it was last known");
    // One is seen half way, and again as exited: nothing is counted twice.
    fake.cpu.insert(9, 30 * MS);
    let account = Account { pid: Some(9), exited: 200 * MS, ..Account::default() };
    gauges.tick(300 * MS, Duration::ZERO, &[account], &mut fake);
    assert_eq!(percents(&gauges), [Some(70.0)]);
    let account = Account { pid: None, exited: 260 * MS, ..Account::default() };
    gauges.tick(400 * MS, Duration::ZERO, &[account], &mut fake);
    assert_eq!(percents(&gauges), [Some(30.0)]);
    assert_eq!(gauges.live().workers_cpu, 260 * MS);
}

#[test]
fn bars_of_lanes_are_what_is_told_of_them_and_their_process_is_in_the_sum_once() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    fake.cpu.insert(7, 90 * MS);
    let lane = |millis| Account { lane: Some(MS * millis), ..Account::default() };
    let first = Account { lane: Some(30 * MS), reported: 80 * MS, ..live(7) };
    gauges.tick(100 * MS, Duration::ZERO, &[first, lane(50)], &mut fake);
    assert_eq!(percents(&gauges), [Some(30.0), Some(50.0)]);
    assert_eq!(gauges.live().workers_cpu, 90 * MS);
    fake.cpu.insert(7, 190 * MS);
    gauges.tick(200 * MS, Duration::ZERO, &[first, lane(90)], &mut fake);
    assert_eq!(percents(&gauges), [None, Some(40.0)], "nothing was told of the first");
    assert_eq!(gauges.live().workers_cpu, 190 * MS);
    assert!((gauges.live().cores_used - 0.95).abs() < 1e-9, "{}", gauges.live().cores_used);
}

#[test]
fn bars_of_lanes_with_threads_move_in_the_middle_of_a_task() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    let thread = |id| Some(OwnThread { pid: 7, id, spent: 1000 * MS });
    let lanes = [
        Account { lane: Some(1000 * MS), thread: thread(8), ..live(7) },
        Account { lane: Some(1005 * MS), thread: thread(9), ..Account::default() },
    ];
    fake.cpu.insert(7, 10 * MS);
    fake.threads.extend([((7, 8), Duration::ZERO), ((7, 9), 5 * MS)]);
    gauges.tick(100 * MS, Duration::ZERO, &lanes, &mut fake);
    fake.threads.extend([((7, 8), 60 * MS), ((7, 9), 45 * MS)]);
    gauges.tick(200 * MS, Duration::ZERO, &lanes, &mut fake);
    assert_eq!(percents(&gauges), [Some(60.0), Some(40.0)], "nothing was told of either");
}

#[test]
fn new_slot_starts_from_zero_with_its_own_start() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    fake.cpu.insert(1, 100 * MS);
    gauges.tick(10_000 * MS, Duration::ZERO, &[live(1)], &mut fake);
    fake.cpu.insert(2, 60 * MS);
    fake.cpu.insert(1, 200 * MS);
    gauges.tick(10_100 * MS, Duration::ZERO, &[live(1), live(2)], &mut fake);
    assert_eq!(percents(&gauges), [Some(100.0), Some(60.0)]);
}

#[test]
fn without_cpu_clocks_a_bar_is_absent_or_from_the_accounts_never_zero() {
    let (mut gauges, mut fake) = (Gauges::new(2), Fake { no_clocks: true, ..Fake::default() });
    gauges.tick(100 * MS, Duration::ZERO, &[live(1)], &mut fake);
    gauges.tick(200 * MS, Duration::ZERO, &[live(1)], &mut fake);
    assert_eq!(percents(&gauges), [None]);
    let reported = Account { reported: 150 * MS, ..live(1) };
    gauges.tick(400 * MS, Duration::ZERO, &[reported], &mut fake);
    assert_eq!(percents(&gauges), [Some(50.0)], "150 ms in the 300 ms since it was last known");
}

#[test]
fn impossible_growth_is_cut_at_all_cores_and_never_negative() {
    let (mut gauges, mut fake) = (Gauges::new(2), Fake::default());
    fake.cpu.insert(1, 10_000 * MS);
    gauges.tick(100 * MS, Duration::ZERO, &[live(1)], &mut fake);
    assert_eq!(percents(&gauges), [Some(200.0)]);
    fake.cpu.insert(1, 5 * MS);
    gauges.tick(200 * MS, Duration::ZERO, &[live(1)], &mut fake);
    assert_eq!(percents(&gauges), [Some(0.0)]);
    assert!(gauges.live().cores_used <= 2.0);
}

#[test]
fn history_has_thirty_entries_of_a_third_of_a_second() {
    let (mut gauges, mut fake) = (Gauges::new(1), Fake::default());
    for tick in 1..=40u32 {
        fake.cpu.insert(1, MS * tick * 50);
        gauges.tick(MS * tick * 100, Duration::ZERO, &[live(1)], &mut fake);
    }
    let history = gauges.live().slots[0].history;
    assert_eq!(history.percents(), [50; 10], "one entry for each 400 ms of the 4 s");
    let mut full = History::default();
    (0..100u8).for_each(|percent| full.push(percent));
    assert_eq!(full.percents(), (70..100).collect::<Vec<u8>>());
}

#[test]
fn cores_used_is_about_the_last_second() {
    let (mut gauges, mut fake) = (Gauges::new(8), Fake::default());
    for tick in 1..=30u32 {
        // Two busy workers for two seconds, then one.
        fake.cpu.insert(1, MS * tick * 100);
        fake.cpu.insert(2, MS * tick.min(20) * 100);
        fake.own = MS * tick;
        gauges.tick(MS * tick * 100, Duration::ZERO, &[live(1), live(2)], &mut fake);
        if tick == 20 {
            assert!((gauges.live().cores_used - 2.0).abs() < 1e-9, "{}", gauges.live().cores_used);
        }
    }
    assert!((gauges.live().cores_used - 1.0).abs() < 1e-9, "{}", gauges.live().cores_used);
    assert!((gauges.live().overhead.cores_used - 0.01).abs() < 1e-9);
}

#[test]
fn memory_is_summed_over_live_workers_and_its_peak_kept() {
    let (mut gauges, mut fake) = (Gauges::new(1), Fake { cost: MS, ..Fake::default() });
    let reading = |rss_bytes, pss_bytes| MemoryReading { rss_bytes, pss_bytes };
    assert_eq!(gauges.live().memory.peak_pss_bytes, None);
    fake.memory.insert(1, reading(100, Some(60)));
    fake.memory.insert(2, reading(200, Some(70)));
    fake.cpu.extend([(1, MS), (2, MS)]);
    gauges.tick(MS, Duration::ZERO, &[live(1), live(2)], &mut fake);
    gauges.tick(2 * MS, Duration::ZERO, &[live(1), Account::default()], &mut fake);
    assert_eq!(fake.memory_reads.len(), 2, "not again so soon after what it has cost");
    gauges.tick(600 * MS, Duration::ZERO, &[live(1), Account::default()], &mut fake);
    let memory = gauges.live().memory;
    assert_eq!((memory.rss_bytes, memory.pss_bytes), (100, Some(60)));
    assert_eq!((memory.peak_rss_bytes, memory.peak_pss_bytes), (300, Some(130)));
    fake.memory.insert(1, reading(100, None));
    gauges.tick(1200 * MS, Duration::ZERO, &[live(1)], &mut fake);
    let memory = gauges.live().memory;
    assert_eq!((memory.pss_bytes, memory.peak_pss_bytes), (None, Some(130)), "a part of a sum is no sum");
}

/// Whatever it costs to read a worker, and however many there are: a hundredth of a core, and everyone has a turn.
#[test]
fn looks_are_rationed() {
    for (workers, cost) in [(1, 80), (128, 80), (128, 2_000), (4_000, 80), (3, 200_000)] {
        let (mut gauges, mut fake) = (Gauges::new(1), Fake { cost: MS * cost / 1000, ..Fake::default() });
        let accounts: Vec<_> = (1..=workers).map(live).collect();
        let mut now = Duration::ZERO;
        // Everyone has been read twice by then.
        let end = fake.cost * 250 * workers + Duration::from_secs(10);
        while now < end {
            now += 100 * MS;
            gauges.tick(now, Duration::ZERO, &accounts, &mut fake);
        }
        // The newest look is paid for by the rest that follows.
        let most = now / 100 + 10 * MS + fake.cost;
        assert!(fake.spent <= most, "{workers} workers at {cost} µs: {:?} in {now:?}", fake.spent);
        for pid in 1..=workers {
            let reads = fake.memory_reads.iter().filter(|read| **read == pid).count();
            assert!(reads >= 2, "worker {pid} of {workers} at {cost} µs: {reads}");
        }
    }
}

#[test]
fn what_a_worker_has_started_is_in_its_row_and_nothing_is_counted_twice() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    let reading = |rss_bytes, pss_bytes| MemoryReading { rss_bytes, pss_bytes: Some(pss_bytes) };
    // 1 has started a shell 10, which has started 11; worker 2 is a child of worker 1.
    fake.children.extend([(1, vec![10, 2]), (10, vec![11]), (2, vec![20])]);
    fake.memory.extend([
        (1, reading(10, 5)),
        (10, reading(100, 50)),
        (11, reading(1000, 500)),
        (2, reading(7, 3)),
        (20, reading(70, 30)),
    ]);
    fake.cpu.extend([(1, MS), (2, MS), (10, MS), (11, MS), (20, MS)]);
    let both = [live(1), live(2)];
    gauges.tick(100 * MS, Duration::ZERO, &both, &mut fake);
    let memory: Vec<_> = gauges.live().slots.iter().map(|slot| slot.memory.map(|(_, memory)| memory)).collect();
    assert_eq!(memory, [Some(reading(1110, 555)), Some(reading(77, 33))]);
    assert_eq!(gauges.live().memory.rss_bytes, 1187);
    assert_eq!(gauges.live().workers_cpu, 5 * MS);
    // The grandchild works, then ends: what it used is the shell's, then, when that is gone too, the worker's.
    fake.cpu.insert(11, 91 * MS);
    gauges.tick(200 * MS, Duration::ZERO, &both, &mut fake);
    assert_eq!(percents(&gauges), [Some(90.0), Some(0.0)]);
    fake.children.insert(10, vec![]);
    fake.waited_for.insert(10, 91 * MS);
    gauges.tick(300 * MS, Duration::ZERO, &both, &mut fake);
    assert_eq!(percents(&gauges), [Some(0.0), Some(0.0)]);
    fake.children.insert(1, vec![2]);
    fake.waited_for = HashMap::from([(1, 120 * MS)]);
    gauges.tick(400 * MS, Duration::ZERO, &both, &mut fake);
    assert_eq!(percents(&gauges), [Some(28.0), Some(0.0)]);
    assert_eq!(gauges.live().slots[0].memory, Some((1, reading(10, 5))));
    assert_eq!(gauges.live().slots[0].peak_rss_bytes, Some(1110));
    // When the worker is reaped, the kernel's account has all of it.
    let gone = Account { pid: None, exited: 121 * MS, ..Account::default() };
    gauges.tick(500 * MS, Duration::ZERO, &[gone, live(2)], &mut fake);
    assert_eq!(percents(&gauges), [Some(0.0), Some(0.0)]);
    assert_eq!(gauges.live().slots[0].memory, None);
}

#[test]
fn processes_that_vanish_make_no_negative_and_no_absurd_bar() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    let at = |gauges: &mut Gauges, fake: &mut Fake, millis: u32| {
        gauges.tick(MS * millis, Duration::ZERO, &[live(1)], fake);
        gauges.live().slots[0].percent.map(f32::round)
    };
    fake.cpu.extend([(1, MS), (10, 5000 * MS)]);
    assert_eq!(at(&mut gauges, &mut fake, 100), Some(1.0));
    // A daemon that lived elsewhere before: what it used is cut at all cores.
    fake.children.insert(1, vec![10]);
    assert_eq!(at(&mut gauges, &mut fake, 200), Some(400.0));
    // It is gone and nobody waits for it: the worker's bar goes on from what it does itself.
    fake.children.clear();
    assert_eq!(at(&mut gauges, &mut fake, 300), Some(0.0));
    fake.cpu.insert(1, 51 * MS);
    assert_eq!(at(&mut gauges, &mut fake, 400), Some(50.0));
    fake.cpu.insert(1, 101 * MS);
    assert_eq!(at(&mut gauges, &mut fake, 500), Some(50.0));
    // One ends between two looks at it and its parent: it is missing once, and there once.
    fake.children.insert(1, vec![11]);
    fake.cpu.insert(11, 40 * MS);
    assert_eq!(at(&mut gauges, &mut fake, 600), Some(40.0));
    fake.children.clear();
    assert_eq!(at(&mut gauges, &mut fake, 700), Some(0.0));
    fake.waited_for.insert(1, 50 * MS);
    assert_eq!(at(&mut gauges, &mut fake, 800), Some(10.0));
}

#[test]
fn what_may_not_be_read_is_absent() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    fake.children.insert(1, vec![10, 11]);
    fake.cpu.extend([(1, MS)]);
    fake.memory.insert(1, MemoryReading { rss_bytes: 10, pss_bytes: Some(5) });
    fake.memory.insert(10, MemoryReading { rss_bytes: 100, pss_bytes: None });
    gauges.tick(100 * MS, Duration::ZERO, &[live(1)], &mut fake);
    // 11 has just ended. The share of 10 is not told, so neither is that of both.
    assert_eq!(gauges.live().slots[0].memory, Some((1, MemoryReading { rss_bytes: 110, pss_bytes: None })));
    fake.forbidden = Some(11);
    gauges.tick(200 * MS, Duration::ZERO, &[live(1)], &mut fake);
    assert_eq!(gauges.live().slots[0].memory, None);
}

#[test]
fn memory_of_many_workers_is_read_in_rounds() {
    // 64 of them are what fits into one look.
    let cost = Duration::from_micros(157);
    let (mut gauges, mut fake) = (Gauges::new(1), Fake { cost, ..Fake::default() });
    let accounts: Vec<_> = (0..100).map(live).collect();
    fake.memory.extend((0..100).map(|pid| (pid, MemoryReading { rss_bytes: 10, pss_bytes: Some(5) })));
    gauges.tick(MS, Duration::ZERO, &accounts, &mut fake);
    assert_eq!(gauges.live().memory.rss_bytes, 640);
    gauges.tick(1100 * MS, Duration::ZERO, &accounts, &mut fake);
    assert_eq!(gauges.live().memory.rss_bytes, 1000);
    assert_eq!(fake.memory_reads.get(64), Some(&64), "the next round goes on where the last one ended");
}

#[test]
fn thread_samples_accounts_and_ends_when_its_recorder_does() {
    static READS: AtomicU32 = AtomicU32::new(0);
    static GONE: AtomicBool = AtomicBool::new(false);
    struct Counting;
    impl Readings for Counting {
        fn cpu_time(&mut self, _: u32) -> io::Result<Duration> {
            Ok(MS * READS.fetch_add(1, Ordering::Relaxed))
        }
        fn thread_cpu(&mut self, _: u32, _: u32) -> io::Result<Duration> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn waited_for(&mut self, _: u32) -> Option<Duration> {
            None
        }
        fn descendants(&mut self, _: u32, _: &HashSet<u32>) -> Vec<u32> {
            Vec::new()
        }
        fn spent(&mut self) -> Duration {
            Duration::ZERO
        }
        fn memory(&mut self, _: u32) -> io::Result<MemoryReading> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn own_cpu(&mut self) -> Duration {
            Duration::ZERO
        }
        fn pressure(&mut self) -> Pressure {
            Pressure::default()
        }
    }
    impl Drop for Counting {
        fn drop(&mut self) {
            GONE.store(true, Ordering::Relaxed);
        }
    }
    let mut sampler = Sampler::with(20 * MS, 2, Counting).expect("a thread");
    let mut live_now = Live::default();
    let limit = Instant::now() + Duration::from_secs(30);
    while live_now.slots.first().is_none_or(|slot| slot.cpu < 3 * MS) {
        assert!(Instant::now() < limit, "no sample arrived");
        sampler.tell_all([live(1)].into_iter());
        sampler.read(&mut live_now);
        std::thread::yield_now();
    }
    drop(sampler);
    while !GONE.load(Ordering::Relaxed) {
        assert!(Instant::now() < limit, "the thread did not end");
        std::thread::yield_now();
    }
}

#[test]
fn telling_an_unknown_slot_asks_for_all_accounts() {
    let mut sampler = Sampler::with(Duration::from_secs(10), 1, Fake::default()).expect("a thread");
    sampler.tell(3, live(1));
    assert!(sampler.is_stale());
    while sampler.is_stale() {
        sampler.tell_all([live(1); 4].into_iter());
    }
    sampler.tell(3, live(2));
    assert_eq!(sampler.shared.accounts.lock().expect("not poisoned")[3], live(2));
}

#[test]
fn the_fork_server_is_in_every_sum_and_in_no_row() {
    let (mut gauges, mut fake) = (Gauges::new(4), Fake::default());
    let reading = |rss_bytes, pss_bytes| MemoryReading { rss_bytes, pss_bytes: Some(pss_bytes) };
    fake.memory.extend([(1, reading(100, 60)), (9, reading(1000, 600))]);
    fake.cpu.extend([(1, 10 * MS), (9, 40 * MS)]);
    gauges.set_fork_server(live(9));
    gauges.tick(100 * MS, Duration::ZERO, &[live(1)], &mut fake);
    let seen = gauges.live();
    assert_eq!((seen.workers_cpu, seen.memory.rss_bytes, seen.memory.pss_bytes), (50 * MS, 1100, Some(660)));
    assert_eq!((seen.fork_server.cpu, seen.fork_server.peak_rss_bytes), (40 * MS, Some(1000)));
    assert_eq!(seen.slots[0].memory, Some((1, reading(100, 60))));
    // It is reaped, and another one takes its place.
    gauges.set_fork_server(Account { pid: Some(10), exited: 45 * MS, ..Account::default() });
    fake.cpu.insert(10, 5 * MS);
    fake.memory.insert(10, reading(10, 6));
    gauges.tick(2_000 * MS, Duration::ZERO, &[live(1)], &mut fake);
    let seen = gauges.live();
    assert_eq!((seen.workers_cpu, seen.memory.rss_bytes), (60 * MS, 110));
    assert_eq!((seen.fork_server.cpu, seen.fork_server.peak_rss_bytes), (50 * MS, Some(1000)));
}
