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
            &["must be constant, poisson, burst, ramp or trace"],
        ),
        case(arrivals("{ mode: open, process: §batch, rate: 5/s, duration: 1s }"), "arrivals.process", &["no batch"]),
        case(file("arrivals: { mode: closed, §rate: 5/s }"), "arrivals.rate", &["closed mode has no `rate`"]),
        case(file("arrivals: { mode: closed, max_in_flight: §0 }"), "arrivals.max_in_flight", &["an integer >= 1"]),
        case(file("arrivals: { mode: closed, max_in_flight: §auto }"), "arrivals.max_in_flight", &["an integer >= 1"]),
        case(
            file("arrivals: { mode: closed, max_in_flight: 5, §on_full: drop }"),
            "arrivals.on_full",
            &["closed mode has no `on_full`"],
        ),
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
fn bursts() {
    let burst = |fields: &str| arrivals(&format!("{{ mode: open, process: burst, {fields} }}"));
    check(vec![
        case(burst("burst: §0, every: 1s, duration: 2s"), "arrivals.burst", &["must be an integer >= 1"]),
        case(burst("burst: §50/s, every: 1s, duration: 2s"), "arrivals.burst", &["must be an integer >= 1"]),
        case(burst("burst: 5, every: §1, duration: 2s"), "arrivals.every", &["a duration needs a unit"]),
        case(burst("burst: 5, every: §0s, duration: 2s"), "arrivals.every", &["must be above 0"]),
        case(burst("burst: 5, every: 1s, duration: §0s"), "arrivals.duration", &["must be above 0"]),
        case(
            burst("burst: 5, every: 1s, duration: 2s, §rate: 5/s"),
            "arrivals.rate",
            &["does not apply to process burst"],
        ),
        case(burst("burst: 5, every: 1s, duration: 2s, §stages: []"), "arrivals.stages", &["does not apply"]),
        meant(
            burst("burst: 5, every: 1s, §durration: 2s").replace("kind: sleep", "kind: sleep, count: 9"),
            "arrivals.durration",
            "duration",
        ),
        case(arrivals("§{ mode: open, process: burst, every: 1s, duration: 2s }"), "arrivals.burst", &["is missing"]),
        case(arrivals("§{ mode: open, process: burst, burst: 5, duration: 2s }"), "arrivals.every", &["is missing"]),
        case(
            arrivals("{ mode: open, process: poisson, rate: 5/s, duration: 2s, §burst: 5 }"),
            "arrivals.burst",
            &["does not apply to process poisson"],
        ),
        case(file("arrivals: { mode: closed, §burst: 5 }"), "arrivals.burst", &["closed mode has no `burst`"]),
        case(file("arrivals: { mode: closed, process: §burst }"), "arrivals.process", &["must be batch"]),
    ]);
    let total = |text: &str| poolscope::workload::stream::Stream::new(&accepted(text).workload).total();
    assert_eq!(total(&burst("burst: 50, every: 1s, duration: 20s")), 1000);
    assert_eq!(total(&burst("burst: 50, every: 1s").replace("kind: sleep", "kind: sleep, count: 120")), 120);
}

#[test]
fn ramps() {
    let ramp = |fields: &str| arrivals(&format!("{{ mode: open, process: ramp, {fields} }}"));
    check(vec![
        case(
            ramp("rate: §5/s, duration: 1s"),
            "arrivals.rate",
            &["`5/s` alone is no ramp", "{ from: 10/s, to: 200/s }"],
        ),
        case(ramp("stages: [{ rate: §5/s, duration: 1s }]"), "arrivals.stages[0].rate", &["alone is no ramp"]),
        case(
            arrivals("§{ mode: open, process: ramp, rate: { from: 1/s, to: 5/s } }"),
            "arrivals.duration",
            &["`duration` is missing", "takes a time"],
        ),
        case(
            ramp("stages: [§{ rate: { from: 1/s, to: 5/s } }]"),
            "arrivals.stages[0].duration",
            &["`duration` is missing", "takes a time"],
        ),
        case(
            ramp("stages: [§{ rate: 1/s }, { rate: 5/s }]"),
            "arrivals.stages[0].duration",
            &["every stage but the last"],
        ),
        case(ramp("rate: { from: §5, to: 9/s }, duration: 1s"), "arrivals.rate.from", &["needs a unit"])
            .proposing("5/s"),
        case(ramp("rate: { from: 5/s, to: §-9/s }, duration: 1s"), "arrivals.rate.to", &["cannot be negative"]),
        case(ramp("rate: §{ from: 5/s }, duration: 1s"), "arrivals.rate.to", &["`to` is missing"]),
        case(ramp("rate: { from: 5/s, to: 9/s, §by: 1/s }, duration: 1s"), "arrivals.rate.by", &["unknown key"]),
        case(ramp("rate: §{ from: 0/s, to: 0/s }, duration: 1s"), "arrivals.rate", &["no task arrives"]),
        case(
            ramp("stages: [{ duration: 1s, rate: 5/s }, { rate: §0/s }]")
                .replace("kind: sleep", "kind: sleep, count: 9"),
            "arrivals.stages[1].rate",
            &["no task ever arrives"],
        ),
        case(
            arrivals("{ mode: open, process: constant, rate: §{ from: 1/s, to: 5/s }, duration: 1s }"),
            "arrivals.rate",
            &["must be a rate above 0"],
        ),
    ]);
    let total = |text: &str| poolscope::workload::stream::Stream::new(&accepted(text).workload).total();
    assert_eq!(total(&ramp("rate: { from: 10/s, to: 200/s }, duration: 10s")), 1050);
    assert_eq!(total(&ramp("stages: [{ duration: 10s, rate: 0/s }, { duration: 5s, rate: 20/s }]")), 200);
    let endless = ramp("stages: [{ duration: 1s, rate: 0/s }, { rate: 20/s }]");
    assert_eq!(total(&endless.replace("kind: sleep", "kind: sleep, count: 77")), 77);
}

#[test]
fn arrivals_that_nothing_ends_but_the_tasks_bring_them_all() {
    for process in ["constant", "poisson"] {
        for spacing in
            ["rate: 50/s", "stages: [{ rate: 50/s }]", "stages: [{ duration: 1s, rate: 5/s }, { rate: 50/s }]"]
        {
            let text = file(&format!("arrivals: {{ mode: open, process: {process}, {spacing} }}"));
            let loaded = accepted(&text);
            let stream = poolscope::workload::stream::Stream::new(&loaded.workload);
            assert_eq!(stream.total(), 3, "{text}");
            assert_eq!(stream.arrivals().map(Iterator::count), Some(3), "{text}");
        }
    }
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
    for key in ["controls", "lesson"] {
        cases.push(case(file(&format!("§{key}: {{ a: 1 }}")), key, LATER));
    }
    for (key, path) in [("ipc", "tasks[0].ipc"), ("messages", "tasks[0].messages"), ("lock", "tasks[0].lock")] {
        cases.push(case(cpu(&format!("§{key}: x")), path, LATER));
    }
    cases.push(case(engine("kind: §dask"), "engines[0].kind", LATER));
    cases.push(case(task("kind: §ipc, count: 1"), "tasks[0].kind", LATER));
    check(cases);
}

#[test]
fn what_is_swept() {
    check(vec![
        case(file("sweep: §[1]"), "sweep", &["a map from fields"]),
        case(file("sweep: §{}"), "sweep", &["at least one field"]),
        case(file("sweep: { workers: §8..1 }"), "sweep.workers", &["goes down", "a range such as"]),
        case(file("sweep: { chunksize: §[1, 1] }"), "sweep.chunksize", &["1 is there twice"]),
        case(file("sweep: { measure: §[1] }"), "sweep.measure", &["the same for all points"]),
    ]);
}

#[test]
fn the_life_of_a_worker() {
    check(vec![
        case(
            file("measure: { gil_probe: §true }"),
            "measure.gil_probe",
            &["it probes interpreters of Python, and no task is in Python", "leave it out"],
        ),
        case(file("measure: { gil_probe: §5ms }"), "measure.gil_probe", &["true or false"]),
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
fn where_processes_run() {
    let affinity = |value: &str, words: &'static [&'static str]| {
        case(engine(&format!("kind: pool, affinity: {value}")), "engines[0].affinity", words)
    };
    check(vec![
        affinity("§[]", &["no CPU in it", "a list of CPU numbers"]),
        affinity("§[1, 0, 1]", &["CPU 1 comes twice"]),
        affinity("§\"0-2,1\"", &["CPU 1 comes twice"]),
        affinity("§3-1", &["3-1 runs backwards"]),
        affinity("§[9000]", &["CPU 9000 is beyond 8191"]),
        affinity("§\"0-99999999\"", &["CPU 99999999 is beyond 8191"]),
        affinity("§-1", &["no number of a CPU"]),
        affinity("§\"\"", &["no number of a CPU"]),
        affinity("§all", &["`all` is no number of a CPU"]),
        affinity("§0.5", &["a list of CPU numbers"]),
        affinity("§{ cpu: 1 }", &["a list of CPU numbers"]),
        case(engine("kind: pool, affinity: [0, §-1]"), "engines[0].affinity[1]", &["an integer >= 0"]),
        case(engine("kind: pool, affinity: [§0-1]"), "engines[0].affinity[0]", &["an integer >= 0"]),
    ]);
    for value in ["-21", "20", "0.5", "low", "\"3\"", "[1]", "99999999999999999999"] {
        let text = engine(&format!("kind: process, nice: §{value}"));
        check(vec![case(text, "engines[0].nice", &["an integer from -20 to 19"])]);
    }
    for kind in ["pool", "process", "serial"] {
        for cpus in ["[2, 0, 1, 6]", "\"0-2,6\""] {
            let loaded = accepted(&engine(&format!("kind: {kind}, affinity: {cpus}, nice: -20")));
            let placement = &loaded.workload.engines[0].placement;
            assert_eq!(placement.affinity.as_ref().unwrap().numbers(), [0, 1, 2, 6], "{kind}, {cpus}");
            assert_eq!(placement.nice, Some(-20));
        }
    }
    accepted(&engine("kind: pool, affinity: 0, nice: 19"));
    accepted(&engine("kind: pool, affinity: 0-1"));
    // In braces a comma begins another key; on a line of its own it does not.
    accepted(&file("engines:\n  - kind: pool\n    affinity: 0-2,6"));
}

#[test]
fn what_a_file_allows_itself() {
    let limits = |text: &str| file(&format!("limits: {text}"));
    let case = |text: &str, key, words| case(limits(text), key, words);
    check(vec![
        case("§8", "limits", &["must be a map"]),
        case("{ §max_procs: 8 }", "limits.max_procs", &["unknown key", "max_processes"]),
        case("{ max_processes: §0 }", "limits.max_processes", &["an integer >= 1"]),
        case("{ max_processes: §-1 }", "limits.max_processes", &["an integer >= 1"]),
        case("{ max_processes: §auto }", "limits.max_processes", &["an integer >= 1"]),
        case("{ max_memory: §1 }", "limits.max_memory", &["unit"]),
        case("{ max_memory: §1M }", "limits.max_memory", &["MiB"]),
        case("{ max_memory: §0B }", "limits.max_memory", &["at least 1B"]),
        case("{ max_time: §10 }", "limits.max_time", &["unit"]),
        case("{ max_time: §0s }", "limits.max_time", &["above 0"]),
        case("{ max_open_files: §31 }", "limits.max_open_files", &["an integer >= 32"]),
        case("{ max_open_files: §9999999999 }", "limits.max_open_files", &["from 32 to"]),
    ]);
    accepted(&limits("{}"));
    let all = accepted(&limits("{ max_processes: 3, max_memory: 1GiB, max_time: 2min, max_open_files: 32 }"));
    assert_eq!(all.workload.limits.max_processes.unwrap().get(), 3);
}

#[test]
fn how_often_it_is_measured() {
    let measure = |text: &str| file(&format!("measure: {{ {text} }}"));
    check(vec![
        case(measure("precision: §2"), "measure.precision", &["ends in %", "did you mean `2%`"]),
        case(measure("precision: §0.02"), "measure.precision", &["ends in %"]),
        case(measure("precision: §-2%"), "measure.precision", &["not a percentage"]),
        case(measure("precision: §0%"), "measure.precision", &["above 0"]),
        case(measure("precision: §0.001%"), "measure.precision", &["at least 0.01%"]),
        case(measure("precision: §51%"), "measure.precision", &["at most 50%"]),
        case(
            measure("max_repeats: §9"),
            "measure.max_repeats",
            &["a number of runs that is fixed", "needs `precision`"],
        ),
        case(measure("repeats: 5, max_time: §9s"), "measure.max_time", &["needs `precision`"]),
        case(measure("precision: 2%, max_time: §0s"), "measure.max_time", &["above 0"]),
        case(measure("precision: 2%, max_repeats: §0"), "measure.max_repeats", &[">= 1"]),
        case(measure("precision: 2%, repeats: 7, max_repeats: §6"), "measure.max_repeats", &["must be at least 7"]),
    ]);
    let adaptive = |text: &str| {
        let measure = accepted(&measure(text)).workload.measure;
        measure.adaptive.map(|found| (measure.repeats.get(), found.max_repeats.get(), found.max_time.as_secs()))
    };
    assert_eq!(adaptive("precision: 2%"), Some((3, 50, 600)));
    assert_eq!(adaptive("precision: 2%, max_repeats: 2"), Some((2, 2, 600)));
    assert_eq!(adaptive("precision: 2%, repeats: 90, max_time: 1h"), Some((90, 90, 3600)));
    assert_eq!(adaptive("repeats: 9"), None);
}

#[test]
fn how_long_workers_may_take_to_leave() {
    let measure = |text: &str| file(&format!("measure: {{ join: {text} }}"));
    check(vec![
        case(measure("§5s"), "measure.join", &["must be a map"]),
        case(measure("{ §time: 5s }"), "measure.join.time", &["unknown key"]),
        case(measure("{ timeout: §5 }"), "measure.join.timeout", &["unit"]),
        case(measure("{ timeout: §0s }"), "measure.join.timeout", &["above 0"]),
    ]);
    assert_eq!(accepted(&measure("{ timeout: 70ms }")).workload.measure.join_timeout.as_millis(), 70);
}

#[test]
fn faults() {
    let fault = |text: &str| file(&format!("engines: [{{ kind: pool, workers: 2 }}]\nfaults: [{{ {text} }}]"));
    check(vec![
        meant(fault("kind: §crush, at: 1"), "faults[0].kind", "crash"),
        case(file("faults: [§{ kind: hang }]"), "faults[0].at", &["`at` is missing", "at: 781"]),
        case(fault("kind: hang, rate: §1.5"), "faults[0].rate", &["from 0 to 1"]),
        case(fault("kind: hang, at: §3x"), "faults[0].at", &["3x"]),
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
    let two = |text: &str| {
        let classes = "version: 1\nseed: 1\ntasks:\n  - { name: nap, kind: sleep, count: 3, service_time: { dist: constant, value: 5ms } }\n";
        format!(
            "{classes}  - {{ name: run, kind: command, count: 2, command: ['true'] }}\n  - {{ name: noop, kind: kernel, kernel: noop, count: 2 }}\nfaults: [{text}]\n"
        )
    };
    check(vec![
        case(two("§{ kind: crash, at: 3 }"), "faults[0]", &["task 3 is a program (`run`)"]),
        case(two("§{ kind: kill_worker, at: 4 }"), "faults[0]", &["task 4 is a program"]),
        case(two("§{ kind: hang, at: 0, task: noop }"), "faults[0]", &["task 0 is one of `nap` and not of `noop`"]),
    ]);
    accepted(&two("{ kind: crash, at: 5, task: noop }"));
    accepted(&two("{ kind: bad_result, at: 2s, result: oversized, task: nap }"));
    accepted(&fault("kind: crash, at: 1, exit: 3"));
    accepted(&fault("kind: crash, at: 1, signal: SIGSEGV"));
    accepted(&fault("kind: kill_worker, at: 3s, worker: 1, engine: pool"));
    accepted(&fault("kind: leak, bytes: 64KiB"));
    accepted(&fault("kind: bad_result, at: 0, result: undecodable"));
}

#[test]
fn submission() {
    let open = |submit: &str| {
        let engines = format!("engines: [{{ kind: pool, submit: §{submit} }}]\n");
        arrivals("{ mode: open, process: constant, rate: 10/s, duration: 1s }") + &engines
    };
    check(vec![
        case(engine("kind: pool, submit: §maps"), "engines[0].submit", &["submit mode", "did you mean `map`"])
            .proposing("map"),
        case(engine("kind: pool, submit: §1"), "engines[0].submit", &["apply_async"]),
        case(engine("kind: pool, dispatch: §random"), "engines[0].dispatch", &["shared", "round_robin"]),
        case(engine("kind: serial, §dispatch: shared"), "engines[0].dispatch", &["does not apply", "one worker"]),
        case(engine("kind: pool, queue_capacity: §0"), "engines[0].queue_capacity", &[">= 1 or unbounded"]),
        case(engine("kind: pool, queue_capacity: §2.5"), "engines[0].queue_capacity", &[">= 1 or unbounded"]),
        case(cpu("wait_timeout: §30"), "tasks[0].wait_timeout", &["unit"]),
        case(cpu("wait_timeout: §0s"), "tasks[0].wait_timeout", &["0"]),
        case(open("map"), "engines[0].submit", &["`map` with open arrivals", "apply_async"]),
    ]);
    let loaded =
        accepted(&engine("kind: process, submit: imap_unordered, dispatch: round_robin, queue_capacity: unbounded"));
    assert_eq!(loaded.workload.engines[0].submit.word(), "imap_unordered");
    assert_eq!(loaded.workload.engines[0].queue_capacity, None);
}

#[test]
fn how_workers_are_started() {
    let method = |text: &str| engine(text);
    check(vec![
        case(
            method("kind: process, start_method: §fork"),
            "engines[0].start_method",
            &["`fork` is for Python alone", "spawn or forkserver", "threads"],
        ),
        case(method("kind: pool, start_method: §fork"), "engines[0].start_method", &["`fork` is for Python alone"]),
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

#[test]
fn what_cannot_be_asked_of_cpythons_own_is_refused_at_its_place() {
    let entry = |rest: &str| {
        let task = "{ name: t, kind: python, callable: 'm:f', count: 3 }";
        format!("version: 1\nname: w\ntasks: [{task}]\nengines: [{{ {rest} }}]\n")
    };
    let at = |rest: &str, path: &'static str, words: &'static [&'static str]| case(entry(rest), path, words);
    check(vec![
        at(
            "kind: mp_pool, queue_capacity: §3",
            "engines[0].queue_capacity",
            &["queue without a limit", "leave it out"],
        ),
        at("kind: mp_pool, dispatch: §round_robin", "engines[0].dispatch", &["one queue that all its workers share"]),
        at("kind: ppe, on_timeout: §kill", "engines[0].on_timeout", &["cannot end one task", "abandon"]),
        at(
            "kind: mp_pool, initializer: { cpu: §1ms }",
            "engines[0].initializer.cpu",
            &["calls a function in each worker and does nothing beside it", "leave it out"],
        ),
        at("kind: mp_pool, max_rss_per_child: §1MiB", "engines[0].max_rss_per_child", &["does not look at the memory"]),
        at("kind: mp_process, §max_tasks_per_child: 3", "engines[0].max_tasks_per_child", &["does not apply"]),
        at("kind: mp_process, §chunksize: 3", "engines[0].chunksize", &["does not apply"]),
        at("kind: mp_process, submit: §map", "engines[0].submit", &["mp_process has no map", "apply"]),
        at("kind: ppe, submit: §imap", "engines[0].submit", &["ppe has no imap", "map"]),
        at("kind: mp_process, join: §as_completed", "engines[0].join", &["as its tasks end"]),
        at("kind: mp_process, reap: §never", "engines[0].reap", &["reaps its processes itself"]),
        at("kind: mp_pool, start_method: §clone", "engines[0].start_method", &["fork", "spawn", "forkserver"]),
        at("kind: mp_process, workers: §unbounded", "engines[0].workers", &["only a process engine"]),
        case(engine("kind: §mp_pool"), "engines[0].kind", &["mp_pool is CPython's own, and no task is in Python"]),
    ]);
    let loaded =
        accepted(&entry("kind: mp_pool, start_method: fork, submit: imap, chunksize: 4, max_tasks_per_child: 9"));
    assert_eq!(loaded.workload.engines[0].chosen_start_method, Some(StartMethod::Fork));
    assert_eq!(accepted(&entry("kind: ppe")).workload.engines[0].chosen_start_method, None, "its interpreter says it");
}
