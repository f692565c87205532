//! What a change does to a workload, and what is said about one that cannot be made.

use std::num::NonZeroU32;

use crate::workload::diagnostic::Diagnostics;
use crate::workload::load::{self, Loaded, load};
use crate::workload::model::{Chunksize, Workers, Workload};

const FILE: &str = "version: 1\nseed: 7\ntasks:\n  - { name: short, kind: kernel, kernel: noop, count: 3 }\n  \
                    - { name: long, kind: kernel, kernel: noop, count: 4 }\n";

fn try_with(set: &[&str]) -> Result<Loaded, Diagnostics> {
    load_with(FILE, "f.yaml", &set.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
}

fn load_with(text: &str, source: &str, set: &[String]) -> Result<Loaded, Diagnostics> {
    load::load_with(text, source, set, &load::NoFiles)
}

fn with(set: &[&str]) -> Workload {
    try_with(set).unwrap_or_else(|problems| panic!("{problems}")).workload
}

fn said(set: &[&str]) -> String {
    let problems = try_with(set).expect_err("refused");
    assert_eq!(problems.len(), 1, "{problems}");
    problems.iter().next().unwrap().summary()
}

#[test]
fn values_are_replaced_and_added() {
    let changed = with(&["seed=0x1F", "tasks.0.count=100", "measure.repeats=2", "order=lpt", "name=\"a b\""]);
    assert_eq!((changed.seed, changed.name.as_str(), changed.measure.repeats.get()), (31, "a b", 2));
    assert_eq!(changed.classes[0].share, crate::workload::model::Share::Count(100.try_into().unwrap()));
    assert_eq!(changed.order, crate::workload::model::Order::Lpt);
    assert_eq!(with(&["seed=8", "seed=9"]).seed, 9, "the last one counts");
}

#[test]
fn nothing_else_changes_but_the_hash() {
    let plain = load(FILE, "f.yaml").unwrap().workload;
    assert_eq!(with(&[]), plain);
    let mut same = with(&["seed=7"]);
    assert_ne!(same.hash, plain.hash, "another workload than the file's");
    same.hash.clone_from(&plain.hash);
    assert_eq!(same, plain);
}

#[test]
fn entries_of_lists_have_names_too() {
    let changed = with(&["tasks.long.count=1", "engines.process.workers=2"]);
    assert_eq!(changed.classes[1].share, crate::workload::model::Share::Count(1.try_into().unwrap()));
    assert_eq!(changed.engines[1].workers, Workers::Fixed(NonZeroU32::new(2).unwrap()));
}

#[test]
fn keys_are_taken_as_messages_write_them() {
    let plain = with(&["tasks.0.count=5", "tasks.1.count=6", "engines.1.workers=2"]);
    for set in [
        ["tasks[0].count=5", "tasks[1].count=6", "engines[1].workers=2"],
        ["tasks[short].count=5", "tasks.[long].count=6", "engines[process].workers=2"],
    ] {
        let mut changed = with(&set);
        changed.hash.clone_from(&plain.hash);
        assert_eq!(changed, plain, "{set:?}");
    }
    let staged = "version: 1\narrivals: { mode: open, process: constant, stages: [{ rate: 5/s, duration: 1s }] }\n\
                  tasks: [{ name: a, kind: sleep, service_time: { dist: constant, value: 1ms } }]\n\
                  engines: [{ kind: pool, name: 'p[0]' }, { kind: process }]\n";
    let set = ["arrivals.stages[0].rate=9/s", "engines.p[0].workers=3", "engines[p[0]].chunksize=1"].map(str::to_owned);
    let [rate, of_name, nested] = set;
    let loaded = load_with(staged, "f.yaml", &[rate, of_name]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.workload.engines[0].workers, Workers::Fixed(NonZeroU32::new(3).unwrap()), "it is called so");
    assert!(load_with(staged, "f.yaml", &[nested]).is_err());
    for (set, wanted) in [
        ("tasks[5].count=1", "--set:1:1: no entry `5` in `tasks`; `tasks` has 0 (short), 1 (long)"),
        ("tasks[].count=1", "--set:1:1: the key has an empty part"),
        ("tasks[0.count=1", "--set:1:1: tasks[0: unknown key"),
    ] {
        let shown = said(&[set]);
        assert!(shown.starts_with(wanted), "{wanted}\n{shown}");
    }
}

#[test]
fn a_number_of_workers_can_be_changed_whatever_the_file_calls_it() {
    for name in ["workers", "processes", "max_workers", "n_jobs", "max_procs"] {
        let file = format!("{FILE}engines: [{{ kind: pool, {name}: 4 }}, {{ kind: process, name: p }}]\n");
        let set = ["engines.0.workers=6", "engines.p.processes=2"].map(str::to_owned);
        let changed = load_with(&file, "f.yaml", &set).unwrap_or_else(|problems| panic!("{problems}")).workload;
        let workers: Vec<_> = changed.engines.iter().map(|engine| engine.workers).collect();
        assert_eq!(workers, [6, 2].map(|count| Workers::Fixed(NonZeroU32::new(count).unwrap())), "{name}");
    }
}

#[test]
fn engines_that_a_file_does_not_name_can_be_changed() {
    let three = NonZeroU32::new(3).unwrap();
    let changed = with(&["engines.0.workers=3", "engines.pool.chunksize=3"]);
    let names: Vec<&str> = changed.engines.iter().map(|engine| engine.name.as_str()).collect();
    assert_eq!(names, ["pool", "process"]);
    assert_eq!(changed.engines[0].workers, Workers::Fixed(three));
    assert_eq!(changed.engines[0].chunksize, Chunksize::Fixed(three));
    assert_eq!(changed.engines[1].workers, Workers::Auto);
    assert_eq!(with(&["engines=[{ kind: serial }]"]).engines.len(), 1, "the whole list is somebody's own");
}

#[test]
fn what_a_change_brings_is_reported_at_the_change() {
    for (set, wanted) in [
        (&["seed=abc"][..], "--set:1:6: seed: found `abc`; must be an integer"),
        (&["seed=1", "measure.repeats=0x0"], "--set:2:17: measure.repeats: found `0x0`; must be an integer"),
        (&["measur.repeats=3"], "--set:1:1: measur: unknown key"),
        (&["arrivals.mode=open"], "--set:1:1: arrivals.process"),
        (&["engines.1.chunksize=3"], "--set:1:21: engines[1].chunksize: does not apply to a process engine"),
        (&["engines.0={ kind: pol }"], "--set:1:11: engines[0].kind: unknown kind of engine `pol`"),
        (&["tasks.0.count="], "--set:1:15: tasks[0].count: the value is missing"),
        (&["seed=99999999999999999999999"], "--set:1:6: seed: found `99999999999999999999999`"),
        (&["tasks.1.<<={ count: 3 }"], "--set:1:12: tasks[1].<<: merge keys"),
    ] {
        let problems = try_with(set).expect_err("refused");
        let shown: Vec<String> = problems.iter().map(|problem| problem.summary()).collect();
        assert!(shown.iter().any(|line| line.starts_with(wanted)), "{wanted}\n{shown:#?}");
        assert!(shown.iter().all(|line| line.starts_with("--set:")), "{shown:#?}");
    }
}

#[test]
fn the_files_own_problems_stay_where_they_are() {
    let text = FILE.replace("noop, count: 3", "nop, count: 3");
    let problems = load_with(&text, "f.yaml", &["seed=x".to_owned()]).unwrap_err();
    let places: Vec<(&str, usize)> = problems.iter().map(|problem| (problem.file.as_str(), problem.line)).collect();
    assert_eq!(places, [("--set", 1), ("f.yaml", 4)]);
    assert!(problems.render(false).contains("seed=x"), "{problems}");
    // A change may put right what was wrong.
    let text = FILE.replace("seed: 7", "seed: seven");
    assert_eq!(load_with(&text, "f.yaml", &["seed=7".to_owned()]).unwrap().workload.seed, 7);
}

#[test]
fn a_key_that_leads_nowhere_says_what_is_there() {
    for (set, wanted) in [
        ("seed", "a change has no `=`; must be KEY=VALUE"),
        ("tasks.5.count=1", "no entry `5` in `tasks`; `tasks` has 0 (short), 1 (long)"),
        ("tasks.x.count=1", "no entry `x` in `tasks`; `tasks` has 0 (short), 1 (long)"),
        ("engines.2.workers=1", "no entry `2` in `engines`; `engines` has 0 (pool), 1 (process)"),
        ("seed.deeper=1", "`seed` is `7`: nothing is inside of it; set `seed` itself"),
        ("arrivals.stages.0.rate=1/s", "there is no list `arrivals.stages` to take entry 0 of"),
        ("=1", "the key has an empty part"),
        ("measure..repeats=1", "the key has an empty part"),
        ("order=[unclosed", "the value is not YAML"),
        ("name=*x", "the value is not YAML"),
    ] {
        let shown = said(&[set]);
        assert!(shown.starts_with("--set:1:") && shown.contains(wanted), "{wanted}\n{shown}");
    }
    assert_eq!(try_with(&["seed", "=1", "tasks.9=1"]).unwrap_err().len(), 3, "all of them at once");
}
