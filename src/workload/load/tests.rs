//! What is accepted, and what it becomes. What is refused is in `tests/bad_input.rs`.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::*;
use crate::workload::model::{
    ArrivalProcess, Arrivals, Backoff, Chunksize, Dist, EngineKind, IoWork, Kernel, LatencyFrom, MemoryWork, OnFull,
    Order, Phase, Retries, RunOrder, Share, Stage, Total, Work, Workers,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn workload(text: &str) -> Workload {
    load(text, "folder/some file.yaml").unwrap_or_else(|problems| panic!("{problems}")).workload
}

fn work(fields: &str) -> Work {
    workload(&format!("version: 1\nseed: 1\ntasks: [{{ name: t, count: 1, {fields} }}]\n")).classes.remove(0).work
}

fn retries(value: &str) -> Retries {
    let text = format!(
        "version: 1\nseed: 1\ntasks: [{{ name: t, count: 1, kind: kernel, kernel: noop, retries: {value} }}]\n"
    );
    workload(&text).classes[0].retries
}

fn some(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

#[test]
fn defaults_of_the_smallest_file() {
    let workload = workload("version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 3 }]\n");
    assert_eq!((workload.name.as_str(), workload.title.as_str()), ("some file", "some file"));
    assert_eq!((workload.seed, workload.total, workload.order), (0, Total::PerClass, Order::AsGenerated));
    assert_eq!(workload.arrivals, Arrivals::Batch);
    assert_eq!(workload.hash.len(), 16);
    let kinds: Vec<_> =
        workload.engines.iter().map(|engine| (engine.name.as_str(), engine.kind, engine.workers)).collect();
    assert_eq!(kinds, [("pool", EngineKind::Pool, Workers::Auto), ("process", EngineKind::Process, Workers::Auto)]);
    assert_eq!((workload.engines[0].chunksize, workload.baseline), (Chunksize::Auto, 0));
    let class = &workload.classes[0];
    assert_eq!((class.timeout, class.queue_timeout, class.grace_period), (None, None, MS(200)));
    assert_eq!((class.retries.max, class.share), (0, Share::Count(NonZeroU64::new(3).unwrap())));
    let measure = &workload.measure;
    assert_eq!((measure.warmup, measure.repeats, measure.order), (1, some(5), RunOrder::Interleaved));
    assert_eq!((measure.sample_interval, measure.latency_from), (MS(500), LatencyFrom::IntendedArrival));
    assert_eq!(measure.percentiles, [50.0, 90.0, 95.0, 99.0]);
}

#[test]
fn kinds_of_work() {
    let five = "service_time: { dist: constant, value: 5ms }";
    let constant = Dist::Constant(MS(5));
    assert_eq!(work(&format!("kind: cpu, {five}")), Work::Cpu(constant.clone()));
    assert_eq!(work(&format!("kind: sleep, {five}")), Work::Sleep(constant.clone()));
    assert_eq!(work("kind: io, bytes: 64KiB, sync: true"), Work::Io(IoWork { bytes: 65_536, sync: true }));
    assert_eq!(work("kind: memory, bytes: 1MB"), Work::Memory(MemoryWork { bytes: 1_000_000, passes: 1 }));
    let phases = format!("kind: mixed, phases: [{{ kind: cpu, {five} }}, {{ kind: io, bytes: 1B }}]");
    assert_eq!(work(&phases), Work::Mixed(vec![Phase::Cpu(constant), Phase::Io(IoWork { bytes: 1, sync: false })]));
    let command = Work::Command(crate::workload::model::CommandLine::new(vec!["echo".into(), "{index}".into()]));
    assert_eq!(work("kind: command, command: [echo, \"{index}\"]"), command);
    let Work::Command(shell) = work("kind: command, shell: true, command: 'a | b'") else { panic!("not a command") };
    assert_eq!(shell.argv, ["/bin/sh", "-c", "a | b"]);
}

#[test]
fn kernels() {
    for (fields, kernel) in [
        ("noop", Kernel::Noop),
        ("primes, args: { n: 5 }", Kernel::Primes { n: 5 }),
        (
            "mandelbrot, args: { width: 1, height: 2, iterations: 3 }",
            Kernel::Mandelbrot { width: 1, height: 2, iterations: 3 },
        ),
        ("matmul, args: { n: 6 }", Kernel::Matmul { n: 6 }),
        ("sha256, args: { bytes: 1KiB }", Kernel::Sha256 { bytes: 1024 }),
        ("sort, args: { n: 7 }", Kernel::Sort { n: 7 }),
        ("monte_carlo_pi, args: { samples: 8 }", Kernel::MonteCarloPi { samples: 8 }),
    ] {
        assert_eq!(work(&format!("kind: kernel, kernel: {fields}")), Work::Kernel(kernel));
    }
}

#[test]
fn distributions() {
    for (text, dist) in [
        ("{ dist: uniform, min: 0s, max: 2ms }", Dist::Uniform { min: MS(0), max: MS(2) }),
        ("{ dist: exponential, mean: 2ms }", Dist::Exponential { mean: MS(2), max: None }),
        ("{ dist: exponential, mean: 2ms, max: 1ms }", Dist::Exponential { mean: MS(2), max: Some(MS(1)) }),
        (
            "{ dist: lognormal, median: 8ms, sigma: 0.6, max: 200ms }",
            Dist::Lognormal { median: MS(8), sigma: 0.6, max: Some(MS(200)) },
        ),
        ("{ dist: lognormal, median: 8ms, sigma: 1 }", Dist::Lognormal { median: MS(8), sigma: 1.0, max: None }),
        ("{ dist: pareto, min: 1ms, alpha: 1.5, max: 3s }", Dist::Pareto { min: MS(1), alpha: 1.5, max: MS(3000) }),
        (
            "{ dist: bimodal, fast: 1ms, slow: 3s, p_slow: 0.05 }",
            Dist::Bimodal { fast: MS(1), slow: MS(3000), p_slow: 0.05 },
        ),
    ] {
        assert_eq!(work(&format!("kind: sleep, service_time: {text}")), Work::Sleep(dist), "{text}");
    }
}

#[test]
fn retries_in_all_forms() {
    let none = Backoff { delay: MS(0), factor: 1.0, max_delay: MS(0), jitter: false };
    let all = Retries { max: 2, on_crash: true, on_timeout: true, on_error: true, backoff: none, redraw: false };
    assert_eq!(retries("2"), all);
    assert_eq!(retries("{ max: 2 }"), all);
    assert_eq!(retries("{ max: 1, on: error }"), Retries { max: 1, on_timeout: false, on_crash: false, ..all });
    assert_eq!(retries("{ max: 1, on: [crash] }"), Retries { max: 1, on_timeout: false, on_error: false, ..all });
    let constant = Backoff { delay: MS(5), factor: 1.0, max_delay: MS(5), jitter: false };
    assert_eq!(retries("{ max: 2, backoff: 5ms }").backoff, constant);
    assert_eq!(retries("{ max: 2, backoff: { kind: constant, delay: 5ms } }").backoff, constant);
    let exponential =
        retries("{ max: 2, backoff: { kind: exponential, delay: 5ms, max_delay: 1s, jitter: true } }").backoff;
    assert_eq!(exponential, Backoff { delay: MS(5), factor: 2.0, max_delay: MS(1000), jitter: true });
}

#[test]
fn open_arrivals() {
    let open = |rest: &str, fields: &str| {
        let text = format!("version: 1\nseed: 1\ntasks: [{{ name: t, kind: kernel, kernel: noop{fields} }}]\n{rest}\n");
        workload(&text)
    };
    let arrivals = |workload: &Workload| match workload.arrivals.clone() {
        Arrivals::Open(open) => open,
        Arrivals::Batch | Arrivals::ClosedLoop { .. } => panic!("not open"),
    };
    let staged = open(
        "arrivals: { mode: open, process: poisson, stages: [{ duration: 1s, rate: 5/s }, { duration: 2s, rate: 60/min }], \
         max_in_flight: 9, on_full: block }",
        "",
    );
    assert_eq!((staged.total, staged.classes[0].share), (Total::ByDuration, Share::Weight(1.0)));
    let staged = arrivals(&staged);
    assert_eq!((staged.process, staged.on_full), (ArrivalProcess::Poisson, OnFull::Block));
    assert_eq!(staged.max_in_flight, NonZeroU64::new(9));
    let seconds = |s| Some(Duration::from_secs(s));
    assert_eq!(staged.stages, [Stage::level(seconds(1), 5.0), Stage::level(seconds(2), 1.0)]);

    let counted = open("arrivals: { mode: open, process: constant, rate: 5/s }", ", count: 7");
    assert_eq!((counted.total, &arrivals(&counted).stages[..]), (Total::PerClass, &[Stage::level(None, 5.0)][..]));
    let total = open("total: 9\narrivals: { mode: open, process: constant, rate: 5/s, duration: 1s }", ", weight: 1");
    assert_eq!(total.total, Total::Weighted(NonZeroU64::new(9).unwrap()));
    assert_eq!(arrivals(&total).on_full, OnFull::Drop);
}

#[test]
fn closed_arrivals() {
    let closed = |fields: &str| {
        let tasks = "tasks: [{ name: t, kind: kernel, kernel: noop, count: 7 }]";
        workload(&format!("version: 1\n{tasks}\narrivals: {{ mode: closed{fields} }}\n")).arrivals
    };
    assert_eq!(closed(""), Arrivals::Batch);
    assert_eq!(closed(", process: batch"), Arrivals::Batch);
    assert_eq!(closed(", max_in_flight: 3"), Arrivals::ClosedLoop { max_in_flight: NonZeroU64::new(3).unwrap() });
}

#[test]
fn engines_in_all_forms() {
    let text = "version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 1 }]\nengines:\n  - { kind: serial }\n  \
                - { kind: pool, n_jobs: 3, chunksize: cpython }\n  - { name: many, kind: process, workers: unbounded, baseline: true }\n  \
                - { name: chunky, kind: pool, workers: auto, chunksize: 25, on_timeout: kill }\n";
    let workload = workload(text);
    let engines: Vec<_> =
        workload.engines.iter().map(|engine| (engine.name.as_str(), engine.workers, engine.chunksize)).collect();
    assert_eq!(
        engines,
        [
            ("serial", Workers::Fixed(some(1)), Chunksize::Auto),
            ("pool", Workers::Fixed(some(3)), Chunksize::Cpython),
            ("many", Workers::Unbounded, Chunksize::Fixed(some(1))),
            ("chunky", Workers::Auto, Chunksize::Fixed(some(25))),
        ]
    );
    assert_eq!(workload.baseline, 2);
}

#[test]
fn a_files_grace_period_is_the_default_of_its_tasks() {
    let text = "version: 1\ngrace_period: 0s\ntasks:\n  - { name: a, kind: kernel, kernel: noop, count: 1 }\n  \
                - { name: b, kind: kernel, kernel: noop, count: 1, grace_period: 1s }\n";
    let graces: Vec<_> = workload(text).classes.iter().map(|class| class.grace_period).collect();
    assert_eq!(graces, [MS(0), MS(1000)]);
}

#[test]
fn percentiles_are_sorted_and_a_byte_order_mark_is_skipped() {
    let text = "\u{feff}version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 1 }]\nmeasure: { percentiles: [99, 50, 99.9, 50] }\n";
    assert_eq!(workload(text).measure.percentiles, [50.0, 99.0, 99.9]);
}

#[test]
fn line_ends_and_quotes_do_not_matter() {
    let unix = "version: 1\nname: \"x\"\ntasks:\n  - name: t\n    kind: kernel\n    kernel: noop\n    count: 1\n";
    let mut dos = workload(&unix.replace('\n', "\r\n"));
    let unix = workload(unix);
    assert_ne!(dos.hash, unix.hash);
    dos.hash.clone_from(&unix.hash);
    (dos.text_hash, dos.text) = (unix.text_hash.clone(), unix.text.clone());
    assert_eq!(dos, unix);
}

#[test]
fn an_engine_has_a_start_timeout() {
    let text = "version: 1\ntasks:\n  - { name: a, kind: kernel, kernel: noop, count: 1 }\nengines:\n  - { kind: pool }\n  \
                - { kind: process, start_timeout: 300ms }\n";
    let limits: Vec<_> = workload(text).engines.iter().map(|engine| engine.start_timeout).collect();
    assert_eq!(limits, [MS(10_000), MS(300)]);
}

#[test]
fn the_file_as_it_was_understood_keeps_no_value_of_an_environment() {
    let text = "version: 1\ntasks:\n  - { name: env, kind: command, command: [env], count: 1, env: { TOKEN: s3cret, N: 4711 } }\n";
    let set = ["tasks.0.env.TOKEN=other-s3cret".to_owned(), "measure.repeats=3".to_owned()];
    let loaded = load_with(text, "f.yaml", &set, &NoFiles).unwrap_or_else(|problems| panic!("{problems}"));
    let effective = &loaded.workload.effective;
    assert!(!effective.contains("s3cret") && !effective.contains("4711"), "{effective}");
    assert!(effective.contains("TOKEN: (not shown)") && effective.contains("repeats: 3"), "{effective}");
    assert!(effective.contains("name: env"), "what is called so is none: {effective}");
    // But for that it is the same file.
    let plain = "version: 1\nseed: 7\ntasks: [{ name: t, kind: sleep, count: 2, service_time: { dist: constant, value: 5ms } }]\n";
    let first = load(plain, "f.yaml").unwrap_or_else(|problems| panic!("{problems}")).workload;
    let again = load(&first.effective, "f.yaml").unwrap_or_else(|problems| panic!("{problems}")).workload;
    assert_eq!((first.classes, first.seed, first.measure), (again.classes, again.seed, again.measure));
}
