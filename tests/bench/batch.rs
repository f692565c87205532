//! The program as a batch runner, two tasks at a time, against `xargs -P 2`, GNU parallel and `posix_spawn` and wait of the same
//! programs, on 2,000 times `true` and on 200 small files with `sha256sum`; and the memory that a million items take. Whole programs
//! from start to end, all in turn, several times; the ratios are what counts.
//!
//! `cargo bench --bench batch`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

mod bare;
mod ratios;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use ratios::Ratios;

const ROUNDS: usize = 7;
const AT_ONCE: u32 = 2;
/// What the dispatcher may take for a million items.
const MOST_MEMORY: f64 = 40.0;

/// A kind of batch: a workload file, the same as a script around each of the others, and how many tasks it is.
struct Batch<'f> {
    name: &'static str,
    folder: &'f Path,
    file: &'static str,
    items: &'static str,
    program: &'static str,
    tasks: u64,
}

impl Batch<'_> {
    /// Tasks per second of a shell script in the folder of the workload.
    fn script(&self, script: &str) -> f64 {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).current_dir(self.folder).stdin(Stdio::null()).stdout(Stdio::null());
        let begin = Instant::now();
        let ended = command.status().expect("a shell starts");
        assert!(ended.success(), "{script}: {ended}");
        self.tasks as f64 / begin.elapsed().as_secs_f64()
    }

    fn ours(&self) -> f64 {
        self.script(&format!("exec {} run {} -q", env!("CARGO_BIN_EXE_poolscope"), self.file))
    }

    fn xargs(&self) -> f64 {
        self.script(&format!("xargs -P {AT_ONCE} -n 1 {} < {}", self.program, self.items))
    }

    fn parallel(&self) -> f64 {
        self.script(&format!("parallel --will-cite -j {AT_ONCE} {} < {}", self.program, self.items))
    }

    /// The same programs, and nothing else.
    fn bare(&self) -> f64 {
        let items = fs::read_to_string(self.folder.join(self.items)).expect("items were written");
        let items: Vec<&str> = items.lines().collect();
        bare::each_per_second(self.program, &items, AT_ONCE)
    }

    fn compare(&self, with_parallel: bool) -> Vec<Ratios> {
        let named = |peer: &str| -> &'static str { format!("{}: poolscope run / {peer}", self.name).leak() };
        let mut xargs = Ratios::new(named("xargs -P 2"), 1.0, 1.2);
        let mut spawn = Ratios::new(named("posix_spawn and wait"), 0.75, 0.9);
        let mut parallel = Ratios::new(named("GNU parallel"), 5.0, 7.0);
        for _ in 0..ROUNDS {
            let ours = self.ours();
            xargs.round(self.xargs(), ours);
            spawn.round(self.bare(), self.ours());
            if with_parallel {
                parallel.round(self.parallel(), self.ours());
            }
        }
        if with_parallel { vec![xargs, spawn, parallel] } else { vec![xargs, spawn] }
    }
}

/// Peak of resident memory of a run over a million items, in MiB: a few of them are done.
fn memory(folder: &Path) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
    command.args(["run", "million.yaml", "-q", "--halt", "soon,done=500"]).current_dir(folder);
    #[expect(clippy::zombie_processes, reason = "wait4 reaps it, which tells what it used")]
    let child = command.stdout(Stdio::null()).spawn().expect("the program starts");
    let pid = i32::try_from(child.id()).expect("a process id");
    // SAFETY: all zeros is a value of it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a child of ours that nobody else waits for, and a place for what it used.
    assert_eq!(unsafe { libc::wait4(pid, std::ptr::null_mut(), 0, &raw mut usage) }, pid);
    usage.ru_maxrss as f64 / 1024.0
}

fn workload(command: &str, items: &str) -> String {
    format!(
        "version: 1\nname: batch\ntasks: [{{ name: t, kind: command, command: {command}, items: {{ lines: {items} }} }}]\n\
         engines: [{{ kind: process, workers: {AT_ONCE} }}]\n"
    )
}

fn main() {
    let folder = tempfile::tempdir().expect("room for files");
    let folder = folder.path();
    let write = |name: &str, text: String| fs::write(folder.join(name), text).expect("room for files");
    let numbers = |count: u32| (0..count).map(|number| format!("{number}\n")).collect::<String>();
    write("numbers", numbers(2_000));
    write("million", numbers(1_000_000));
    (0..200).for_each(|number| write(&format!("file-{number}"), format!("{number} ").repeat(5_000)));
    let files: String = (0..200).map(|number| format!("{}/file-{number}\n", folder.display())).collect();
    write("files", files);
    write("true.yaml", workload("[\"true\", \"{item}\"]", "numbers"));
    write("sha.yaml", workload("[sha256sum, \"{item}\"]", "files"));
    write("million.yaml", workload("[\"true\", \"{item}\"]", "million"));

    let with_parallel =
        Command::new("parallel").arg("--version").stdout(Stdio::null()).status().is_ok_and(|it| it.success());
    if !with_parallel {
        println!("GNU parallel is not installed: there is no ratio to it");
    }
    let trues =
        Batch { name: "2,000 true", folder, file: "true.yaml", items: "numbers", program: "true", tasks: 2_000 };
    let sums =
        Batch { name: "200 sha256sum", folder, file: "sha.yaml", items: "files", program: "sha256sum", tasks: 200 };
    // What is measured at the first start alone is measured before.
    trues.ours();
    let verdicts: Vec<Ratios> = [trues, sums].iter().flat_map(|batch| batch.compare(with_parallel)).collect();
    verdicts.into_iter().for_each(Ratios::verdict);
    let peak = memory(folder);
    let verdict = if peak <= MOST_MEMORY { "reaches the goal" } else { "TOO MUCH" };
    println!("memory with 1,000,000 items: {peak:.1} MiB (goal {MOST_MEMORY}): {verdict}");
}
