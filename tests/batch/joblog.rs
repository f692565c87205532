use std::fs;
use std::os::unix::fs::FileExt as _;

use super::support::cli::{code, text};
use super::{entries, lines, shell, workload};

#[test]
fn each_task_has_a_line_in_every_engine() {
    for engine in ["process", "pool"] {
        let script = "case {item} in k) kill -9 $$;; x) exit 3;; s) exec sleep 30;; esac";
        let folder = workload("[a, k, x, s, \"b c\"]", script, ", timeout: 500ms, grace_period: 100ms");
        code(&shell(&folder, &format!("POOLSCOPE run w.yaml --engine {engine} --joblog log -q")), 0);
        let mut found = entries(&folder, "log");
        found.sort();
        let told: Vec<_> = found.iter().map(|entry| (entry.0, entry.1, entry.2, entry.4.as_str())).collect();
        let killed = found[1].clone();
        assert_eq!((told[0], told[2]), ((1, 0, 0, "succeeded"), (3, 3, 0, "failed")), "{engine}");
        assert_eq!((killed.1, killed.2, killed.4.as_str()), (0, 9, "failed"), "{engine}");
        assert_eq!((told[3].0, told[3].3), (4, "timed_out"), "{engine}: {:?}", told[3]);
        assert!(told[3].1 != 0 || told[3].2 != 0, "{engine}: no success to GNU parallel: {:?}", told[3]);
        assert!(found[4].3.starts_with("echo 'b c' >> done; case 'b c' in"), "{}", found[4].3);
    }
}

#[test]
fn functions_have_lines_too_whoever_dispatches_them() {
    let folder = super::WorkloadFolder::new(
        "version: 1\nname: b\ntasks: [{ name: t, kind: python, callable: \"job:check\", items: [1, two], args: [{ item }] }]\n\
         engines: [{ kind: pool, workers: 2 }]\n",
    );
    fs::write(folder.path("job.py"), "def check(item):\n    return 10 / (item - 1 if item == 1 else 1)\n").unwrap();
    for engine in ["pool", "mp_pool", "ppe"] {
        code(&shell(&folder, &format!("POOLSCOPE run w.yaml --engine {engine} --joblog {engine} -q")), 0);
        let mut found = entries(&folder, engine);
        found.sort();
        let told: Vec<_> = found.iter().map(|entry| (entry.0, entry.1, entry.3.as_str(), entry.4.as_str())).collect();
        assert_eq!(told, [(1, -1, "job:check 1", "failed"), (2, 0, "job:check two", "succeeded")], "{engine}");
    }
    let output = shell(&folder, "POOLSCOPE run w.yaml --engine mp_pool --halt now,fail=1");
    code(&output, 2);
    assert!(text(&output.stderr).contains("dispatches by itself"), "{}", text(&output.stderr));
}

#[test]
fn a_task_that_is_tried_again_has_one_line() {
    let folder = workload(
        "[a, b]",
        "test -e tried-{item} || { touch tried-{item}; exit 1; }",
        ", retries: {max: 1, on: [error]}",
    );
    code(&shell(&folder, "POOLSCOPE run w.yaml --joblog log -q"), 0);
    let found = entries(&folder, "log");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|entry| entry.4 == "succeeded"), "{found:?}");
}

#[test]
fn lines_are_appended_and_a_torn_one_is_mended() {
    let folder = workload("[a, b]", "true", "");
    code(&shell(&folder, "POOLSCOPE run w.yaml --joblog log -q"), 0);
    let whole = fs::read(folder.path("log")).unwrap();
    fs::write(folder.path("log"), [&whole, &b"3\t:\t17"[..]].concat()).unwrap();
    let output = shell(&folder, "POOLSCOPE run w.yaml --joblog log -q");
    code(&output, 0);
    assert!(text(&output.stderr).contains("torn"), "{}", text(&output.stderr));
    let now = fs::read(folder.path("log")).unwrap();
    assert!(now.starts_with(&whole));
    assert_eq!(entries(&folder, "log").len(), 4);
}

#[test]
fn what_cannot_be_a_joblog_is_refused_before_anything_is_done() {
    let folder = workload("[a]", "true", "");
    fs::write(folder.path("thesis"), "Chapter 1\n").unwrap();
    shell(&folder, "mkfifo pipe; mkdir folder");
    for place in ["thesis", "pipe", "folder", "nowhere/log"] {
        for option in ["--joblog", "--resume"] {
            if (option, place) == ("--resume", "nowhere/log") {
                continue;
            }
            let output = shell(&folder, &format!("timeout 20 POOLSCOPE run w.yaml {option} {place} -q"));
            code(&output, 2);
            assert!(text(&output.stderr).contains(&format!("error: {place}")), "{}", text(&output.stderr));
        }
    }
    assert_eq!(fs::read(folder.path("thesis")).unwrap(), b"Chapter 1\n");
    assert!(lines(&folder, "done").is_empty());
}

#[test]
fn a_log_is_ours_before_it_is_read() {
    let folder = workload("[a]", "true", "");
    // Whoever writes to it now may be about to write anything: what it has is not looked at.
    fs::write(folder.path("log"), "Seq\tHost\nnonsense\n").unwrap();
    let log = fs::File::options().append(true).open(folder.path("log")).unwrap();
    log.lock().unwrap();
    for option in ["--joblog", "--resume"] {
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml {option} log -q"));
        code(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains("another Poolscope is writing to it") && !said.contains("no joblog"), "{said}");
    }
    drop(log);
    let said = text(&shell(&folder, "POOLSCOPE run w.yaml --resume log -q").stderr);
    assert!(said.contains("is no joblog"), "{said}");
    assert!(lines(&folder, "done").is_empty());
}

#[test]
fn a_log_that_is_removed_meanwhile_is_missed() {
    for engine in ["process", "pool"] {
        let folder = workload("[a, b]", "rm -f log", "");
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml --engine {engine} --joblog log -q"));
        code(&output, 3);
        let said = text(&output.stderr);
        assert!(said.contains("the joblog cannot be written: log: it was removed while"), "{engine}: {said}");
        assert_eq!(lines(&folder, "done").len(), 2, "{engine}: what there was to do is done");
    }
}

#[test]
fn several_runs_are_no_batch() {
    let folder = workload("[a]", "true", "");
    for (call, instead) in [
        ("compare w.yaml --joblog log", "poolscope run"),
        ("compare w.yaml --halt now,fail=1", "poolscope run"),
        ("compare w.yaml --resume log", "poolscope run"),
        ("sweep w.yaml --keep-order", "poolscope run"),
        ("try --count 1 --repeats 2 --yes --joblog log -- true", "one repeat"),
    ] {
        let output = shell(&folder, &format!("POOLSCOPE {call}"));
        code(&output, 2);
        let said = text(&output.stderr);
        assert!(said.contains("is for a batch") && said.contains(instead), "{call}: {said}");
    }
    assert!(lines(&folder, "done").is_empty() && !folder.path("log").exists());
}

/// Bytes that a file may have there, and what is left of them for the joblog.
const MOST: u64 = 64 << 20;
const LEFT: u64 = 4096;

#[test]
fn without_room_the_run_ends_and_says_so() {
    let items: Vec<String> = (0..200).map(|number| format!("item-{number}")).collect();
    let folder = workload(&serde_json::to_string(&items).unwrap(), "true", "");
    code(&shell(&folder, "POOLSCOPE run w.yaml --joblog log -q --halt now,done=1"), 0);
    // A hole, and the end of a line.
    let log = fs::File::options().write(true).open(folder.path("log")).unwrap();
    log.write_all_at(b"\n", MOST - LEFT - 1).unwrap();
    let limit = format!("trap '' XFSZ; ulimit -f {}; exec POOLSCOPE run w.yaml --joblog log -q", MOST / 512);
    let output = shell(&folder, &limit);
    code(&output, 3);
    assert!(text(&output.stderr).contains("the joblog cannot be written: log: "), "{}", text(&output.stderr));
    let log = fs::read(folder.path("log")).unwrap();
    let written = text(&log[(MOST - LEFT) as usize..]);
    assert!(written.len() as u64 > LEFT / 2 && written.ends_with('\n'), "whole lines alone: {written}");
    assert!(written.lines().all(|line| line.contains("\t#poolscope succeeded ")), "{written}");
}
