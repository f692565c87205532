use super::*;

const BOUNDS: Bounds = Bounds { most: 64, cores: 2, open_arrivals: false, free: false };

/// A point whose runs scatter by a share of their mean.
fn point(workers: u32, mean: f64, scatter: f64, runs: usize) -> Point {
    let rates: Vec<f64> =
        (0..runs).map(|run| mean * (1.0 + scatter * (run as f64 - (runs as f64 - 1.0) / 2.0))).collect();
    let mut point = Point::of(workers, &[], 0);
    point.rate = estimate(&rates);
    point
}

fn points(rates: &[(u32, f64)]) -> Vec<Point> {
    rates.iter().map(|(workers, mean)| point(*workers, *mean, 0.002, 3)).collect()
}

fn advice(rates: &[(u32, f64)]) -> Advice {
    Tuning::of(points(rates), BOUNDS).advice
}

#[test]
fn a_count_is_recommended_only_once_a_higher_one_was_tried_and_did_not_pay() {
    assert_eq!(advice(&[]), Advice::Nothing);
    assert_eq!(advice(&[(4, 0.0)]), Advice::Nothing, "nothing succeeded");
    assert_eq!(advice(&[(8, 387.0)]), Advice::Rising { best: 8 });
    assert_eq!(advice(&[(1, 48.0), (2, 96.0), (4, 191.0), (6, 290.0), (8, 387.0)]), Advice::Rising { best: 8 });
    assert_eq!(advice(&[(4, 191.0), (8, 387.0), (12, 389.0)]), Advice::Use { workers: 8, best: 12 });
    assert_eq!(advice(&[(4, 191.0), (8, 387.0), (12, 380.0)]), Advice::Use { workers: 8, best: 8 });
    assert_eq!(advice(&[(4, 191.0), (8, 350.0), (12, 385.0), (16, 387.0)]), Advice::Use { workers: 12, best: 16 });
    assert_eq!(advice(&[(63, 100.0), (64, 200.0)]), Advice::Use { workers: 64, best: 64 }, "more are not possible");
}

#[test]
fn wide_intervals_recommend_nothing() {
    let wide = vec![point(2, 100.0, 0.2, 3), point(4, 101.0, 0.2, 3), point(8, 99.0, 0.2, 3)];
    let tuning = Tuning::of(wide, BOUNDS);
    assert_eq!(tuning.advice, Advice::Unclear { best: 4 });
    assert!(tuning.why.contains("±"), "{}", tuning.why);
    assert_eq!(tuning.next, Some(4));
    assert!(tuning.headline().ends_with("its 3 runs differ too much to tell"), "{}", tuning.headline());
    let once = Tuning::of(vec![point(2, 100.0, 0.0, 1), point(4, 90.0, 0.0, 1)], BOUNDS);
    assert_eq!(once.advice, Advice::Unclear { best: 2 });
    assert!(once.headline().contains("one run of it") && once.headline().contains("--repeats"), "{}", once.headline());
    let many = Tuning::of(vec![point(2, 100.0, 0.02, 40), point(4, 101.0, 0.02, 40)], BOUNDS);
    assert_eq!(many.advice, Advice::Unclear { best: 4 });
    let said = format!("{}; {}", many.headline(), many.why);
    assert!(!said.contains("too few") && said.contains("40 runs differ too much"), "{said}");
}

#[test]
fn cores_that_others_use_are_no_reason_for_more_workers() {
    let said = |others: Option<f64>| {
        let mut point = point(2, 100.0, 0.01, 3);
        point.worker_time.work = Duration::from_secs(10);
        (point.cpu, point.cores_used, point.others) = (Duration::from_secs(4), 0.8, others);
        let tuning = Tuning::of(vec![point], BOUNDS);
        (tuning.why, tuning.next)
    };
    let (why, next) = said(Some(1.1));
    assert_eq!(why, "no core is free: 0.8 of 2 busy with these tasks, 1.1 with other programs");
    assert_eq!(next, None);
    for idle in [Some(0.1), None] {
        let (why, next) = said(idle);
        assert!(why.contains("more workers pay. Try 4") && next == Some(4), "{why}");
    }
}

/// What a sweep measures, run by run, of a machine whose rate is a function of the count.
fn sweep(rate: impl Fn(u32) -> f64, bounds: Bounds) -> (Vec<u32>, Advice) {
    let mut tried: Vec<(u32, usize)> = Vec::new();
    let mut order = Vec::new();
    for _ in 0..500 {
        tried.sort_unstable();
        let points: Vec<Point> =
            tried.iter().map(|(workers, runs)| point(*workers, rate(*workers), 0.002, *runs)).collect();
        let Step::Run(workers) = next_step(&points, RUNS, bounds) else {
            return (order, Tuning::of(points, bounds).advice);
        };
        if !order.contains(&workers) {
            order.push(workers);
        }
        match tried.iter_mut().find(|(count, _)| *count == workers) {
            Some((_, runs)) => *runs += 1,
            None => tried.push((workers, 1)),
        }
    }
    panic!("a sweep without an end: {order:?}");
}

#[test]
fn a_sweep_doubles_until_it_is_flat_and_then_bisects() {
    // Tasks that wait: eight workers keep the only disk busy.
    let (order, advice) = sweep(|workers| 48.0 * f64::from(workers.min(7)), BOUNDS);
    assert_eq!(order, [1, 2, 4, 8, 16, 32, 6, 7]);
    assert_eq!(advice, Advice::Use { workers: 7, best: 7 });
    // Tasks that compute, on two cores.
    let (order, advice) = sweep(|workers| 50.0 * f64::from(workers.min(2)), BOUNDS);
    assert_eq!(order, [1, 2, 4, 8]);
    assert_eq!(advice, Advice::Use { workers: 2, best: 2 });
    // More workers are in each other's way.
    let (_, advice) = sweep(|workers| 50.0 / f64::from(workers), BOUNDS);
    assert_eq!(advice, Advice::Use { workers: 1, best: 1 });
}

#[test]
fn a_sweep_ends_at_the_most_workers_that_make_sense() {
    let (order, advice) = sweep(f64::from, Bounds { most: 20, ..BOUNDS });
    assert_eq!(order, [1, 2, 4, 8, 16, 20, 18, 19]);
    assert_eq!(advice, Advice::Use { workers: 20, best: 20 }, "19 is 5 % below, and its lower bound more");
    assert_eq!(sweep(f64::from, Bounds { most: 1, ..BOUNDS }).0, [1]);
    let (order, advice) = sweep(|_| 0.0, BOUNDS);
    assert_eq!((order, advice), (vec![1], Advice::Nothing), "not one task succeeded");
}

#[test]
fn a_sweep_measures_the_best_again_where_it_cannot_tell() {
    let wide = |runs| [1, 2, 4].map(|workers| point(workers, 100.0 + f64::from(workers % 2), 0.2, runs)).to_vec();
    assert_eq!(next_step(&wide(3), RUNS, BOUNDS), Step::Run(1));
    assert_eq!(next_step(&wide(8), RUNS, BOUNDS), Step::Run(1));
    assert_eq!(next_step(&wide(9), RUNS, BOUNDS), Step::Done);
    // Four is clearly within 5 %, two could be, one is not.
    let mut points =
        vec![point(1, 50.0, 0.002, 3), point(2, 99.0, 0.1, 3), point(4, 100.0, 0.002, 3), point(8, 98.0, 0.002, 3)];
    assert_eq!(next_step(&points, RUNS, BOUNDS), Step::Run(2));
    points[1] = point(2, 99.0, 0.002, 4);
    assert_eq!(next_step(&points, RUNS, BOUNDS), Step::Done);
}

#[test]
fn a_small_step_is_no_sign_of_an_end() {
    // Each worker adds as much as the one before, though that is less than 5 %.
    let tuning = Tuning::of(points(&[(28, 2800.0), (29, 2900.0), (30, 3000.0)]), BOUNDS);
    assert_eq!((tuning.advice, tuning.next), (Advice::Rising { best: 30 }, Some(45)));
    assert_eq!(advice(&[(29, 2900.0), (30, 2990.0)]), Advice::Rising { best: 30 });
    assert_eq!(
        advice(&[(29, 2900.0), (30, 2901.0)]),
        Advice::Use { workers: 29, best: 30 },
        "precise enough to see it"
    );
    let tuning = Tuning::of(points(&[(30, 2990.0), (31, 2985.0)]), BOUNDS);
    assert_eq!(tuning.advice, Advice::Use { workers: 30, best: 30 });
    let vague = vec![point(30, 2990.0, 0.015, 3), point(31, 2985.0, 0.015, 3)];
    let tuning = Tuning::of(vague, BOUNDS);
    assert_eq!((tuning.advice, tuning.next), (Advice::Rising { best: 30 }, Some(45)), "31 could be faster by 3 %");
    assert!(
        tuning.headline().contains("none far enough above") && !tuning.why.contains("more workers pay"),
        "{tuning:?}"
    );
}

#[test]
fn one_count_is_called_so_and_the_next_was_not_tried() {
    let tuning = Tuning::of(points(&[(8, 387.0)]), BOUNDS);
    assert_eq!((tuning.headline().as_str(), tuning.next), ("8 is the only count tried", Some(16)));
    let tuning = Tuning::of(vec![point(2, 100.0, 0.1, 3), point(4, 101.0, 0.1, 3)], BOUNDS);
    assert_eq!(tuning.advice, Advice::Unclear { best: 4 }, "1 % more with ±25 % is no rise");
    let tuning = Tuning::of(vec![point(2, 100.0, 0.1, 3), point(4, 150.0, 0.1, 3)], BOUNDS);
    assert_eq!(tuning.advice, Advice::Rising { best: 4 });
    let tuning = Tuning::of(points(&[(60, 600.0), (63, 640.0)]), BOUNDS);
    assert_eq!((tuning.advice, tuning.next), (Advice::Rising { best: 63 }, Some(64)));
}

#[test]
fn a_count_with_which_nothing_succeeds_does_not_pay() {
    let tuning = Tuning::of(points(&[(1, 50.0), (2, 100.0), (4, 0.0)]), BOUNDS);
    assert_eq!(tuning.advice, Advice::Use { workers: 2, best: 2 });
    let broken = Tuning::of(vec![point(1, f64::NAN, 0.0, 3), point(2, f64::INFINITY, 0.0, 3)], BOUNDS);
    assert_eq!(broken.advice, Advice::Nothing);
    assert_eq!(next_step(&broken.points, RUNS, BOUNDS), Step::Done);
}

#[test]
fn huge_counts_do_not_overflow() {
    let bounds = Bounds { most: u32::MAX, ..BOUNDS };
    let huge = points(&[(u32::MAX - 1, 10.0), (u32::MAX, 30.0)]);
    assert!(matches!(Tuning::of(huge.clone(), bounds).advice, Advice::Use { workers: u32::MAX, .. }));
    assert_eq!(next_step(&huge, RUNS, bounds), Step::Run(1));
    let (order, advice) = sweep(f64::from, bounds);
    assert!(order.contains(&u32::MAX) && matches!(advice, Advice::Use { .. }), "{order:?} {advice:?}");
}

mod simulation;

#[test]
fn a_sweep_finds_the_border_of_what_works_at_all() {
    // As where a limit of the machine or of the command is reached.
    let (order, advice) = sweep(|workers| if workers < 7 { 50.0 * f64::from(workers) } else { 0.0 }, BOUNDS);
    assert_eq!(order, [1, 2, 4, 8, 6, 7, 5]);
    assert_eq!(advice, Advice::Use { workers: 6, best: 6 });
}

#[test]
fn a_count_whose_runs_do_not_count_was_not_tried() {
    let mut touched = Point::of(8, &[], 1);
    touched.tasks = 100;
    let tuning = Tuning::of(points(&[(4, 191.0)]).into_iter().chain([touched]).collect(), BOUNDS);
    assert_eq!((tuning.advice, tuning.next), (Advice::Rising { best: 4 }, Some(8)));
    assert_eq!(tuning.headline(), "4 is the only count tried");
    let most = Bounds { most: 8, ..BOUNDS };
    let mut all = points(&[(2, 96.0), (4, 191.0)]);
    all.push(Point::of(8, &[], 1));
    let tuning = Tuning::of(all, most);
    assert_eq!(tuning.headline(), "4 is the best tried, still rising");
    assert!(tuning.next.is_some() && !tuning.why.contains("as many as there can be"), "{tuning:?}");
    assert!(!tuning.complete);
}

#[test]
fn short_runs_that_tell_too_little_are_repeated_for_a_while() {
    let wide = |runs: usize, wall: u64| {
        let mut points = [1, 2, 4].map(|workers| point(workers, 100.0 + f64::from(workers % 2), 0.2, runs)).to_vec();
        points.iter_mut().for_each(|point| point.wall = Duration::from_secs(wall));
        points
    };
    let free = Bounds { free: true, ..BOUNDS };
    assert_eq!(next_step(&wide(12, 2), RUNS, free), Step::Run(1));
    assert_eq!(next_step(&wide(12, 2), RUNS, BOUNDS), Step::Done, "commands are not");
    assert_eq!(next_step(&wide(12, 9), RUNS, free), Step::Done, "long runs are not");
    assert_eq!(next_step(&wide(40, 2), RUNS, free), Step::Done, "there is an end");
}

mod sentences {
    use super::*;

    fn why(change: impl FnOnce(&mut Point), bounds: Bounds) -> String {
        let mut points = points(&[(4, 191.0), (8, 387.0)]);
        let last = points.last_mut().unwrap();
        let second = Duration::from_secs(1);
        last.worker_time = WorkerTime { work: second * 98, startup: second, idle: second, ..WorkerTime::default() };
        last.cpu = second * 2;
        change(last);
        Tuning::of(points, bounds).why
    }

    #[test]
    fn each_names_its_figures() {
        let waiting = why(|_| {}, BOUNDS);
        assert_eq!(
            waiting,
            "tasks wait 98 % of their time and the cores are idle (0.0 of 2 busy): more workers pay. Try 12"
        );
        let busy = why(|point| point.cores_used = 1.95, BOUNDS);
        assert!(
            busy.starts_with("the cores are busy (1.9 of 2)") || busy.starts_with("the cores are busy (2.0 of 2)"),
            "{busy}"
        );
        let starting = why(|point| point.worker_time.startup *= 300, BOUNDS);
        assert!(starting.starts_with("start-up bound: 75 %"), "{starting}");
        for (set, words) in [
            (
                (|time| time.dispatch = time.work * 3) as fn(&mut WorkerTime),
                "dispatch bound: 75 % of worker time passes",
            ),
            (|time| time.initializing = time.work * 3, "initializers: 75 % of worker time is theirs"),
            (|time| time.ghost = time.work * 3, "ghosts: 75 % of worker time goes into"),
            (|time| time.carrying = time.work * 3, "bytes: 75 % of worker time goes into"),
        ] {
            let said = why(|point| set(&mut point.worker_time), BOUNDS);
            assert!(said.starts_with(words), "{said}");
        }
        let throttled =
            why(|point| point.suspect = vec!["the CPU quota of its cgroup held the run up (3 times)".into()], BOUNDS);
        assert!(throttled.starts_with("throttled"), "{throttled}");
        let disturbed = || Point { suspect: vec!["other programs".into()], ..point(8, 387.0, 0.1, 3) };
        let unclear = Tuning::of(vec![disturbed(), point(16, 380.0, 0.1, 3)], BOUNDS).why;
        assert!(
            unclear.contains("the 3 runs of 8 workers") && unclear.contains("(1 of them suspect: other programs)"),
            "{unclear}"
        );
        let truth = |change: fn(&mut Point), higher: f64| {
            let mut points = points(&[(8, 387.0), (16, higher)]);
            let second = Duration::from_secs(1);
            points[0].worker_time =
                WorkerTime { work: second * 98, startup: second, idle: second, ..WorkerTime::default() };
            points[0].tasks = 1000;
            change(&mut points[0]);
            Tuning::of(points, BOUNDS).why
        };
        let none = truth(|_| {}, 387.0);
        assert!(
            none.starts_with("16 workers gain nothing although the cores have room") && !none.contains("pay"),
            "{none}"
        );
        assert!(truth(|_| {}, 400.0).starts_with("16 workers gain no more than 3 %"));
        assert!(truth(|_| {}, 300.0).starts_with("16 workers are slower by 22 %"));
        let few = |point: &mut Point| (point.tasks, point.worker_time.idle) = (16, point.worker_time.work);
        assert_eq!(truth(few, 387.0), "only 2 tasks for each of 8 workers: some idle while others still work");
        let idle = truth(|point| point.worker_time.idle *= 300, 387.0);
        assert!(idle.contains("handing out the tasks is the limit, and 16 workers gain nothing"), "{idle}");
        let parts = |point: &mut Point| {
            let second = Duration::from_secs(1);
            (point.worker_time.work, point.worker_time.ghost) = (second * 58, second * 20);
            (point.worker_time.initializing, point.worker_time.carrying) = (second * 15, second * 5);
        };
        let said = truth(parts, 387.0);
        let shares = "58 % of the time (1 % start-up, 15 % initializing, 20 % ghosts, 5 % bytes of tasks, 1 % idle)";
        assert!(said.contains(shares), "{said}");
        let open = why(|point| point.worker_time.idle *= 100, Bounds { open_arrivals: true, ..BOUNDS });
        assert!(open.contains("keep up with the arrivals"), "{open}");
    }
}

#[test]
fn the_worse_half_is_dropped_where_it_is_clearly_worse() {
    for (rates, dropped) in [
        (&[Some(10.0), Some(20.0), Some(38.0), Some(40.0)][..], &[1, 0][..]),
        (&[Some(39.0), Some(33.0), Some(38.0), Some(40.0)], &[]),
        (&[Some(1.0), Some(2.0), Some(40.0)], &[0]),
        (&[None, Some(40.0)], &[0]),
        (&[None, None], &[]),
        (&[Some(1.0)], &[]),
        (&[], &[]),
    ] {
        let tried = |rate: &Option<f64>| Tried { rate: *rate, runs: 1, suspect: 0 };
        assert_eq!(clearly_bad(&rates.iter().map(tried).collect::<Vec<_>>()), dropped, "{rates:?}");
    }
}

#[test]
fn disturbed_rivals_make_a_recommendation_suspect() {
    let of = |disturbed: u32| {
        let mut points = points(&[(1, 48.0), (2, 96.0), (4, 191.0), (8, 387.0), (12, 389.0), (16, 388.0)]);
        for point in points.iter_mut().filter(|point| point.workers == disturbed) {
            point.suspect = vec!["other programs used 1.1 of 2 cores".to_owned()];
        }
        let tuning = Tuning::of(points, BOUNDS);
        assert_eq!(tuning.advice, Advice::Use { workers: 8, best: 12 });
        tuning.is_suspect()
    };
    let found: Vec<u32> = [1, 2, 4, 8, 12, 16].into_iter().filter(|workers| of(*workers)).collect();
    assert_eq!(found, [4, 8, 12, 16], "one worker is no rival of eight");
}
