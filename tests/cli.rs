//! The real program, headless: results, exit codes, and what happens when the system is short of something.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "cli/figures.rs"]
mod figures;
#[path = "support/mod.rs"]
mod support;

use std::process::{Command, Output};

use serde_json::Value;
use support::cli::*;

const KERNELS: &str = "
version: 1
name: kernels
seed: 3
order: shuffle
tasks:
  - { name: noop, kind: kernel, kernel: noop, count: 50 }
  - { name: primes, kind: kernel, kernel: primes, args: { n: 2000 }, count: 10 }
  - { name: mandelbrot, kind: kernel, kernel: mandelbrot, args: { width: 32, height: 24, iterations: 60 }, count: 10 }
  - { name: matmul, kind: kernel, kernel: matmul, args: { n: 24 }, count: 10 }
  - { name: sha256, kind: kernel, kernel: sha256, args: { bytes: 20KiB }, count: 10 }
  - { name: sort, kind: kernel, kernel: sort, args: { n: 3000 }, count: 10 }
  - { name: pi, kind: kernel, kernel: monte_carlo_pi, args: { samples: 5000 }, count: 10 }
  - { name: cpu, kind: cpu, service_time: { dist: exponential, mean: 100us }, count: 10 }
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }, { kind: serial }]
measure: { warmup: 0, repeats: 2 }
";

/// Conservation in a run of a result.
fn conserved(run: &Value) {
    let tasks = &run["tasks"];
    let sum: u64 = ["succeeded", "failed", "timed_out", "lost", "cancelled", "dropped"]
        .iter()
        .map(|name| tasks[name].as_u64().unwrap_or_else(|| panic!("{name} in {tasks}")))
        .sum();
    assert_eq!(tasks["submitted"].as_u64(), Some(sum), "{tasks}");
}

#[test]
fn kernels_give_the_same_results_in_every_engine() {
    let file = file(KERNELS);
    let result = json(&run(&["compare", path(&file), "--format", "json", "--quiet"]));
    assert_eq!(result["schema"], "poolscope.result/1");
    let arms = result["arms"].as_array().unwrap();
    let runs: Vec<&Value> = arms.iter().flat_map(|arm| arm["runs"].as_array().unwrap()).collect();
    assert_eq!((arms.len(), runs.len()), (3, 6));
    for run in &runs {
        conserved(run);
        assert_eq!(run["tasks"]["succeeded"], 120);
        assert_eq!(run["results_hash"], runs[0]["results_hash"], "another engine, another result");
    }
    let comparison = result["comparison"].as_array().unwrap();
    assert!(comparison.iter().any(|entry| entry["arm"] == "process" && entry["baseline"] == "pool"), "{comparison:?}");
}

#[test]
fn the_result_has_every_documented_field() {
    let file = file(KERNELS);
    let result = json(&run(&["run", path(&file), "--engine", "process", "--format", "json", "--quiet"]));
    for name in ["schema", "version", "workload", "host", "arms", "comparison", "expectations"] {
        assert!(result.get(name).is_some(), "{name}");
    }
    for name in ["name", "hash", "stream_hash", "seed", "tasks"] {
        assert!(result["workload"].get(name).is_some(), "workload.{name}");
    }
    let arm = &result["arms"][0];
    for name in ["name", "engine", "workers", "runs", "summary"] {
        assert!(arm.get(name).is_some(), "arms.{name}");
    }
    let run = &arm["runs"][0];
    let fields = [
        "wall_s",
        "throughput",
        "tasks",
        "latency_s",
        "cpu",
        "memory",
        "queue",
        "worker_starts",
        "worker_restarts",
        "ghost_cpu_s",
        "zombies",
        "workers",
        "results_hash",
        "suspect",
    ];
    for name in fields {
        assert!(run.get(name).is_some(), "runs.{name}");
    }
    for latency in ["wait", "startup", "service", "sojourn"] {
        for figure in ["mean", "p50", "p90", "p95", "p99", "max"] {
            assert!(run["latency_s"][latency][figure].is_number(), "{latency}.{figure}");
        }
    }
    assert_eq!(run["worker_starts"], 120);
    for name in ["slot", "starts", "tasks", "busy_s", "cpu_s", "restarts"] {
        assert!(run["workers"][0].get(name).is_some(), "workers.{name}");
    }
}

#[test]
fn results_go_to_standard_output_and_progress_to_standard_error() {
    let file = file(KERNELS);
    let output = run(&["run", path(&file)]);
    code(&output, 0);
    assert!(text(&output.stdout).contains("tasks/s") && !text(&output.stdout).contains("run 1/1"));
    assert!(text(&output.stderr).contains("run 1/1"));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("result.json");
    let output = run(&["run", path(&file), "--quiet", "--format", "json", "--output", target.to_str().unwrap()]);
    code(&output, 0);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{}", text(&output.stderr));
    let written: Value = serde_json::from_slice(&std::fs::read(&target).unwrap()).unwrap();
    assert_eq!(written["schema"], "poolscope.result/1");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = poolscope(&["list"]).stdout(full).output().unwrap();
    code(&output, 3);
    assert!(text(&output.stderr).contains("writing to standard output"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = poolscope(&["list"]).stdout(writer).output().unwrap();
    code(&output, 0);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn bad_input_starts_nothing_and_says_where() {
    let bad = file("version: 1\nname: x\ntasks:\n  - { name: a, kind: sleep, count: 0 }\nengines: [{ worker: 3 }]\n");
    let output = run(&["run", path(&bad)]);
    code(&output, 2);
    let told = text(&output.stderr);
    assert!(told.contains(":4:") && told.contains(":5:") && told.contains("worker"), "{told}");
    assert!(output.stdout.is_empty());
    code(&run(&["run", "no-such-workload"]), 2);
    code(&run(&["run", "cpu-uniform", "--engine", "nonsense"]), 2);
    code(&run(&["run", "cpu-uniform", "--set", "nonsense"]), 2);
    code(&run(&["run", "cpu-uniform", "--set", "tasks.0.count=-1"]), 2);
    let output = run(&["run", "cpu-uniform", "--workers", "100000"]);
    code(&output, 2);
    assert!(text(&output.stderr).contains("no more than 4096"), "{}", text(&output.stderr));
    let checked = run(&["check", path(&bad), "--format", "json"]);
    code(&checked, 2);
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked["files"][0]["valid"], false);
    assert!(checked["files"][0]["diagnostics"].as_array().is_some_and(|list| list.len() >= 2), "{checked}");
}

#[test]
fn bundled_workloads_are_valid_and_listed() {
    let list = json(&run(&["list", "--format", "json"]));
    let names: Vec<&str> =
        list["workloads"].as_array().unwrap().iter().filter_map(|workload| workload["name"].as_str()).collect();
    for name in [
        "cpu-uniform",
        "heavy-tail",
        "tiny-tasks",
        "io-wait",
        "mixed",
        "open-loop",
        "bursts",
        "one-hang",
        "timeouts",
        "flaky",
        "worker-death",
        "recycle-leak",
        "initializer",
        "start-methods",
        "join-order",
        "zombies",
        "ghosts",
        "commands",
        "article",
        "memory",
    ] {
        assert!(names.contains(&name), "{name} in {names:?}");
        let output = run(&["check", name]);
        code(&output, 0);
    }
    assert!(text(&run(&["check", "article"]).stdout).contains("predicted makespan 4.0 s (2 waves)"));
    let doctor = json(&run(&["doctor", "--format", "json"]));
    assert!(doctor["host"]["workers_auto"].as_u64() >= Some(1));
}

#[test]
fn a_new_file_is_valid_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    code(&poolscope(&["new", "mine"]).current_dir(folder.path()).output().unwrap(), 0);
    code(&poolscope(&["check", "mine.yaml"]).current_dir(folder.path()).output().unwrap(), 0);
    code(&poolscope(&["new", "mine"]).current_dir(folder.path()).output().unwrap(), 2);
}

#[test]
fn without_a_terminal_the_dashboard_says_so_and_compares() {
    let file = file(KERNELS);
    let output = run(&[path(&file), "--format", "json"]);
    assert!(text(&output.stderr).contains("no terminal"));
    assert_eq!(json(&output)["arms"].as_array().map(Vec::len), Some(3));
    code(&run(&[]), 2);
}

#[test]
fn nesting_is_limited() {
    let output = poolscope(&["list"]).env("POOLSCOPE_DEPTH", "99").output().unwrap();
    code(&output, 3);
    assert!(text(&output.stderr).contains("levels deep"));
}

#[test]
fn the_article_takes_what_was_predicted() {
    let makespans: Vec<f64> = std::thread::scope(|scope| {
        let runs: Vec<_> = ["pool", "process"]
            .into_iter()
            .map(|engine| {
                scope.spawn(move || {
                    let result = json(&run(&["run", "article", "--engine", engine, "--format", "json", "--quiet"]));
                    result["arms"][0]["runs"][0]["wall_s"].as_f64().unwrap()
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for makespan in makespans {
        assert!((makespan / 4.0 - 1.0).abs() < 0.05, "{makespan} s instead of 4 s");
    }
}

/// Largest resident set of a run of so many no-op tasks, in KiB.
fn peak_kib(tasks: u64) -> u64 {
    let file = file(&format!(
        "version: 1\nname: noop\ntasks: [{{ name: t, kind: kernel, kernel: noop, count: {tasks} }}]\n\
         engines: [{{ kind: pool, workers: 2 }}]\n"
    ));
    let mut child = poolscope(&["run", path(&file), "--format", "json", "--quiet"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak = peak.max(poolscope::os::readings::peak_rss(child.id()).unwrap_or(0) / 1024);
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    assert!(status.success());
    let result: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    assert_eq!(result["arms"][0]["runs"][0]["tasks"]["succeeded"], tasks);
    peak
}

#[test]
fn ten_million_tasks_take_no_more_memory_than_a_hundred_thousand() {
    let (few, many) = (peak_kib(100_000), peak_kib(10_000_000));
    assert!(few > 0 && many < few + few / 2 + 4096, "{few} KiB for 10^5 tasks, {many} KiB for 10^7");
}

/// Runs the program in a shell that has lowered a limit first.
fn limited(limit: &str, arguments: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_poolscope");
    Command::new("/bin/sh")
        .args(["-c", &format!("ulimit {limit}; exec {program} {arguments}")])
        .env("POOLSCOPE_CACHE_DIR", cache())
        .env("POOLSCOPE_DB", "off")
        .output()
        .unwrap()
}

#[test]
fn too_few_descriptors_are_waited_for_and_no_task_is_lost() {
    let file = file(
        "version: 1\nname: many\ntasks: [{ name: t, kind: sleep, count: 200, \
         service_time: { dist: constant, value: 10ms } }]\n\
         engines: [{ kind: pool, workers: 60 }, { kind: process, workers: 60 }]\n",
    );
    for engine in ["pool", "process"] {
        // The hard limit too: the program raises the soft one.
        let arguments = format!("run {} --i-know --engine {engine} --format json --quiet", path(&file));
        let result = json(&limited("-n 64", &arguments));
        let run = &result["arms"][0]["runs"][0];
        conserved(run);
        assert_eq!(run["tasks"]["succeeded"], 200, "{engine}");
    }
}

#[test]
fn a_process_limit_is_waited_out_and_told() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    if !rustix::process::geteuid().is_root() {
        println!("not checked: only root can become a user whose number of processes is known");
        return;
    }
    // A user without any process, who must be able to reach the program and to write its cache.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("poolscope");
    // By another program: a descriptor that is open for writing here could be inherited by a child of another test, and
    // the file could not be run then.
    let copied = Command::new("/bin/cp").arg(env!("CARGO_BIN_EXE_poolscope")).arg(&program).status().unwrap();
    assert!(copied.success());
    let workload = folder.path().join("many.yaml");
    std::fs::write(
        &workload,
        "version: 1\nname: many\ntasks: [{ name: t, kind: sleep, count: 100, \
         service_time: { dist: constant, value: 20ms } }]\n\
         engines: [{ kind: pool, workers: 40 }, { kind: process, workers: 40 }]\n",
    )
    .unwrap();
    for engine in ["pool", "process"] {
        // Poolscope has a handful of threads, which count too: there is room for about ten workers.
        let script = format!(
            "{{ ulimit -u 16 2>/dev/null || ulimit -p 16; }} && exec {} run {} --i-know --engine {engine} --format json",
            program.display(),
            workload.display()
        );
        let output = Command::new("/bin/sh")
            .args(["-c", &script])
            .uid(54_321)
            .gid(54_321)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("POOLSCOPE_CACHE_DIR", folder.path().join(format!("cache-{engine}")))
            .env("POOLSCOPE_DB", "off")
            .output()
            .unwrap();
        let result = json(&output);
        let run = &result["arms"][0]["runs"][0];
        conserved(run);
        assert_eq!(run["tasks"]["succeeded"], 100, "{engine}: {run}");
        let notes = run["notes"].to_string();
        assert!(notes.contains("could not be started"), "{engine}: {notes}");
    }
}

#[test]
fn all_arms_at_once_need_room_for_all() {
    let file = file(
        "version: 1\nname: two\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 200 }]\n\
         engines: [{ kind: pool, workers: 40 }, { kind: process, workers: 40 }]\nmeasure: { warmup: 0, repeats: 1 }\n",
    );
    // Room for some 50 workers.
    let compare = format!("compare {} --quiet", path(&file));
    code(&limited("-n 200", &compare), 0);
    let output = limited("-n 200", &format!("{compare} --together"));
    code(&output, 2);
    assert!(text(&output.stderr).contains("all arms together need 240 open files"), "{}", text(&output.stderr));
    code(&limited("-n 400", &format!("{compare} --together")), 0);
}

#[test]
fn what_no_flag_mends_gives_no_hint_of_a_flag() {
    for more in ["", "--i-know"] {
        let output = limited("-n 30", &format!("run cpu-uniform {more}"));
        code(&output, 2);
        let told = text(&output.stderr);
        assert!(told.contains("one worker needs") && !told.contains("--i-know"), "{told}");
    }
    let output = limited("-n 30", "doctor");
    assert!(text(&output.stdout).contains("not even one worker works here"), "{}", text(&output.stdout));
}

/// An arm keeps its faults whatever place it has among those that are run.
#[test]
fn a_fault_strikes_the_arm_that_it_names() {
    let file = "version: 1\nname: named\ntotal: 40\ntasks: [{ name: t, kind: kernel, kernel: noop }]\n\
                engines: [{ name: first, kind: pool, workers: 1 }, { name: second, kind: pool, workers: 1 }]\n\
                faults: [{ kind: crash, at: 7, engine: second }]\nmeasure: { warmup: 0, repeats: 1 }\n";
    let lost = |arguments: &[&str]| -> Vec<(String, u64)> {
        let output = run_with(&[arguments, &["--format", "json", "--no-progress"]].concat(), file.as_bytes());
        let document: Value = serde_json::from_slice(&output.stdout).expect("a result");
        let arms = document["arms"].as_array().expect("arms");
        let of = |arm: &Value| {
            let lost = arm["runs"][0]["tasks"]["lost"].as_u64().expect("a number");
            (arm["name"].as_str().expect("a name").to_owned(), lost)
        };
        arms.iter().map(of).collect()
    };
    let told = |names: &[(&str, u64)]| names.iter().map(|(name, lost)| ((*name).to_owned(), *lost)).collect::<Vec<_>>();
    assert_eq!(lost(&["compare", "-"]), told(&[("first", 0), ("second", 1)]));
    assert_eq!(lost(&["compare", "-", "--engines", "second,first"]), told(&[("second", 1), ("first", 0)]));
    assert_eq!(lost(&["run", "-", "--engine", "second"]), told(&[("second", 1)]));
    assert_eq!(lost(&["run", "-", "--engine", "first"]), told(&[("first", 0)]));
}

#[test]
fn an_arm_is_compared_once() {
    let output = run(&["compare", "cpu-uniform", "--engines", "pool,process,pool"]);
    code(&output, 2);
    assert!(text(&output.stderr).contains("--engines names pool twice"), "{}", text(&output.stderr));
}

const COMMAND: &str = "version: 1\ntasks: [{ name: t, kind: command, command: [\"true\"], count: 1 }]\n";

/// Runs with something on standard input.
fn run_with(arguments: &[&str], input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut command = poolscope(arguments);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that has read enough closes the pipe.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[test]
fn a_workload_comes_from_standard_input_too() {
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let output = run_with(&["run", name, "--format", "json", "--quiet"], KERNELS.as_bytes());
        assert_eq!(json(&output)["arms"][0]["runs"][0]["tasks"]["succeeded"], 120, "{name}");
    }
    let shell = "\"$0\" check <(printf 'version: 1\\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 3 }]\\n')";
    let output = Command::new("bash").args(["-c", shell, env!("CARGO_BIN_EXE_poolscope")]).output().unwrap();
    code(&output, 0);
    assert!(text(&output.stdout).contains("/dev/fd/") && text(&output.stdout).contains("tasks     3"), "{output:?}");
    let bad = run_with(&["check", "-"], b"version: 1\nseed: 0x\n");
    code(&bad, 2);
    assert!(text(&bad.stdout).contains("stdin:2:7: seed: found `0x`"), "{}", text(&bad.stdout));
    let endless = run_with(&["run", "-"], &vec![b'#'; 8 << 20]);
    code(&endless, 2);
    assert!(text(&endless.stderr).contains("larger than 1 MiB"), "{}", text(&endless.stderr));
    // Without a terminal the dashboard is a comparison, wherever its workload comes from.
    let small =
        "version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 3 }]\nmeasure: { warmup: 0, repeats: 1 }\n";
    let output = run_with(&["-"], small.as_bytes());
    code(&output, 0);
    assert!(text(&output.stderr).contains("no terminal: running headless"), "{}", text(&output.stderr));
}

#[test]
fn what_takes_too_long_is_refused_before_anything_starts() {
    let long =
        "version: 1\ntasks: [{ name: t, kind: sleep, count: 500000, service_time: { dist: constant, value: 1h } }]\n";
    let file = file(long);
    for verb in ["check", "compare"] {
        let output = run(&[verb, path(&file)]);
        code(&output, 2);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains("take at least") && said.contains("--max-time is 10min"), "{said}");
    }
    code(&run(&["check", path(&file), "--i-know"]), 0);
    let short = long.replace("500000", "2").replace("1h", "10ms");
    std::fs::write(file.path(), short).unwrap();
    code(&run(&["check", path(&file)]), 0);
    code(&run(&["compare", path(&file), "--max-time", "1ms", "--quiet"]), 2);
    code(&run(&["compare", path(&file), "--max-time", "1h", "--quiet"]), 0);
    std::fs::write(file.path(), COMMAND).unwrap();
    let unknown = run(&["check", path(&file), "--max-time", "1ms"]);
    code(&unknown, 0);
    assert!(text(&unknown.stdout).contains("how long `t` takes is known only by running it"), "{unknown:?}");
}

#[test]
fn check_says_where_commands_run_and_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let real = std::fs::canonicalize(folder.path()).unwrap();
    std::fs::write(folder.path().join("plain.sh"), "").unwrap();
    let tasks = ["./no.sh", "./plain.sh", "no-such-program-at-all", "true", "./job-{index}.sh"];
    let tasks: Vec<String> = (0..)
        .zip(tasks)
        .map(|(number, program)| {
            format!("  - {{ name: t{number}, kind: command, command: [\"{program}\"], count: 1 }}\n")
        })
        .collect();
    std::fs::write(folder.path().join("w.yaml"), format!("version: 1\ntasks:\n{}", tasks.concat())).unwrap();
    let output = run(&["check", folder.path().join("w.yaml").to_str().unwrap()]);
    code(&output, 0);
    let said = text(&output.stdout);
    assert!(said.contains(&format!("commands  run in {}", real.display())), "{said}");
    for warning in ["./no.sh: not found", "./plain.sh: not executable", "no-such-program-at-all: not found in PATH"] {
        assert!(said.contains(warning), "{warning}\n{said}");
    }
    assert_eq!(said.matches("WARNING").count(), 3, "{said}");
    let bundled = run(&["check", "commands"]);
    assert!(text(&bundled.stdout).contains("commands  run in the current folder"), "{bundled:?}");
}

#[test]
fn own_workloads_are_listed_first_and_can_be_typed_back() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    std::fs::create_dir(folder.path().join("workloads")).unwrap();
    write("mine.yaml", COMMAND);
    write("-odd.yml", COMMAND);
    write("broken.yaml", "version: 1\ntasks: [\n");
    write("compose.yaml", "version: 3\nservices: {}\n");
    write("workloads/more.yaml", COMMAND);
    let list = poolscope(&["list", "--format", "json"]).current_dir(folder.path()).output().unwrap();
    let list = json(&list);
    let names: Vec<&str> =
        list["workloads"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        names[..5],
        ["./-odd.yml", "broken.yaml", "mine.yaml", "workloads/more.yaml", "cpu-uniform"],
        "{names:?}"
    );
    assert_eq!(list["workloads"][1]["valid"], false);
    assert!(list["workloads"][1]["error"].as_str().unwrap().contains("broken.yaml:"), "{list}");
    for name in ["./-odd.yml", "mine.yaml", "workloads/more.yaml", "cpu-uniform"] {
        code(&poolscope(&["check", name]).current_dir(folder.path()).output().unwrap(), 0);
    }
}

#[test]
fn a_change_is_reported_at_the_change() {
    let output = run(&["run", "cpu-uniform", "--set", "seed=2", "--set", "engines.0.workers=none"]);
    code(&output, 2);
    let said = text(&output.stderr);
    assert!(said.contains("--set:2:19: engines[0].workers: found `none`"), "{said}");
    let file = file("version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 3 }]\n");
    let result = json(&run(&["run", path(&file), "--set", "engines.0.workers=3", "--format", "json", "--quiet"]));
    assert_eq!((&result["arms"][0]["name"], &result["arms"][0]["workers"]), (&Value::from("pool"), &Value::from(3)));
}

/// Resident memory of a process, in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn rounds_that_are_over_take_little_memory() {
    use std::io::BufRead as _;
    let file = file(
        "version: 1\nname: many\nseed: 1\ntasks: [{ name: t, kind: sleep, count: 60, \
         service_time: { dist: uniform, min: 10us, max: 200us } }]\n\
         engines: [{ kind: pool, workers: 2 }, { kind: pool, name: other, workers: 1 }]\n",
    );
    let mut program = Command::new(env!("CARGO_BIN_EXE_poolscope"))
        .args(["compare", path(&file), "--warmup", "0", "--repeats", "1000"])
        .env("POOLSCOPE_CACHE_DIR", cache())
        .env("POOLSCOPE_DB", "off")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut sizes = Vec::new();
    for line in std::io::BufReader::new(program.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if ["run 50/", "run 450/"].iter().any(|round| line.starts_with(round)) && line.contains("other") {
            sizes.push(resident(program.id()));
            if sizes.len() == 2 {
                break;
            }
        }
    }
    program.kill().unwrap();
    program.wait().unwrap();
    let growth = sizes[1].saturating_sub(sizes[0]);
    // Whole runs would be 50 KiB and more a round. Over fewer rounds chance decides: what the allocator gives back, and when.
    assert!(growth < 400 * 10 * 1024, "{growth} bytes in 400 rounds: {sizes:?}");
}
