//! `poolscope try`: work that is named on the command line is done for real, as often as was said and no more.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::process::Output;

use support::cli::{code, json, json_after, text};
use support::program::WorkloadFolder;

fn folder() -> WorkloadFolder {
    WorkloadFolder::new("")
}

fn shell(folder: &WorkloadFolder, script: &str) -> Output {
    folder.shell(script).output().unwrap()
}

/// What the command has left in a file, sorted.
fn done(folder: &WorkloadFolder) -> Vec<String> {
    let text = fs::read_to_string(folder.path("done")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_command_is_run_once_for_each_item_of_standard_input() {
    let folder = folder();
    let script = "printf 'b\\na c\\n$(x);\\n' | POOLSCOPE try --items - --headless --format json -- \
                  sh -c 'echo \"$1\" >> done' sh {}";
    let output = shell(&folder, script);
    let result = json(&output);
    assert_eq!(done(&folder), ["$(x);", "a c", "b"]);
    assert_eq!(result["arms"].as_array().unwrap().len(), 1);
    assert_eq!(result["arms"][0]["engine"], "process");
    assert_eq!(result["arms"][0]["runs"][0]["tasks"]["succeeded"], 3);
    let said = text(&output.stderr);
    assert!(
        said.contains("one execution for each item that comes, each done once") && said.contains("serve: lines"),
        "{said}"
    );
}

#[test]
fn files_that_match_are_items_and_one_that_is_not_named_is_the_last_word() {
    let folder = folder();
    for name in ["b.txt", "a b.txt", "c.log"] {
        fs::write(folder.path(name), name).unwrap();
    }
    code(&shell(&folder, "POOLSCOPE try --items '*.txt' --headless -- sh -c 'echo \"$1\" >> done' sh"), 0);
    assert_eq!(done(&folder), ["a b.txt", "b.txt"]);
}

#[test]
fn more_than_once_is_asked_for_and_nothing_is_done_before() {
    let folder = folder();
    for more in ["--engines pool,process", "--repeats 3", "--workers 1..2"] {
        // Without a terminal there is nobody to ask.
        let script = format!("setsid -w POOLSCOPE try --count 2 {more} --headless -- sh -c 'echo x >> done'");
        let output = shell(&folder, &script);
        code(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains("executions in all: 2 tasks ×") && said.contains("--yes"), "{more}: {said}");
        assert!(done(&folder).is_empty(), "{more}");
    }
    code(&shell(&folder, "POOLSCOPE try --count 2 --repeats 3 --yes --headless -- sh -c 'echo x >> done'"), 0);
    assert_eq!(done(&folder).len(), 6);
}

#[test]
fn a_file_of_items_is_swept_and_tuned_only_when_that_was_agreed_to() {
    let folder = folder();
    let file = "printf 'a\\nb\\n' > n; POOLSCOPE try --items n --print -- sh -c 'echo x >> done' sh > w.yaml";
    code(&shell(&folder, file), 0);
    for (verb, words) in [
        ("sweep w.yaml --workers 1,2 --repeats 1", "4 executions in all: 2 tasks × 2 worker counts"),
        ("sweep w.yaml", "up to 36 executions in all: 2 tasks × 2 worker counts × up to 9 repeats"),
        ("compare w.yaml --workers 1,2", "4 executions in all"),
        ("tune w.yaml", "2 executions in each run"),
    ] {
        let output = shell(&folder, &format!("setsid -w POOLSCOPE {verb} --quiet"));
        code(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains(words) && said.contains("--yes"), "{verb}: {said}");
        assert!(done(&folder).is_empty(), "{verb}");
    }
    code(&shell(&folder, "setsid -w POOLSCOPE sweep w.yaml --workers 1,2 --repeats 1 --quiet --yes"), 0);
    assert_eq!(done(&folder).len(), 4);
}

#[test]
fn a_quiet_batch_says_that_tasks_failed_and_a_joblog_of_other_work_skips_nothing() {
    let folder = folder();
    let file = "printf 'a\\nb\\n' > n; POOLSCOPE try --items n --print -- sh -c 'test $1 = a' sh > w.yaml";
    code(&shell(&folder, file), 0);
    let output = shell(&folder, "POOLSCOPE run w.yaml --joblog log -q");
    code(&output, 0);
    let said = text(&output.stderr);
    assert!(said.contains("1 of the tasks did not succeed") && said.contains("--fail-on-error"), "{said}");
    let output = shell(&folder, "sed 's/test/test -n/' w.yaml > other.yaml; POOLSCOPE run other.yaml --resume log -q");
    assert!(text(&output.stderr).contains("0 of 1 lines that succeeded are of this work"), "{}", text(&output.stderr));
    code(&shell(&folder, "POOLSCOPE run w.yaml --set 'tasks.0.success_codes=[0,1]' --resume log -q"), 0);
    let output = shell(&folder, "POOLSCOPE run w.yaml --resume log");
    code(&output, 0);
    let said = text(&output.stderr);
    assert!(said.contains("nothing is left to do") && !said.contains("wall time"), "{said}");
}

#[test]
fn several_worker_counts_are_a_sweep() {
    let folder = folder();
    let script = "POOLSCOPE try --count 4 --workers 1..2 --yes --format json -- sh -c 'echo x >> done'";
    let result = json(&shell(&folder, script));
    assert_eq!(result["schema"], "poolscope.sweep/1");
    assert_eq!(done(&folder).len(), 8, "each task once with each count");
}

#[test]
fn a_task_that_fails_is_the_exit_code_unless_that_is_allowed() {
    let folder = folder();
    let script = |more: &str| {
        format!("POOLSCOPE try --count 3 {more} --headless --format json -- sh -c 'test $1 != 1' sh {{index}}")
    };
    let result = json_after(&shell(&folder, &script("")), 1);
    assert_eq!(result["arms"][0]["runs"][0]["tasks"]["failed"], 1);
    json(&shell(&folder, &script("--allow-failures")));
    // Of an ordinary workload only where it is asked for.
    let printed = shell(&folder, &format!("{} > w.yaml", script("--print")));
    code(&printed, 0);
    code(&shell(&folder, "POOLSCOPE run w.yaml --quiet"), 0);
    code(&shell(&folder, "POOLSCOPE run w.yaml --quiet --fail-on-error"), 1);
}

#[test]
fn what_is_printed_is_a_workload_that_does_the_same() {
    let folder = folder();
    fs::write(folder.path("list.csv"), "name,size\nx,1\n\"y z\",2\n").unwrap();
    let script = "POOLSCOPE try --items list.csv --timeout 10s --print -- sh -c 'echo \"$1 $2\" >> done' sh \
                  {item.name} {item.size} > w.yaml && POOLSCOPE run w.yaml --quiet";
    code(&shell(&folder, script), 0);
    assert_eq!(done(&folder), ["x 1", "y z 2"]);
}

#[test]
fn a_function_runs_in_a_pool_and_a_process() {
    let folder = folder();
    fs::write(folder.path("own.py"), "def twice(n, by=2):\n    return n * by\n").unwrap();
    let script = "POOLSCOPE try --python own:twice --arg n={index} --arg by=3 --count 6 --yes --headless --format json";
    let result = json(&shell(&folder, script));
    let arms = result["arms"].as_array().unwrap();
    let kinds: Vec<&str> = arms.iter().map(|arm| arm["engine"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["pool", "process"]);
    let hashes: Vec<&str> = arms.iter().map(|arm| arm["runs"][0]["results_hash"].as_str().unwrap()).collect();
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn what_is_no_work_is_refused() {
    let folder = folder();
    fs::write(folder.path("list.txt"), "a\n").unwrap();
    for (arguments, reason) in [
        ("-- true", "how often?"),
        ("--count 2", "what?"),
        ("--items missing.txt -- true", "missing.txt"),
        ("--count 2 --rate fast -- true", "fast"),
        ("--count 2 --python nothing_of_this_name:f --yes --headless", "nothing_of_this_name"),
        ("--count 2 --arg a=1 -- true", "--python"),
        ("--items . -- true", "what is in it: --items './*'"),
        ("--count 2 --headless -- no-such-program-at-all", "no-such-program-at-all: not found in PATH"),
        ("--items list.txt --headless -- sh -c 'echo {}'", "would be run as part of this text"),
    ] {
        let output = shell(&folder, &format!("POOLSCOPE try {arguments} < /dev/null"));
        code(&output, 2);
        assert!(text(&output.stderr).contains(reason), "{arguments}: {}", text(&output.stderr));
    }
}

#[test]
fn whatever_does_it_more_often_is_said_and_asked_for() {
    let folder = folder();
    fs::write(folder.path("own.py"), "def note(n):\n    open('done', 'a').write('x\\n')\n").unwrap();
    for (more, words) in [
        (
            "--set measure.precision=2% -- sh -c 'echo x >> done'",
            "up to 100 executions in all: 2 tasks × up to 50 repeats",
        ),
        (
            "--set measure.gil_probe=true --engines pool --python own:note --arg n={index}",
            "4 executions in all: 2 tasks, and 1 run to probe an interpreter",
        ),
        ("--set measure.warmup=1 -- sh -c 'echo x >> done'", "1 warm-up of each engine"),
    ] {
        let output = shell(&folder, &format!("setsid -w POOLSCOPE try --count 2 --headless {more}"));
        code(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains(words) && said.contains("--yes"), "{more}: {said}");
        assert!(done(&folder).is_empty(), "{more}");
    }
    let output = shell(&folder, "POOLSCOPE try --count 2 --retries 2 --headless -- sh -c 'echo x >> done; false'");
    let said = text(&output.stderr);
    assert!(said.contains("2 executions in all, each done once; up to 3 × as many where they fail"), "{said}");
    assert_eq!(done(&folder).len(), 6);
}

#[test]
fn what_is_printed_is_a_file_that_is_one_and_says_what_it_leaves_out() {
    let folder = folder();
    let output = shell(&folder, "POOLSCOPE try --count 1 --rate bogus --print -- true");
    code(&output, 2);
    assert!(output.stdout.is_empty() && text(&output.stderr).contains("rate"), "{}", text(&output.stderr));
    let output = shell(&folder, "POOLSCOPE try --items - --workers 1..3 --set name=x --print -- true </dev/null");
    code(&output, 0);
    assert!(
        text(&output.stdout).starts_with("# To be run with: --set name=x --workers 1,2,3\n"),
        "{}",
        text(&output.stdout)
    );
    assert!(text(&output.stderr).contains("--workers 1,2,3"), "{}", text(&output.stderr));
}

#[test]
fn a_printed_file_is_checked_without_its_items() {
    let folder = folder();
    let script = "POOLSCOPE try --items - --print -- wc -l > w.yaml </dev/null; POOLSCOPE check w.yaml; cat";
    let output = shell(&folder, &format!("printf 'a\\n' | ({script})"));
    code(&output, 0);
    let said = text(&output.stdout);
    assert!(said.contains("come from standard input") && said.contains("w.yaml: valid"), "{said}");
    assert!(said.ends_with("\na\n"), "it was left there: {said}");
}

#[test]
fn arguments_arrive_as_they_were_given() {
    let folder = folder();
    let odd = "\u{85}|\u{9b}|\u{fffe}|\u{7f}|\u{202e}|\u{feff}|\u{2028}|\u{e0001}";
    let script = format!("POOLSCOPE try --count 1 --headless -- sh -c 'printf %s \"$1\" > done' 'a\u{202e}b' '{odd}'");
    code(&shell(&folder, &script), 0);
    assert_eq!(fs::read_to_string(folder.path("done")).unwrap(), odd);
    fs::write(folder.path("own.py"), "def note(**all):\n    open('done', 'w').write(repr(all))\n").unwrap();
    let script = "printf 7 | POOLSCOPE try --items - --engines pool --headless --python own:note \
                  --arg n=123456789012345678901234567890 --arg 'y={\"k\":{},\"i\":\"{}\"}' --arg 'x={\"index\":null}'";
    code(&shell(&folder, script), 0);
    let wanted = "{'n': 123456789012345678901234567890, 'y': {'k': {}, 'i': '7'}, 'x': {'index': None}}";
    assert_eq!(fs::read_to_string(folder.path("done")).unwrap(), wanted);
}

#[test]
fn items_may_end_with_a_zero_byte() {
    let folder = folder();
    let script =
        "printf 'a\\nb\\0c' | POOLSCOPE try -0 --items - --headless -- sh -c 'printf \"%s|\" \"$1\" >> done' sh";
    code(&shell(&folder, script), 0);
    assert_eq!(done(&folder).concat().matches('|').count(), 2);
    let output = shell(&folder, "POOLSCOPE try --count 1 --allow-failures --fail-on-error -- true");
    code(&output, 2);
}

#[test]
fn a_pattern_without_quotes_and_a_pipe_are_told_with_what_to_do() {
    let folder = folder();
    for name in ["a.txt", "b.txt"] {
        fs::write(folder.path(name), "").unwrap();
    }
    for (script, says) in [
        ("POOLSCOPE try --items *.txt --headless -- true", "a pattern needs quotes"),
        ("mkfifo pipe; POOLSCOPE try --items pipe --headless -- true", "| poolscope try --items - ..."),
    ] {
        let output = shell(&folder, script);
        code(&output, 2);
        assert!(text(&output.stderr).contains(says), "{script}: {}", text(&output.stderr));
    }
}
