use proptest::prelude::*;

use super::*;
use crate::engine::event::{Record, Slot};
use crate::engine::outcome::Times;
use crate::workload::model::Attempt;

fn record(index: u64, start: u64, service: u64) -> Record {
    Record { index, start: Moment(start), service, after: 0, value: index * 7 }
}

fn batch(arrival: u64, sent: u64, free_since: u64, records: &[Record]) -> Batch<'_> {
    let [arrival, sent, free_since] = [arrival, sent, free_since].map(Moment);
    Batch { slot: Slot(0), class: 0, attempt: Attempt::FIRST, arrival, sent, free_since, records }
}

#[test]
fn first_task_is_dispatched_when_sent_and_later_ones_when_the_one_before_ends() {
    let mut latencies = Latencies::default();
    let mut hash = ResultsHash::default();
    let records = [record(0, 130, 50), record(1, 185, 10)];
    let sums = latencies.batch(&batch(20, 100, 90, &records), &mut hash);
    // Task 0: wait 100-20, startup 30, sojourn 180-20. Task 1: dispatched at 180, wait 160, startup 5, sojourn 195-20.
    assert_eq!(sums, BatchSums { work: 60, startup: 35, after: 0, end: Moment(195) });
    let all = latencies.distributions();
    assert_eq!(all.wait.buckets(), [(80, 1), (160, 1)]);
    assert_eq!(all.startup.buckets(), [(5, 1), (30, 1)]);
    assert_eq!(all.service.buckets(), [(10, 1), (50, 1)]);
    assert_eq!(all.sojourn.buckets(), [(160, 1), (175, 1)]);
}

#[test]
fn task_sent_to_a_busy_worker_waits_until_it_is_free() {
    let mut latencies = Latencies::default();
    let records = [record(0, 310, 5)];
    latencies.batch(&batch(0, 100, 300, &records), &mut ResultsHash::default());
    assert_eq!(latencies.distributions().wait.buckets(), [(300, 1)]);
    assert_eq!(latencies.distributions().startup.buckets(), [(10, 1)]);
}

#[test]
fn impossible_times_of_a_worker_do_no_harm() {
    let mut latencies = Latencies::default();
    let records = [record(0, 5, u64::MAX), record(1, 0, 0), record(2, u64::MAX, 1)];
    let sums = latencies.batch(&batch(10, 100, 0, &records), &mut ResultsHash::default());
    assert_eq!(sums.work, u64::MAX);
    let summary = latencies.summary();
    assert_eq!(summary.service.count, 3);
    assert_eq!(summary.service.max, Duration::from_nanos(u64::MAX));
    assert!(summary.service.p99 >= Duration::from_secs(3600));
    assert_eq!(summary.sojourn.count, 3);
}

#[test]
fn percentiles_mean_and_maximum_of_known_values() {
    let mut recorded = Recorded::new();
    for value in 1..=1000u64 {
        recorded.record(value * 1_000_000);
    }
    let quantiles = recorded.quantiles();
    assert_eq!(quantiles.count, 1000);
    assert_eq!(quantiles.mean, Duration::from_nanos(500_500_000));
    assert_eq!(quantiles.max, Duration::from_secs(1));
    for (found, wanted) in
        [(quantiles.p50, 500.0), (quantiles.p90, 900.0), (quantiles.p95, 950.0), (quantiles.p99, 990.0)]
    {
        let millis = found.as_secs_f64() * 1e3;
        assert!((wanted..wanted * 1.001 + 0.001).contains(&millis), "{millis} for {wanted}");
    }
}

#[test]
fn empty_latencies_are_all_zero() {
    assert_eq!(Latencies::default().summary(), Latency::default());
    assert_eq!(Latencies::default().distributions().wait.quantile(0.5), Duration::ZERO);
}

#[test]
fn retried_attempt_has_no_sojourn() {
    let mut latencies = Latencies::default();
    let mut report = crate::metrics::fixtures::attempt(3);
    report.retried = true;
    let [wait, startup, service] = [5, 6, 7].map(Duration::from_nanos);
    report.set_times(Times { wait, startup, service });
    latencies.attempt(&report);
    report.retried = false;
    latencies.attempt(&report);
    let summary = latencies.summary();
    assert_eq!((summary.wait.count, summary.startup.count, summary.service.count), (2, 2, 2));
    assert_eq!(summary.sojourn.count, 1);
    assert_eq!(summary.sojourn.max, Duration::from_nanos(18));
}

proptest! {
    /// Counting equal buckets together changes nothing.
    #[test]
    fn pending_counts_equal_direct_recording(values in prop::collection::vec(
        prop_oneof![0..10u64, 1_000_000..1_003_000u64, any::<u64>()], 0..200)) {
        let (mut together, mut single) = (Recorded::new(), Recorded::new());
        for value in &values {
            together.record(*value);
            single.record_scattered(*value);
        }
        prop_assert_eq!(together.quantiles(), single.quantiles());
        prop_assert_eq!(together.distribution(), single.distribution());
        prop_assert_eq!(together.sum(), single.sum());
    }
}
