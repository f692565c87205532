use super::*;
use crate::analysis::statistics::estimate;
use crate::report::fixtures::comparison;
use crate::report::text::TextOptions;

fn results() -> TuneResults {
    let of = comparison();
    let step = |what: &str, why: &str, rates: &[f64]| TuneStep {
        what: what.to_owned(),
        why: why.to_owned(),
        runs: rates.len() as u32,
        suspect: u32::from(rates.len() > 1),
        rate: estimate(rates),
        figure: Some("p99 12.0 ms".to_owned()),
    };
    TuneResults {
        workload: of.workload,
        host: of.host,
        stream_hash: of.stream_hash,
        tasks: 1000,
        target: "p99<20ms".to_owned(),
        steps: vec![step("pool ×1", "where it begins", &[50.0]), step("pool ×2", "more than 1", &[98.0, 100.0, 102.0])],
        outcome: Some(Outcome {
            words: "USE pool with 2 workers".to_owned(),
            why: "the smallest count whose interval lies below the limit".to_owned(),
            met: Some(true),
            suspect: true,
            engine: Some("pool".to_owned()),
            workers: Some(2),
            set: vec!["engines.0.workers=2".to_owned()],
            ..Outcome::default()
        }),
        ending: Ending::Finished,
        failed: Vec::new(),
        unsuccessful: 0,
    }
}

#[test]
fn each_step_has_its_reason_and_the_end_its_settings() {
    insta::assert_snapshot!(text::render(&results(), TextOptions::default()));
    let mut aborted = results();
    (aborted.outcome, aborted.ending) = (None, Ending::Stopped(Some(2)));
    let page = text::render(&aborted, TextOptions::default());
    assert!(page.contains("ABORTED") && page.contains("pool ×2") && !page.contains("USE"), "{page}");
    assert!(page.contains("4 counted runs, 1 of them SUSPECT"), "{page}");
}

#[test]
fn the_same_for_comments_and_wikis() {
    let page = markdown::text(&results());
    for words in [
        "target: p99&lt;20ms",
        "**SUSPECT USE pool with 2 workers**",
        "as options: --set engines.0.workers=2",
        "| 2 | pool ×2 | 100/s ±4.97 | p99 12.0 ms | 3 | 1 | more than 1 |",
        "4 counted runs, 1 of them SUSPECT",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let aborted = TuneResults { outcome: None, ending: Ending::Stopped(None), ..results() };
    assert!(markdown::text(&aborted).contains("**Aborted: stopped on request**"));
}

#[test]
fn the_same_for_programs() {
    let document: serde_json::Value = serde_json::from_str(&json::text(&results())).unwrap();
    assert_eq!((&document["schema"], &document["runs"]), (&"poolscope.tune/1".into(), &4.into()));
    assert_eq!(document["steps"][1]["throughput"]["mean"].as_f64(), Some(100.0));
    let result = &document["result"];
    assert_eq!((&result["workers"], &result["met"], &result["place"]), (&2.into(), &true.into(), &().into()));
    assert_eq!((&result["suspect"], &document["suspect_runs"]), (&true.into(), &1.into()));
    let suspect: Vec<_> = document["steps"].as_array().unwrap().iter().map(|step| &step["suspect_runs"]).collect();
    assert_eq!(suspect, [0, 1], "those of the steps add up");
    let mut aborted = results();
    aborted.outcome = None;
    let document: serde_json::Value = serde_json::from_str(&json::text(&aborted)).unwrap();
    assert!(document["result"].is_null() && document["steps"].as_array().unwrap().len() == 2);
}
