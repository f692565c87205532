//! What comes before the first task.

use poolscope::os::accounting::Exit;
use poolscope::worker::protocol::{self, Initialize, Setup};

use crate::parent::{Parent, Said, every_worker, ours, run};
use crate::support::NOOP;

fn initialize(parent: &mut Parent, initialize: Initialize) -> protocol::Initialized {
    parent.send(|out| protocol::put_initialize(out, &initialize));
    match parent.next() {
        Said::Initialized(initialized) => initialized,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_initializer_works_allocates_and_tells_what_it_took() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP]);
        let what = Initialize { cpu_ns: 20_000_000, memory_bytes: 64 << 20, ..Initialize::default() };
        let told = initialize(&mut parent, what);
        assert_eq!(told.error, None, "{name}");
        assert!(told.wall_ns > 0 && told.cpu_ns > 0, "{name}: {told:?}");
        let rss = poolscope::os::readings::memory(parent.child.pid()).unwrap().rss_bytes;
        assert!(rss >= 64 << 20, "{name}: what it allocates stays: {rss}");
        assert!(name != "ours" || told.rss_bytes >= 64 << 20, "{told:?}");
        parent.tasks(0, &[run(0, 2, 0)]);
        assert_eq!(parent.records(0, 2).len(), 2, "{name}");
    }
}

#[test]
fn an_initializer_that_fails_says_so_and_its_worker_leaves_with_that_as_its_last_words() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP]);
        let told = initialize(&mut parent, Initialize { fail_rate: 1.0, ..Initialize::default() });
        assert!(told.error.is_some_and(|error| error.contains("failed")), "{name}");
        assert_eq!(parent.next(), Said::End, "{name}");
        let (exit, output) = parent.end();
        assert!(matches!(exit, Exit::Code(code) if code != 0), "{name}: {exit:?}");
        assert!(output.contains("initializer failed"), "{name}: {output}");
    }
}

#[test]
fn the_same_workers_fail_to_initialize_in_every_language() {
    let failing: Vec<Vec<u64>> = every_worker()
        .iter()
        .filter(|(name, _)| matches!(*name, "ours" | "board"))
        .map(|(_, program)| {
            let fails = |start: &u64| {
                let mut parent = Parent::with_classes(program, &Setup::of(7, 5e8), &[]);
                initialize(&mut parent, Initialize { fail_rate: 0.5, start: *start, ..Initialize::default() })
                    .error
                    .is_some()
            };
            (0..12).filter(fails).collect()
        })
        .collect();
    assert_eq!(failing[0], failing[1]);
    assert!((2..=10).contains(&failing[0].len()), "{:?}", failing[0]);
}

#[test]
fn one_initializer_serves_all_lanes() {
    let mut parent = Parent::with_classes(&ours(), &Setup { lanes: 3, ..Setup::of(1, 5e8) }, &[NOOP]);
    let told = initialize(&mut parent, Initialize { memory_bytes: 1 << 20, ..Initialize::default() });
    assert_eq!(told.error, None);
    for lane in 0..3 {
        parent.tasks(lane, &[run(u64::from(lane), 1, 0)]);
        assert_eq!(parent.records(lane, 1)[0].index, u64::from(lane));
    }
}
