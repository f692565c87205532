//! Databases that cannot be used: the run is made and its result printed all the same, and what was not kept is said.

use super::support::cli::{code, text};
use super::*;

/// Runs with the stage's history as it is; what is said beside the result, which has to be whole.
fn told(stage: &Stage) -> String {
    let output = stage.run(&["run", "w.yaml", "--engine", "pool", "--quiet", "--format", "json"]);
    let (result, told) = result_and_notes(&output);
    assert_eq!(result["arms"][0]["runs"][0]["tasks"]["succeeded"], 50);
    told
}

/// The same, and that what is there stays as it is.
fn refused(stage: &Stage, why: &str) {
    let before = std::fs::read(stage.db()).unwrap();
    let told = told(stage);
    assert!(told.contains("not kept") && told.contains(why), "{told}");
    let listed = stage.run(&["history", "list"]);
    code(&listed, 2);
    assert!(text(&listed.stderr).contains(why), "{}", text(&listed.stderr));
    assert!(std::fs::read(stage.db()).unwrap() == before, "it was changed");
}

#[test]
fn a_history_of_a_newer_program_is_left_alone() {
    let stage = Stage::new(QUICK);
    assert_eq!(told(&stage), "");
    assert_eq!(stage.sessions().len(), 1);
    stage.sql("PRAGMA user_version = 1000");
    refused(&stage, "newer Poolscope (schema 1000");
}

#[test]
fn an_older_history_becomes_one_of_today() {
    let stage = Stage::new(QUICK);
    assert_eq!(told(&stage), "");
    stage.sql("DROP TABLE baselines; PRAGMA user_version = 1");
    assert_eq!(told(&stage), "");
    assert_eq!(stage.sessions().len(), 2, "what was there is there");
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
}

#[test]
fn what_is_no_history_is_left_alone() {
    let stage = Stage::new(QUICK);
    std::fs::write(stage.db(), "these are my notes, and I want them back\n".repeat(100)).unwrap();
    refused(&stage, "no history of Poolscope");
    std::fs::remove_file(stage.db()).unwrap();
    stage.sql("CREATE TABLE accounts (id INTEGER); PRAGMA user_version = 1");
    refused(&stage, "no history of Poolscope");
}

#[test]
fn a_damaged_history_is_said_to_be_one() {
    let stage = Stage::new(QUICK);
    assert_eq!(told(&stage), "");
    assert_eq!(stage.sessions().len(), 1, "reading it folds its log into it");
    let mut bytes = std::fs::read(stage.db()).unwrap();
    // All but the page that says what it is.
    bytes[4096..].fill(0xa5);
    std::fs::write(stage.db(), &bytes).unwrap();
    let told = told(&stage);
    assert!(told.contains("not kept") && told.contains("damaged"), "{told}");
    let listed = stage.run(&["history", "list"]);
    code(&listed, 2);
    assert!(text(&listed.stderr).contains("damaged"), "{}", text(&listed.stderr));
}

#[test]
fn what_is_no_regular_file_is_neither_opened_nor_waited_for() {
    let stage = Stage::new(QUICK);
    assert!(Command::new("mkfifo").arg(stage.db()).status().unwrap().success());
    assert!(told(&stage).contains("no history of Poolscope"));
    std::fs::remove_file(stage.db()).unwrap();
    std::fs::create_dir(stage.db()).unwrap();
    assert!(told(&stage).contains("no history of Poolscope"));
    std::fs::remove_dir(stage.db()).unwrap();
    std::fs::write(stage.path("in-the-way"), "").unwrap();
    let mut command = stage.command(&["run", "w.yaml", "--engine", "pool", "--quiet", "--format", "json"]);
    let output = command.env("POOLSCOPE_DB", stage.path("in-the-way/history.db")).output().unwrap();
    assert!(result_and_notes(&output).1.contains("cannot be made"), "{}", text(&output.stderr));
}

#[test]
fn on_a_full_disk_and_a_read_only_one_the_result_is_printed_and_a_note_says_what_is_missing() {
    let stage = Stage::new(QUICK);
    let script = "mkdir disk && mount -t tmpfs -o size=512k none disk && cp disk/../w.yaml . 2>/dev/null; \
                  mountpoint -q disk || exit 77\n\
                  RUN > first 2> first.err || exit 1\n\
                  [ ! -s first.err ] || exit 2\n\
                  dd if=/dev/zero of=disk/rest bs=1024 2> /dev/null\n\
                  RUN > full 2> full.err || exit 3\n\
                  grep -q poolscope.result/1 full || exit 4\n\
                  grep -q 'not kept.*no room' full.err || { cat full.err >&2; exit 5; }\n\
                  rm disk/rest; RUN > again 2> again.err || exit 6\n\
                  [ ! -s again.err ] || { cat again.err >&2; exit 7; }\n\
                  LIST --format json > list || exit 8\n\
                  mount -o remount,ro disk || exit 78\n\
                  RUN > ro 2> ro.err || exit 9\n\
                  grep -q poolscope.result/1 ro && grep -q 'not kept' ro.err || { cat ro.err >&2; exit 10; }";
    let program = env!("CARGO_BIN_EXE_poolscope");
    let script = script
        .replace("RUN", &format!("{program} run w.yaml --engine pool --quiet --format json"))
        .replace("LIST", &format!("{program} history list"));
    let inner = stage.command(&[]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "/bin/sh", "-c", &script]).current_dir(stage.0.path());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("POOLSCOPE_DB", stage.path("disk/history.db")).stdin(Stdio::null());
    let output = match command.output() {
        Ok(output)
            if !matches!(output.status.code(), Some(77 | 78)) && !text(&output.stderr).starts_with("unshare:") =>
        {
            output
        }
        _ => return println!("not checked: nothing can be mounted here"),
    };
    code(&output, 0);
    let list: Value = serde_json::from_str(&std::fs::read_to_string(stage.path("list")).unwrap()).unwrap();
    assert!(list["sessions"].as_array().unwrap().len() >= 2, "{list:#}");
}
