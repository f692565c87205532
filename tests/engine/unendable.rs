//! Programs that nobody may end, because they have become another user's: they are given up, the run goes on and ends.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::program::{WorkloadFolder, only_run, processes};
use crate::support::{hard_limit, kill};

/// A user that is nobody else on this machine.
const USER: u32 = 54_323;
/// Becomes root's for good and ignores whatever can be ignored.
const SOURCE: &str = "
    #define _GNU_SOURCE
    #include <signal.h>
    #include <unistd.h>
    int main(void) {
        for (int s = 1; s < 64; s++) signal(s, SIG_IGN);
        if (setresuid(0, 0, 0)) return 1;
        for (;;) pause();
    }";

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Ends what a test leaves behind, also when it fails.
struct Leftovers<'a>(&'a str);

impl Drop for Leftovers<'_> {
    fn drop(&mut self) {
        for (pid, _) in processes(&[self.0]) {
            kill(pid, Signal::KILL);
        }
    }
}

#[test]
fn a_program_that_cannot_be_ended_is_left_behind_and_the_run_ends() {
    hard_limit();
    if !rustix::process::geteuid().is_root() {
        return println!("only root can make a program that its starter cannot end");
    }
    if Command::new("gcc").arg("--version").output().is_err() {
        return println!("there is no gcc to make that program with");
    }
    let folder = WorkloadFolder::new("");
    let stays = folder.path("stays");
    let name = stays.to_str().unwrap();
    std::fs::write(folder.path("stays.c"), SOURCE).unwrap();
    assert!(Command::new("gcc").arg("-o").arg(&stays).arg(folder.path("stays.c")).status().unwrap().success());
    set_mode(&stays, 0o4755);
    set_mode(folder.as_path(), 0o755);
    chown(folder.as_path(), Some(USER), Some(USER)).unwrap();
    let own = folder.path("poolscope");
    std::fs::copy(env!("CARGO_BIN_EXE_poolscope"), &own).unwrap();
    set_mode(&own, 0o755);
    let workload = format!(
        "version: 1\nname: w\n\
         tasks: [{{ name: t, kind: command, count: 2, timeout: 300ms, grace_period: 200ms, command: [{name}] }}]\n\
         engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n"
    );
    std::fs::write(folder.path("w.yaml"), workload).unwrap();
    for engine in ["pool", "process"] {
        let _leftovers = Leftovers(name);
        let like = folder.run(engine, &["--format", "json"]);
        let mut command = Command::new(&own);
        command
            .args(like.get_args())
            .env("POOLSCOPE_CACHE_DIR", folder.as_path())
            .env("POOLSCOPE_DB", "off")
            .uid(USER)
            .gid(USER);
        command.current_dir(folder.as_path()).stdin(std::process::Stdio::null());
        let begin = Instant::now();
        let output = command.output().unwrap();
        let took = begin.elapsed();
        let run = only_run(&output);
        assert_eq!((&run["tasks"]["timed_out"], &run["tasks"]["lost"]), (&2.into(), &0.into()), "{engine}: {run:#}");
        // Whoever waits for an end that cannot come waits five seconds for each.
        assert!(took < Duration::from_secs(10), "{engine}: {took:?}");
        assert!(run.to_string().contains("left behind"), "{engine}: {run:#}");
        // The pool's worker is ended, the program that it ran is not.
        assert_eq!(run["unkillable"], if engine == "pool" { 0 } else { 2 }, "{engine}: {run:#}");
        let left = processes(&[name]).len();
        assert_eq!(left, 2, "{engine}: the test is about programs that stay");
    }
}
