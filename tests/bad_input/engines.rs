//! Bad engines, arrivals and measurements, and what a later version will read.

use poolscope::workload::model::{Join, Reap, StartMethod};

use crate::harness::*;

#[test]
fn numbers_of_workers() {
    let cases = ["0", "-1", "0.5", "\"12\"", "true", "many", ".nan", "[2]"].map(|value| {
        case(
            engine(&format!("kind: pool, workers: §{value}")),
            "engines[0].workers",
            &["must be an integer >= 1 or auto"],
        )
    });
    check(cases.into());
    check(vec![
        case(engine("kind: pool, §workers: "), "engines[0].workers", &["missing", "must be an integer >= 1 or auto"]),
        case(
            engine("kind: process, workers: §0"),
            "engines[0].workers",
            &["must be an integer >= 1, auto or unbounded"],
        ),
        case(engine("kind: pool, workers: §unbounded"), "engines[0].workers", &["only a process engine"]),
        case(engine("kind: serial, workers: §2"), "engines[0].workers", &["serial runs one task at a time"]),
        case(engine("kind: pool, workers: §99999999999"), "engines[0].workers", &["from 1 to 4294967295"]),
        case(engine("kind: pool, n_jobs: §-1"), "engines[0].n_jobs", &["must be an integer >= 1 or auto"]),
    ]);
}

#[test]
fn two_names_for_the_same_thing() {
    check(vec![
        case(engine("kind: pool, workers: 2, §processes: 4"), "engines[0].processes", &["conflict", "`workers`"]),
        case(engine("kind: process, n_jobs: 2, §max_procs: 4"), "engines[0].max_procs", &["another name of `n_jobs`"]),
    ]);
    for name in ["workers", "processes", "max_workers", "n_jobs", "max_procs"] {
        let loaded = accepted(&engine(&format!("kind: pool, {name}: 3")));
        let workers = loaded.workload.engines[0].workers;
        assert_eq!(workers.resolve(1), Some(3), "{name}");
    }
}

#[test]
fn rates_and_modes() {
    let open = |fields: &str| arrivals(&format!("{{ mode: open, process: poisson, {fields} }}"));
    check(vec![
        case(open("duration: 2s, rate: §10"), "arrivals.rate", &["a rate needs a unit", "`10/s`"]).proposing("10/s"),
        case(open("duration: 2s, rate: §0/s"), "arrivals.rate", &["must be above 0"]),
        case(open("duration: 2s, rate: §-5/s"), "arrivals.rate", &["must be above 0"]),
        case(open("duration: 2s, rate: §5/m"), "arrivals.rate", &["`/m` is ambiguous", "`5/min`"]).proposing("5/min"),
        case(open("duration: 2s, rate: §nan/s"), "arrivals.rate", &["not a rate"]),
        case(open("duration: 2s, rate: §5/week"), "arrivals.rate", &["not a unit of time"]),
        case(open("stages: [{ duration: 1s, rate: §5 }]"), "arrivals.stages[0].rate", &["needs a unit"])
            .proposing("5/s"),
        case(
            open("stages: [§{ rate: 5/s }, { duration: 1s, rate: 5/s }]"),
            "arrivals.stages[0].duration",
            &["`duration` is missing", "every stage but the last"],
        ),
        case(open("stages: §[]"), "arrivals.stages", &["the list is empty"]),
        case(open("rate: 5/s, stages: §[{ duration: 1s, rate: 5/s }]"), "arrivals.stages", &["`rate` and `stages`"]),
        case(open("duration: §1s, stages: [{ duration: 1s, rate: 5/s }]"), "arrivals.duration", &["beside `stages`"]),
        case(open("rate: 5/s, duration: 1s, on_full: §drop"), "arrivals.on_full", &["without `max_in_flight`"]),
        case(
            open("rate: 5/s, duration: 1s, max_in_flight: §0"),
            "arrivals.max_in_flight",
            &["must be an integer >= 1"],
        ),
        case(
            open("rate: 10000000/s, duration: 1h").replace("{ mode", "§{ mode"),
            "arrivals",
            &["bring about 36000000000"],
        ),
        case(
            arrivals("§{ mode: open, process: constant }"),
            "arrivals.rate",
            &["open mode needs `rate: 120/s` or `stages`"],
        ),
        case(
            arrivals("§{ mode: open, rate: 5/s, duration: 1s }"),
            "arrivals.process",
            &["must be constant or poisson"],
        ),
        case(arrivals("{ mode: open, process: §batch, rate: 5/s, duration: 1s }"), "arrivals.process", &["no batch"]),
        case(file("arrivals: { mode: closed, §rate: 5/s }"), "arrivals.rate", &["closed mode has no `rate`"]),
        case(file("arrivals: { mode: closed, §max_in_flight: 5 }"), "arrivals.max_in_flight", &["closed mode has no"]),
        case(
            file("arrivals: { mode: closed, process: §poisson }"),
            "arrivals.process",
            &["must be batch, or `mode: open`"],
        ),
        case(file("arrivals: §{ process: batch }"), "arrivals.mode", &["`mode` is missing"]),
        meant(file("arrivals: { mode: §closd }"), "arrivals.mode", "closed"),
    ]);
    // Nothing ends the arrivals: said where the number of tasks belongs.
    check(vec![case(
        "version: 1\nseed: 1\ntasks:\n  - §{ name: t, kind: kernel, kernel: noop }\narrivals: { mode: open, process: constant, rate: 5/s }\n",
        "tasks[0]",
        &["neither a duration nor a number of tasks"],
    )]);
}

#[test]
fn how_it_is_measured() {
    check(vec![
        meant(file("measure: { order: §interleave }"), "measure.order", "interleaved"),
        case(file("measure: { percentiles: [50, §0] }"), "measure.percentiles[1]", &["above 0 and at most 100"]),
        case(file("measure: { percentiles: [§101] }"), "measure.percentiles[0]", &["at most 100"]),
        case(file("measure: { percentiles: §[] }"), "measure.percentiles", &["the list is empty"]),
        case(file("measure: { latency_from: §begin }"), "measure.latency_from", &["must be intended_arrival or start"]),
        meant(file("order: §shufle"), "order", "shuffle"),
    ]);
}

#[test]
fn what_a_later_version_will_read_is_refused_at_its_place_and_not_called_unknown() {
    const LATER: &[&str] = &["not supported yet"];
    let mut cases = Vec::new();
    for key in ["python", "sweep", "expect", "controls", "lesson", "limits"] {
        cases.push(case(file(&format!("§{key}: {{ a: 1 }}")), key, LATER));
    }
    for (key, path) in [
        ("callable", "tasks[0].callable"),
        ("payload", "tasks[0].payload"),
        ("ipc", "tasks[0].ipc"),
        ("messages", "tasks[0].messages"),
        ("lock", "tasks[0].lock"),
        ("wait_timeout", "tasks[0].wait_timeout"),
        ("serve", "tasks[0].serve"),
    ] {
        cases.push(case(cpu(&format!("§{key}: x")), path, LATER));
    }
    for (key, path) in [
        ("submit", "engines[0].submit"),
        ("dispatch", "engines[0].dispatch"),
        ("queue_capacity", "engines[0].queue_capacity"),
        ("affinity", "engines[0].affinity"),
        ("nice", "engines[0].nice"),
        ("when", "engines[0].when"),
    ] {
        cases.push(case(engine(&format!("kind: pool, §{key}: 1")), path, LATER));
    }
    for kind in ["thread", "mp_pool", "mp_process", "interpreter", "dask"] {
        cases.push(case(engine(&format!("kind: §{kind}")), "engines[0].kind", LATER));
    }
    for kind in ["python", "ipc"] {
        cases.push(case(task(&format!("kind: §{kind}, count: 1")), "tasks[0].kind", LATER));
    }
    for process in ["burst", "ramp", "trace"] {
        let text = arrivals(&format!("{{ mode: open, process: §{process}, rate: 5/s, duration: 1s }}"));
        cases.push(case(text, "arrivals.process", LATER));
    }
    cases.push(case(dist("{ dist: §trace, path: x }").replace(", path: x", ""), "tasks[0].service_time.dist", LATER));
    cases.push(case(file("measure: { §join: { timeout: 30s } }"), "measure.join", LATER));
    cases.push(case(file("measure: { §gil_probe: true }"), "measure.gil_probe", LATER));
    check(cases);
}

#[test]
fn the_life_of_a_worker() {
    check(vec![
        case(engine("kind: pool, max_tasks_per_child: §0"), "engines[0].max_tasks_per_child", &["an integer >= 1"]),
        case(engine("kind: pool, maxtasksperchild: §-1"), "engines[0].maxtasksperchild", &["an integer >= 1"]),
        case(engine("kind: pool, worker_lifespan: §0.5"), "engines[0].worker_lifespan", &["an integer >= 1"]),
        case(engine("kind: pool, maxtasksperchild: §\"12\""), "engines[0].maxtasksperchild", &["an integer >= 1"]),
        case(
            engine("kind: pool, max_tasks_per_child: 2, §maxtasksperchild: 2"),
            "engines[0].maxtasksperchild",
            &["another name of `max_tasks_per_child`"],
        ),
        case(engine("kind: process, §max_tasks_per_child: 2"), "engines[0].max_tasks_per_child", &["does not apply"]),
        case(engine("kind: process, §max_rss_per_child: 2MiB"), "engines[0].max_rss_per_child", &["does not apply"]),
        case(engine("kind: pool, max_rss_per_child: §20"), "engines[0].max_rss_per_child", &["unit"]),
        case(engine("kind: pool, initializer: §40ms"), "engines[0].initializer", &["must be a map"]),
        meant(engine("kind: pool, initializer: { §cpus: 40ms }"), "engines[0].initializer.cpus", "cpu"),
        case(
            engine("kind: pool, initializer: { fail_rate: §2 }"),
            "engines[0].initializer.fail_rate",
            &["from 0 to 1"],
        ),
        case(engine("kind: pool, initializer: { timeout: §0s }"), "engines[0].initializer.timeout", &["above 0"]),
        case(engine("kind: pool, initializer: { max_failures: §0 }"), "engines[0].initializer.max_failures", &[">= 1"]),
        meant(file("on_timeout: §abandn"), "on_timeout", "abandon"),
    ]);
    accepted(&engine("kind: pool, on_timeout: abandon, max_tasks_per_child: 5, max_rss_per_child: 64MiB"));
    accepted(&engine("kind: process, on_timeout: kill, initializer: { cpu: 4ms, memory: 1MiB, fail_rate: 0 }"));
    accepted(&file("on_timeout: abandon"));
    accepted(&cpu("on_timeout: abandon, timeout: 1s"));
}

#[test]
fn faults() {
    let fault = |text: &str| file(&format!("engines: [{{ kind: pool, workers: 2 }}]\nfaults: [{{ {text} }}]"));
    check(vec![
        meant(fault("kind: §crush, at: 1"), "faults[0].kind", "crash"),
        case(file("faults: [§{ kind: hang }]"), "faults[0].at", &["`at` is missing", "at: 781"]),
        case(fault("kind: hang, rate: §1.5"), "faults[0].rate", &["from 0 to 1"]),
        case(fault("kind: hang, at: §3s"), "faults[0].at", &["in a task, not at a time"]),
        case(fault("kind: hang, at: §-3"), "faults[0].at", &["an integer >= 0"]),
        case(fault("kind: hang, at: §2, rate: 0.5"), "faults[0].at", &["together"]),
        case(fault("kind: kill_worker, at: 3s, worker: §2"), "faults[0].worker", &["no worker 2", "counted from 0"]),
        case(fault("kind: crash, at: 2, §worker: 1"), "faults[0].worker", &["does not apply to fault crash"]),
        meant(fault("kind: kill_worker, at: 3s, engine: §pol"), "faults[0].engine", "pool"),
        case(fault("kind: hang, at: 1, task: §nobody"), "faults[0].task", &["unknown task"]),
        case(fault("kind: leak, bytes: §5"), "faults[0].bytes", &["unit"]),
        case(file("faults: [§{ kind: leak }]"), "faults[0].bytes", &["`bytes` is missing"]),
        case(fault("kind: crash, at: 1, signal: §STOP"), "faults[0].signal", &["unknown signal"]),
        case(fault("kind: crash, at: 1, signal: KILL, exit: §3"), "faults[0].exit", &["together"]),
        case(fault("kind: crash, at: 1, exit: §0"), "faults[0].exit", &[">= 1"]),
        meant(fault("kind: bad_result, at: 1, result: §oversize"), "faults[0].result", "oversized"),
        case(file("faults: [§crash]"), "faults[0]", &["must be a map"]),
        case(fault("kind: hang, at: §3"), "faults[0].at", &["there is no task 3", "below the 3 tasks"]),
        case(fault("kind: kill_worker, at: §99999999h"), "faults[0].at", &["99999999h"]),
    ]);
    accepted(&fault("kind: crash, at: 1, exit: 3"));
    accepted(&fault("kind: crash, at: 1, signal: SIGSEGV"));
    accepted(&fault("kind: kill_worker, at: 3s, worker: 1, engine: pool"));
    accepted(&fault("kind: leak, bytes: 64KiB"));
    accepted(&fault("kind: bad_result, at: 0, result: undecodable"));
}

#[test]
fn how_workers_are_started() {
    let method = |text: &str| engine(text);
    check(vec![
        case(
            method("kind: process, start_method: §fork"),
            "engines[0].start_method",
            &["Python alone", "spawn or forkserver", "threads"],
        ),
        case(method("kind: pool, start_method: §fork"), "engines[0].start_method", &["Python alone"]),
        case(
            method("kind: serial, §start_method: spawn"),
            "engines[0].start_method",
            &["does not apply to a serial engine"],
        ),
        case(method("kind: pool, start_method: §7"), "engines[0].start_method", &["spawn", "forkserver"]),
        case(method("kind: pool, start_method: §spawm"), "engines[0].start_method", &["spawn"]).proposing("spawn"),
    ]);
    let loaded = accepted(&method("kind: pool, start_method: forkserver"));
    assert_eq!(loaded.workload.engines[0].start_method, StartMethod::Forkserver);
    assert_eq!(accepted(&method("kind: pool")).workload.engines[0].start_method, StartMethod::Spawn);
}

#[test]
fn how_processes_are_joined_and_reaped() {
    check(vec![
        case(engine("kind: pool, §join: as_completed"), "engines[0].join", &["does not apply to a pool engine"]),
        case(engine("kind: serial, §reap: always"), "engines[0].reap", &["does not apply to a serial engine"]),
        case(engine("kind: process, join: §asap"), "engines[0].join", &["as_completed", "start_all_join_all"]),
        case(engine("kind: process, reap: §nevr"), "engines[0].reap", &["always", "never"]).proposing("never"),
        case(engine("kind: process, reap: §false"), "engines[0].reap", &["always", "never"]),
    ]);
    let loaded = accepted(&engine("kind: process, join: start_all_join_all, reap: never"));
    let spec = &loaded.workload.engines[0];
    assert_eq!((spec.join, spec.reap), (Join::StartAllJoinAll, Reap::Never));
}
