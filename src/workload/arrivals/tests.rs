use super::*;
use crate::workload::model::{OnFull, Stage};

fn open(process: ArrivalProcess, stages: &[(Option<u64>, f64)]) -> OpenArrivals {
    let stages = stages.iter().map(|&(seconds, rate)| Stage::level(seconds.map(Duration::from_secs), rate));
    OpenArrivals { process, stages: stages.collect(), max_in_flight: None, on_full: OnFull::Drop }
}

/// Each stage with its seconds and the rates at its ends.
fn ramp(stages: &[(u64, f64, f64)]) -> OpenArrivals {
    let mut open = open(ArrivalProcess::Ramp, &[]);
    open.stages = stages
        .iter()
        .map(|&(seconds, rate, end_rate)| Stage { duration: Some(Duration::from_secs(seconds)), rate, end_rate })
        .collect();
    open
}

fn bursts(size: u64, every_ms: u64, seconds: Option<u64>) -> OpenArrivals {
    let (size, every) = (NonZeroU64::new(size).unwrap(), Duration::from_millis(every_ms));
    open(ArrivalProcess::Burst { size, every }, &[(seconds, size.get() as f64 / every.as_secs_f64())])
}

fn seconds(open: &OpenArrivals) -> Vec<f64> {
    ArrivalTimes::new(open, 1, u64::MAX).map(|time| time.as_secs_f64()).collect()
}

#[test]
fn evenly_spaced_arrivals_follow_the_rate_of_their_stage() {
    let open = open(ArrivalProcess::Constant, &[(Some(1), 4.0), (Some(2), 1.0)]);
    let millis: Vec<u128> = ArrivalTimes::new(&open, 1, u64::MAX).map(|time| time.as_millis()).collect();
    assert_eq!(millis, [0, 250, 500, 750, 1000, 2000]);
    assert_eq!(count(&open, 1, u64::MAX), 6);
    assert_eq!(count(&open, 1, 5), 5);
}

#[test]
fn whole_products_are_not_rounded_up() {
    for (rate, seconds) in [(40.0, 10), (0.1, 30), (120.0, 20), (1.0 / 3.0, 3)] {
        let open = open(ArrivalProcess::Constant, &[(Some(seconds), rate)]);
        let expected = (rate * seconds as f64).round() as u64;
        assert_eq!(count(&open, 1, u64::MAX), expected, "{rate}/s for {seconds} s");
        assert_eq!(ArrivalTimes::new(&open, 1, u64::MAX).count() as u64, expected);
    }
}

#[test]
fn a_stage_without_an_end_runs_until_the_tasks_are_used_up() {
    let open = open(ArrivalProcess::Poisson, &[(Some(1), 5.0), (None, 100.0)]);
    assert_eq!(ArrivalTimes::new(&open, 3, 1000).count(), 1000);
    assert_eq!(count(&open, 3, 1000), 1000);
}

#[test]
fn poisson_gaps_have_the_mean_and_the_spread_of_the_exponential() {
    let open = open(ArrivalProcess::Poisson, &[(Some(200), 100.0)]);
    let times: Vec<f64> = ArrivalTimes::new(&open, 5, u64::MAX).map(|time| time.as_secs_f64()).collect();
    // 20 000 expected, standard deviation 141.
    assert!((19_400..20_600).contains(&times.len()), "{}", times.len());
    assert_eq!(count(&open, 5, u64::MAX), times.len() as u64);
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{mean} {variance}");
}

#[test]
fn a_finished_list_stays_finished() {
    let mut times = ArrivalTimes::new(&open(ArrivalProcess::Poisson, &[(Some(1), 3.0)]), 1, u64::MAX);
    let count = times.by_ref().count();
    assert!(times.next().is_none(), "{count}");
}

#[test]
fn evenly_spaced_arrivals_without_an_end_are_as_many_as_there_are_tasks() {
    for stages in [&[(None, 4.0)][..], &[(Some(1), 4.0), (None, 2.0)]] {
        let open = open(ArrivalProcess::Constant, stages);
        assert_eq!(count(&open, 1, 1000), 1000);
        assert_eq!(ArrivalTimes::new(&open, 1, 1000).count(), 1000);
        let last = ArrivalTimes::new(&open, 1, 1000).last().unwrap().as_secs_f64();
        let expected = open.last_arrival(1000).as_secs_f64();
        assert!((last - expected).abs() < 0.6, "{last} {expected}");
    }
}

#[test]
fn bursts_come_all_at_once_at_whole_intervals() {
    let open = bursts(3, 500, Some(2));
    let millis: Vec<u128> = ArrivalTimes::new(&open, 1, u64::MAX).map(|time| time.as_millis()).collect();
    assert_eq!(millis, [0, 0, 0, 500, 500, 500, 1000, 1000, 1000, 1500, 1500, 1500]);
    assert_eq!((count(&open, 1, u64::MAX), count(&open, 1, 7)), (12, 7));
    assert_eq!(open.last_arrival(7), Duration::from_secs(1));
    // A burst that begins before the end is whole; without an end the tasks end it.
    assert_eq!(count(&bursts(50, 700, Some(2)), 1, u64::MAX), 150);
    assert_eq!(ArrivalTimes::new(&bursts(50, 700, None), 1, 120).last(), Some(Duration::from_millis(1400)));
    assert_eq!(count(&bursts(50, 700, None), 1, 120), 120);
    let last = burst_of(u64::MAX, NonZeroU64::MIN, Duration::from_secs(1));
    assert_eq!(last, Duration::MAX, "beyond all times, and no overflow");
}

#[test]
fn a_ramp_brings_as_many_as_the_area_under_it() {
    for (stages, area) in [
        (&[(10, 10.0, 200.0)][..], 1050),
        (&[(10, 200.0, 10.0)], 1050),
        (&[(10, 0.0, 20.0)], 100),
        (&[(10, 20.0, 0.0)], 100),
        (&[(4, 0.0, 10.0), (4, 10.0, 10.0), (4, 10.0, 0.0)], 80),
    ] {
        let open = ramp(stages);
        let times = seconds(&open);
        assert_eq!((times.len(), count(&open, 1, u64::MAX)), (area, area as u64), "{stages:?}");
        assert_eq!(times[0], 0.0);
        assert!(times.is_sorted());
        let end: u64 = stages.iter().map(|stage| stage.0).sum();
        assert!(times.last().is_some_and(|last| *last < end as f64));
        assert!(times.iter().all(|time| time.is_finite()));
        assert_eq!(times, seconds(&open), "the same each time");
    }
}

#[test]
fn each_arrival_of_a_ramp_is_where_the_area_until_then_is_its_number() {
    // From 10/s to 50/s in 10 s: the area until t is 10 t + 2 t^2.
    let times = seconds(&ramp(&[(10, 10.0, 50.0)]));
    for (number, time) in times.iter().enumerate() {
        let area = 10.0 * time + 2.0 * time * time;
        assert!((area - number as f64).abs() < 1e-6, "{number}: {time} {area}");
    }
    let reversed = seconds(&ramp(&[(10, 50.0, 10.0)]));
    for (number, time) in reversed.iter().enumerate() {
        let area = 50.0 * time - 2.0 * time * time;
        assert!((area - number as f64).abs() < 1e-6, "{number}: {time} {area}");
    }
}
