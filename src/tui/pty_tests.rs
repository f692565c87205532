//! The dashboard on a real terminal: it gives it back whatever ends it, and comes back after Ctrl-Z.
//!
//! The program under test is this test binary itself: it is started again on a pseudo terminal to run `child`.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{mpsc, watch};

use crate::os::process_owner::ProcessOwner;
use crate::session::handle::SessionHandle;
use crate::session::view::{SessionCommand, SessionPhase};
use crate::tui::{DashboardOptions, ThemeName, fixture, run};

const LIMIT: Duration = Duration::from_secs(20);

/// A session that pretends: it publishes a new view twenty times a second and obeys; with another baseline, only to a second
/// stop.
fn pretend() -> SessionHandle {
    let (views, view) = watch::channel(Arc::new(fixture::ready()));
    let (commands, mut inbox) = mpsc::unbounded_channel();
    let body = move || {
        let mut millis = 0;
        let mut phase = SessionPhase::Ready;
        let mut said = Vec::new();
        let mut stubborn = false;
        loop {
            while let Ok(command) = inbox.try_recv() {
                match command {
                    SessionCommand::Run(_) => phase = SessionPhase::Running,
                    SessionCommand::Stop if stubborn => (phase, stubborn) = (SessionPhase::Stopping, false),
                    SessionCommand::Stop => phase = SessionPhase::Stopped,
                    SessionCommand::Baseline(_) => stubborn = true,
                    SessionCommand::TogglePause => panic!("the session broke"),
                    _ => {}
                }
                said.push(format!("{command:?}"));
                std::fs::write(scratch("commands"), said.join(" ")).unwrap();
            }
            if inbox.is_closed() {
                return;
            }
            millis += 100;
            let mut next = if phase == SessionPhase::Ready {
                fixture::ready()
            } else {
                fixture::running_at(Duration::from_millis(millis))
            };
            next.phase = phase.clone();
            if views.send(Arc::new(next)).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    };
    thread::Builder::new().name("pretended".to_owned()).spawn(body).unwrap();
    SessionHandle { view, commands }
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

fn parser() -> vt100::Parser {
    vt100::Parser::new(cells(24), cells(80), 0)
}

/// A file that both sides know.
fn scratch(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("POOLSCOPE_TEST_SCRATCH").unwrap()).join(name)
}

#[test]
#[ignore = "the other side of the tests below"]
fn child() {
    std::fs::write(scratch("pid"), std::process::id().to_string()).unwrap();
    let panics = std::env::var_os("POOLSCOPE_TEST_PANIC").is_some();
    let options = DashboardOptions {
        save: Arc::new(|entry| format!("{} is written", entry.name)),
        process: ProcessOwner::claim(),
        start: Arc::new(move |_| if panics { panic!("drawn and quartered") } else { Ok(pretend()) }),
        search: Arc::new(|_| anyhow::bail!("nothing is looked for here")),
        history: Err("nothing is kept".to_owned()),
        catalogue: fixture::catalogue(),
        initial: Some(0),
        sweep: Vec::new(),
        theme: ThemeName::Auto,
        ascii: false,
        fps: 10,
    };
    match run(options) {
        Ok(left) => std::process::exit(left.ended.signal.map_or(0, |signal| 128 + signal)),
        Err(error) => {
            eprintln!("failed: {error:#}");
            std::process::exit(99);
        }
    }
}

/// The dashboard on a pseudo terminal, and what that terminal shows.
struct Stage {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    terminal: Arc<Mutex<vt100::Parser>>,
    scratch: tempfile::TempDir,
}

fn open(script: &str, panics: bool) -> (Box<dyn MasterPty + Send>, Box<dyn Child + Send + Sync>, tempfile::TempDir) {
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let program = std::env::current_exe().unwrap();
    let program = format!(
        "'{}' --exact tui::pty_tests::child --ignored --nocapture --test-threads=1 --quiet",
        program.to_str().unwrap()
    );
    let mut command = CommandBuilder::new("/bin/sh");
    command.args(["-c", &script.replace("PROGRAM", &program)]);
    command.env("TERM", "xterm-256color");
    command.env("POOLSCOPE_TEST_SCRATCH", scratch.path());
    if panics {
        command.env("POOLSCOPE_TEST_PANIC", "1");
    }
    let child = pair.slave.spawn_command(command).unwrap();
    (pair.master, child, scratch)
}

impl Stage {
    fn new(script: &str, panics: bool) -> Self {
        let (master, child, scratch) = open(script, panics);
        let terminal = Arc::new(Mutex::new(parser()));
        let mut reader = master.try_clone_reader().unwrap();
        let sink = Arc::clone(&terminal);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                sink.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..read]);
            }
        });
        let keys = master.take_writer().unwrap();
        Self { master, keys, child, terminal, scratch }
    }

    fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let start = Instant::now();
        loop {
            let terminal = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
            if holds(terminal.screen()) {
                return;
            }
            assert!(start.elapsed() < LIMIT, "never: {what}\n{}", terminal.screen().contents());
            drop(terminal);
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn shows(&self, words: &str) {
        self.until(words, |screen| screen.contents().contains(words));
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = std::fs::read_to_string(self.scratch.path().join("pid")).unwrap();
        kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), signal).unwrap();
    }

    fn commands(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("commands")).unwrap_or_default()
    }

    /// The shell's own screen is back with cursor and ordinary input; its script has printed this exit code.
    fn given_back(&mut self, code: u32) {
        self.shows(&format!("exit={code}"));
        // The names of flags that are off begin with a minus.
        self.until("ordinary input", |screen| {
            screen.contents().contains(" icanon") && screen.contents().contains(" echo ")
        });
        self.until("modes", |screen| !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < LIMIT, "the shell does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ended = self.child.kill();
    }
}

const SCRIPT: &str = "PROGRAM; echo exit=$?; stty -a";

#[test]
fn it_starts_follows_the_size_asks_and_gives_the_terminal_back() {
    let mut stage = Stage::new(SCRIPT, false);
    stage.shows("■ LIVE");
    stage.until("alternate screen", |screen| screen.alternate_screen() && screen.hide_cursor());
    stage.master.resize(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
    stage.terminal.lock().unwrap().screen_mut().set_size(cells(40), cells(120));
    stage.shows("where worker time goes");
    stage.press("?");
    stage.shows("Lists and tables");
    stage.press("\x1b");
    stage.until("help closed", |screen| !screen.contents().contains("Lists and tables"));
    stage.press("q");
    stage.shows("Stop it and leave?");
    stage.press("y");
    stage.given_back(0);
    assert_eq!(stage.commands(), "Run(Interleaved) Stop");
}

#[test]
fn what_does_not_stop_in_time_is_killed_before_it_is_left() {
    let mut stage = Stage::new(SCRIPT, false);
    stage.shows("■ LIVE");
    stage.press("mq");
    stage.shows("Stop it and leave?");
    stage.press("y");
    stage.given_back(0);
    assert_eq!(stage.commands(), "Run(Interleaved) Baseline(0) Stop Stop");
}

#[test]
fn an_answer_leaves_the_keys_alone_and_goes_by_itself() {
    let mut stage = Stage::new(SCRIPT, false);
    stage.shows("■ LIVE");
    stage.press(" ");
    stage.shows("FROZEN");
    stage.press("t");
    stage.until("the answer above the keys", |screen| {
        let lines: Vec<String> = screen.rows(0, 80).collect();
        lines[22].contains("colours: dark") && lines[23].contains("? help") && lines[23].contains("p pause")
    });
    // Nothing moves any more, so that only the answer's own time can bring a frame.
    stage.until("the answer is gone", |screen| !screen.contents().contains("colours: dark"));
    stage.until("what it covered is back", |screen| screen.contents().contains('┘'));
    stage.press("x");
    stage.press(" ");
    stage.shows("STOPPED");
}

#[test]
fn signals_end_it_with_their_code() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut stage = Stage::new(SCRIPT, false);
        stage.shows("■ LIVE");
        stage.signal(signal);
        stage.given_back(code);
        assert_eq!(stage.commands(), "Run(Interleaved) Stop");
    }
}

#[test]
fn a_panic_is_told_on_a_terminal_in_order() {
    let mut stage = Stage::new(SCRIPT, true);
    stage.shows("drawn and quartered");
    stage.given_back(101);
}

#[test]
fn a_panic_elsewhere_leaves_the_screen_alone_and_is_told_in_the_end() {
    let mut stage = Stage::new(SCRIPT, false);
    stage.shows("■ LIVE");
    stage.press("p");
    stage.shows("BROKEN: the session ended in the middle of a run");
    stage.shows("internal error in thread pretended: the session broke");
    stage.until("still ours", |screen| screen.alternate_screen() && !screen.contents().contains("panicked"));
    stage.press("q");
    stage.shows("panicked at");
    stage.given_back(0);
}

#[test]
fn it_stops_and_comes_back() {
    let script = "set -m; PROGRAM; echo status=$?; stty -a; read answer; fg; echo exit=$?; stty -a";
    let mut stage = Stage::new(script, false);
    stage.shows("■ LIVE");
    stage.press("\x1a");
    stage.shows("status=147");
    stage.until("given back", |screen| !screen.alternate_screen() && screen.contents().contains(" icanon"));
    assert_eq!(stage.commands(), "Run(Interleaved) Suspend");
    stage.press("\n");
    stage.until("taken again", |screen| screen.alternate_screen() && screen.contents().contains("■ LIVE"));
    stage.press("\x03");
    stage.shows("STOPPED");
    stage.press("\x03");
    stage.given_back(130);
    assert_eq!(stage.commands(), "Run(Interleaved) Suspend Unsuspend Stop");
}

#[test]
fn a_signal_from_outside_stops_it_and_a_wrapper_goes_on() {
    // The wrapper is in the same process group and says so as long as it is not stopped.
    let wrapper =
        "while [ ! -e $POOLSCOPE_TEST_SCRATCH/end ]; do touch $POOLSCOPE_TEST_SCRATCH/alive; sleep 0.02; done";
    let script = format!(
        "set -m; sh -c '({wrapper}) & exec '\"PROGRAM\"; echo status=$?; stty -a; read answer; fg; echo exit=$?; stty -a"
    );
    let mut stage = Stage::new(&script.replace("'\"PROGRAM\"", "PROGRAM'"), false);
    stage.shows("■ LIVE");
    stage.signal(Signal::TSTP);
    stage.shows("status=147");
    stage.until("given back", |screen| !screen.alternate_screen() && screen.contents().contains(" icanon"));
    let alive = stage.scratch.path().join("alive");
    std::fs::remove_file(&alive).unwrap();
    let start = Instant::now();
    while !alive.exists() {
        assert!(start.elapsed() < LIMIT, "the wrapper was stopped");
        thread::sleep(Duration::from_millis(10));
    }
    std::fs::write(stage.scratch.path().join("end"), "").unwrap();
    stage.press("\n");
    stage.until("taken again", |screen| screen.alternate_screen() && screen.contents().contains("■ LIVE"));
    stage.press("\x03");
    stage.shows("STOPPED");
    stage.press("\x03");
    stage.given_back(130);
    assert_eq!(stage.commands(), "Run(Interleaved) Suspend Unsuspend Stop");
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let (master, mut child, _scratch) = open("exec PROGRAM", false);
    let mut terminal = parser();
    let mut reader = master.try_clone_reader().unwrap();
    let mut bytes = [0; 4096];
    let start = Instant::now();
    while !terminal.screen().contents().contains("■ LIVE") {
        assert!(start.elapsed() < LIMIT);
        let read = reader.read(&mut bytes).unwrap();
        terminal.process(&bytes[..read]);
    }
    drop(reader);
    drop(master);
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("it does not end without a terminal");
        }
        thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.exit_code(), 129, "{status:?}");
}
