//! Bad task entries.

use crate::harness::*;

#[test]
fn durations() {
    check(vec![
        case(
            cpu("timeout: §30"),
            "tasks[0].timeout",
            &["a duration needs a unit", "such as 5ms, 1.5s", "did you mean `30s` or `30ms`?"],
        ),
        case(cpu("timeout: §1.5"), "tasks[0].timeout", &["needs a unit", "`1.5s` or `1.5ms`?"]),
        case(cpu("timeout: §-5s"), "tasks[0].timeout", &["a duration has no sign"]),
        case(cpu("timeout: §.nan"), "tasks[0].timeout", &["found `.nan`", "must be a duration"]),
        case(cpu("timeout: §.inf"), "tasks[0].timeout", &["found `.inf`"]),
        case(cpu("timeout: §nan"), "tasks[0].timeout", &["not a duration"]),
        case(cpu("timeout: §0s"), "tasks[0].timeout", &["found `0", "must be above 0"]),
        case(cpu("queue_timeout: §0ms"), "tasks[0].queue_timeout", &["must be above 0"]),
        case(cpu("timeout: §9000h"), "tasks[0].timeout", &["longer than a year"]),
        case(cpu("timeout: §2d"), "tasks[0].timeout", &["not a duration"]),
        case(cpu("timeout: §true"), "tasks[0].timeout", &["found `true`", "must be a duration"]),
        case(cpu("§timeout: "), "tasks[0].timeout", &["the value is missing"]),
        case(file("grace_period: §-1s"), "grace_period", &["no sign"]),
        case(dist("{ dist: constant, value: §-1ms }"), "tasks[0].service_time.value", &["no sign"]),
        case(dist("{ dist: exponential, mean: §0s }"), "tasks[0].service_time.mean", &["must be above 0"]),
        case(file("measure: { sample_interval: §1ms }"), "measure.sample_interval", &["at least 50ms"]),
    ]);
}

#[test]
fn sizes() {
    check(vec![
        case(task("kind: io, count: 1, bytes: §64M"), "tasks[0].bytes", &["`M` is ambiguous", "`64MiB` or `64MB`?"]),
        case(
            task("kind: io, count: 1, bytes: §4096"),
            "tasks[0].bytes",
            &["a size needs a unit", "`4096B` or `4096KiB`"],
        ),
        case(task("kind: memory, count: 1, bytes: §-1MiB"), "tasks[0].bytes", &["cannot be negative"]),
        case(task("kind: memory, count: 1, bytes: §0B"), "tasks[0].bytes", &["must be at least 1B"]),
        case(task("kind: memory, count: 1, bytes: §9999TiB"), "tasks[0].bytes", &["larger than 1024TiB"]),
        case(task("kind: memory, count: 1, bytes: §lots"), "tasks[0].bytes", &["not a size"]),
        case(
            task("kind: kernel, kernel: sha256, count: 1, args: { bytes: §1.5XB }"),
            "tasks[0].args.bytes",
            &["`XB` is not a unit of size"],
        ),
    ]);
}

#[test]
fn parameters_of_distributions() {
    check(vec![
        case(dist("§{ dist: pareto, min: 1ms, alpha: 2 }"), "tasks[0].service_time.max", &["pareto must have a `max`"]),
        case(dist("{ dist: pareto, min: 1ms, alpha: §0, max: 1s }"), "tasks[0].service_time.alpha", &["above 0"]),
        case(dist("{ dist: pareto, min: 1ms, alpha: §-2, max: 1s }"), "tasks[0].service_time.alpha", &["above 0"]),
        case(
            dist("{ dist: pareto, min: 1s, alpha: 2, max: §1ms }"),
            "tasks[0].service_time.max",
            &["`max` is below `min`"],
        ),
        case(dist("{ dist: lognormal, median: 1ms, sigma: §-0.1 }"), "tasks[0].service_time.sigma", &["from 0 to 10"]),
        case(dist("{ dist: lognormal, median: 1ms, sigma: §.nan }"), "tasks[0].service_time.sigma", &["found `.nan`"]),
        case(
            dist("{ dist: bimodal, fast: 1ms, slow: 1s, p_slow: §1.5 }"),
            "tasks[0].service_time.p_slow",
            &["from 0 to 1"],
        ),
        case(
            dist("{ dist: bimodal, fast: 1ms, slow: 1s, p_slow: §-0.5 }"),
            "tasks[0].service_time.p_slow",
            &["0 to 1"],
        ),
        case(
            dist("{ dist: bimodal, fast: 1s, slow: §1ms, p_slow: 0 }"),
            "tasks[0].service_time.slow",
            &["below `fast`"],
        ),
        case(dist("{ dist: uniform, min: 5ms, max: §1ms }"), "tasks[0].service_time.max", &["`max` is below `min`"]),
        case(dist("§{ dist: uniform, min: 5ms }"), "tasks[0].service_time.max", &["`max` is missing"]),
        case(
            dist("{ dist: constant, value: 5ms, §max: 6ms }"),
            "tasks[0].service_time.max",
            &["does not apply to distribution constant", "has dist or value"],
        ),
        case(dist("§5ms"), "tasks[0].service_time", &["such as { dist: constant, value: 5ms }"]),
        case(dist("§{ value: 5ms }"), "tasks[0].service_time.dist", &["`dist` is missing"]),
        meant(dist("{ dist: §expnential, mean: 5ms }"), "tasks[0].service_time.dist", "exponential"),
        case(
            dist("{ dist: §gamma, mean: 5ms }"),
            "tasks[0].service_time.dist",
            &["unknown distribution `gamma`", "must be constant"],
        ),
    ]);
}

#[test]
fn counts_weights_and_totals() {
    let two = |a: &str, b: &str, rest: &str| {
        let kind = "kind: kernel, kernel: noop";
        format!("version: 1\nseed: 1\ntasks:\n  - {{ name: a, {kind}{a} }}\n  - {{ name: b, {kind}{b} }}\n{rest}\n")
    };
    let marked = |text: String, nth: usize| {
        let mut parts: Vec<&str> = text.split("- {").collect();
        let tail = parts.split_off(nth).join("- {");
        format!("{}- §{{{tail}", parts.join("- {"))
    };
    check(vec![
        case(two(", count: 2, weight: §1", ", count: 1", ""), "tasks[0].weight", &["`count` and `weight` together"]),
        case(two(", count: 2", ", weight: §1", ""), "tasks[1].weight", &["`weight` here, `count` in another task"]),
        case(two(", weight: §0", ", weight: 0", "total: 5"), "tasks[0].weight", &["all weights are 0"]),
        case(two(", weight: §-1", ", weight: 1", "total: 5"), "tasks[0].weight", &["at least 0"]),
        case(two(", weight: §.inf", ", weight: 1", "total: 5"), "tasks[0].weight", &["at least 0"]),
        case(two(", count: 1", ", count: 1", "total: §5"), "total", &["`total` goes with `weight`"]),
        case(two(", weight: 1", ", weight: 1", "total: §0"), "total", &["must be an integer >= 1"]),
        case(marked(two(", weight: 1", "", "total: 5"), 2), "tasks[1]", &["`weight` is missing"]),
        case(marked(two(", count: 1", "", ""), 2), "tasks[1]", &["`count` is missing"]),
        case(
            task("kind: kernel, kernel: noop, weight: §1"),
            "tasks[0].weight",
            &["`weight` without `total`", "add `total: N` at the top level"],
        ),
        case(
            task("kind: kernel, kernel: noop, count: §3")
                .replace("tasks:", "arrivals: { mode: open, process: constant, rate: 5/s, duration: 2s }\ntasks:"),
            "tasks[0].count",
            &["`count` with arrivals that end by duration"],
        ),
        case(
            marked(task("kind: kernel, kernel: noop"), 1),
            "tasks[0]",
            &["`count` is missing", "`weight` and a top-level `total`"],
        ),
        case(
            "version: 1\nseed: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, weight: 1 }]\ntotal: 6000000\norder: §lpt\n",
            "order",
            &["`lpt` with 6000000 tasks", "at most 5000000"],
        ),
        case(
            format!("{}order: §lpt\n", arrivals("{ mode: open, process: constant, rate: 5/s, duration: 1s }")),
            "order",
            &["`lpt` with open arrivals"],
        ),
    ]);
}

#[test]
fn kinds_and_their_fields() {
    check(vec![
        case("version: 1\ntasks:\n  - §{ name: t, count: 3 }\n", "tasks[0].kind", &["`kind` is missing"]),
        meant(task("kind: §comand, count: 1"), "tasks[0].kind", "command"),
        case(task("kind: §5, count: 1"), "tasks[0].kind", &["found `5`", "must be cpu, sleep"]),
        case(cpu("§bytes: 1KiB"), "tasks[0].bytes", &["does not apply to a task of kind cpu"]),
        case(
            task("kind: io, count: 1, bytes: 1KiB, §passes: 2"),
            "tasks[0].passes",
            &["does not apply to a task of kind io"],
        ),
        case(task("kind: io, count: 1, bytes: 1KiB, sync: §yes"), "tasks[0].sync", &["must be true or false"]),
        case(task("kind: mixed, count: 1, phases: §[]"), "tasks[0].phases", &["the list is empty"]),
        case(
            task("kind: mixed, count: 1, phases: [{ kind: §kernel }]"),
            "tasks[0].phases[0].kind",
            &["must be cpu, sleep, io or memory"],
        ),
        case(
            task("kind: mixed, count: 1, phases: [{ kind: io, bytes: 1KiB }, { kind: io, bytes: §5 }]"),
            "tasks[0].phases[1].bytes",
            &["needs a unit"],
        ),
        case(task("kind: kernel, count: 1, kernel: §prime, args: { n: 5 }"), "tasks[0].kernel", &["did you mean"])
            .proposing("primes"),
        case(
            task("kind: kernel, count: 1, kernel: primes, args: { §width: 5, n: 5 }"),
            "tasks[0].args.width",
            &["does not apply to kernel primes"],
        ),
        case(
            task("kind: kernel, count: 1, kernel: primes, args: { n: §0 }"),
            "tasks[0].args.n",
            &["must be an integer >= 1"],
        ),
        case(task("kind: kernel, count: 1, kernel: primes, args: §{ }"), "tasks[0].args.n", &["`n` is missing"]),
        case(
            task("kind: kernel, count: 1, kernel: matmul, args: { n: §99999 }"),
            "tasks[0].args.n",
            &["from 1 to 16384"],
        ),
        case(
            task("kind: kernel, count: 1, kernel: noop, args: { §n: 1 }"),
            "tasks[0].args.n",
            &["does not apply to kernel noop"],
        ),
        case(
            task("kind: command, count: 1, command: §sort -n"),
            "tasks[0].command",
            &["must be a list such as", "`shell: true`"],
        ),
        case(
            task("kind: command, count: 1, shell: true, command: §[sort]"),
            "tasks[0].command",
            &["goes with one string"],
        ),
        case(
            task("kind: command, count: 1, shell: true, command: §\" \""),
            "tasks[0].command",
            &["the command is empty"],
        ),
        case(task("kind: command, count: 1, shell: §1, command: [a]"), "tasks[0].shell", &["must be true or false"]),
        case(task("kind: command, count: 1, command: [sleep, §0.10]"), "tasks[0].command[1]", &["quote numbers"]),
        case(task("kind: command, count: 1, command: §[]"), "tasks[0].command", &["the list is empty"]),
        case(
            task("kind: command, count: 1, command: [§\"\"]"),
            "tasks[0].command[0]",
            &["the program's name is empty"],
        ),
        case(task("kind: command, count: 1, command: [echo, §\"a\\0b\"]"), "tasks[0].command[1]", &["NUL"]),
    ]);
}

#[test]
fn retries_and_backoff() {
    check(vec![
        case(
            cpu("retries: { max: 1, on: [§explosion] }"),
            "tasks[0].retries.on[0]",
            &["must be crash, timeout or error"],
        ),
        case(cpu("retries: { max: 1, on: §[] }"), "tasks[0].retries.on", &["the list is empty"]),
        case(cpu("retries: §{ on: [crash] }"), "tasks[0].retries.max", &["`max` is missing"]),
        case(cpu("retries: { max: 1, backoff: §5 }"), "tasks[0].retries.backoff", &["needs a unit"]),
        case(
            cpu("retries: { max: 1, backoff: { kind: §linear, delay: 1ms } }"),
            "tasks[0].retries.backoff.kind",
            &["constant or exponential"],
        ),
        case(
            cpu("retries: { max: 1, backoff: { kind: exponential, delay: 1s, max_delay: §1ms } }"),
            "tasks[0].retries.backoff.max_delay",
            &["below `delay`"],
        ),
        case(
            cpu("retries: { max: 1, backoff: { kind: exponential, delay: 1s, jitter: §1 } }"),
            "tasks[0].retries.backoff.jitter",
            &["true or false"],
        ),
        case(
            cpu("retries: { max: 1, backoff: §{ kind: exponential } }"),
            "tasks[0].retries.backoff.delay",
            &["`delay` is missing"],
        ),
    ]);
}

#[test]
fn other_counts_are_at_least_one() {
    check(vec![
        case(
            engine("kind: pool, chunksize: §0"),
            "engines[0].chunksize",
            &["must be an integer >= 1, auto or cpython"],
        ),
        case(
            engine("kind: pool, chunksize: §big"),
            "engines[0].chunksize",
            &["must be an integer >= 1, auto or cpython"],
        ),
        case(engine("kind: process, §chunksize: 2"), "engines[0].chunksize", &["does not apply to a process engine"]),
        case(task("kind: kernel, kernel: noop, count: §0"), "tasks[0].count", &["must be an integer >= 1"]),
        case(task("kind: kernel, kernel: noop, count: §1.5"), "tasks[0].count", &["must be an integer >= 1"]),
        case(task("kind: kernel, kernel: noop, count: §20000000000"), "tasks[0].count", &["from 1 to 10000000000"]),
        case(file("measure: { repeats: §0 }"), "measure.repeats", &["must be an integer >= 1"]),
        case(file("measure: { warmup: §-1 }"), "measure.warmup", &["must be an integer >= 0"]),
        case(task("kind: memory, count: 1, bytes: 1KiB, passes: §0"), "tasks[0].passes", &["must be an integer >= 1"]),
        case(cpu("retries: §-1"), "tasks[0].retries", &["must be an integer >= 0 or a map"]),
        case(cpu("retries: §5000"), "tasks[0].retries", &["from 0 to 1000"]),
        case(format!("version: 1\nseed: §-1\n{TASK}"), "seed", &["must be an integer >= 0"]),
        case(format!("version: 1\nseed: §18446744073709551616\n{TASK}"), "seed", &["to 18446744073709551615"]),
        case(format!("version: 1\nseed: §abc\n{TASK}"), "seed", &["must be an integer"]),
    ]);
}

#[test]
fn a_seed_is_required_where_something_is_random() {
    let seedless = |text: String| text.replace("version: 1\nseed: 1\n", "§version: 1\n");
    check(vec![
        case(seedless(dist("{ dist: exponential, mean: 5ms }")), "seed", &["task `t` draws random numbers"]),
        case(seedless(file("order: shuffle")), "seed", &["the order is shuffled"]),
        case(seedless(file("measure: { order: randomized }")), "seed", &["the order of the runs is random"]),
        case(seedless(arrivals("{ mode: open, process: poisson, rate: 5/s, duration: 1s }")), "seed", &["poisson"]),
        case(
            seedless(cpu("retries: { max: 1, backoff: { kind: constant, delay: 1ms, jitter: true } }")),
            "seed",
            &["draws"],
        ),
        case(seedless(task("kind: kernel, kernel: sort, count: 1, args: { n: 5 }")), "seed", &["draws random numbers"]),
        case(seedless(task("kind: command, count: 1, command: [echo, \"{seed}\"]")), "seed", &["draws random numbers"]),
    ]);
    for constant in [file(""), arrivals("{ mode: open, process: constant, rate: 5/s, duration: 1s }")] {
        accepted(&constant.replace("seed: 1\n", ""));
    }
}

#[test]
fn tasks_in_python() {
    let call = |rest: &str| task(&format!("kind: python, count: 1, {rest}"));
    let with =
        |rest: &str| format!("version: 1\ntasks: [{{ name: t, kind: python, count: 1, callable: 'm:f' }}]\n{rest}\n");
    check(vec![
        case("version: 1\ntasks: [§{ name: t, kind: python, count: 1 }]\n", "tasks[0].callable", &["`callable` is missing"]),
        case(call("callable: §work"), "tasks[0].callable", &["no `:`", "`module:function`"]),
        meant(call("callable: §my.module.work"), "tasks[0].callable", "my.module:work"),
        case(call("callable: §lib/work.py:f"), "tasks[0].callable", &["not by its file", "python.path"]),
        case(call("callable: §'m:1f'"), "tasks[0].callable", &["not the names"]),
        case(call("callable: 'm:f', args: §5"), "tasks[0].args", &["a map of names and values, or a list"]),
        case(call("callable: 'm:f', args: { §5: 1 }"), "tasks[0].args", &["the name of an argument"]),
        case(call("callable: 'm:f', args: [§!odd 5]"), "tasks[0].args[0]", &["without a tag"]),
        case(call("callable: 'm:f', args: { n: { dist: uniform, min: 5, max: §1 } }"), "tasks[0].args.n.max", &["`max` is below `min`"]),
        case(call("callable: 'm:f', args: [{ dist: uniform, min: §-5, max: 1 }]"), "tasks[0].args[0].min", &["from 0 to 1e12"]),
        case(call("callable: 'm:f', payload: { in: §5 }"), "tasks[0].payload.in", &["a size needs a unit"]),
        meant(call("callable: 'm:f', payload: { §inn: 5B }"), "tasks[0].payload.inn", "in"),
        case(with("python: { interpreter: §'' }"), "python.interpreter", &["the name is empty"]),
        case(with("python: { env: { §A=B: x } }"), "python.env", &["not the name of a variable"]),
        case(with("python: { env: { A: §[] } }"), "python.env.A", &["must be text"]),
        case(with("python: { path: §[] }"), "python.path", &["the list is empty"]),
        case(with("engines: [{ kind: pool, when: §'ruby > 3' }]"), "engines[0].when", &["such as `python >= 3.14`"]),
        case(with("engines: [{ kind: pool, when: §'python ~ 3' }]"), "engines[0].when", &["no comparison"]),
        case(with("engines: [{ kind: pool, when: §'python > x' }]"), "engines[0].when", &["not a version"]),
        case(with("engines: [{ kind: pool, initializer: { args: §[1] } }]"), "engines[0].initializer.args", &["`args` without `callable`"]),
        case(with("engines: [{ kind: pool, initializer: { callable: §work } }]"), "engines[0].initializer.callable", &["no `:`"]),
        case(with("engines: [{ kind: pool, initializer: { callable: 'm:f', args: §[{ index }] } }]"), "engines[0].initializer.args", &["differs from task to task"]),
        case(with("engines: [{ kind: pool, initializer: { callable: 'm:f', args: §['{attempt}'] } }]"), "engines[0].initializer.args", &["differs from task to task"]),
        case(
            "version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 1 }]\nengines: [{ kind: pool, initializer: { callable: §'m:f' } }]\n".to_owned(),
            "engines[0].initializer.callable",
            &["a function in Python, and no task is in Python"],
        ),
        case(
            "version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 1 }]\nengines: [{ kind: pool, when: §'python > 3' }]\n".to_owned(),
            "engines[0].when",
            &["no task is in Python"],
        ),
        case(
            "version: 1\ntasks: [{ name: t, kind: python, callable: 'm:f', count: 1 }, §{ name: u, kind: kernel, kernel: noop, count: 1 }]\n".to_owned(),
            "tasks[1]",
            &["beside tasks in Python"],
        ),
    ]);
}
