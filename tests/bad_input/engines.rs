//! Bad engines, arrivals and measurements, and what a later version will read.

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
    for key in ["python", "faults", "sweep", "expect", "controls", "lesson", "limits"] {
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
        ("max_tasks_per_child", "engines[0].max_tasks_per_child"),
        ("maxtasksperchild", "engines[0].maxtasksperchild"),
        ("worker_lifespan", "engines[0].worker_lifespan"),
        ("max_rss_per_child", "engines[0].max_rss_per_child"),
        ("initializer", "engines[0].initializer"),
        ("queue_capacity", "engines[0].queue_capacity"),
        ("start_method", "engines[0].start_method"),
        ("join", "engines[0].join"),
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
    cases.push(case(file("on_timeout: §abandon"), "on_timeout", LATER));
    cases.push(case(engine("kind: pool, on_timeout: §abandon"), "engines[0].on_timeout", LATER));
    cases.push(case(cpu("on_timeout: §abandon"), "tasks[0].on_timeout", LATER));
    cases.push(case(file("measure: { §join: { timeout: 30s } }"), "measure.join", LATER));
    cases.push(case(file("measure: { §gil_probe: true }"), "measure.gil_probe", LATER));
    check(cases);
    accepted(&engine("kind: pool, on_timeout: kill"));
    accepted(&file("on_timeout: kill"));
}
