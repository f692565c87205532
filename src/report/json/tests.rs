use std::sync::Arc;

use super::*;
use crate::report::fixtures::{comparison, two_classes};

#[test]
fn document_of_a_comparison() {
    let mut results = comparison();
    // One run of each arm is enough to see every field.
    results.arms.iter_mut().for_each(|arm| drop(arm.runs.drain(..2)));
    insta::assert_snapshot!(text(&results).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn classes_have_figures_and_comparisons_of_their_own() {
    let document = result(&two_classes());
    let classes = &document["arms"][1]["runs"][0]["classes"];
    assert_eq!((&classes[0]["name"], &classes[1]["name"]), (&Value::from("unit"), &Value::from("slow")));
    assert_eq!((&classes[1]["tasks"]["succeeded"], &classes[1]["tasks"]["failed"]), (&8.into(), &2.into()));
    assert_eq!((&classes[1]["cpu"]["total_s"], &classes[1]["cpu"]["mean_s"]), (&0.1.into(), &0.01.into()));
    let p50 = classes[1]["latency_s"]["service"]["p50"].as_f64().expect("a time");
    assert!((p50 - 0.3).abs() < 1e-3, "{classes}");
    assert!(classes[1]["latency_s"]["sojourn"]["percentiles"]["99.9"].is_number(), "{classes}");
    let compared = document["comparison_by_class"].as_array().expect("a list").iter();
    let of = |class: &str| compared.clone().filter(|one| one["class"] == class).collect::<Vec<_>>();
    assert_eq!((of("unit").len(), of("slow").len()), (3, 3), "{document}");
    assert_eq!(of("slow")[0]["comparisons"], 4, "all of them were asked at once, but p99 of too few tasks");
    let none = result(&comparison());
    assert_eq!(none["arms"][0]["runs"][0]["classes"], Value::Array(Vec::new()));
    assert_eq!(none["comparison_by_class"], Value::Array(Vec::new()));
    assert!(document["comparison"].as_array().expect("a list").iter().all(|one| one.get("class").is_none()));
}

#[test]
fn comparison_names_arms_and_verdicts() {
    let document = result(&comparison());
    let verdict = &document["comparison"][0];
    assert_eq!((&verdict["arm"], &verdict["baseline"]), (&Value::from("process"), &Value::from("pool")));
    assert_eq!((&verdict["verdict"], &verdict["pairs"]), (&Value::from("slower"), &Value::from(3)));
    assert!(verdict["ci95"][1].as_f64().expect("a number") < 1.0);
    let summary = &document["arms"][0]["summary"]["throughput"];
    let mean = summary["mean"].as_f64().expect("a number");
    assert!((mean - (1000.0 / 5.5 + 1000.0 / 5.6 + 1000.0 / 5.4) / 3.0).abs() < 1e-9);
}

#[test]
fn unmeasured_is_null_and_nothing_is_no_error() {
    let mut results = comparison();
    for arm in &mut results.arms {
        for run in &mut arm.runs {
            let mut open = Snapshot::clone(run);
            open.end = None;
            open.memory = Default::default();
            open.throughput_whole = f64::NAN;
            *run = Arc::new(open);
        }
    }
    let document = result(&results);
    let run = &document["arms"][0]["runs"][0];
    for field in ["zombies", "throughput"] {
        assert_eq!(run[field], Value::Null, "{field}");
    }
    assert_eq!(run["memory"]["peak_rss_bytes"], Value::Null);
    assert_eq!(document["comparison"][0]["ratio"], Value::Null);
    results.arms.clear();
    assert_eq!(result(&results)["arms"], Value::Array(Vec::new()));
}

#[test]
fn text_is_the_same_document_without_control_characters() {
    let mut results = comparison();
    let mut run = Snapshot::clone(&results.arms[1].runs[2]);
    let mut report = crate::report::fixtures::crash();
    report.stderr_tail = "c1 \u{9b}31m \u{202e} \x7f \x1b[2J".to_owned();
    run.failures = Arc::new(vec![report]);
    results.arms[1].runs[2] = Arc::new(run);
    let text = text(&results);
    assert!(!text.contains(|character| character != '\n' && clean::is_control(character)));
    let document = serde_json::from_str::<Value>(&text).expect("valid JSON");
    assert_eq!(document["arms"][1]["runs"][2]["failures"], result(&results)["arms"][1]["runs"][2]["failures"]);
}
