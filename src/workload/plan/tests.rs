//! Predictions against what can be worked out by hand.

use super::*;
use crate::workload::load::load as load_text;

const PROCESSES: Room = Room { limit: 1000, used: 100, reserve: 100, each: 1, source: "RLIMIT_NPROC" };
const MACHINE: Machine =
    Machine { cores: 2, memory_bytes: 1 << 30, memory_source: "free memory", processes: PROCESSES, descriptors: None };

fn plan_of(text: &str) -> Plan {
    plan(&load_text(text, "test").unwrap_or_else(|problems| panic!("{problems}")).workload, MACHINE)
}

fn sleeps(count: u64, dist: &str, fields: &str, rest: &str) -> Plan {
    plan_of(&format!(
        "version: 1\nseed: 1\ntasks: [{{ name: t, kind: sleep, count: {count}, service_time: {dist}{fields} }}]\n{rest}\n"
    ))
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

#[test]
fn equal_tasks_come_in_waves() {
    let engines = "engines: [{ kind: pool, workers: 3 }, { kind: serial }, { kind: process, workers: unbounded }]";
    let plan = sleeps(7, "{ dist: constant, value: 2s }", "", engines);
    let predicted: Vec<_> =
        plan.engines.iter().map(|engine| (engine.waves, engine.makespan.unwrap().at_least_s)).collect();
    assert_eq!(predicted, [(Some(3), 6.0), (Some(7), 14.0), (Some(1), 2.0)]);
    assert_eq!(plan.engines[2].peak_processes, 7);
    assert_eq!(plan.at_least_s, Some(22.0 * 6.0));
}

#[test]
fn cpu_work_cannot_be_faster_than_the_cores() {
    let plan = plan_of(
        "version: 1\ntasks: [{ name: t, kind: cpu, count: 8, service_time: { dist: constant, value: 1s } }]\n\
         engines: [{ kind: pool, workers: 8 }, { name: two, kind: pool, workers: auto }]\n",
    );
    assert_eq!(plan.cpu_s, 8.0);
    let makespan = plan.engines[0].makespan.unwrap();
    assert_eq!((makespan.at_least_s, makespan.at_most_s), (4.0, 4.0));
    assert_eq!(plan.engines[1].workers, Some(2));
    assert_eq!(plan.engines[1].makespan.unwrap().at_least_s, 4.0);
}

#[test]
fn an_engine_with_cpus_of_its_own_has_as_many_workers_and_cores() {
    let plan = plan_of(
        "version: 1\ntasks: [{ name: t, kind: cpu, count: 8, service_time: { dist: constant, value: 1s } }]\n\
         engines: [{ kind: pool, affinity: [1] }, { kind: process, workers: 4, affinity: 0-1 }, { name: p, kind: process, affinity: 0-3 },\n\
         { name: four, kind: pool, workers: 4, affinity: [0] }]\n",
    );
    let facts = plan.engines.iter().map(|engine| (engine.workers, engine.makespan.unwrap().at_least_s));
    // Two cores are what there is of four.
    assert_eq!(facts.collect::<Vec<_>>(), [(Some(1), 8.0), (Some(4), 4.0), (Some(2), 4.0), (Some(4), 8.0)]);
}

#[test]
fn different_tasks_are_scheduled_greedily_in_their_order() {
    let text = |order: &str| {
        format!(
            "version: 1\norder: {order}\ntasks:\n  - {{ name: a, kind: sleep, count: 2, service_time: {{ dist: constant, value: 1s }} }}\n  \
             - {{ name: b, kind: sleep, count: 1, service_time: {{ dist: constant, value: 2s }} }}\nengines: [{{ kind: pool, workers: 2 }}]\n"
        )
    };
    // 1 1 2 on two workers: the long one starts last. Longest first: 2 | 1 1.
    assert_eq!(plan_of(&text("as_generated")).engines[0].makespan.unwrap().at_least_s, 3.0);
    assert_eq!(plan_of(&text("lpt")).engines[0].makespan.unwrap().at_least_s, 2.0);
    assert_eq!(plan_of(&text("lpt")).engines[0].waves, None);
}

#[test]
fn a_timeout_cuts_a_task_and_each_retry_again() {
    let engines = "engines: [{ kind: serial }]";
    let plan =
        sleeps(4, "{ dist: constant, value: 2s }", ", timeout: 500ms, retries: { max: 1, on: [timeout] }", engines);
    assert!(close(plan.engines[0].makespan.unwrap().at_least_s, 4.0), "{:?}", plan.engines[0].makespan);
    let once =
        sleeps(4, "{ dist: constant, value: 2s }", ", timeout: 500ms, retries: { max: 1, on: [crash] }", engines);
    assert!(close(once.engines[0].makespan.unwrap().at_least_s, 2.0));
}

#[test]
fn millions_of_tasks_are_bounded_by_means() {
    let dist = "{ dist: exponential, mean: 1ms }";
    let engines = "engines: [{ kind: pool, workers: 10 }]";
    let scheduled = sleeps(1_000_000, dist, "", engines).engines[0].makespan.unwrap();
    assert!(scheduled.scheduled && scheduled.at_least_s == scheduled.at_most_s);
    let bounded = sleeps(1_000_001, dist, "", engines).engines[0].makespan.unwrap();
    assert!(!bounded.scheduled);
    assert!((bounded.at_least_s..bounded.at_most_s).contains(&scheduled.at_most_s), "{scheduled:?} {bounded:?}");
    assert!(bounded.at_most_s < 1.2 * bounded.at_least_s, "{bounded:?}");
}

#[test]
fn what_is_known_only_by_running_is_not_predicted() {
    let plan = plan_of(
        "version: 1\ntasks:\n  - { name: a, kind: command, command: [\"true\"], count: 5 }\n  \
         - { name: b, kind: sleep, count: 1, service_time: { dist: constant, value: 1s } }\nengines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]\n",
    );
    assert_eq!(plan.unknown, ["a"]);
    assert!(plan.engines.iter().all(|engine| engine.makespan.is_none()));
    // What is known of it is the least: a second over two workers, six runs of two engines.
    assert_eq!(plan.at_least_s, Some(6.0));
    let nothing = plan_of("version: 1\ntasks: [{ name: a, kind: command, command: [\"true\"], count: 5 }]\n");
    assert_eq!(nothing.at_least_s, None);
    // A pool worker and the command it runs; a process engine runs the command itself.
    assert_eq!(plan.engines.iter().map(|engine| engine.peak_processes).collect::<Vec<_>>(), [4, 2]);
}

#[test]
fn a_ramp_that_tasks_do_not_last_for_ends_where_they_are_used_up() {
    let ramp = |total: &str, more: &str| {
        plan_of(&format!(
            "version: 1\nseed: 1\n{total}\
             tasks: [{{ name: t, kind: sleep, weight: 1, service_time: {{ dist: constant, value: 10ms }} }}]\n\
             arrivals: {{ mode: open, process: ramp, {more} }}\nengines: [{{ kind: pool, workers: 1 }}]\n"
        ))
    };
    let one = "rate: { from: 0.001/s, to: 200/s }, duration: 10s";
    // A quarter of the arrivals come in the first half, at whose end the rate is half of the highest.
    let plan = ramp("total: 250\n", one);
    let arrivals = plan.arrivals.unwrap();
    assert!((arrivals.stages[0].end_rate.unwrap() - 100.0).abs() < 0.1, "{arrivals:?}");
    assert!(
        (plan.engines[0].utilisation[0] - 1.0).abs() < 0.001
            && (plan.engines[0].mean_utilisation[0] - 0.5).abs() < 0.001
    );
    let whole = ramp("", one);
    assert!(close(whole.engines[0].utilisation[0], 2.0), "{whole:?}");
    let three = |total: &str| {
        let stages = "[{ duration: 1s, rate: 10/s }, { duration: 1s, rate: 50/s }, { duration: 1s, rate: 500/s }]";
        plan_of(&format!(
            "version: 1\nseed: 1\ntotal: {total}\n\
             tasks: [{{ name: t, kind: sleep, weight: 1, service_time: {{ dist: constant, value: 10ms }} }}]\n\
             arrivals: {{ mode: open, process: constant, stages: {stages} }}\nengines: [{{ kind: pool, workers: 1 }}]\n"
        ))
    };
    let two = three("40");
    assert_eq!((two.engines[0].utilisation.len(), two.warnings.len()), (2, 0), "the third is not reached: {two:?}");
    assert_eq!(three("9").engines[0].utilisation.len(), 1);
    assert_eq!((three("560").engines[0].utilisation.len(), three("560").warnings.len()), (3, 1));
}

#[test]
fn a_bounded_queue_drops_open_arrivals_and_says_so() {
    let text = "version: 1\nseed: 1\ntasks: [{ name: t, kind: sleep, service_time: { dist: constant, value: 100ms } }]\n\
                arrivals: { mode: open, process: poisson, rate: 4000/s, duration: 1s }\n\
                engines: [{ name: b, kind: pool, workers: 4, queue_capacity: 9 }]\n";
    let plan = plan_of(text);
    assert_eq!(plan.refusals, [], "nothing fills memory");
    let [warning] = plan.warnings.as_slice() else { panic!("{:?}", plan.warnings) };
    assert!(warning.message.contains("once `queue_capacity` is reached, arrivals are dropped"), "{}", warning.message);
    let unbounded = plan_of(&text.replace(", queue_capacity: 9", ""));
    assert!(unbounded.refusals[0].message.contains("would fill memory"), "{:?}", unbounded.refusals);
}

#[test]
fn utilisation_of_open_arrivals_and_its_warning() {
    let text = |limit: &str, rate: &str| {
        format!(
            "version: 1\nseed: 1\ntasks: [{{ name: t, kind: sleep, service_time: {{ dist: exponential, mean: 100ms }} }}]\n\
             arrivals: {{ mode: open, process: poisson, stages: [{{ duration: 1s, rate: 10/s }}, {{ duration: 1s, rate: {rate} }}]{limit} }}\n\
             engines: [{{ kind: pool, workers: 4 }}]\n"
        )
    };
    let plan = plan_of(&text("", "80/s"));
    assert!(close(plan.engines[0].utilisation[0], 0.25) && close(plan.engines[0].utilisation[1], 2.0));
    assert_eq!(plan.warnings.len(), 1);
    assert_eq!(plan.warnings[0].key, "arrivals.stages[1].rate");
    assert!(plan.warnings[0].message.contains("the queue will grow without bound: that may be the lesson"));
    assert_eq!(plan.refusals, []);
    assert!(close(plan.arrivals.unwrap().span_s, 2.0));

    let flood = plan_of(&text("", "4000/s"));
    assert_eq!(flood.refusals[0].key, "arrivals.stages[1].rate");
    assert!(flood.refusals[0].message.contains("max_in_flight"));
    assert_eq!(plan_of(&text(", max_in_flight: 50", "4000/s")).refusals, []);
    for (limit, says) in [("max_in_flight: 50", "are dropped"), ("max_in_flight: 50, on_full: block", "are held up")] {
        let plan = plan_of(&text(&format!(", {limit}"), "80/s"));
        let said = plan.warnings.iter().map(|note| note.message.as_str()).collect::<String>();
        assert!(said.contains(says) && !said.contains("without bound"), "{limit}: {said}");
    }
}

#[test]
fn a_closed_loop_is_a_batch_on_as_many_workers_as_have_tasks() {
    let text = |arrivals: &str| {
        format!(
            "version: 1\ntasks: [{{ name: t, kind: sleep, count: 12, service_time: {{ dist: constant, value: 100ms }} }}]\n\
             {arrivals}\nengines: [{{ kind: pool, workers: 4 }}, {{ kind: process, workers: unbounded }}]\n"
        )
    };
    let ends =
        |plan: &Plan| plan.engines.iter().map(|it| (it.makespan.unwrap().at_most_s * 1e3).round()).collect::<Vec<_>>();
    let batch = plan_of(&text(""));
    assert_eq!((ends(&batch), batch.max_in_flight), (vec![300.0, 100.0], None));
    let few = plan_of(&text("arrivals: { mode: closed, max_in_flight: 2 }"));
    assert_eq!((ends(&few), few.max_in_flight), (vec![600.0, 600.0], Some(2)));
    assert_eq!(few.engines.iter().map(|engine| engine.peak_processes).collect::<Vec<_>>(), [4, 2]);
    let warned: Vec<&str> = few.warnings.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(warned, ["arrivals.max_in_flight"], "{:?}", few.warnings);
    let many = plan_of(&text("arrivals: { mode: closed, max_in_flight: 8 }"));
    assert_eq!((ends(&many), many.warnings.len()), (vec![300.0, 200.0], 0));
    assert_ne!(few.stream_hash, many.stream_hash);
    assert_ne!(few.stream_hash, batch.stream_hash);
}

#[test]
fn initializers_are_part_of_the_makespan() {
    let ends = |times: &str, cores: u32| {
        let text = format!(
            "version: 1\nseed: 1\ntasks:\n{times}\nengines:\n  \
             - {{ kind: pool, workers: 2, initializer: {{ cpu: 500ms }} }}\n  \
             - {{ name: recycled, kind: pool, workers: 2, max_tasks_per_child: 2, initializer: {{ cpu: 500ms }} }}\n  \
             - {{ kind: process, workers: 2, initializer: {{ cpu: 500ms }} }}\n"
        );
        let workload = load_text(&text, "t").unwrap_or_else(|problems| panic!("{problems}")).workload;
        let plan = plan(&workload, Machine { cores, ..MACHINE });
        let of =
            |it: &EnginePlan| it.makespan.map(|span| ((span.at_least_s * 1e3).round(), (span.at_most_s * 1e3).round()));
        plan.engines.iter().map(|engine| of(engine).unwrap()).collect::<Vec<_>>()
    };
    let one = "  - { name: t, kind: sleep, count: 10, service_time: { dist: constant, value: 100ms } }";
    // Five tasks a worker: one initializer, three, five.
    assert_eq!(ends(one, 2), [(1000.0, 1000.0), (2000.0, 2000.0), (3000.0, 3000.0)]);
    // On one core the initializers of two workers take turns, at the best beside tasks that sleep.
    assert_eq!(ends(one, 1)[2], (5000.0, 6000.0));
    // The same, scheduled one by one.
    let two = "  - { name: a, kind: sleep, count: 8, service_time: { dist: constant, value: 100ms } }\n  \
               - { name: b, kind: sleep, count: 2, service_time: { dist: constant, value: 200ms } }";
    assert_eq!(ends(two, 2), [(1100.0, 1100.0), (2100.0, 2100.0), (3100.0, 3100.0)]);
}

#[test]
fn a_ramp_that_passes_through_overload_is_not_called_endless() {
    let plan = plan_of(
        "version: 1\ntasks: [{ name: t, kind: sleep, service_time: { dist: constant, value: 100ms } }]\n\
         arrivals: { mode: open, process: ramp, rate: { from: 10/s, to: 80/s }, duration: 1s }\n\
         engines: [{ kind: pool, workers: 4 }]\n",
    );
    assert_eq!(plan.warnings[0].key, "arrivals", "it has no `stages`");
    assert!(!plan.warnings[0].message.contains("without bound"), "{:?}", plan.warnings);
    assert!(plan.warnings[0].message.contains("at up to 80 tasks/s"), "{:?}", plan.warnings);
}

#[test]
fn cpu_utilisation_is_limited_by_cores() {
    let plan = plan_of(
        "version: 1\nseed: 1\ntasks: [{ name: t, kind: cpu, service_time: { dist: constant, value: 10ms } }]\n\
         arrivals: { mode: open, process: constant, rate: 100/s, duration: 1s }\n\
         engines: [{ kind: pool, workers: 8 }, { kind: process, workers: unbounded }]\n",
    );
    assert!(plan.engines.iter().all(|engine| close(engine.utilisation[0], 0.5)), "{:?}", plan.engines);
}

#[test]
fn the_safety_envelope_refuses_with_numbers() {
    // Of 1000, 100 are in use and 100 are kept for others.
    let engines = "engines: [{ kind: pool, workers: 801 }]";
    let refused = sleeps(5000, "{ dist: constant, value: 1ms }", "", engines);
    let message = &refused.refusals[0].message;
    for words in
        ["801 processes", "of RLIMIT_NPROC, a limit of 1000, 100 are in use", "800 is the largest number of workers"]
    {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(sleeps(5000, "{ dist: constant, value: 1ms }", "", &engines.replace("801", "800")).refusals, []);
    assert_eq!(sleeps(5, "{ dist: constant, value: 1ms }", "", engines).refusals, [], "five tasks start five workers");

    let unbounded =
        sleeps(5000, "{ dist: constant, value: 1ms }", "", "engines: [{ kind: process, workers: unbounded }]");
    assert!(unbounded.refusals[0].message.contains("5000 processes"));

    let descriptors = Some(Room { limit: 100, used: 10, reserve: 40, each: 3, source: "RLIMIT_NOFILE" });
    let tight = |workers: u32| {
        let text = format!(
            "version: 1\ntasks: [{{ name: t, kind: command, count: 99, command: [x] }}]\nengines: [{{ kind: pool, workers: {workers} }}]\n"
        );
        let machine = Machine { descriptors, ..MACHINE };
        let workload = load_text(&text, "test").unwrap().workload;
        assert_eq!(most_workers(&workload, machine), 16, "what is refused and what a key may ask for agree");
        plan(&workload, machine).refusals
    };
    assert_eq!(tight(16), []);
    assert!(tight(17)[0].message.contains("51 open files for 17 workers"), "{:?}", tight(17));
    assert!(tight(17)[0].message.contains("16 is the largest"), "{:?}", tight(17));

    let memory = |workers: u32| {
        let text = format!(
            "version: 1\ntasks: [{{ name: t, kind: memory, bytes: 200MiB, count: 9 }}]\nengines: [{{ kind: pool, workers: {workers} }}]\n"
        );
        assert_eq!(most_workers(&load_text(&text, "test").unwrap().workload, MACHINE), 4);
        plan_of(&text)
    };
    assert_eq!(memory(4).refusals, []);
    assert!(memory(5).refusals[0].message.contains("80 %"), "{:?}", memory(5).refusals);
}

#[test]
fn a_limit_longer_than_the_run_is_a_warning_of_the_plan_only_where_loading_was_silent() {
    let engines = "engines: [{ kind: pool, workers: 4 }]";
    let dist = "{ dist: constant, value: 1s }";
    // One worker needs 8 s, four need 2 s.
    let plan = sleeps(8, dist, ", queue_timeout: 3s", engines);
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
    assert_eq!(plan.warnings[0].key, "tasks[0].queue_timeout");
    assert_eq!(sleeps(8, dist, ", queue_timeout: 9s", engines).warnings, []);
    assert_eq!(sleeps(8, dist, ", queue_timeout: 1s", engines).warnings, []);
}

#[test]
fn what_takes_too_long_is_refused_with_the_numbers() {
    let second = "{ dist: constant, value: 1s }";
    let engines = "engines: [{ kind: serial }]";
    let refusal = |plan: &Plan, limit: Option<u64>| {
        let plan = plan.clone().limited(limit.map(Duration::from_secs));
        (plan.refusals.first().map(|note| note.message.clone()), plan.warnings.len())
    };
    // Six runs of 100 s are 10 min, of 101 s more.
    assert_eq!(refusal(&sleeps(100, second, "", engines), None), (None, 0));
    let long = sleeps(101, second, "", engines);
    let (message, _) = refusal(&long, None);
    let message = message.unwrap();
    assert!(
        message.contains("6 runs") && message.contains("10 min together") && message.contains("10min"),
        "{message}"
    );
    assert_eq!(refusal(&long, Some(607)).0, None);
    assert!(refusal(&sleeps(2, second, "", engines), Some(11)).0.unwrap().contains("12 s together; --max-time is 11s"));
    let years = sleeps(10_000_000_000, second, "", engines);
    assert!(refusal(&years, None).0.unwrap().contains("16666667 h"), "{:?}", refusal(&years, None));
    // A single run was asked for as it is: it is told, not refused.
    let once = sleeps(700, second, "", "engines: [{ kind: serial }]\nmeasure: { warmup: 0, repeats: 1 }");
    assert_eq!(refusal(&once, None), (None, 1));
    assert!(refusal(&once, Some(600)).0.unwrap().contains("the run takes at least 12 min"));
}

#[test]
fn the_least_time_counts_arrivals_the_queue_they_leave_and_pauses_before_retries() {
    let open = |rest: &str, rate: &str| {
        plan_of(&format!(
            "version: 1\nseed: 1\ntasks: [{{ name: t, kind: sleep, service_time: {{ dist: constant, value: 1s }} }}]\n\
             arrivals: {{ mode: open, process: constant, rate: {rate}, duration: 100s{rest} }}\n\
             engines: [{{ kind: pool, workers: 2 }}]\nmeasure: {{ warmup: 0, repeats: 1 }}\n"
        ))
        .at_least_s
        .unwrap()
    };
    assert!(close(open("", "1/s"), 100.0));
    assert!(close(open("", "8/s"), 400.0), "800 tasks of a second on two workers");
    assert!(close(open(", max_in_flight: 4", "8/s"), 100.0), "what finds no room is dropped");
    let retries = ", timeout: 1s, retries: { max: 3, on: [timeout], backoff: 60s }";
    let chain = sleeps(1, "{ dist: constant, value: 2s }", retries, "engines: [{ kind: serial }]");
    assert!(close(chain.at_least_s.unwrap(), 6.0 * 184.0), "{:?}", chain.at_least_s);
}

#[test]
fn zombies_take_places_in_the_process_table() {
    let never = |tasks: u64, workers: &str| {
        let engines = format!("engines: [{{ kind: process, workers: {workers}, reap: never }}]");
        sleeps(tasks, "{ dist: constant, value: 1ms }", "", &engines)
    };
    let plan = never(5000, "2");
    assert_eq!(plan.engines[0].peak_processes, 5000);
    assert_eq!(plan.refusals[0].key, "engines[0].reap");
    assert!(plan.refusals[0].message.contains("5000 zombies"), "{}", plan.refusals[0].message);
    assert_eq!(never(100, "2").refusals, []);
    assert_eq!(never(100, "unbounded").refusals, []);
}

#[test]
fn start_method_of_programs_alone_is_warned_about() {
    let text = "version: 1\nname: t\ntasks: [{ name: t, kind: command, count: 1, command: [\"true\"] }]\n\
                engines: [{ kind: process, start_method: forkserver }, { kind: pool, start_method: forkserver }]\n";
    let plan = plan(&crate::workload::load::load(text, "t").unwrap().workload, MACHINE);
    let keys: Vec<&str> = plan.warnings.iter().map(|note| note.key.as_str()).collect();
    assert_eq!(keys, ["engines[0].start_method"]);
}

/// Sleeping tasks on two workers, and when they are said to end.
fn ends(count: u64, dist: &str, fields: &str, rest: &str) -> Option<f64> {
    sleeps(count, dist, fields, &format!("engines: [{{ kind: pool, workers: 2 }}]\n{rest}")).engines[0]
        .makespan
        .map(|makespan| (makespan.at_most_s * 1e3).round() / 1e3)
}

const TWO_SECONDS: &str = "{ dist: constant, value: 2s }";

#[test]
fn a_ghost_keeps_its_place_and_the_run_does_not_wait_for_it() {
    let kill = ends(4, TWO_SECONDS, ", timeout: 500ms", "");
    assert_eq!(kill, Some(1.0), "each worker is replaced twice");
    // Two tasks are given up after half a second, their workers are free after two.
    let abandon = ends(4, TWO_SECONDS, ", timeout: 500ms, on_timeout: abandon", "");
    assert_eq!(abandon, Some(2.5));
    let by_arm = sleeps(
        4,
        TWO_SECONDS,
        ", timeout: 500ms",
        "engines: [{ kind: pool, workers: 2, on_timeout: abandon }, { name: k, kind: process, workers: 2 }]",
    );
    let both: Vec<_> = by_arm.engines.iter().map(|engine| engine.makespan.unwrap().at_most_s).collect();
    assert_eq!(both, [2.5, 1.0], "the arm's own rule wins");
    assert!(by_arm.engines.iter().all(|engine| engine.waves.is_none()) || by_arm.engines[1].waves == Some(2));
    // Tried again on another worker, which is a ghost then too.
    let again = ends(2, TWO_SECONDS, ", timeout: 500ms, on_timeout: abandon, retries: { max: 1, on: [timeout] }", "");
    assert_eq!(again, Some(2.5));
    // Offered load counts what ghosts take.
    let open = |on_timeout: &str| {
        let arrivals = "arrivals: { mode: open, process: constant, rate: 1/s, duration: 4s }";
        let text = format!(
            "version: 1\ntasks: [{{ name: t, kind: sleep, service_time: {TWO_SECONDS}, timeout: 500ms, on_timeout: {on_timeout} }}]\n\
             {arrivals}\nengines: [{{ kind: pool, workers: 2 }}]\n"
        );
        plan_of(&text).engines[0].utilisation[0]
    };
    assert_eq!((open("kill"), open("abandon")), (0.25, 1.0));
}

#[test]
fn tasks_that_wait_too_long_take_no_time() {
    // Two of six are begun before the second is over.
    assert_eq!(ends(6, TWO_SECONDS, ", queue_timeout: 1s", ""), Some(2.0));
    assert_eq!(
        ends(6, TWO_SECONDS, ", wait_timeout: 3s", ""),
        Some(3.0),
        "two in time, two given up in work, two waiting"
    );
    assert_eq!(ends(6, TWO_SECONDS, ", wait_timeout: 3s, on_timeout: abandon", ""), Some(3.0));
    assert_eq!(
        sleeps(6, TWO_SECONDS, ", wait_timeout: 3s", "engines: [{ kind: pool, workers: 2 }]").at_least_s,
        Some(18.0)
    );
    let looped = sleeps(6, TWO_SECONDS, ", queue_timeout: 1s", "arrivals: { mode: closed, max_in_flight: 2 }");
    let reason = looped.engines[0].not_predicted.as_deref().unwrap();
    assert!(looped.engines[0].makespan.is_none() && reason.contains("submitted as others end"), "{reason}");
}

#[test]
fn initializers_are_part_of_it_as_often_as_they_run() {
    let end = |spec: &str, fields: &str| {
        let plan = sleeps(4, TWO_SECONDS, fields, &format!("engines: [{{ {spec}, initializer: {{ cpu: 1s }} }}]"));
        plan.engines[0].makespan.unwrap().at_most_s
    };
    assert_eq!(end("kind: pool, workers: 2", ""), 5.0, "once for each worker");
    assert_eq!(end("kind: process, workers: 2", ""), 6.0, "once for each task");
    assert_eq!(end("kind: process, workers: 2, start_method: forkserver", ""), 5.0, "once, before all of them");
    assert_eq!(end("kind: pool, workers: 2", ", timeout: 500ms"), 3.0, "once more where a worker is replaced");
    let faulty = "engines: [{ kind: pool, workers: 2, initializer: { memory: 1MiB, fail_rate: 0.5 } }]\nfaults: [{ kind: crash, rate: 0.1 }]";
    let plan = sleeps(4, TWO_SECONDS, "", faulty);
    assert_eq!(plan.engines[0].leaves_out, ["faults", "the initializer's memory", "initializers that fail"]);
}

#[test]
fn what_is_offered_on_average_is_not_the_highest() {
    let text = "version: 1\ntasks: [{ name: t, kind: sleep, service_time: { dist: constant, value: 100ms } }]\n\
                arrivals: { mode: open, process: ramp, rate: { from: 0/s, to: 20/s }, duration: 10s }\n\
                engines: [{ kind: pool, workers: 2 }, { kind: process, workers: unbounded }]\n";
    let workload = load_text(text, "test").unwrap().workload;
    assert_eq!(plan(&workload, MACHINE).engines[0].utilisation, [1.0]);
    assert_eq!(offered(&workload, &workload.engines[0], Some(2), 2), [0.5]);
    assert_eq!(offered(&workload, &workload.engines[1], None, 2), [0.0], "there is no number of workers to share it");
}

#[test]
fn joins_in_order_and_tasks_that_are_dealt_are_not_predicted() {
    let plan = plan_of(
        "version: 1\nseed: 1\ntasks: [{ name: a, kind: sleep, count: 9, service_time: { dist: exponential, mean: 10ms } }]\nengines:\n  \
         - { kind: process, workers: 3, join: start_all_join_all }\n  - { kind: pool, workers: 3, dispatch: round_robin }\n  \
         - { kind: pool, name: shared, workers: 3 }\n",
    );
    let told = |arm: usize| (plan.engines[arm].makespan.is_some(), plan.engines[arm].not_predicted.is_some());
    assert_eq!([told(0), told(1), told(2)], [(false, true), (false, true), (true, false)]);
}
