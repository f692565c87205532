//! What surrounds a command: its folder, environment, input and output, and what is made of its end, in every engine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::sources::{ENGINES, all_succeeded, written};
use crate::support::cli::{code, text};
use crate::support::program::{WorkloadFolder, only_run};

/// A workload with this task, and a folder `out`.
fn folder(task: &str) -> WorkloadFolder {
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\nseed: 5\ntasks:\n  - {{ name: t, kind: command, {task} }}\n\
         engines: [{{ kind: pool, workers: 2 }}, {{ kind: process, workers: 2 }}, {{ kind: serial }}]\n\
         measure: {{ warmup: 0, repeats: 1 }}\n"
    ));
    fs::create_dir(folder.path("out")).unwrap();
    folder
}

/// What task 0 wrote to `out/0`, in each engine.
#[track_caller]
fn each_engine_writes(folder: &WorkloadFolder, wanted: &str) {
    for engine in ENGINES {
        let output = folder.run(engine, &["--format", "json"]).current_dir("/").output().unwrap();
        all_succeeded(&output, 1);
        let written = written(folder.as_path()).remove(0);
        assert_eq!(String::from_utf8_lossy(&written), wanted, "{engine}");
    }
}

/// The only failure, in each engine.
#[track_caller]
fn each_engine_fails(folder: &WorkloadFolder, check: impl Fn(&Value)) {
    for engine in ENGINES {
        let run = only_run(&folder.run(engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["failures"].as_array().unwrap().len(), 1, "{engine}: {run}");
        check(&run["failures"][0]);
    }
}

#[test]
fn relative_paths_are_from_the_folder_of_the_file() {
    let task = folder(
        "items: [sub], cwd: \"{item}/deep\", stdin: { file: \"{item}.txt\" }, \
         command: [sh, -c, 'cat > ../../out/0; pwd >> ../../out/0']",
    );
    fs::create_dir_all(task.path("sub/deep")).unwrap();
    fs::write(task.path("sub.txt"), "input\n").unwrap();
    let real = fs::canonicalize(task.path("sub/deep")).unwrap();
    each_engine_writes(&task, &format!("input\n{}\n", real.display()));
    let script = folder("count: 1, command: [./run.sh], cwd: out");
    let run = script.path("out/run.sh");
    fs::write(&run, "#!/bin/sh\nrm run.sh; echo here > 0").unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    let output = script.run("process", &["--format", "json"]).output().unwrap();
    all_succeeded(&output, 1);
    assert_eq!(written(script.as_path()), [b"here\n"], "a program with a slash is found from where it runs");
}

#[test]
fn variables_are_set_taken_away_and_alone() {
    let shows = "command: [sh, -c, 'echo \"$A|${HOME-none}|${LANG-none}|${PATH:+path}\" > out/0']";
    let task = folder(&format!("items: [x y], env: {{ A: \"<{{item}}>\", HOME: null, LANG: 1.50 }}, {shows}"));
    each_engine_writes(&task, "<x y>|none|1.50|path\n");
    let clean = folder(
        "count: 1, env: { clean: true, A: b, PATH: /usr/bin:/bin }, \
         command: [sh, -c, 'env | grep -v ^POOLSCOPE_ | sort | grep -v ^_= | grep -v ^PWD= > out/0']",
    );
    each_engine_writes(&clean, "A=b\nPATH=/usr/bin:/bin\n");
}

#[test]
fn a_name_is_looked_up_in_the_path_that_the_program_will_have() {
    let task = folder("count: 1, env: { PATH: \"bin:/usr/bin:/bin\" }, command: [mine, out/0]");
    fs::create_dir(task.path("bin")).unwrap();
    let program = task.path("bin/mine");
    fs::write(&program, "#!/bin/sh\necho found > $1").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    each_engine_writes(&task, "found\n");
}

#[test]
fn input_is_a_text_a_file_or_nothing() {
    each_engine_writes(
        &folder("items: [a b], stdin: \"<{item}>\\n{{item}}\", command: [sh, -c, 'cat > out/0']"),
        "<a b>\n{item}",
    );
    each_engine_writes(
        &folder("count: 1, stdin: null, command: [sh, -c, 'cat > out/0; readlink /proc/self/fd/0 >> out/0']"),
        "/dev/null\n",
    );
    let missing = folder("count: 1, stdin: { file: nowhere.txt }, retries: 3, command: [cat]");
    each_engine_fails(&missing, |failure| {
        assert!(failure["cause"].as_str().unwrap().contains("its standard input, "), "{failure}");
        assert!(failure["cause"].as_str().unwrap().contains("nowhere.txt: No such file"), "{failure}");
    });
}

#[test]
fn exit_codes_that_are_a_success() {
    let grep = "command: [sh, -c, 'exit {index}'], count: 4, success_codes: [0, 1, 3]";
    let task = folder(grep);
    each_engine_fails(&task, |failure| assert_eq!(failure["exitcode"], 2, "{failure}"));
    let none = folder("command: [\"true\"], count: 1, success_codes: [1]");
    each_engine_fails(&none, |failure| {
        assert!(failure["cause"].as_str().unwrap().contains("none of its success_codes"), "{failure}");
    });
}

#[test]
fn output_is_kept_whole_in_a_file_of_its_own() {
    let task = folder(
        "items: [a, b], keep_output: \"kept/{item}\", command: [sh, -c, 'head -c 100000 /dev/zero; echo {item} >&2; exit {index}']",
    );
    for engine in ENGINES {
        let run = only_run(&task.run(engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["failed"], 1, "{run}");
        for (item, index) in [("a", 0), ("b", 1)] {
            let kept = task.path(&format!("kept/{item}"));
            assert_eq!(fs::read(kept.join(format!("{index}.out"))).unwrap(), vec![0; 100_000], "{engine}");
            assert_eq!(fs::read_to_string(kept.join(format!("{index}.err"))).unwrap(), format!("{item}\n"));
            assert_eq!(fs::read_dir(&kept).unwrap().count(), 2, "nothing else is left there");
        }
        fs::remove_dir_all(task.path("kept")).unwrap();
    }
}

#[test]
fn of_a_program_that_is_ended_nothing_is_kept() {
    let task = folder("count: 1, timeout: 200ms, keep_output: kept, command: [sh, -c, 'echo some; exec sleep 60']");
    for engine in ["pool", "process"] {
        let run = only_run(&task.run(engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["timed_out"], 1, "{run}");
        assert_eq!(fs::read_dir(task.path("kept")).unwrap().count(), 0, "{engine}");
    }
}

#[test]
fn output_that_cannot_be_kept_is_a_failure() {
    let task = folder("count: 1, keep_output: out/file, command: [echo, a]");
    fs::write(task.path("out/file"), "").unwrap();
    each_engine_fails(&task, |failure| {
        assert!(failure["cause"].as_str().unwrap().contains("its output cannot be kept: "), "{failure}");
    });
    let quiet = folder("count: 1, keep_output: none, command: [sh, -c, 'echo secret >&2; exit 1']");
    each_engine_fails(&quiet, |failure| assert_eq!(failure["stderr"], "", "{failure}"));
}

#[test]
fn a_result_is_the_number_that_it_writes_last() {
    let hash = |script: &str| {
        let task = folder(&format!("count: 1, result: stdout, command: [sh, -c, '{script}']"));
        let hashes = ENGINES.map(|engine| {
            let output = task.run(engine, &["--format", "json"]).output().unwrap();
            all_succeeded(&output, 1);
            only_run(&output)["results_hash"].as_str().unwrap().to_owned()
        });
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
        hashes[0].clone()
    };
    let five = hash("date; echo 5; echo");
    assert_eq!(hash("echo other; printf \"  5\""), five);
    assert_ne!(hash("echo 6"), five);
    assert_ne!(hash("echo -1.5e3"), five);
    let cut = folder("count: 1, result: stdout, shell: true, command: \"head -c 20000 /dev/zero | tr '\\\\0' 1\"");
    each_engine_fails(&cut, |failure| {
        assert!(failure["cause"].as_str().unwrap().contains("longer than what is kept"), "{failure}");
    });
    let wrong = folder("count: 1, result: stdout, command: [echo, five]");
    each_engine_fails(&wrong, |failure| {
        assert!(failure["cause"].as_str().unwrap().contains("its result is no number: five"), "{failure}");
    });
}

#[test]
fn why_a_program_does_not_start_is_told() {
    for (name, content, mode, says) in [
        ("no-such-program-anywhere", None, 0, "in PATH"),
        ("./nowhere", None, 0, "No such file or directory"),
        ("./out", None, 0, "a folder, not a program"),
        ("./plain", Some("#!/bin/sh\n"), 0o644, "not executable"),
        ("./odd", Some("echo"), 0o755, "a script needs a first line"),
        ("./broken", Some("\x7fELF\x02"), 0o755, "for another machine, or is damaged"),
        ("./empty", Some(""), 0o755, "the file is empty"),
        ("./lost", Some("#!/no/such/shell\n"), 0o755, "/no/such/shell"),
    ] {
        let task = folder(&format!("count: 1, retries: 2, command: [\"{name}\"]"));
        if let Some(content) = content {
            fs::write(task.path(name), content).unwrap();
            fs::set_permissions(task.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        each_engine_fails(&task, |failure| {
            assert!(failure["cause"].as_str().unwrap().contains(says), "{name}: {failure}");
        });
    }
    let task = folder("count: 1, command: [./busy]");
    fs::copy("/bin/true", task.path("busy")).unwrap();
    let open = fs::File::options().append(true).open(task.path("busy")).unwrap();
    each_engine_fails(&task, |failure| {
        assert!(failure["cause"].as_str().unwrap().contains("Text file busy"), "{failure}");
    });
    drop(open);
    all_succeeded(&task.run("process", &["--format", "json"]).output().unwrap(), 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (fields, key, says) in [
        ("cwd: ''", "cwd", "the path is empty"),
        ("env: [A]", "env", "must be a map"),
        ("env: { 'A=b': c }", "env", "without `=`"),
        ("env: { POOLSCOPE_RUN: x }", "env", "Poolscope's own"),
        ("stdin: 5", "stdin", "{file: PATH}"),
        ("stdin: { files: a }", "stdin.files", "did you mean"),
        ("success_codes: []", "success_codes", "the list is empty"),
        ("success_codes: [256]", "success_codes[0]", "from 0 to 255"),
        ("keep_output: 5", "keep_output", "the path of a folder"),
        ("result: stdoot", "result", "did you mean"),
    ] {
        let task = folder(&format!("count: 1, command: [touch, out/0], {fields}"));
        let output = task.run("process", &[]).output().unwrap();
        code(&output, 2);
        let errors = text(&output.stderr);
        assert!(errors.contains(&format!("tasks[0].{key}")) && errors.contains(says), "{fields}: {errors}");
    }
    let task = folder("count: 1, command: [cat], serve: lines, cwd: out");
    let output = task.run("process", &[]).output().unwrap();
    code(&output, 2);
    assert!(text(&output.stderr).contains("`cwd` with `serve: lines`"));
}

#[test]
fn a_pipe_is_no_file_to_read() {
    let task = folder("count: 1, stdin: { file: pipe }, command: [wc, -c]");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, task.path("pipe"), mode).unwrap();
    each_engine_fails(&task, |failure| {
        let cause = failure["cause"].as_str().unwrap();
        assert!(cause.contains("pipe: a named pipe, not a file"), "{failure}");
    });
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_of_the_task_in_every_engine() {
    let task = folder("count: 1, keep_output: kept, command: [head, -c, \"4000000\", /dev/zero]");
    for engine in ENGINES {
        let run = task.run_after("ulimit -f 4096", engine, &["--format", "json"]).output().unwrap();
        let failure = &only_run(&run)["failures"][0];
        assert!(failure["cause"].as_str().unwrap().contains("File too large"), "{engine}: {failure}");
    }
}

#[test]
fn what_is_nearly_something_else_is_refused_or_warned_of() {
    let checked = |task: &str| {
        let folder = folder(task);
        let output = folder.shell("POOLSCOPE check w.yaml").output().unwrap();
        (output.status.code().unwrap(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    for (task, wanted, says) in [
        ("count: 1, command: [env], env: { clean: \"yes\" }", 2, "must be true or false"),
        ("count: 1, command: [env], env: { clean: 1 }", 2, "must be true or false"),
        ("count: 1, command: [env], keep_output: Tail", 0, "did you mean `tail`?"),
        ("count: 1, command: [env], keep_output: \"off\"", 0, "did you mean `none`?"),
        ("count: 1, command: [env], keep_output: kept", 0, "3 runs write the same files"),
        ("items: [a], shell: true, command: \"echo ${item} {item}\"", 0, "`${item}` is passed on as it stands"),
        ("count: 1, shell: true, command: \"echo ${index}\"", 0, "`${index}` is passed on as it stands"),
    ] {
        let (code, all) = checked(task);
        assert!(code == wanted && all.contains(says), "{task}: {code} {all}");
    }
    for task in
        ["count: 1, command: [env], keep_output: ./off", "count: 1, shell: true, command: \"echo ${SEED} ${x}\""]
    {
        let (code, all) = checked(task);
        assert!(code == 0 && !all.contains("passed on") && !all.contains("did you mean"), "{task}: {code} {all}");
    }
}
