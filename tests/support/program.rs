//! Runs the program itself, in surroundings as users have them.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder with a workload file in it, and the cache of the program.
pub struct WorkloadFolder(tempfile::TempDir);

impl WorkloadFolder {
    /// The file is `w.yaml`.
    pub fn new(workload: &str) -> Self {
        super::hard_limit();
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.path("w.yaml"), workload).unwrap();
        folder
    }

    pub fn as_path(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `poolscope run` of the workload with one engine; nothing is inherited but the environment.
    pub fn run(&self, engine: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
        command.arg("run").arg(self.path("w.yaml")).args(["--engine", engine, "--quiet"]).args(more);
        self.with_cache(command)
    }

    /// The same through a shell that does something before it becomes the program.
    pub fn run_after(&self, script: &str, engine: &str, more: &[&str]) -> Command {
        let run = self.run(engine, more);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{script}\nexec \"$@\""), "sh"]).arg(run.get_program()).args(run.get_args());
        self.with_cache(command)
    }

    /// A shell in the folder; `POOLSCOPE` in its script is the program.
    pub fn shell(&self, script: &str) -> Command {
        let script = script.replace("POOLSCOPE", env!("CARGO_BIN_EXE_poolscope"));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).current_dir(self.as_path()).env("LC_ALL", "C.UTF-8");
        self.with_cache(command)
    }

    fn with_cache(&self, mut command: Command) -> Command {
        command.env("POOLSCOPE_CACHE_DIR", self.path("cache")).env("POOLSCOPE_DB", "off").stdin(Stdio::null());
        command
    }
}

/// The only run of the only arm of a JSON result.
pub fn only_run(output: &std::process::Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let result: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {:?}\n{text}\n{errors}", output.status));
    result["arms"][0]["runs"][0].clone()
}

/// Has the kernel answer clone3 as a seccomp filter of a container does. Control groups cannot be used then either.
pub fn without_clone3(command: &mut Command) -> &mut Command {
    // load the number of the system call; if it is clone3 answer ENOSYS, else allow (seccomp(2))
    let filter = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let program = [
        filter(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        filter(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_clone3 as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        filter(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
        // SAFETY: the program lives until the calls return, and both are safe between fork and exec.
        let done = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
        };
        if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: see above.
    unsafe { command.pre_exec(install) }
}

/// Live processes whose command line is exactly this, with their parents.
pub fn processes(argv: &[&str]) -> Vec<(u32, u32)> {
    let mut wanted = argv.join("\0").into_bytes();
    wanted.push(0);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if std::fs::read(entry.path().join("cmdline")).unwrap_or_default() == wanted && super::lives(pid) {
            found.push((pid, parent(&entry.path())));
        }
    }
    found
}

/// Live processes that have this text in an argument.
pub fn processes_naming(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let argv = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&argv).contains(text) && super::lives(pid) {
            found.push(pid);
        }
    }
    found
}

/// Parent of a process, by its folder in `/proc`; 0 if there is none.
pub fn parent(folder: &Path) -> u32 {
    let stat = std::fs::read_to_string(folder.join("stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Children of a process, zombies included.
pub fn children(of: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| Some((entry.file_name().to_string_lossy().parse().ok()?, entry.path())));
    pids.filter(|(_, folder)| parent(folder) == of).map(|(pid, _)| pid).collect()
}

/// Children of a process that have ended and were not reaped.
pub fn zombies(of: u32) -> usize {
    let stats = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")) && parent(&entry.path()) == of
    });
    stats.count()
}

/// Processes that carry the mark of a run of the program with this pid, without the program itself.
pub fn marked(pid: u32) -> Vec<u32> {
    let prefix = format!("POOLSCOPE_RUN={pid}.");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(other) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let ours = environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(prefix.as_bytes()));
        if ours && other != pid && super::lives(other) {
            found.push(other);
        }
    }
    found
}
