use super::*;

fn arm(kind: EngineKind, workers: u32, throughput: f64, cores: f64) -> ArmFigures {
    ArmFigures {
        name: kind.word().to_owned(),
        kind,
        workers,
        interpreter: "python3".to_owned(),
        gil: true,
        tasks: 24,
        place: 0,
        throughput,
        succeeded: 1.0,
        cores,
        blocked: None,
        suspect: false,
        probe: None,
    }
}

/// A run of each of these throughputs, one in each round.
fn runs(throughputs: &[f64]) -> Vec<RunFigure> {
    (0..)
        .zip(throughputs)
        .map(|(round, throughput)| RunFigure { throughput: *throughput, complete: true, round, suspect: false })
        .collect()
}

/// Serial, two threads and two processes, by throughput and cores used.
fn arms(serial: f64, threads: (f64, f64), processes: (f64, f64)) -> Vec<ArmFigures> {
    vec![
        arm(EngineKind::Serial, 1, serial, 1.0),
        arm(EngineKind::Thread, 2, threads.0, threads.1),
        arm(EngineKind::Pool, 2, processes.0, processes.1),
    ]
}

/// Three rounds in which each arm has its throughput.
fn evidence(arms: &[ArmFigures], cores: u32, control: Option<f64>) -> Vec<Evidence> {
    let all: Vec<_> = arms.iter().map(|arm| runs(&[arm.throughput; 3])).collect();
    measured(arms, &all, cores, control)
}

fn measured(arms: &[ArmFigures], runs: &[Vec<RunFigure>], cores: u32, control: Option<f64>) -> Vec<Evidence> {
    let arms: Vec<_> = (0..).zip(arms).map(|(place, arm)| ArmFigures { place, ..arm.clone() }).collect();
    super::evidence(&arms, (runs, Looks::Once(100)), cores, control)
}

fn of(arms: &[ArmFigures]) -> Evidence {
    evidence(arms, 2, Some(2.0)).remove(0)
}

#[test]
fn a_lock_that_is_held_is_told_in_one_sentence() {
    let told = of(&arms(10.0, (10.0, 1.0), (19.3, 1.93)));
    let sentence =
        "GIL: 2 threads, 1.0 of 2 cores, no faster than 1 (≤ 1.00×); 2 processes (pool), 1.9 cores, 1.9 times as fast";
    assert_eq!((told.sentence.as_str(), told.finding, told.suspect), (sentence, Finding::Held, None));
    assert!(
        told.details.iter().any(|line| line == "a native control (threads without Python) could use 2.0 of 2 cores"),
        "{:?}",
        told.details
    );
}

#[test]
fn a_lock_that_is_handed_over_uses_cores_and_gains_nothing() {
    for (threads, words) in [((10.0, 1.5), "no faster than 1"), ((7.8, 1.37), "slower than 1 (0.78 times as fast)")] {
        let told = of(&arms(10.0, threads, (19.3, 1.93)));
        assert_eq!(told.finding, Finding::HandedOver, "cores used alone do not decide");
        assert!(told.sentence.contains(words), "{}", told.sentence);
    }
}

#[test]
fn a_lock_that_is_released_lets_threads_work_side_by_side() {
    let told = of(&arms(10.0, (18.5, 1.95), (19.0, 1.95)));
    assert_eq!(told.finding, Finding::Released);
    assert!(told.sentence.starts_with("GIL: 2 threads, 1.9 of 2 cores, 1.9 times as fast as 1; "), "{}", told.sentence);
    assert_eq!(of(&arms(10.0, (14.0, 1.5), (19.0, 1.95))).finding, Finding::Partly);
}

#[test]
fn tasks_that_wait_hold_no_lock_and_waiting_is_not_called_waiting_for_it() {
    let mut arms = arms(100.0, (199.0, 0.01), (197.0, 0.01));
    (arms[0].cores, arms[0].blocked, arms[1].blocked) = (0.01, Some(0.99), Some(0.98));
    let told = of(&arms);
    assert_eq!(told.finding, Finding::Waiting);
    assert!(
        told.details.iter().any(|line| line.contains("98 % of the time in tasks waiting (GIL or I/O)")),
        "{told:?}"
    );
    // Many more threads than cores: they may all wait at once.
    (arms[1].workers, arms[1].throughput, arms[1].tasks) = (64, 6000.0, 1000);
    assert_eq!(of(&arms).finding, Finding::Waiting);
}

#[test]
fn what_is_blocked_waits_for_the_lock_only_if_it_is_not_blocked_alone() {
    let mut arms = arms(10.0, (10.0, 1.0), (19.3, 1.93));
    let word = |alone: Option<f64>, arms: &mut Vec<ArmFigures>| {
        (arms[0].blocked, arms[1].blocked) = (alone, Some(0.49));
        of(arms).details.iter().any(|line| line.contains("49 % of the time in tasks waiting for the GIL;"))
    };
    assert!(!word(Some(0.019), &mut arms), "it may be a lock of the task's own");
    let probe = |p50_s| Some(Lateness { samples: 40, p50_s, max_s: 0.03, switch_interval_s: 0.005 });
    arms[1].probe = probe(0.0001);
    assert!(!word(Some(0.019), &mut arms), "a probe did not have to wait");
    arms[1].probe = probe(0.0051);
    assert!(word(Some(0.019), &mut arms));
    assert!(!word(Some(0.02), &mut arms) && !word(None, &mut arms));
    (arms[0].blocked, arms[1].suspect) = (Some(0.0), true);
    assert!(
        !of(&arms).details.iter().any(|line| line.contains("of the time in tasks")),
        "nothing rests on suspect runs"
    );
}

#[test]
fn one_thread_at_a_time_is_the_gil_only_where_a_probe_says_so() {
    let mut arms = arms(10.0, (10.0, 1.0), (19.3, 1.93));
    assert_eq!(of(&arms).details[0], "one thread at a time: the GIL or a lock of the task's own");
    arms[1].probe = Some(Lateness { samples: 40, p50_s: 0.005, max_s: 0.03, switch_interval_s: 0.005 });
    assert_eq!(of(&arms).details[0], "one thread at a time runs Python: the others wait for the GIL");
}

#[test]
fn each_arm_with_threads_has_its_own_and_none_where_outcomes_differ() {
    let mut arms = arms(10.0, (10.0, 1.0), (19.3, 1.93));
    for (name, interpreter) in [("other", "python3.8"), ("more", "python3")] {
        let threads = ArmFigures { name: name.to_owned(), interpreter: interpreter.to_owned(), ..arms[1].clone() };
        arms.push(threads);
    }
    let named = |arms: &[ArmFigures]| -> Vec<String> {
        evidence(arms, 2, Some(2.0)).into_iter().map(|evidence| evidence.threads.name).collect()
    };
    assert_eq!(named(&arms), ["thread", "more"], "the other interpreter has nothing to be compared with");
    arms[1].succeeded = 0.5;
    assert_eq!(named(&arms), ["more"], "half of its tasks did something else");
    arms[2].succeeded = 0.5;
    assert_eq!(evidence(&arms, 2, Some(2.0))[0].processes, None, "so did the processes");
}

#[test]
fn what_may_have_been_used_between_tasks_is_held_against_none() {
    use crate::engine::event::Slot;
    use crate::metrics::fixtures::row;
    use crate::metrics::snapshot::ThreadUse;
    let seconds = std::time::Duration::from_secs_f64;
    let of = |between: f64| {
        let thread = ThreadUse { cpu: seconds(0.9), delay: seconds(0.0), between: seconds(between) };
        blocked([WorkerRow { busy: seconds(1.0), done: 10, thread: Some(thread), ..row(Slot(0)) }].iter())
    };
    assert!(of(0.02).is_some_and(|share| (share - 0.1).abs() < 1e-9));
    assert_eq!(of(0.12), None, "all of the CPU time there would hide that it was blocked for longer");
}

#[test]
fn without_a_lock_the_expectation_flips() {
    let mut free = arms(10.0, (19.0, 1.93), (19.3, 1.93));
    free.iter_mut().for_each(|arm| arm.gil = false);
    let told = of(&free);
    assert_eq!(told.finding, Finding::Off);
    assert!(
        told.sentence.starts_with("GIL off: 2 threads, 1.9 of 2 cores, 1.9 times as fast as 1"),
        "{}",
        told.sentence
    );
    free[1].throughput = 10.0;
    assert_eq!(of(&free).finding, Finding::NotTheLock, "there is none that could be held");
}

#[test]
fn where_processes_are_no_faster_either_it_is_not_the_lock() {
    assert_eq!(of(&arms(10.0, (10.0, 1.0), (10.3, 1.0))).finding, Finding::NotTheLock);
}

#[test]
fn without_free_cores_it_is_suspect() {
    let held = arms(10.0, (10.0, 1.0), (11.0, 1.0));
    let busy = evidence(&held, 2, Some(1.1)).remove(0);
    let words = "only 1.1 of 2 cores were free for a native control (threads without Python)";
    assert_eq!(busy.suspect.as_deref(), Some(words));
    assert!(evidence(&held, 1, Some(1.0)).remove(0).suspect.unwrap().starts_with("one usable core"));
    assert_eq!(evidence(&held, 1, Some(1.0)).remove(0).finding, Finding::NotTheLock);
    let mut disturbed = arms(10.0, (10.0, 1.0), (19.0, 1.9));
    disturbed[2].suspect = true;
    assert!(of(&disturbed).suspect.is_some());
}

#[test]
fn nothing_is_said_without_something_to_compare_or_with_too_few_tasks() {
    let all = arms(10.0, (10.0, 1.0), (19.3, 1.93));
    let said = |arms: &[ArmFigures]| !evidence(arms, 2, None).is_empty();
    assert!(said(&all) && said(&all[..2]), "processes are worth knowing, and not needed");
    assert!(!said(&all[1..]), "no serial arm");
    assert!(!said(&[all[0].clone(), all[2].clone()]), "no threads");
    let few: Vec<ArmFigures> = all.iter().map(|arm| ArmFigures { tasks: 7, ..arm.clone() }).collect();
    assert!(!said(&few), "too few tasks");
    let mut others = all;
    others[0].interpreter = "python3.8".to_owned();
    assert!(!said(&others), "another interpreter is no comparison");
}

#[test]
fn one_thread_alone_stands_in_for_a_serial_arm() {
    let mut single = arms(10.0, (10.0, 1.0), (19.3, 1.93));
    single[0].kind = EngineKind::Thread;
    assert_eq!(of(&single).finding, Finding::Held);
}

#[test]
fn what_an_interval_does_not_show_is_not_claimed() {
    let told = |threads: &[f64], processes: &[f64]| {
        let all = arms(10.0, (10.0, 1.0), (10.0, 1.9));
        let told = measured(&all, &[runs(&[10.0; 3]), runs(threads), runs(processes)], 2, Some(2.0)).remove(0);
        (told.finding, told.sentence, told.details, told.short)
    };
    // Twice as fast in one round and half as fast in another.
    let (finding, sentence, _, short) = told(&[20.0, 8.0, 19.0], &[19.0, 19.1, 19.2]);
    assert_eq!(finding, Finding::Unclear);
    assert!(
        sentence.contains("2 threads, 1.0 of 2 cores, no clear difference to 1 (0.") && sentence.contains(" to 5."),
        "{sentence}"
    );
    assert!(!sentence.contains("as fast as 1"), "{sentence}");
    assert_eq!(short, "GIL: 2 threads unclear; 2 processes (pool) 1.9 times as fast");
    // As fast on average, and that may be anything.
    let (finding, sentence, ..) = told(&[10.0, 16.0, 6.3], &[19.0, 19.1, 19.2]);
    assert!(finding == Finding::Unclear && !sentence.contains("no faster"), "{sentence}");
    // That it is the lock needs processes that are faster.
    let (finding, sentence, ..) = told(&[10.0, 10.1, 9.9], &[24.0, 8.0, 20.0]);
    assert_eq!(finding, Finding::Unclear);
    assert!(
        sentence.contains("no faster than 1 (≤ 1.03×); 2 processes (pool), 1.9 cores, no clear difference ("),
        "{sentence}"
    );
    let (finding, sentence, details, _) = told(&[10.0, 10.1, 9.9], &[19.0, 19.1, 19.2]);
    assert!(finding == Finding::Held && sentence.contains("no faster than 1 (≤ 1.03×);"), "{sentence}");
    assert!(details[1].starts_with("1.00 times the throughput of serial (95 % CI 0."), "{details:?}");
}

#[test]
fn one_run_of_each_is_too_early() {
    let all = arms(10.0, (10.0, 1.0), (19.3, 1.93));
    let told = measured(&all, &[10.0, 10.0, 19.3].map(|rate| runs(&[rate])), 2, Some(2.0)).remove(0);
    assert_eq!((told.finding, told.threads.ci95), (Finding::Unclear, None));
    let sentence = "GIL: 2 threads, 1.0 of 2 cores, 1.0 times as fast as 1 so far; 2 processes (pool), 1.9 cores, 1.9 times as fast so far";
    assert_eq!(told.sentence, sentence);
    assert!(told.details[0].contains("fewer than two pairs of runs"), "{:?}", told.details);
}

#[test]
fn without_a_lock_threads_that_are_no_faster_are_not_said_to_wait_for_it() {
    for finding in [(10.0, Finding::NotTheLock), (19.0, Finding::Off), (13.0, Finding::Partly)] {
        let (throughput, expected) = finding;
        let mut free = arms(10.0, (throughput, 1.9), (19.3, 1.93));
        free.iter_mut().for_each(|arm| (arm.gil, arm.blocked) = (false, Some(0.0)));
        free[1].blocked = Some(0.4);
        let told = of(&free);
        assert_eq!((told.finding, told.gil), (expected, false));
        assert!(told.sentence.starts_with("GIL off: "), "{}", told.sentence);
        let said = told.details.join("\n");
        assert!(!said.contains("for the GIL") && !said.contains("holds the GIL") && !said.contains("(GIL"), "{said}");
    }
}

#[test]
fn what_is_claimed_is_what_verdicts_claim_of_the_same_runs() {
    let all = arms(10.0, (10.0, 1.5), (10.0, 1.9));
    let single = runs(&[10.0; 3]);
    // By itself the interval excludes 1; of four comparisons at once it is not the best one and not enough.
    let threads = runs(&[26.0, 27.0, 19.0]);
    let alone = measured(&all[..2], &[single.clone(), threads.clone()], 2, Some(2.0)).remove(0);
    assert!(alone.sentence.ends_with("2.4 times as fast as 1"), "{}", alone.sentence);
    let scattered = runs(&[10.0, 30.0, 5.0]);
    let many = [single, threads, scattered.clone(), scattered.clone(), scattered.clone(), scattered.clone(), scattered];
    let told = measured(&all, &many, 2, Some(2.0)).remove(0);
    let among = "no clear difference to 1 among 6 comparisons (1.";
    assert!(told.sentence.contains(among), "{}", told.sentence);
    assert_eq!(told.finding, Finding::Unclear);
    let against = compare_all(&many, 0, Looks::Once(100));
    assert_eq!(against[0].finding, verdict::Finding::NoClearDifference);
    assert_eq!(told.threads.p_corrected, against[0].p.map(|p| p.corrected));
    assert!(told.details[1].contains("of 6 comparisons (Holm)"), "{:?}", told.details);
}

#[test]
fn that_nothing_is_faster_is_said_only_up_to_a_margin_whichever_arm_it_is() {
    let all = arms(10.0, (10.0, 1.0), (10.0, 1.0));
    let told = |rates: &[f64]| {
        let figures = [runs(&[10.0; 3]), runs(rates), runs(rates)];
        let told = measured(&all, &figures, 2, Some(2.0)).remove(0);
        (told.sentence.matches("no faster").count(), told.sentence.matches("no clear difference").count())
    };
    assert_eq!(told(&[10.0, 10.4, 9.6]), (2, 0), "up to 1.11");
    assert_eq!(told(&[10.0, 11.2, 8.9]), (0, 2), "up to 1.33");
    assert_eq!(told(&[9.0, 10.1, 8.9]), (2, 0), "0.93 on average, up to 1.11: the same rule below 1");
}
