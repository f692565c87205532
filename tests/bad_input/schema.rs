//! What of all this the JSON Schema refuses too: everything that is wrong by its structure. What only the reader knows is
//! listed in `semantic.txt`, exactly.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;

use poolscope::workload::diagnostic::Diagnostic;

const LIST: &str = include_str!("semantic.txt");
/// Names the file that accepted texts are told to.
const TOLD: &str = "POOLSCOPE_TEST_SEMANTIC";

fn validator() -> &'static jsonschema::Validator {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_poolscope")).arg("schema").output().unwrap();
        jsonschema::validator_for(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
    })
}

/// Whether the schema takes a text; what is no YAML has no structure at all.
fn is_valid(text: &str) -> bool {
    serde_yaml::from_str::<serde_json::Value>(text).is_ok_and(|value| validator().is_valid(&value))
}

/// A text that the reader refuses: either so does the schema, or it is one of the list.
pub fn refused(text: &str, problem: &Diagnostic) {
    let line = format!("{} | {}", problem.key, problem.message).replace('\n', " ");
    let accepts = is_valid(text);
    if let Some(told) = std::env::var_os(TOLD) {
        if accepts {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(told).unwrap();
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        return;
    }
    let listed = LIST.lines().any(|listed| listed == line);
    assert!(listed || !accepts, "neither refused by the schema nor in semantic.txt: {line}\n{text}");
}

/// A text that the reader accepts: so does the schema.
pub fn accepted(text: &str) {
    if !is_valid(text) {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let why: Vec<String> = validator().iter_errors(&value).map(|error| error.to_string()).collect();
        panic!("the schema refuses what the reader accepts: {why:?}\n{text}");
    }
}

/// Runs all cases once more, in a program of their own that writes down what the schema accepts.
#[test]
fn the_list_of_what_only_the_reader_refuses_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--skip", "the_list_of"]).env(TOLD, &told).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let found = std::fs::read_to_string(&told).unwrap();
    let (found, listed): (BTreeSet<&str>, BTreeSet<&str>) = (found.lines().collect(), LIST.lines().collect());
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        let lines: String = found.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_input/semantic.txt"), lines).unwrap();
        return;
    }
    assert_eq!(found.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the list");
    assert_eq!(listed.difference(&found).collect::<Vec<_>>(), Vec::<&&str>::new(), "refused by the schema, or gone");
}

#[test]
fn every_workload_that_comes_with_the_program_is_valid() {
    let all = poolscope::workload::bundled::all();
    assert!(all.len() > 10);
    all.iter().for_each(|bundled| accepted(bundled.text));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let count = files.map(|path| accepted(&std::fs::read_to_string(path).unwrap())).count();
    assert!(count > 10, "{count}");
}

/// All ways of writing a value that the reader knows: the schema must not be narrower.
#[test]
fn values_may_be_written_in_all_their_ways() {
    use crate::harness::{accepted as read, arrivals, cpu, dist, engine, file, task};
    let units = "hours hour hrs hr h minutes minute mins min m seconds second secs sec s milliseconds millisecond millis \
        milli msecs msec ms microseconds microsecond micros micro usecs usec µsecs µsec us µs μs nanoseconds nanosecond nanos \
        nano nsecs nsec ns";
    for unit in units.split_ascii_whitespace() {
        // A nanosecond has no parts.
        let fractions: &[&str] = if unit.starts_with('n') { &[] } else { &["1.5", "0,5"] };
        for number in ["2", "2 ", "0002"].iter().chain(fractions) {
            read(&cpu(&format!("timeout: \"{number}{unit}\"")));
        }
    }
    for duration in
        [" 1h30m ", "1h 30min", "1h, 30 min", "1m 2s 3ms 4us 5ns", "2h 1,5s", "1 hour, 2 minutes, 3.25 seconds"]
    {
        read(&cpu(&format!("timeout: \"{duration}\", grace_period: \"{duration}\"")));
    }
    for size in ["1B", "512 b", "64KiB", "64kib", "1.5MB", " 2 gIb ", ".5TB", "1.TiB"] {
        read(&task(&format!("kind: io, count: 1, bytes: \"{size}\"")));
    }
    for rate in ["120/s", "0.5 / sec", " 30/second ", "30/min", "1/minute", "10/h", ".5/hour"] {
        for process in ["constant", "poisson"] {
            read(&arrivals(&format!("{{ mode: open, process: {process}, rate: \"{rate}\", duration: 1h }}")));
        }
        let stages =
            format!("[{{ rate: 0/s, duration: 1s }}, {{ rate: {{ from: 0/s, to: \"{rate}\" }}, duration: 2s }}]");
        read(&arrivals(&format!("{{ mode: open, process: ramp, stages: {stages} }}")));
        read(&arrivals(&format!(
            "{{ mode: open, process: ramp, rate: {{ from: \"{rate}\", to: 0/s }}, duration: 2s }}"
        )));
    }
    let burst = "mode: open, process: burst, burst: 5, every: 1s";
    for rest in ["duration: 9s", "duration: 9s, max_in_flight: 3, on_full: drop"] {
        read(&arrivals(&format!("{{ {burst}, {rest} }}")));
    }
    for at in ["", "process: batch", "max_in_flight: 2", "process: batch, max_in_flight: 2"] {
        read(&file(&format!("arrivals: {{ mode: closed, {at} }}").replace(", }", " }")));
    }
    for law in [
        "{ dist: constant, value: 0s }",
        "{ dist: uniform, min: 0ms, max: 2ms }",
        "{ dist: exponential, mean: 1ms }",
        "{ dist: exponential, mean: 1ms, max: 1us }",
        "{ dist: lognormal, median: 1ms, sigma: 0, max: 1s }",
        "{ dist: lognormal, median: 1ms, sigma: 0.5 }",
        "{ dist: pareto, min: 1ms, alpha: 2, max: 1s }",
        "{ dist: bimodal, fast: 0s, slow: 0s, p_slow: 0 }",
        "{ dist: trace, file: good.txt }",
        "{ dist: trace, file: plain.txt, unit: ms, column: 1, sample: true }",
        "{ dist: trace, file: log.csv, unit: ms, column: took }",
    ] {
        read(&dist(law));
    }
    for (kernel, args) in [
        ("noop", ""),
        ("noop", ", args: {}"),
        ("primes", ", args: { n: 0x10 }"),
        ("sort", ", args: { n: 1000000000 }"),
        ("matmul", ", args: { n: 16384 }"),
        ("mandelbrot", ", args: { width: 1, height: 65536, iterations: 4294967295 }"),
        ("sha256", ", args: { bytes: 1 MiB }"),
        ("monte_carlo_pi", ", args: { samples: 1000000000000 }"),
    ] {
        read(&task(&format!("kind: kernel, kernel: {kernel}, count: 1{args}")));
    }
    for fault in [
        "kind: crash, at: 2",
        "kind: crash, at: 1.5s, signal: SEGV",
        "kind: crash, rate: 1, signal: SIGKILL",
        "kind: crash, rate: 0, exit: 255",
        "kind: leak, bytes: 1KiB",
        "kind: leak, bytes: 1KiB, rate: 0.5, task: t",
        "kind: ignore_sigterm",
        "kind: ignore_sigterm, at: 0",
        "kind: hang, at: 1h 30m",
        "kind: bad_result, rate: 0.1",
        "kind: bad_result, result: oversized, at: 1",
        "kind: kill_worker, at: 3s, worker: 0",
        "kind: kill_worker, at: 1, engine: pool",
    ] {
        read(&file(&format!("faults: [{{ {fault} }}]")));
    }
    for retries in [
        "0",
        "1000",
        "{ max: 2 }",
        "{ max: 2, on: [crash, timeout, error], backoff: 0s }",
        "{ max: 2, backoff: { kind: constant, delay: 1ms, jitter: true } }",
        "{ max: 2, backoff: { kind: exponential, delay: 1ms, max_delay: 1s } }",
    ] {
        read(&cpu(&format!("retries: {retries}")));
    }
    for entry in [
        "kind: pool, workers: auto",
        "kind: pool, n_jobs: 4294967295, worker_lifespan: 3, max_rss_per_child: 1GiB, dispatch: round_robin",
        "kind: pool, processes: 2, maxtasksperchild: 3, chunksize: cpython, queue_capacity: unbounded, submit: imap",
        "kind: pool, max_workers: 2, max_tasks_per_child: 3, chunksize: auto, queue_capacity: 7, on_timeout: kill",
        "kind: pool, initializer: { cpu: 0s, memory: 1MiB, fail_rate: 0, timeout: 1s, max_failures: 2 }",
        "kind: pool, affinity: \" 0 - 3 , 6 \", nice: -20",
        "kind: pool, affinity: 0",
        "kind: pool, affinity: [3, 0, 8191]",
        "kind: process, max_procs: unbounded, join: start_all_join_all, reap: never, start_method: spawn",
        "kind: process, workers: 3, dispatch: shared, on_timeout: abandon",
        "kind: serial",
        "kind: serial, workers: 1, submit: map, max_tasks_per_child: 1",
    ] {
        read(&engine(entry));
    }
    for expectation in [
        "metric: results_equal",
        "metric: results_equal, engines: [pool, process]",
        "metric: throughput, engine: pool, op: \">\", value: 100/s",
        "metric: throughput, engine: pool, op: \">=\", than: process, factor: 2",
        "metric: sojourn_p99, op: \"<\", value: 1h",
    ] {
        read(&file(&format!("expect: [{{ {expectation} }}]")));
    }
}

#[test]
fn programs_and_python_may_be_written_in_all_their_ways() {
    use crate::harness::{accepted as read, task};
    for command in [
        "command: [sort]",
        "command: [sort, '', \"a\\tb\\x1b\\n\"], shell: false",
        "command: \" sort | head\", shell: true",
        "command: \"\\n  sort\\n\", shell: true, stdin: null",
        "command: [sort], stdin: \"\\x1b[0m\\r\\n\", cwd: \"a\\tb\", keep_output: \"out\\x1b\"",
        "command: [sort], stdin:",
        "command: [sort], stdin: ''",
        "command: [sort], stdin: { file: \"odd\\nname\" }, keep_output: none, result: stdout, success_codes: [0, 255]",
        "command: [sort], env: { clean: true, A: null, B: 0.10, C: true, D: ' ' }",
        "command: [sort], env: {}",
    ] {
        read(&task(&format!("kind: command, count: 2, {command}")));
    }
    for items in ["[1, 2.5, x, true]", "[{ a: 1 }, { a: 2 }]", "{ range: [0, 10] }", "{ range: [10, -10, -5] }"] {
        read(&task(&format!("kind: command, command: [echo, '{{index}}'], items: {items}")));
    }
    let with =
        |rest: &str| format!("version: 1\ntasks: [{{ name: t, kind: python, count: 3, callable: 'm:f' }}]\n{rest}\n");
    for callable in ["m:f", "_package.module2:Class.method", "größe:fläche", "任务:运行"] {
        read(&task(&format!(
            "kind: python, count: 1, callable: '{callable}', args: [null, {{ index }}, .inf, {{ dist: constant, value: 3 }}]"
        )));
    }
    for entry in [
        "kind: mp_pool, workers: auto, queue_capacity: unbounded, dispatch: shared, on_timeout: abandon, submit: imap",
        "kind: mp_pool, processes: 2, maxtasksperchild: 3, chunksize: cpython, start_method: fork",
        "kind: mp_pool, initializer: { callable: 'm:f', args: [1], max_failures: 2 }",
        "kind: ppe, max_workers: 3, submit: map, max_tasks_per_child: 2, start_method: spawn",
        "kind: mp_process, workers: 3, submit: apply",
        "kind: thread, workers: 3, submit: imap_unordered, on_timeout: abandon, queue_capacity: 4",
        "kind: interpreter, workers: auto, chunksize: auto, dispatch: round_robin",
        "kind: pool, python: { interpreter: python3, path: lib, env: { A: 1, B: '' } }, when: ' python >= 3.9 '",
    ] {
        read(&with(&format!("engines: [{{ {entry} }}]")));
    }
    for share in [
        "total: 5\ntasks: [{ name: a, kind: python, callable: 'm:f' }, { name: b, kind: python, callable: 'm:f' }]",
        "total: 5\ntasks: [{ name: a, kind: python, callable: 'm:f', weight: 0 }, { name: b, kind: python, callable: 'm:f', weight: 2.5 }]",
        "tasks: [{ name: a, kind: python, callable: 'm:f', count: 1 }, { name: b, kind: python, callable: 'm:f', items: [1] }]",
        "arrivals: { mode: open, process: constant, rate: 1/s, duration: 5s }\ntasks: [{ name: a, kind: python, callable: 'm:f', weight: 2 }]",
        "arrivals: { mode: open, process: constant, rate: 1/s }\ntasks: [{ name: a, kind: python, callable: 'm:f', count: 2 }]",
        "arrivals: { mode: open, process: trace, file: plain.txt, unit: s, from: first }\ntasks: [{ name: a, kind: python, callable: 'm:f' }]",
    ] {
        read(&format!("version: 1\nseed: 1\n{share}\n"));
    }
}
