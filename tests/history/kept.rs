//! What is kept, by which commands, and what never is.

use super::support::cli::{code, json, text};
use super::support::eventually;
use super::*;

#[test]
fn every_command_keeps_its_counted_runs_with_all_figures() {
    let stage = Stage::new(QUICK);
    let result = json(&stage.run(&["compare", "w.yaml", "--quiet", "--format", "json", "--seed", "7"]));
    code(&stage.run(&["run", "w.yaml", "--quiet", "--set", "total=20", "--set", "tasks.0.weight=1"]), 2);
    code(&stage.run(&["run", "w.yaml", "--quiet", "--set", "tasks.0.count=20"]), 0);
    code(
        &stage.run(&[
            "sweep",
            "w.yaml",
            "--quiet",
            "--workers",
            "1,2",
            "--engines",
            "pool",
            "--repeats",
            "2",
            "--full",
        ]),
        0,
    );
    code(&stage.run(&["try", "--count", "2", "--headless", "--quiet", "--", "true"]), 0);
    code(&stage.run(&["run", "w.yaml", "--quiet", "--no-history"]), 0);
    let sessions = stage.sessions();
    let verbs: Vec<&str> = sessions.iter().map(|session| session["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["compare", "run", "sweep", "try"], "what was refused, or was not to be kept, is not there");
    assert!(sessions.iter().all(|session| session["state"] == "finished"), "{sessions:#?}");
    let [compared, run, swept, _] = sessions.as_slice() else { panic!() };
    assert_eq!(compared["workload"]["hash"], result["workload"]["hash"]);
    assert_eq!(compared["workload"]["stream_hash"], result["workload"]["stream_hash"]);
    assert_eq!(compared["workload"]["seed"], 7);
    assert_eq!(compared["commit"], Value::Null);
    for (arm, told) in compared["arms"].as_array().unwrap().iter().zip(result["arms"].as_array().unwrap()) {
        assert_eq!(arm["runs"].as_array().unwrap().len(), 3);
        for (run, told) in arm["runs"].as_array().unwrap().iter().zip(told["runs"].as_array().unwrap()) {
            assert_eq!(run["throughput"], told["throughput"]);
            assert_eq!(run["p95_s"], told["latency_s"]["sojourn"]["p95"]);
            assert_eq!(run["results_hash"], told["results_hash"]);
            assert_eq!((&run["succeeded"], &run["partial"]), (&told["tasks"]["succeeded"], &Value::Bool(false)));
        }
    }
    assert_eq!(run["workload"]["set"][0], "tasks.0.count=20");
    let counts: Vec<_> = swept["arms"].as_array().unwrap().iter().map(|arm| arm["workers"].as_u64().unwrap()).collect();
    assert_eq!(counts, [1, 2], "each worker count for itself");
    assert!(swept["arms"][0]["runs"].as_array().unwrap().len() >= 2);
    // The whole result, and the workload, are there again.
    let shown = stage.history(&["show", "1"]);
    assert_eq!(shown["session"]["result"], result);
    assert_eq!(shown["session"]["workload"]["text"], QUICK);
    code(&stage.run(&["history", "show", "1"]), 0);
    let workload = stage.run(&["history", "show", "1", "--workload"]);
    assert_eq!(text(&workload.stdout), QUICK);
    let missing = stage.run(&["history", "show", "99"]);
    code(&missing, 2);
    assert!(text(&missing.stderr).contains("no session 99"), "{}", text(&missing.stderr));
}

#[test]
fn a_search_keeps_its_sessions_and_a_check_passes_over_them() {
    let stage = Stage::new(QUICK);
    code(&stage.run(&["run", "w.yaml", "--quiet", "--engine", "pool"]), 0);
    let tune = ["tune", "w.yaml", "--quiet", "--engine", "pool", "--repeats", "1", "--target", "max<1h"];
    code(&stage.run(&[&tune[..], &["--no-history"]].concat()), 0);
    assert_eq!(stage.sessions().len(), 1);
    code(&stage.run(&tune), 0);
    let sessions = stage.sessions();
    assert!(sessions.len() > 1 && sessions[1..].iter().all(|session| session["verb"] == "tune"), "{sessions:#?}");
    assert!(sessions.iter().all(|session| session["state"] == "finished"), "{sessions:#?}");
    let shown = stage.history(&["show", "2"]);
    assert_eq!(shown["session"]["result"]["schema"], "poolscope.sweep/1");
    assert!(!shown["session"]["arms"][0]["runs"].as_array().unwrap().is_empty());
    code(&stage.run(&["run", "w.yaml", "--quiet", "--engine", "pool"]), 0);
    code(&stage.run(&tune), 0);
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
    let checked = stage.history(&["check", "quick"]);
    let run = sessions.len() + 1;
    assert_eq!(checked["checked"].as_array().unwrap().len(), 1, "{checked:#}");
    assert_eq!(checked["checked"][0]["session"]["id"], run);
}

#[test]
fn no_value_of_an_environment_is_in_the_file() {
    let stage = Stage::new(
        "version: 1\nname: secret\ntasks:\n  - { name: t, kind: command, command: [\"true\"], count: 2, env: { TOKEN: sesame } }\n",
    );
    code(&stage.run(&["run", "w.yaml", "--quiet", "--set", "tasks.0.env.OTHER=mellon", "--engine", "process"]), 0);
    let bytes: Vec<u8> = names(stage.0.path())
        .iter()
        .filter(|name| name.starts_with("history.db"))
        .flat_map(|name| std::fs::read(stage.path(name)).unwrap())
        .collect();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("TOKEN") && holds("tasks.0.env.OTHER="), "the test looks in the right place");
    assert!(!holds("sesame") && !holds("mellon"));
}

/// Naps that nobody waits for.
const LONG: &str = "
version: 1
name: long
tasks: [{ name: nap, kind: command, count: 1000, command: [sh, -c, 'touch began; exec sleep 60'] }]
engines: [{ kind: process, workers: 1 }]
";

#[test]
fn a_session_whose_program_was_killed_is_told_as_such_and_one_under_way_too() {
    let stage = Stage::new(LONG);
    let mut command = stage.command(&["run", "w.yaml", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("a task has begun", || stage.path("began").exists());
    assert_eq!(stage.sessions()[0]["state"], "running");
    child.kill().unwrap();
    child.wait().unwrap();
    let sessions = stage.sessions();
    assert_eq!((sessions.len(), &sessions[0]["state"]), (1, &Value::from("did_not_end")));
    assert_eq!(sessions[0]["arms"], Value::Array(Vec::new()));
    let told = text(&stage.run(&["history", "list"]).stdout);
    assert!(told.contains("did not end"), "{told}");
    assert!(text(&stage.run(&["history", "show", "1"]).stdout).contains("did not end"));
}

#[test]
fn a_session_that_a_signal_ended_is_kept_as_aborted() {
    let stage = Stage::new(LONG);
    let mut command = stage.command(&["run", "w.yaml", "--quiet", "--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("a task has begun", || stage.path("began").exists());
    super::support::kill(child.id(), rustix::process::Signal::TERM);
    code(&child.wait_with_output().unwrap(), 143);
    let session = stage.sessions().remove(0);
    assert_eq!((&session["state"], &session["aborted_because"]), (&"aborted".into(), &"ended by SIGTERM".into()));
    assert_eq!(session["arms"][0]["runs"][0]["partial"], true);
}

#[test]
fn programs_at_once_lose_nothing() {
    let stage = Stage::new(QUICK);
    // None of them finds a database: one makes it while the others want it.
    let start = |_| {
        let mut command = stage.command(&["run", "w.yaml", "--engine", "pool", "--format", "json", "--quiet"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        code(&output, 0);
        assert_eq!(text(&output.stderr), "");
    }
    let sessions = stage.sessions();
    assert_eq!(sessions.len(), 8);
    assert!(sessions.iter().all(|session| session["state"] == "finished"), "{sessions:#?}");
}

#[test]
fn the_commit_of_the_folder_is_kept_and_whether_files_differ() {
    let stage = Stage::new(QUICK);
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]).args(arguments);
        let home = stage.0.path();
        command.current_dir(home).env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1").output()
    };
    if git(&["init", "--quiet"]).is_err() {
        println!("not checked: there is no git");
        return;
    }
    let run = || code(&stage.run(&["run", "w.yaml", "--engine", "pool", "--quiet"]), 0);
    run();
    assert!(git(&["add", "w.yaml"]).unwrap().status.success());
    assert!(git(&["commit", "--quiet", "-m", "one"]).unwrap().status.success());
    run();
    std::fs::write(stage.path("w.yaml"), format!("{QUICK}# more\n")).unwrap();
    run();
    let head = text(&git(&["rev-parse", "HEAD"]).unwrap().stdout);
    let commits: Vec<Value> = stage.sessions().iter().map(|session| session["commit"].clone()).collect();
    assert_eq!(commits[0], Value::Null, "nothing was committed yet");
    // A git that takes longer than it is waited for is none: then nothing is claimed.
    for (commit, dirty) in commits[1..].iter().zip([false, true]) {
        if commit.is_null() {
            println!("not checked: git was too slow here");
            continue;
        }
        assert_eq!((&commit["id"], &commit["dirty"]), (&head.trim().into(), &dirty.into()));
    }
}

#[test]
fn a_sweep_that_is_resumed_is_one_session_and_tells_which_runs_it_leaves_out() {
    let stage = Stage::new(QUICK);
    let sweep = |counts: &str| {
        let sweep = ["sweep", "w.yaml", "-q", "--engines", "pool", "--repeats", "1", "--full", "--resume", "state"];
        let output = stage.run(&[&sweep[..], &["--workers", counts]].concat());
        code(&output, 0);
        let files = names(&stage.path("")).into_iter().filter(|name| name.contains(".db"));
        assert_eq!(files.collect::<Vec<_>>(), ["history.db"], "nobody has it open");
        text(&output.stderr)
    };
    let counts = |session: &Value| {
        session["arms"].as_array().unwrap().iter().map(|arm| arm["workers"].clone()).collect::<Vec<_>>()
    };
    sweep("1");
    sweep("1,2");
    let sessions = stage.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
    assert_eq!((counts(&sessions[0]), &sessions[0]["state"]), (vec![1.into(), 2.into()], &"finished".into()));
    // What others are checked against stays as it was.
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
    sweep("1,2");
    let sessions = stage.sessions();
    assert_eq!(sessions.iter().map(counts).collect::<Vec<_>>(), [[Value::from(1), 2.into()], [1.into(), 2.into()]]);
    assert_eq!(stage.history(&["baseline", "show"])["baselines"][0]["session"], 1);
    // Fewer points than there are: they are not mixed in, and what is kept of them stays.
    let said = sweep("2");
    assert!(said.contains("1 run is left out, with worker counts that are not asked for: 1"), "{said}");
    let sessions = stage.sessions();
    assert_eq!(
        sessions.iter().map(counts).collect::<Vec<_>>(),
        [vec![Value::from(1), 2.into()], vec![1.into(), 2.into()], vec![2.into()]]
    );
    let id = sessions[2]["id"].to_string();
    let compared = stage.run(&["history", "compare", "1", &id]);
    code(&compared, 2);
    assert!(text(&compared.stderr).contains("1 run is in both"), "{}", text(&compared.stderr));
    // What cannot be told is not done.
    code(&stage.run(&["history", "prune", "--keep", "0", "--output", "no/such/folder/result"]), 2);
    assert_eq!(stage.sessions().len(), 3);
    let list = text(&stage.run(&["history", "list"]).stdout);
    assert!(list.lines().skip(2).all(|line| line.contains("sweep") || line.starts_with("     ")), "{list}");
    assert!(list.lines().skip(1).all(|line| line.chars().count() <= 80), "{list}");
}
