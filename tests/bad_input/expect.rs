//! Bad expectations.

use poolscope::workload::load::load;

use crate::harness::*;

/// A file of two engines with one expectation.
fn expect(fields: &str) -> String {
    file(&format!("expect:\n  - {{ {fields} }}"))
}

#[test]
fn metrics_engines_and_stages_that_are_not_there() {
    check(vec![
        Case {
            suggestion: Some("throughput"),
            ..case(
                expect("metric: §thruput, op: '>', value: 1/s"),
                "expect[0].metric",
                &["unknown metric", "sojourn_p99"],
            )
        },
        meant(expect("metric: §sojurn_p99, op: '>', value: 1s"), "expect[0].metric", "sojourn_p99"),
        case(expect("metric: §sojourn_p101, op: '<', value: 1s"), "expect[0].metric", &["unknown metric"]),
        case(expect("metric: §sojourn_p-1, op: '<', value: 1s"), "expect[0].metric", &["unknown metric"]),
        case(expect("metric: §sojourn_p1e1, op: '<', value: 1s"), "expect[0].metric", &["unknown metric"]),
        case(
            expect("metric: §sojourn_p99.9, op: '<', value: 1s"),
            "expect[0].metric",
            &["99.9 is not kept", "measure.percentiles"],
        ),
        case(expect("metric: §3, op: '<', value: 1s"), "expect[0].metric", &["must be throughput"]),
        meant(expect("metric: retries, engine: §poll, op: '==', value: 0"), "expect[0].engine", "pool"),
        meant(
            expect("metric: retries, engines: [pool, §proces], op: '==', value: 0"),
            "expect[0].engines[1]",
            "process",
        ),
        case(
            expect("metric: retries, engine: pool, engines: §[pool], op: '==', value: 0"),
            "expect[0].engines",
            &["together"],
        ),
        case(expect("metric: throughput, op: '>', than: §dask"), "expect[0].than", &["unknown engine"]),
        case(
            expect("metric: throughput, engine: pool, op: '>', than: §pool"),
            "expect[0].than",
            &["compared with itself"],
        ),
        case(
            expect("metric: sojourn_p99, stage: §1, op: '<', value: 1s"),
            "expect[0].stage",
            &["not kept stage by stage"],
        ),
        case(expect("metric: utilisation, stage: §1, op: '<', value: 0.9"), "expect[0].stage", &["have no stages"]),
        case(
            arrivals(
                "{ mode: open, process: constant, rate: 5/s, duration: 2s }\nexpect: [{ metric: utilisation, stage: §2, op: <, value: 0.9 }]",
            ),
            "expect[0].stage",
            &["there is no stage 2"],
        ),
    ]);
}

#[test]
fn limits_that_do_not_fit() {
    check(vec![
        Case {
            suggestion: Some("100/s"),
            ..case(expect("metric: throughput, op: '>', value: §100"), "expect[0].value", &["a rate needs a unit"])
        },
        case(expect("metric: makespan, op: '<', value: §5"), "expect[0].value", &["a duration needs a unit"]),
        case(expect("metric: peak_pss, op: '<', value: §64M"), "expect[0].value", &["ambiguous"]),
        case(expect("metric: lost_tasks, op: '<', value: §-1"), "expect[0].value", &["must be an integer >= 0"]),
        case(expect("metric: lost_tasks, op: '<', value: §0.5"), "expect[0].value", &["must be an integer >= 0"]),
        case(expect("metric: cores_used, op: '<', value: §-0.5"), "expect[0].value", &["a number >= 0"]),
        case(expect("metric: cores_used, op: '<', value: §.nan"), "expect[0].value", &["a number >= 0"]),
        case(
            expect("metric: worker_starts, op: '<', value: { config: §cores }"),
            "expect[0].value.config",
            &["must be workers or tasks"],
        ),
        meant(expect("metric: worker_starts, op: §'=>', value: 1"), "expect[0].op", ">="),
        case(expect("metric: worker_starts, op: §'', value: 1"), "expect[0].op", &["must be quoted"]),
        case(expect("metric: throughput, op: §'==', value: 100/s"), "expect[0].op", &["no two runs agree"]),
        case(expect("metric: throughput, op: '>', value: 1/s, than: §pool"), "expect[0].than", &["together"]),
        case(expect("metric: throughput, op: '>', value: 1/s, factor: §2"), "expect[0].factor", &["goes with `than`"]),
        case(
            expect("metric: throughput, engine: pool, op: '>', than: process, factor: §0"),
            "expect[0].factor",
            &["above 0"],
        ),
        case(expect("metric: throughput, op: '>', value: 1/s, when: §sundays"), "expect[0].when", &["not a condition"]),
        case(
            expect("metric: throughput, op: '>', value: 1/s, when: §cores >= two"),
            "expect[0].when",
            &["not a number of cores"],
        ),
        case(
            expect("metric: results_equal, §op: '>'"),
            "expect[0].op",
            &["does not apply to an expectation of results_equal"],
        ),
        meant(expect("metric: retries, §opp: '>', value: 1"), "expect[0].opp", "op"),
        case(
            file("expect:\n  - §{ metric: retries, op: '>' }"),
            "expect[0].value",
            &["`value` is missing", "than: ENGINE"],
        ),
        case(file("expect: §[]"), "expect", &["the list is empty"]),
        case(file("expect:\n  - §throughput > 5"), "expect[0]", &["must be a map such as"]),
    ]);
}

#[test]
fn one_run_is_too_few_for_what_scatters() {
    let told = |fields: &str| {
        let text = format!("{}measure: {{ repeats: 1 }}\n", expect(fields));
        let loaded = load(&text, "file").unwrap_or_else(|problems| panic!("{problems}"));
        loaded.warnings.iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    let warned = told("metric: throughput, op: '>', value: 1/s");
    assert!(warned.len() == 1 && warned[0].contains("too noisy to say"), "{warned:?}");
    assert_eq!(told("metric: lost_tasks, op: '==', value: 0"), [""; 0]);
}
