//! How much the workers were asked for: stage by stage, and where tasks are held because there is no room.

use std::fmt::Write as _;

use poolscope::metrics::snapshot::Snapshot;

use super::loads;

/// Ten times a task of no length and one of 100 ms behind it, sent together, in an arm with these settings.
fn pairs(arrivals: &str, settings: &str) -> Snapshot {
    let mut text = format!(
        "version: 1\nname: pairs\nengines: [{{ kind: pool, workers: 1, {settings} }}]\n\
         measure: {{ warmup: 0, repeats: 1 }}\n{arrivals}\ntasks:\n"
    );
    for pair in 0..10 {
        for (name, value) in [("short", "1us"), ("long", "100ms")] {
            let time = format!("{{ dist: constant, value: {value} }}");
            writeln!(text, "  - {{ name: {name}{pair}, kind: sleep, count: 1, service_time: {time} }}").unwrap();
        }
    }
    let run = loads(&text).remove(0);
    assert_eq!(run.counts.succeeded, 20, "{arrivals} {settings}");
    Snapshot::clone(&run)
}

#[test]
fn the_law_holds_where_what_has_ended_is_reported_with_what_ends_much_later() {
    let batch = ["", "submit: map, chunksize: 10", "submit: map", "submit: imap, chunksize: 4", "chunksize: 10"];
    for settings in batch {
        let run = pairs("", settings);
        let little = run.load.little.unwrap();
        // Of each pair, one has ended when the pair begins and the other when it has ended: in all 10 s of 20
        // tasks in one second, but for the start of the worker.
        let least = (10.0, 0.5);
        let (system, sojourn) = (little.in_system, little.sojourn.as_secs_f64());
        assert!(sojourn >= least.1 && sojourn < 1.4 * least.1, "{settings}: {little:?}");
        assert!(system > 0.97 * least.0 && system < 1.4 * least.0, "{settings}: {little:?}");
        assert!(little.rate > 14.0 && little.rate <= 20.0, "{settings}: {little:?}");
        assert!(little.error() < 0.03, "{settings}: {} of {little:?}", little.error());
    }
    // Four in the system, and four at a time; of two pairs, tasks leave after 0, 100, 100 and 200 ms.
    for (arrivals, settings, most) in [
        ("arrivals: { mode: closed, max_in_flight: 4 }", "chunksize: 4", 4.0),
        ("arrivals: { mode: closed, max_in_flight: 4 }", "chunksize: 4, submit: imap", 4.0),
        ("arrivals: { mode: open, process: burst, burst: 4, every: 220ms }", "chunksize: 4", 2.4),
    ] {
        let little = pairs(arrivals, settings).load.little.unwrap();
        assert!(little.in_system > 1.0 && little.in_system <= most, "{arrivals}: {little:?}");
        assert!(little.error() < 0.05, "{arrivals}: {} of {little:?}", little.error());
    }
}

#[test]
fn tasks_that_are_held_wait_as_long_as_they_did_and_not_in_the_queue() {
    // Two long tasks come first. One has the only place, the other and all that come after them are held outside; the
    // callers of those give up there.
    let text = "
version: 1
name: held
arrivals: { mode: open, process: constant, rate: 50/s, max_in_flight: 1, on_full: block }
tasks:
  - { name: long, kind: sleep, count: 2, service_time: { dist: constant, value: 800ms } }
  - { name: quick, kind: sleep, count: 20, service_time: { dist: constant, value: 1ms }, wait_timeout: 100ms }
engines: [{ kind: pool, workers: 1 }, { kind: process, workers: 1, on_timeout: abandon }]
measure: { warmup: 0, repeats: 1 }
";
    for run in loads(text) {
        assert_eq!((run.counts.succeeded, run.counts.wait_timed_out, run.counts.submitted), (2, 20, 22));
        let little = run.load.little.unwrap();
        assert_eq!((little.left, little.without_sojourn), (22, 0));
        assert!(little.error() < 0.1, "what a caller waited is what it is said to have waited: {little:?}");
        // The queue has room for nobody: who is there is at work.
        assert!(run.queue.mean < 0.2, "{:?}", run.queue);
    }
}

#[test]
fn each_stage_has_a_utilisation_of_its_own() {
    let text = "
version: 1
name: stages
arrivals: { mode: open, process: constant, stages: [{ duration: 1s, rate: 10/s }, { duration: 1s, rate: 60/s }] }
tasks: [{ name: nap, kind: sleep, service_time: { dist: constant, value: 20ms } }]
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]
measure: { warmup: 0, repeats: 1 }
";
    for run in loads(text) {
        assert_eq!(run.stages.len(), 2, "{:?}", run.stages);
        let [first, second] = [0, 1].map(|stage| run.stages[stage].utilisation.unwrap());
        let whole = run.load.utilisation.unwrap();
        assert!(first < whole && whole < second, "{first} {whole} {second}");
        // A tenth and six tenths of the workers, and what the machine adds to either.
        assert!(first >= 0.08 && second >= 0.5 && second / first > 2.0, "{first} {second}");
    }
    let text = text.replace(
        "process: constant, stages: [{ duration: 1s, rate: 10/s }, { duration: 1s, rate: 60/s }]",
        "process: ramp, rate: { from: 0/s, to: 80/s }, duration: 1s",
    );
    for run in loads(&text) {
        assert_eq!(run.stages.len(), 1);
        let (stage, whole) = (run.stages[0].utilisation.unwrap(), run.load.utilisation.unwrap());
        assert!((stage - whole).abs() < 0.15, "one stage is nearly the whole run: {stage} {whole}");
    }
}

#[test]
fn the_chunksize_in_force_is_known() {
    let text = "
version: 1
name: chunks
tasks: [{ name: none, kind: kernel, kernel: noop, count: 4000 }]
engines:
  - { name: auto, kind: pool, workers: 2 }
  - { name: ten, kind: pool, workers: 2, chunksize: 10 }
  - { name: cpython, kind: pool, workers: 2, chunksize: cpython }
  - { kind: process, workers: 2 }
measure: { warmup: 0, repeats: 1 }
"
    .replace("{ kind: process, workers: 2 }", "{ kind: serial }");
    let runs = loads(&text);
    let chunks: Vec<_> = runs.iter().map(|run| *run.chunks.as_deref().unwrap()).collect();
    assert!(chunks.iter().all(|chunks| chunks.tasks == 4000), "{chunks:?}");
    assert!(chunks[0].size.get() > 10 && chunks[0].mean().unwrap() > 1.0, "tiny tasks travel together: {chunks:?}");
    assert_eq!((chunks[1].size.get(), chunks[1].sent, chunks[1].mean()), (10, 400, Some(10.0)));
    assert_eq!((chunks[2].size.get(), chunks[2].sent), (500, 8));
    let alone = "version: 1\nname: p\nengines: [{ kind: process, workers: 2 }]\nmeasure: { warmup: 0, repeats: 1 }\n\
                 tasks: [{ name: t, kind: kernel, kernel: noop, count: 4 }]\n";
    assert_eq!(loads(alone)[0].chunks, None, "each has a process of its own");
}

#[test]
fn limits_are_met_while_a_million_tasks_reach_theirs() {
    // Two classes in no order, so that each task has to be looked at; whichever hang are ended in the middle of that.
    let text = "
version: 1
name: mass
seed: 1
total: 1000000
tasks:
  - { name: hangs, kind: sleep, weight: 1, service_time: { dist: constant, value: 60s }, timeout: 400ms, queue_timeout: 2s }
  - { name: one, kind: sleep, weight: 20, service_time: { dist: constant, value: 1ms }, queue_timeout: 2s }
  - { name: other, kind: sleep, weight: 20, service_time: { dist: constant, value: 1ms }, queue_timeout: 2s }
engines: [{ kind: pool, workers: 2, submit: imap, dispatch: round_robin }]
measure: { warmup: 0, repeats: 1 }
";
    let control = super::support::Control::start();
    let run = loads(text).remove(0);
    let allowance = control.allowance();
    assert_eq!(run.counts.finished(), 1_000_000);
    assert!(
        run.counts.queue_timed_out > 900_000 && run.counts.timed_out > run.counts.queue_timed_out,
        "{:?}",
        run.counts
    );
    let longest = run.latency.service.max;
    let limit = std::time::Duration::from_millis(400);
    assert!(longest >= limit && longest <= limit + allowance, "{longest:?}, and {allowance:?} is allowed");
    assert_eq!(run.delivery.delivered.count, 1_000_000, "each caller is told, once");
}
