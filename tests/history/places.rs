//! Where the history is, and that none is where there should be none.

use super::support::cli::{code, poolscope, text};
use super::*;

fn set(command: &mut Command, name: &str, value: &Path) {
    command.env(name, value);
}

#[test]
fn it_is_in_the_data_folder_unless_an_option_or_the_variable_says_otherwise() {
    let stage = Stage::new(QUICK);
    let run = |more: &[&str], change: &dyn Fn(&mut Command)| {
        let mut command = stage.command(&[&["run", "w.yaml", "--engine", "pool", "--quiet"], more].concat());
        command.env("POOLSCOPE_DB", "").env("HOME", stage.path("home")).env_remove("XDG_DATA_HOME");
        change(&mut command);
        let output = command.output().unwrap();
        code(&output, 0);
        text(&output.stderr)
    };
    run(&[], &|_| {});
    let own = stage.path("home/.local/share/poolscope/history.db");
    assert!(own.is_file());
    // Nobody else reads commands and workloads of its user.
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&own), mode(own.parent().unwrap())), (0o600, 0o700));
    run(&[], &|command| set(command, "XDG_DATA_HOME", &stage.path("xdg")));
    assert!(stage.path("xdg/poolscope/history.db").is_file());
    run(&["--db", "mine.db"], &|_| {});
    assert!(stage.path("mine.db").is_file());
    let before = names(stage.0.path());
    run(&[], &|command| {
        set(command, "POOLSCOPE_DB", Path::new("off"));
        set(command, "HOME", &stage.path("none"));
    });
    run(&["--no-history"], &|command| set(command, "HOME", &stage.path("none")));
    assert_eq!(names(stage.0.path()), before);
    let told = run(&[], &|command| {
        command.env_remove("HOME");
    });
    assert!(told.contains("not kept") && told.contains("$HOME"), "{told}");
}

#[test]
fn what_runs_nothing_makes_no_history() {
    let stage = Stage::new(QUICK);
    for arguments in [&["check", "w.yaml"][..], &["list"], &["explain", "throughput"]] {
        code(&stage.run(arguments), 0);
    }
    let listed = stage.run(&["history", "list"]);
    code(&listed, 2);
    assert!(text(&listed.stderr).contains("no history at"), "{}", text(&listed.stderr));
    assert!(!stage.db().exists());
    let mut off = poolscope(&["history", "list"]);
    code(&off.env("POOLSCOPE_DB", "off").output().unwrap(), 2);
}
