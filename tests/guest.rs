//! As a library in somebody's process nothing changes that is the process's own: its signals, its children and orphans, its
//! limits. What that takes away is told.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::os::fd::AsRawFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use poolscope::engine::event::{Observer, Observers, RunState};
use poolscope::metrics::recorder::{Recorder, RecorderConfig};
use poolscope::metrics::snapshot::RunId;
use poolscope::os::host::Host;
use poolscope::os::limits::Limits;
use poolscope::workload::model::EngineKind;
use poolscope::{Arm as _, Dispatched};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, getpid, getrlimit, setrlimit};
use support::program::without_clone3;
use support::{Story, both, eventually, hard_limit, kill, lives, pool, rules, shell};

/// A descriptor of the host that is passed on to every program that it starts.
const PASSED_ON: i32 = 77;

static ENDED: AtomicU32 = AtomicU32::new(0);
static ON_OURS: AtomicBool = AtomicBool::new(false);

/// The host's handler: counts, and sees on which thread it runs.
extern "C" fn child_ended(_: libc::c_int) {
    ENDED.fetch_add(1, Ordering::SeqCst);
    let mut name = [0u8; 16];
    // SAFETY: the buffer is as long as the kernel's names; the call may be made in a handler.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    if name.starts_with(b"engine") || name.starts_with(b"sampler") {
        ON_OURS.store(true, Ordering::SeqCst);
    }
}

/// Makes this process a host with habits of its own. One test at a time has it.
fn host(subreaper: bool) -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    hard_limit();
    let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: plain data and dispositions; the handler does only what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = child_ended as *const () as usize;
        libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut());
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut blocked);
        libc::sigaddset(&raw mut blocked, libc::SIGUSR1);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const blocked, std::ptr::null_mut());
        libc::umask(0o027);
        libc::dup2(std::fs::File::open("/dev/null").unwrap().as_raw_fd(), PASSED_ON);
    }
    let open = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(512), maximum: open.maximum }).unwrap();
    rustix::process::set_child_subreaper(subreaper.then(getpid)).unwrap();
    one
}

/// What is the process's own.
fn own() -> Vec<String> {
    let lines = |path: &str, names: &[&str]| {
        let text = std::fs::read_to_string(path).unwrap();
        let kept = text.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
        kept.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut own = lines("/proc/self/status", &["SigIgn", "SigCgt", "Umask"]);
    own.extend(lines("/proc/thread-self/status", &["SigBlk"]));
    own.extend(lines("/proc/self/limits", &["Max"]));
    // SAFETY: plain data that the call fills in.
    let handler = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action);
        action.sa_sigaction
    };
    own.push(format!("handler {handler:x}, subreaper {:?}", rustix::process::child_subreaper().unwrap()));
    own.push(format!("folder {:?}", std::env::current_dir().unwrap()));
    own.push(format!("{} variables", std::env::vars_os().count()));
    own
}

fn recorder(kind: EngineKind) -> Observers {
    let run = RunId::default();
    let interval = Some(Duration::from_millis(20));
    let capabilities = Dispatched(kind).capabilities();
    let (recorder, _) =
        Recorder::new(RecorderConfig { sample_interval: interval, cores: 2, capabilities, unbounded: false, run });
    [Box::new(recorder) as Box<dyn Observer>].into_iter().collect()
}

/// A number of seconds for `sleep` that nobody else uses.
fn nap() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("{}.{:03}", 3600 + std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn sleepers(nap: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let asleep = |pid: &u32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command == format!("sleep\0{nap}\0").as_bytes() && lives(*pid)
    };
    pids.filter(asleep).collect()
}

/// Starts a program of the host that ends at once and leaves two processes behind: one that ends after it with the code 5,
/// and one that goes on.
fn leave_behind(nap: &str) -> (Pid, u32) {
    let script = format!(
        "(while kill -0 $$; do :; done; exit 5) >/dev/null 2>&1 & echo $!; sleep {nap} >/dev/null 2>&1 & echo $!"
    );
    let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    let pids: Vec<i32> = String::from_utf8(output.stdout).unwrap().lines().map(|pid| pid.parse().unwrap()).collect();
    (Pid::from_raw(pids[0]).unwrap(), pids[1].unsigned_abs())
}

fn is_zombie(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.contains(") Z")
}

fn ended_child() -> Child {
    let child = Command::new("/bin/sh").args(["-c", "exit 7"]).spawn().unwrap();
    let pid = Pid::from_child(&child);
    eventually("the host's child has ended", || is_zombie(pid));
    child
}

/// Runs tasks that see what they were started with, and of which one leaves somebody behind, in both engines.
fn run_both(stray: &str, mut check: impl FnMut(&Story)) {
    let seen = format!(
        "test ! -e /proc/self/fd/{PASSED_ON} && test $(umask) = 0027 && test $(ulimit -n) = 512 && \
         grep -q 'SigIgn:.0000000000000000' /proc/self/status && sleep 0.05"
    );
    let leaves = format!(
        "gone=$(mktemp -u); setsid sh -c \"touch $gone; exec sleep {stray}\" >/dev/null 2>&1 & \
         until test -e $gone; do sleep 0.01; done; rm $gone"
    );
    for (setting, kind) in both(2).into_iter().zip([EngineKind::Pool, EngineKind::Process]) {
        let setting = setting.tasks(1, shell(&leaves), rules()).tasks(6, shell(&seen), rules());
        let story = setting.start_with(recorder(kind)).finish();
        assert_eq!(story.state, Some(RunState::Finished), "{:?}", story.notes);
        assert_eq!(story.counts.succeeded, 7, "{:?}", story.attempts);
        assert!(story.started.iter().all(|(_, pid, _)| !lives(*pid)));
        eventually("what the task left behind is gone", || sleepers(stray).is_empty());
        check(&story);
    }
}

#[test]
fn nothing_of_the_host_changes() {
    let _host = host(false);
    let (before, mine) = (own(), nap());
    let mut child = ended_child();
    let (_, orphan) = leave_behind(&mine);
    let _facts = (Limits::read(), Host::detect());
    run_both(&nap(), |story| {
        let told = "ended with the run: this process does not take orphans in";
        assert!(story.notes.iter().any(|note| note.contains(told)), "{:?}", story.notes);
    });
    assert_eq!(own(), before);
    assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(7), "nobody else has reaped it");
    assert!(lives(orphan), "what the host left behind is its business");
    kill(orphan, Signal::KILL);
    assert!(ENDED.load(Ordering::SeqCst) > 0);
    assert!(!ON_OURS.load(Ordering::SeqCst), "a handler of the host ran on a thread of an engine");
}

#[test]
fn a_host_that_takes_orphans_in_keeps_its_own() {
    let _host = host(true);
    let (before, mine) = (own(), nap());
    let mut child = ended_child();
    let (ended, lasting) = leave_behind(&mine);
    eventually("the orphan has ended", || is_zombie(ended));
    run_both(&nap(), |story| {
        assert!(story.notes.iter().any(|note| note.contains("left processes behind")), "{:?}", story.notes);
        assert!(!story.notes.iter().any(|note| note.contains("take orphans in")), "{:?}", story.notes);
    });
    assert_eq!(own(), before);
    let status = rustix::process::waitpid(Some(ended), WaitOptions::NOHANG).unwrap().unwrap().1;
    assert_eq!(status.exit_status(), Some(5), "the host's orphan is reaped by the host");
    assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), Some(7));
    assert!(lives(lasting), "the host's orphan lives as long as it likes");
    kill(lasting, Signal::KILL);
    let lasting = Pid::from_raw(i32::try_from(lasting).unwrap()).unwrap();
    rustix::process::waitpid(Some(lasting), WaitOptions::empty()).unwrap();
}

#[test]
#[ignore = "the host of the test below"]
fn doomed_host() {
    let Some(naps) = std::env::var_os("POOLSCOPE_TEST_NAPS") else { return };
    let naps = naps.into_string().unwrap();
    let (mine, task) = naps.split_once(' ').unwrap();
    let leaves = shell(&format!("setsid sleep {task} & exec sleep {task}"));
    let running = pool(1).tasks(1, leaves, rules()).start();
    running.until("it runs", |story| story.counts.running == 1);
    // The child of the host is started when the run is under way.
    let mut child = Command::new("sleep").arg(mine).spawn().unwrap();
    running.finish();
    child.wait().unwrap();
}

#[test]
fn children_of_a_host_that_is_killed_live_on() {
    let _host = host(false);
    // With control groups where they can be made, and without them, where the guardian looks at who is there.
    for grouped in [true, false] {
        kill_a_host(grouped);
    }
}

fn kill_a_host(grouped: bool) {
    let (mine, task) = (nap(), nap());
    let mut doomed = Command::new(std::env::current_exe().unwrap());
    doomed
        .args(["--exact", "doomed_host", "--ignored", "--nocapture"])
        .env("POOLSCOPE_TEST_NAPS", format!("{mine} {task}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if !grouped {
        without_clone3(&mut doomed);
    }
    let mut doomed = doomed.spawn().unwrap();
    eventually("all three are there", || sleepers(&mine).len() == 1 && sleepers(&task).len() == 2);
    let guardians = || {
        let list = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = list.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let guards = |pid: &u32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let run = format!("__guardian\0{}.", doomed.id());
            command.windows(run.len()).any(|part| part == run.as_bytes()) && lives(*pid)
        };
        pids.filter(guards).collect::<Vec<_>>()
    };
    let guardian = guardians();
    assert_eq!(guardian.len(), 1);
    // Without control groups it looks again and again at who is there: it has had a look at the host's child.
    let command = std::fs::read(format!("/proc/{}/cmdline", guardian[0])).unwrap();
    let naps = || -> u32 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", guardian[0])).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    };
    let before = naps();
    eventually("the guardian has looked", || !command.ends_with(b"\0\0") || naps() > before + 3);
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    eventually("the guardian has done its work", || !lives(guardian[0]));
    assert!(sleepers(&task).is_empty(), "what the run started is gone");
    let mine = sleepers(&mine);
    assert_eq!(mine.len(), 1, "the host's own child lives on");
    kill(mine[0], Signal::KILL);
}
