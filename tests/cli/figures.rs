//! What a result says of its figures: how sure they are, and what they mean.

use super::*;

#[test]
fn a_precision_decides_how_many_rounds_are_made_and_the_result_says_so() {
    let file = file(KERNELS);
    let arguments = ["compare", path(&file), "--engines", "pool,process", "--precision", "50%", "--max-repeats", "5"];
    let result = json(&run(&[&arguments[..], &["--format", "json", "--quiet"]].concat()));
    let measurement = &result["measurement"];
    assert_eq!(measurement["interval"], "always_valid", "{measurement}");
    let rounds = measurement["rounds"].as_u64().unwrap();
    assert!((3..=5).contains(&rounds), "{measurement}");
    assert_eq!(result["arms"][1]["runs"].as_array().unwrap().len() as u64, rounds);
    let ended = measurement["precision"]["ended_because"].as_str().unwrap();
    assert!(ended == "precision" || ended == "max_repeats" && rounds == 5, "{measurement}");
    for entry in result["comparison"].as_array().unwrap() {
        assert_eq!(
            (entry["interval"].as_str(), entry["pairs"].as_u64()),
            (Some("always_valid"), Some(rounds)),
            "{entry}"
        );
    }
    let percentiles = result["comparison"].as_array().unwrap().iter().filter(|entry| entry["metric"] == "sojourn_p99");
    assert!(percentiles.filter(|entry| entry["difference_s"]["mean"].is_number()).count() == 1, "{result}");
    let refused = run(&["compare", path(&file), "--max-repeats", "5"]);
    code(&refused, 2);
    assert!(text(&refused.stderr).contains("needs `precision`"), "{}", text(&refused.stderr));
}

#[test]
fn figures_are_explained() {
    let told = run(&["explain", "tasks/s"]);
    code(&told, 0);
    for part in ["throughput", "unit", "formula", "source", "is not"] {
        assert!(text(&told.stdout).contains(part), "{}", text(&told.stdout));
    }
    assert!(text(&run(&["explain"]).stdout).lines().count() > 50, "all of them");
    let all = json(&run(&["explain", "--format", "json"]));
    assert!(all["metrics"].as_array().unwrap().iter().all(|one| one["is_not"].is_string()), "{all}");
    let unknown = run(&["explain", "througput"]);
    code(&unknown, 2);
    assert!(text(&unknown.stderr).contains("did you mean `throughput`?"), "{}", text(&unknown.stderr));
}
