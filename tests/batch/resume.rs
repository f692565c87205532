use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use super::support::cli::{code, json, text};
use super::{done, entries, lines, shell, until, workload};

#[test]
fn only_what_has_not_succeeded_is_done_again_wherever_it_stands_now() {
    let folder = workload("{lines: items}", "test {item} != bad -o -e good", "");
    fs::write(folder.path("items"), "a\nbad\nc d\n").unwrap();
    code(&shell(&folder, "POOLSCOPE run w.yaml --joblog log -q"), 0);
    fs::remove_file(folder.path("done")).unwrap();
    // In another order, with one more; the numbers are others.
    fs::write(folder.path("items"), "new\nc d\nbad\na\n").unwrap();
    fs::write(folder.path("good"), "").unwrap();
    let output = shell(&folder, "POOLSCOPE run w.yaml --resume log -q --format json");
    let result = json(&output);
    assert_eq!(done(&folder), ["bad", "new"]);
    assert_eq!(result["arms"][0]["runs"][0]["tasks"]["succeeded"], 2);
    assert!(text(&output.stderr).contains("2 tasks have succeeded before"), "{}", text(&output.stderr));
    // It goes on in the same file.
    assert_eq!(entries(&folder, "log").len(), 5);
    let output = shell(&folder, "POOLSCOPE run w.yaml --resume log --joblog other -q");
    code(&output, 0);
    assert_eq!(done(&folder).len(), 2, "nothing is left");
    assert_eq!(entries(&folder, "other").len(), 0);
    // Another command is another task.
    code(&shell(&folder, "POOLSCOPE run w.yaml --resume log -q --set tasks.0.command='echo {item} >> done'"), 0);
    assert_eq!(done(&folder).len(), 6);
}

#[test]
fn of_equal_items_as_many_are_left_out_as_have_succeeded() {
    let folder = workload("[x, x, x]", "[ $(wc -l < done) -gt 2 ]", "");
    code(&shell(&folder, "POOLSCOPE run w.yaml --joblog log --workers 1 -q"), 0);
    let outcomes: Vec<String> = entries(&folder, "log").into_iter().map(|entry| entry.4).collect();
    assert_eq!(outcomes, ["failed", "failed", "succeeded"]);
    code(&shell(&folder, "POOLSCOPE run w.yaml --resume log --workers 1 -q"), 0);
    assert_eq!(done(&folder).len(), 5);
}

#[test]
fn a_log_of_gnu_parallel_is_matched_by_its_commands() {
    let folder = workload("{lines: items}", "true", "");
    fs::write(folder.path("items"), "plain\nit's\na b\n$x\n").unwrap();
    let head = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
    let line = |command: &str, exit: i32| format!("1\t:\t1795718777.803\t     0.016\t0\t2\t{exit}\t0\t{command}\n");
    let log = [
        head.to_owned(),
        line("echo plain >> done; true", 0),
        line("echo 'it'\"'\"'s' >> done; true", 0),
        line("echo a\\ b >> done; true", 1),
        line("echo $x >> done; true", 0),
    ];
    fs::write(folder.path("log"), log.concat()).unwrap();
    code(&shell(&folder, "POOLSCOPE run w.yaml --resume log -q"), 0);
    assert_eq!(done(&folder), ["$x", "a b"], "one has failed, the other was another word");
}

#[test]
fn what_was_logged_before_a_kill_is_not_done_again() {
    let items: Vec<String> = (0..60).map(|number| format!("item-{number}")).collect();
    for (engine, signal) in [("process", 9), ("pool", 9), ("process", 2)] {
        let folder = workload(&serde_json::to_string(&items).unwrap(), "sleep 0.05", "");
        let mut run = folder.run(engine, &["--joblog", "log"]).current_dir(folder.as_path()).spawn().unwrap();
        until("the first lines", || lines(&folder, "log").len() > 6);
        // SAFETY: a child of ours that was not waited for.
        assert_eq!(unsafe { libc::kill(run.id() as i32, signal) }, 0);
        let ended = run.wait().unwrap();
        assert!(ended.signal() == Some(9) || ended.code() == Some(130), "{ended:?}");
        let logged: Vec<u64> = entries(&folder, "log").iter().map(|entry| entry.0).collect();
        assert!(logged.len() < 60, "{engine}");
        fs::rename(folder.path("done"), folder.path("done-before")).unwrap();
        code(
            &shell(
                &folder,
                &format!("POOLSCOPE run w.yaml --engine {engine} --resume log -q --set tasks.0.timeout=20s"),
            ),
            0,
        );
        let mut wanted = items.clone();
        wanted.retain(|item| !logged.iter().any(|number| *item == items[*number as usize - 1]));
        wanted.sort();
        assert_eq!(done(&folder), wanted, "{engine}, signal {signal}");
        assert_eq!(entries(&folder, "log").len(), 60);
    }
}

#[test]
fn a_trial_is_a_batch_too() {
    let folder = workload("[a]", "true", "");
    let call = "printf 'a\\nb\\nc\\n' | POOLSCOPE try --items - --resume log -q -- sh -c 'echo $1 >> done; test $1 != b' sh {}";
    code(&shell(&folder, call), 1);
    code(&shell(&folder, call), 3);
    assert_eq!(done(&folder), ["a", "b", "b", "c"]);
    assert_eq!(entries(&folder, "log").len(), 4);
}
