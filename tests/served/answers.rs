//! What programs answer, and what else they do: each task has its own outcome, the same in every engine, and the engine goes on.

use crate::harness::*;
use crate::support::program::{WorkloadFolder, only_run};

#[test]
fn any_language_does_and_all_of_them_come_to_the_same() {
    // Some read more than a line at once.
    let version = std::process::Command::new("awk").args(["-W", "version"]).output().unwrap();
    let mawk = String::from_utf8_lossy(&version.stdout).starts_with("mawk");
    let awk = if mawk { "[awk, -W, interactive, " } else { "[awk, " };
    let awk = awk.to_owned() + r#""-F[:,]", '{ printf "{\"index\":%d,\"result\":%d}\n", $2, $2 * $2; fflush() }']"#;
    let perl = r#"[perl, -ne, '$| = 1; /(\d+)/; print "{ \"ok\": true, \"result\": " . $1 * $1 . ".0 }\n"']"#;
    let mut hashes = Vec::new();
    for command in [awk.as_str(), perl, "[sh, squares.sh]", "[python3, -u, squares.py]"] {
        let folder = workload(command, "count: 40", "");
        let script = "while IFS=:, read -r _ i _; do echo \"{\\\"result\\\":$((i * i))}\"; done\n";
        std::fs::write(folder.path("squares.sh"), script).unwrap();
        let script = "import json, sys\nfor line in sys.stdin:\n  i = json.loads(line)['index']\n  \
                      print(json.dumps(dict(index=i, error=None, result=i * i)))\n";
        std::fs::write(folder.path("squares.py"), script).unwrap();
        for engine in ENGINES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 40, "{command} {engine}: {}", told.0["failures"]);
            assert_eq!(told.0["worker_restarts"], 0, "{command} {engine}");
            hashes.push(told.hash().to_owned());
        }
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
    let other = workload("[python3, -u, squares.py]", "count: 40", "");
    let script = "import json, sys\nfor line in sys.stdin:\n  i = json.loads(line)['index']\n  \
                  print(json.dumps(dict(result=i * i + (i == 17))))\n";
    std::fs::write(other.path("squares.py"), script).unwrap();
    assert_ne!(run(&other, "pool").hash(), hashes[0], "one result that differs is seen");
}

/// What a task does instead, by its index; and its outcome and a part of its cause.
const FAULTS: [(u64, &str, &str); 14] = [
    (3, "print('hello', flush=True)", "no JSON object: `hello`"),
    (5, "answer(index=i + 1, result=1)", "it answers task 6 where it was asked about task 5"),
    (7, "answer(error='no such page')", "no such page"),
    (9, "os._exit(3)", "ended with exit code 3"),
    (11, "os.kill(os.getpid(), signal.SIGKILL)", "ended with signal 9"),
    (13, "sys.exit(0)", "ended with exit code 0 and had not answered"),
    (15, "sys.stdout.write('x' * (1 << 20) + 'x')", "no line end within 1048576 bytes"),
    (17, "sys.stdout.write('{\"result\":1}\\n{\"result\":2}\\n')", "it wrote more than one line"),
    (19, "sys.stdout.buffer.write(b'{\"result\":\"\\xff\"}\\n')", "not UTF-8"),
    (21, "sys.stdout.write('{\"resu'); sys.stdout.flush(); os._exit(0)", "6 bytes of an answer without a line end"),
    (23, "raise KeyError('boom')", "ended with exit code 1"),
    (25, "answer(ok=False)", "it says that it failed, and not why"),
    (27, "print(flush=True)", "no JSON object: ``"),
    (29, "os.abort()", "ended with signal 6"),
];

#[test]
fn whatever_a_program_does_wrong_costs_its_own_task() {
    let act: String = FAULTS
        .iter()
        .map(|(index, act, _)| {
            format!("if i == {index}:\n    sys.stderr.write('words of %d\\n' % i); sys.stderr.flush()\n    answered = True; {act}\n    sys.stdout.flush()\n")
        })
        .collect();
    let folder = python(&act, "", "count: 40", "");
    let mut hashes = Vec::new();
    for engine in ENGINES {
        let told = run(&folder, engine);
        for (index, act, why) in FAULTS {
            let (outcome, cause) = told.of(index);
            assert!(outcome == "failed" && cause.contains(why), "{engine} {act}: {outcome}: {cause}");
            let stderr = told.failure(index).unwrap()["stderr"].as_str().unwrap();
            assert!(stderr.starts_with(&format!("words of {index}\n")), "{engine} {act}: {stderr}");
            assert!(index != 23 || stderr.contains("KeyError: 'boom'"), "{engine}: {stderr}");
        }
        assert_eq!((told.count("succeeded"), told.count("failed")), (26, 14), "{engine}: {}", told.0["failures"]);
        assert_eq!(told.0["worker_restarts"], 0, "no worker had to be replaced: {engine}");
        hashes.push(told.hash().to_owned());
    }
    hashes.dedup();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

/// A workload of a shell's script.
fn script(text: &str, entry: &str) -> WorkloadFolder {
    let folder = workload("[sh, serve.sh]", entry, "");
    std::fs::write(folder.path("serve.sh"), text).unwrap();
    folder
}

#[test]
fn silence_is_ended_by_the_timeout_which_says_what_it_may_be() {
    let silent = |what: &str, grace: &str| {
        let text =
            "while read -r line; do case $line in '{\"index\":1,'*) WHAT;; *) echo '{\"ok\":true}';; esac; done\n";
        script(&text.replace("WHAT", what), &format!("count: 3, timeout: 3s, grace_period: {grace}"))
    };
    let ended = |folder: &WorkloadFolder, engine: &str| {
        let told = run(folder, engine);
        let (outcome, cause) = told.of(1);
        assert!(outcome == "timed_out" && cause.contains("timeout of 3s"), "{engine}: {outcome} {cause}");
        let stderr = told.failure(1).unwrap()["stderr"].as_str().unwrap();
        assert!(stderr.contains("no line of an answer had come") && stderr.contains("flush"), "{engine}: {stderr}");
        assert_eq!(told.count("succeeded"), 2, "{engine}: {}", told.0["failures"]);
    };
    for (grace, what) in [("0s", ":"), ("300ms", "printf half")] {
        ended(&silent(what, grace), "pool");
        ended(&silent(what, grace), "serial");
        ended(&silent("sleep 600", grace), "process");
    }
    // One that has answered and does not end is late, and not silent.
    let told = run(&script("read -r line\necho '{\"ok\":true}'\nsleep 600\n", "count: 1, timeout: 1s"), "process");
    assert!(told.of(0).0 == "timed_out" && !told.failure(0).unwrap()["stderr"].as_str().unwrap().contains("no line"));
    // All silent: the report itself says it.
    let folder = workload("[sleep, \"600\"]", "count: 2, timeout: 300ms, grace_period: 0s", "");
    let output = folder.run("pool", &[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("ALL 2 TASKS FAILED") && text.contains("until it"), "{text}");
}

#[test]
fn who_closes_its_output_or_its_input_has_said_all_that_counts() {
    let act = "if i == 2:\n    answered = True\n    os.close(1)\n    time.sleep(600)\n\
               if i == 4:\n    os.close(0)";
    let folder = python(act, "", "count: 8", "");
    for engine in ENGINES {
        let told = run(&folder, engine);
        let (outcome, cause) = told.of(2);
        assert!(outcome == "failed" && cause.contains("closed its standard output"), "{engine}: {outcome} {cause}");
        assert!(told.failure(2).unwrap()["exit"].is_null(), "{engine}: it is we who ended it");
        // It had answered, and its end after that is no task's.
        assert_eq!(told.count("succeeded"), 7, "{engine}: {}", told.0["failures"]);
    }
}

#[test]
fn what_no_result_can_follow_costs_no_more_time_in_any_engine() {
    let acts = [
        (1, "sys.stdout.write('x' * (1 << 20) + 'x')", "no line end within 1048576 bytes"),
        (2, "print('hello')", "no JSON object: `hello`"),
        (3, "print('{\"result\":1}\\n{\"result\":2}')", "it wrote more than one line"),
        (4, "answer(index=7, result=1)", "it answers task 7 where it was asked about task 4"),
        (5, "print('{\"result\":' + '[' * 500000 + ']' * 500000 + '}')", "nested more than 128 deep"),
    ];
    let acts_of = |(index, act, _): &(u64, &str, &str)| {
        format!("if i == {index}:\n    answered = True; {act}\n    sys.stdout.flush(); time.sleep(600)\n")
    };
    let act: String = acts.iter().map(acts_of).collect();
    let folder = python(&act, "", "count: 8, timeout: 60s, grace_period: 0s", "");
    for engine in ENGINES {
        let told = run(&folder, engine);
        for (index, act, why) in acts {
            let (outcome, cause) = told.of(index);
            assert!(outcome == "failed" && cause.contains(why), "{engine} {act}: {outcome}: {cause}");
            assert!(told.failure(index).unwrap()["exit"].is_null(), "{engine} {act}");
        }
        assert_eq!(told.count("succeeded"), 3, "{engine}: {}", told.0["failures"]);
        let notes = told.0["notes"].to_string();
        assert!(!notes.contains("after its answer"), "{engine}: {notes}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_told_of_each_task() {
    for command in ["[no-such-program-at-all]", "[./not-executable]"] {
        let folder = workload(command, "count: 3, retries: { max: 2 }", "");
        std::fs::write(folder.path("not-executable"), "x").unwrap();
        for engine in ENGINES {
            let output = folder.run(engine, &["--format", "json"]).output().unwrap();
            assert_eq!(output.status.code(), Some(3), "not one task succeeded");
            let told = Told(only_run(&output));
            assert_eq!((told.count("failed"), told.count("retries")), (3, 0), "{engine}");
            assert!(told.of(0).1.contains("could not be started"), "{engine}: {}", told.of(0).1);
        }
    }
}

#[test]
fn lines_of_any_size_go_and_come() {
    let text = "x".repeat(900_000);
    let act =
        "answered = True\nanswer(index=i, result=task['args']['text'][:i * 1000] + str(len(task['args']['text'])))";
    let folder = python(act, "", &format!("count: 30, args: {{ text: {text} }}"), "");
    let hashes: Vec<String> = ENGINES
        .map(|engine| {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 30, "{engine}: {}", told.0["failures"]);
            told.hash().to_owned()
        })
        .into();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

#[test]
fn retries_and_arguments_are_in_the_line() {
    let act = "open('seen', 'a').write(line)\nif i == 1 and task['attempt'] < 3:\n    answered = True\n    answer(error='again')";
    let args =
        "args: [1.5, null, \"{index}\", 'page-{index}-{attempt}', { a: { seed } }, { dist: uniform, min: 1, max: 9 }]";
    let folder = python(act, "", &format!("count: 3, retries: {{ max: 2, on: [error] }}, {args}"), "");
    let mut seen = Vec::new();
    for engine in ENGINES {
        let told = run(&folder, engine);
        assert_eq!((told.count("succeeded"), told.count("retries")), (3, 2), "{engine}: {}", told.0["failures"]);
        let mut lines = lines_of(folder.path("seen"));
        std::fs::remove_file(folder.path("seen")).unwrap();
        lines.sort();
        seen.push(lines);
    }
    assert_eq!((seen[0].len(), &seen[0]), (5, &seen[1]), "the same in each engine");
    assert_eq!(seen[0], seen[2]);
    let line: serde_json::Value = serde_json::from_str(&seen[0][3]).unwrap();
    assert!(
        seen[0][3].starts_with("{\"index\":1,\"attempt\":3,\"seed\":7,\"args\":[1.5,null,1,\"page-1-3\",{\"a\":7},")
    );
    assert!((1..=9).contains(&line["args"][5].as_u64().unwrap()));
}

#[test]
fn what_is_written_before_the_line_was_read_answers_no_task() {
    let loops = "while read -r line; do i=${line#*:}; echo \"{\\\"result\\\":${i%%,*}}\"; done\n";
    let python = "import json, sys\nfor line in sys.stdin:\n  print('{\"result\":%d}' % json.loads(line)['index'], flush=True)\n";
    for (command, text, says) in [
        // It says that it is ready, soon or late, and whole or in part.
        ("[sh, serve]", format!("echo '{{\"result\":\"ready\"}}'\n{loops}"), "`{\"result\":\"ready\"}`"),
        ("[sh, serve]", format!("sleep 0.1; printf ready\n{loops}"), "`ready"),
        // Whatever is read in one piece is read before anybody can look.
        ("[python3, serve]", format!("print('{{\"result\":-1}}', flush=True)\n{python}"), "`{\"result\":-1}`"),
        // It never reads.
        ("[sh, serve]", "echo '{\"ok\":true}'\n".to_owned(), "`{\"ok\":true}`"),
        ("[sh, serve]", "exec <&-; echo '{\"ok\":true}'; sleep 600\n".to_owned(), "`{\"ok\":true}`"),
        ("[sh, serve]", "while echo '{\"ok\":true}'; do :; done\n".to_owned(), "`{\"ok\":true}`"),
    ] {
        let folder = workload(command, "count: 8, timeout: 60s, grace_period: 0s", "");
        std::fs::write(folder.path("serve"), &text).unwrap();
        for engine in ENGINES {
            let told = Told(only_run(&folder.run(engine, &["--format", "json"]).output().unwrap()));
            let about = format!("{engine} {text}: {}", told.0["failures"]);
            assert_eq!((told.count("succeeded"), told.count("failed")), (0, 8), "{about}");
            for index in 0..8 {
                let cause = told.of(index).1;
                assert!(cause.contains("before it had read its line") && cause.contains(says), "{about}");
            }
        }
    }
}
