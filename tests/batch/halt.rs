use super::support::cli::{code, json_after, text};
use super::{done, shell, workload};

const ENGINES: [&str; 2] = ["process", "pool"];

#[test]
fn behind_the_first_failure_nothing_is_begun() {
    for when in ["now", "soon"] {
        let folder = workload("[a, b, c, d]", "test {item} != b", ", retries: 1");
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml --workers 1 --halt {when},fail=1 --format json -q"));
        let result = json_after(&output, 1);
        assert_eq!(done(&folder), ["a", "b", "b"], "{when}: it has failed when it was tried again");
        assert!(result.to_string().contains(&format!("halted by {when},fail=1")), "{result}");
    }
}

#[test]
fn what_runs_is_ended_now_and_comes_to_its_end_soon() {
    for engine in ENGINES {
        for (when, ends) in [("now", false), ("soon", true)] {
            let script = "case {item} in slow) sleep 1; touch ended;; *) until test -e begun; do sleep 0.02; done; exit 1;; esac";
            let folder = workload(
                "[slow, bad, never, never, never]",
                &format!("test {{item}} = slow && touch begun; {script}"),
                "",
            );
            let call =
                format!("POOLSCOPE run w.yaml --engine {engine} --set engines.1.chunksize=1 --halt {when},fail=1 -q");
            code(&shell(&folder, &call), 1);
            assert_eq!(folder.path("ended").exists(), ends, "{engine} {when}");
            assert!(!done(&folder).contains(&"never".to_owned()), "{engine} {when}: {:?}", done(&folder));
        }
    }
}

#[test]
fn enough_successes_are_a_success() {
    let folder = workload("[a, b, c, d]", "true", "");
    code(&shell(&folder, "POOLSCOPE run w.yaml --workers 1 --halt soon,success=50% -q"), 0);
    assert_eq!(done(&folder), ["a", "b"]);
    let folder = workload("[a, b]", "true", "");
    let output = shell(&folder, "POOLSCOPE run w.yaml --workers 1 --halt now,done=2");
    code(&output, 0);
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.contains("ABORTED"), "it was over anyway: {said}");
}

#[test]
fn what_is_wrong_with_items_that_a_halted_run_does_not_come_to_is_none_of_its() {
    let folder = workload("{csv: \"-\"}", "sleep 0.2", "");
    // All of it is there before the first has ended.
    let output = shell(&folder, "printf 'n\\na\\nb\\nc,d\\n' | POOLSCOPE run w.yaml --workers 1 --halt soon,done=1 -q");
    code(&output, 0);
    assert_eq!((done(&folder), text(&output.stderr).as_str()), (vec!["a".to_owned()], ""));
}

#[test]
fn what_is_no_rule_is_refused() {
    let folder = workload("[a]", "true", "");
    for halt in ["now", "now,fail=0", "later,fail=1", "now,fail=101%"] {
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml --halt {halt}"));
        code(&output, 2);
        assert!(text(&output.stderr).contains("now,fail=1 or soon,fail=10%"), "{}", text(&output.stderr));
    }
    assert!(done(&folder).is_empty());
}
