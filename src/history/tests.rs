use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;

use super::query::{Filter, Order};
use super::record::{Arm, Begun, End, HostFacts, Run, Session, Start, State, WorkloadFacts};
use super::store::Opening;
use super::{Store, comparable};

fn start() -> Start {
    let text = |text: &str| text.to_owned();
    Start {
        at: Timestamp::UNIX_EPOCH,
        verb: text("sweep"),
        workload: WorkloadFacts {
            name: text("w"),
            title: text("w"),
            hash: text("1"),
            seed: 1,
            text: "x".repeat(12_000),
            set: Vec::new(),
        },
        host: HostFacts {
            name: text("h"),
            cpu_model: text("c"),
            kernel: text("k"),
            cores_online: 2,
            cores_usable: 2,
            cores_quota: None,
            memory_bytes: 1,
            program: text("p"),
        },
        commit: None,
    }
}

fn end(walls: &[f64]) -> End {
    let run = |wall_s: &f64| Run {
        round: 1,
        complete: true,
        wall_s: *wall_s,
        throughput: 10.0 / wall_s,
        succeeded: 10,
        unsuccessful: 0,
        cores_used: 1.0,
        p50_s: None,
        p95_s: None,
        p99_s: None,
        peak_pss_bytes: None,
        results_hash: None,
        suspect: Vec::new(),
        recording: None,
    };
    let (name, engine) = ("pool".to_owned(), "pool".to_owned());
    let runs = walls.iter().map(run).collect();
    End {
        at: Timestamp::UNIX_EPOCH,
        aborted: None,
        stream_hash: "2".to_owned(),
        latency: "sojourn".to_owned(),
        sharing_cores: false,
        result: "{}".to_owned(),
        arms: vec![Arm { name, engine, workers: 2, settings: Vec::new(), is_baseline: true, runs }],
    }
}

#[test]
fn the_log_that_every_session_reads_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    for _ in 0..120 {
        let mut store = Store::open(&path, Opening::Adding, Duration::from_secs(5)).unwrap();
        let begun = store.begin(&start()).unwrap();
        store.finish(Some(&begun), &start(), &end(&[1.0])).unwrap();
    }
    let log = std::fs::metadata(folder.path().join("history.db-wal")).unwrap().len();
    assert!(log < 1 << 21, "{log} bytes");
}

#[test]
fn a_database_that_was_moved_away_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let store = Store::open(&path, Opening::Adding, Duration::from_secs(5)).unwrap();
    assert!(store.is_there());
    std::fs::rename(&path, folder.path().join("old.db")).unwrap();
    assert!(!store.is_there());
    std::fs::write(&path, "").unwrap();
    assert!(!store.is_there(), "another file of that name");
}

#[test]
fn runs_that_are_in_both_sessions_are_not_compared_with_themselves() {
    let session = |id, walls: &[f64]| Session { id, start: start(), state: State::Ended(Box::new(end(walls))) };
    let refused = |a: &Session, b: &Session| comparable::between(a, b).refused.join(", ");
    let (one, resumed) = (session(1, &[1.25, 1.5]), session(2, &[1.25, 1.5, 1.75]));
    assert!(refused(&one, &resumed).contains("2 runs are in both"), "{}", refused(&one, &resumed));
    assert_eq!(refused(&one, &session(3, &[1.26, 1.51])), "");
    assert_eq!(refused(&one, &one), "", "a session with itself is told elsewhere");
}

#[test]
fn a_number_that_is_another_sessions_in_another_database_is_not_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let open = || Store::open(&path, Opening::Adding, Duration::from_secs(5)).unwrap();
    let mut first = open();
    let begun = first.begin(&start()).unwrap();
    first.close();
    std::fs::rename(&path, folder.path().join("old.db")).unwrap();
    let mut store = open();
    let others = Start { at: Timestamp::from_second(7).unwrap(), verb: "run".to_owned(), ..start() };
    let other = store.begin(&others).unwrap();
    assert_eq!(other.id, begun.id);
    assert!(store.there(&other).unwrap() && !store.there(&begun).unwrap());
    store.forget(&begun).unwrap();
    assert!(store.there(&other).unwrap(), "another session is not taken back");
    store.finish(Some(&other), &others, &end(&[1.0])).unwrap();
    let mine = store.finish(Some(&begun), &start(), &end(&[2.0, 3.0])).unwrap();
    assert_ne!(mine.id, other.id);
    let runs = |id| store.session(id).unwrap().unwrap().end().unwrap().arms[0].runs.len();
    assert_eq!((runs(other.id), runs(mine.id)), (1, 2));
    // The same moment, of another program.
    let twin = Begun { pid: mine.pid + 1, ..mine };
    assert!(!store.there(&twin).unwrap());
}

#[test]
fn a_baseline_is_not_completed_and_what_is_completed_is_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("history.db"), Opening::Adding, Duration::from_secs(5)).unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    let mut session = |begun: Option<&Begun>, began, ended| {
        let (start, end) = (Start { at: at(began), ..start() }, End { at: at(ended), ..end(&[1.0]) });
        store.finish(begun, &start, &end).unwrap()
    };
    let first = session(None, 1, 2);
    let second = session(None, 3, 4);
    session(Some(&first), 5, 6);
    let mut order = Vec::new();
    let read = store.each(&Filter::default(), Order::ByEnd, |session| {
        order.push(session);
        ControlFlow::Continue(())
    });
    read.unwrap();
    assert_eq!(order.iter().map(|session| session.id).collect::<Vec<_>>(), [first.id, second.id]);
    assert!(order.is_sorted_by_key(|session| std::cmp::Reverse(session.newness())));
    let to_complete = |store: &Store| store.to_complete(first.id, &start(), first.began_ms);
    assert_eq!(to_complete(&store), Some(first.clone()));
    store.set_baseline(&order[0]).unwrap();
    assert_eq!(to_complete(&store), None);
}
