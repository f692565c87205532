//! The real program on a real pseudo terminal: a comparison from its start to its end, and the terminal as it was.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

const PROGRAM: &str = env!("CARGO_BIN_EXE_poolscope");
const LIMIT: Duration = Duration::from_secs(60);

const WORKLOAD: &str = "
version: 1
name: small
seed: 1
tasks: [{ name: unit, kind: sleep, count: 60, service_time: { dist: constant, value: 20ms } }]
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]
measure: { warmup: 0, repeats: 2 }
";

struct Stage {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    terminal: Arc<Mutex<vt100::Parser>>,
    /// Every byte that came, for a test that fails: a screen forgets what has scrolled away.
    written: Arc<Mutex<Vec<u8>>>,
    before: Option<rustix::termios::Termios>,
    folder: tempfile::TempDir,
}

fn some(number: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(number).unwrap()
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

impl Stage {
    /// The dashboard.
    fn open(cols: u16, rows: u16) -> Self {
        Self::run((cols, rows), &[], &[PROGRAM, "small.yaml"])
    }

    /// A program in a folder with the workload, as the leader of the terminal's session.
    fn run((cols, rows): (u16, u16), variables: &[(&str, &str)], argv: &[&str]) -> Self {
        support::hard_limit();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("small.yaml"), WORKLOAD).unwrap();
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        let mut command = CommandBuilder::new(argv[0]);
        command.args(&argv[1..]);
        command.cwd(folder.path());
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        command.env("POOLSCOPE_CACHE_DIR", folder.path());
        command.env("POOLSCOPE_DB", "off");
        for (name, value) in variables {
            command.env(name, value);
        }
        let before = termios(&*pair.master);
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let terminal = Arc::new(Mutex::new(vt100::Parser::new(some(rows), some(cols), 0)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let screen = Arc::clone(&terminal);
        let written = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&written);
        std::thread::spawn(move || {
            let mut buffer = [0u8; 8192];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                log.lock().unwrap().extend_from_slice(&buffer[..count]);
                screen.lock().unwrap().process(&buffer[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, child, keys, terminal, written, before, folder }
    }

    fn screen(&self) -> String {
        self.terminal.lock().unwrap().screen().contents()
    }

    fn until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !condition(&self.screen()) {
            assert!(Instant::now() < deadline, "waited in vain until {what}:\n{}\n{}", self.screen(), self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it wrote about a panic, or else the last that it wrote.
    fn said(&self) -> String {
        let written = String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned();
        let from = written.find("panicked").map_or(written.len().saturating_sub(2000), |at| at.saturating_sub(200));
        let from = (from..=written.len()).find(|at| written.is_char_boundary(*at)).unwrap_or(0);
        written[from..].replace(['\x1b', '\r'], "")
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&self, cols: u16, rows: u16) {
        self.terminal.lock().unwrap().screen_mut().set_size(some(rows), some(cols));
        self.master.resize(size(cols, rows)).unwrap();
    }

    /// Waits for the end; the terminal must be as it was.
    fn ended(mut self, code: u32) {
        let status = self.child.wait().unwrap();
        assert_eq!(status.exit_code(), code, "{status:?}");
        let deadline = Instant::now() + LIMIT;
        loop {
            let terminal = self.terminal.lock().unwrap();
            let screen = terminal.screen();
            if !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste() {
                break;
            }
            assert!(Instant::now() < deadline, "the terminal was not given back");
            drop(terminal);
            std::thread::sleep(Duration::from_millis(5));
        }
        let (before, after) = (self.before.take(), termios(&*self.master));
        let modes = |termios: Option<rustix::termios::Termios>| {
            let termios = termios.expect("the terminal can be asked");
            (termios.local_modes, termios.input_modes, termios.output_modes)
        };
        assert_eq!(modes(before), modes(after));
    }
}

/// The terminal's modes.
fn termios(master: &dyn MasterPty) -> Option<rustix::termios::Termios> {
    let slave = std::fs::File::options().read(true).write(true).open(master.tty_name()?).ok()?;
    rustix::termios::tcgetattr(&slave).ok()
}

#[test]
fn a_comparison_from_start_to_end_and_the_terminal_as_it_was() {
    let mut stage = Stage::open(120, 40);
    stage.until("a run is live", |screen| screen.contains("LIVE") && screen.contains("POOL"));
    stage.press("+");
    stage.until("there is a third worker", |screen| screen.contains("3 reused workers"));
    stage.until("the other engine is live and this one a replay", |screen| screen.contains("replay"));
    stage.press("?");
    stage.until("help is open", |screen| screen.contains("Help") && screen.contains("freeze"));
    stage.press("\x1b");
    stage.until("help is closed", |screen| !screen.contains("suspend"));
    stage.resize(80, 24);
    stage.until("all runs were made", |screen| screen.contains("FINISHED"));
    stage.until("the small screen is drawn", |screen| {
        screen.lines().count() <= 24 && screen.contains("60/60") && screen.contains("submitted")
            || screen.contains("✓ 60")
    });
    stage.press("2");
    stage.until("the tasks are shown", |screen| screen.contains("tasks"));
    stage.press("q");
    stage.ended(0);
}

#[test]
fn what_a_dashboard_measured_is_in_the_history() {
    let script = format!("{PROGRAM} small.yaml; {PROGRAM} history list; {PROGRAM} history show 1; read line");
    let mut stage = Stage::run((120, 40), &[("POOLSCOPE_DB", "kept.db")], &["sh", "-c", &script]);
    stage.until("all runs were made", |screen| screen.contains("FINISHED"));
    stage.press("q");
    stage.until("the history is listed", |screen| screen.contains("1 session, ") && screen.contains("dashboard small"));
    assert!(!stage.screen().contains("did not end"), "{}", stage.screen());
    stage.press("\n");
    stage.ended(0);
}

#[test]
fn keys_are_answered_while_an_interpreter_is_looked_at() {
    let module = r#"import time\ntime.sleep(600)\n"#;
    let workload = r#"version: 1\nname: slow\ntasks: [{ name: t, kind: python, callable: "slow:work", count: 1 }]\n"#;
    let script = format!("printf '{module}' > slow.py; printf '{workload}' > slow.yaml; exec {PROGRAM} slow.yaml");
    let mut stage = Stage::run((80, 24), &[], &["sh", "-c", &script]);
    stage.until("it says what it waits for", |screen| screen.contains("getting slow ready"));
    stage.press("?");
    stage.until("help is open", |screen| screen.contains("Help"));
    stage.press("\x1b");
    stage.until("help is closed", |screen| !screen.contains("Help"));
    stage.press("q");
    stage.ended(0);
}

#[test]
fn quitting_while_it_runs_asks_first() {
    let mut stage = Stage::open(80, 24);
    stage.until("a run is live", |screen| screen.contains("LIVE"));
    stage.press("q");
    stage.until("it asks", |screen| screen.contains("running"));
    stage.press("y");
    stage.ended(0);
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let stage = Stage::open(80, 24);
    stage.until("a run is live", |screen| screen.contains("LIVE"));
    let pid = stage.child.process_id().unwrap();
    support::kill(pid, rustix::process::Signal::TERM);
    stage.ended(143);
}

#[test]
fn every_signal_that_ends_it_gives_the_terminal_back() {
    use rustix::process::Signal;
    let watched = [
        Signal::QUIT,
        Signal::XCPU,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::HUP,
    ];
    let crashes = [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::FPE, Signal::ILL, Signal::TRAP, Signal::SYS];
    for signal in watched.into_iter().chain(crashes) {
        let stage = Stage::open(80, 24);
        stage.until("a run is live", |screen| screen.contains("LIVE"));
        support::kill(stage.child.process_id().unwrap(), signal);
        // A crash is told as such, for which the crate has 1.
        let code = if watched.contains(&signal) { 128 + signal.as_raw().unsigned_abs() } else { 1 };
        stage.ended(code);
    }
}

#[test]
fn two_interrupts_end_it_with_their_code() {
    let mut stage = Stage::open(80, 24);
    stage.until("a run is live", |screen| screen.contains("LIVE"));
    stage.press("\x03\x03");
    stage.ended(130);
    // The second one may come when the comparison has ended.
    let mut stage = Stage::open(80, 24);
    stage.until("a run is live", |screen| screen.contains("LIVE"));
    stage.press("\x03");
    stage.until("it is stopped", |screen| screen.contains("STOPPED"));
    stage.press("\x03");
    stage.ended(130);
}

/// Runs a command in a PID namespace of its own, whoever we are.
const CONTAINER: [&str; 6] = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];

/// Whether that is allowed here; says so where it is not.
fn can_contain() -> bool {
    let made = std::process::Command::new(CONTAINER[0]).args(&CONTAINER[1..]).arg("true").output();
    let allowed = made.as_ref().is_ok_and(|output| output.status.success());
    if !allowed {
        eprintln!("not tried in a PID namespace, which cannot be made here: {made:?}");
    }
    allowed
}

#[test]
fn where_nobody_would_continue_it_a_headless_run_is_not_stopped() {
    let script = format!("{PROGRAM} run small.yaml; echo exit=$?");
    // The leader of the session, and a child of a leader that does no job control.
    let here = [vec![PROGRAM, "run", "small.yaml"], vec!["/bin/sh", "-c", &script]];
    // The same two in a container, where their group and session have no number.
    let contained = here.iter().map(|argv| [&CONTAINER[..], argv].concat()).filter(|_| can_contain());
    for argv in here.iter().cloned().chain(contained) {
        let mut stage = Stage::run((100, 40), &[], &argv);
        stage.until("it runs", |screen| screen.contains("run 1/1") && !screen.contains(" 0/60"));
        stage.press("\x1a");
        stage.until("it says so", |screen| screen.contains("cannot be suspended"));
        stage.until("it goes on to its end", |screen| screen.contains("60 submitted = 60 succeeded"));
        stage.ended(0);
    }
}

#[test]
fn a_headless_run_is_suspended_and_the_time_does_not_count() {
    let run = format!("{PROGRAM} run small.yaml --format json --output result.json");
    let script = format!("set -m; {run}; echo status=$?; read answer; fg; echo exit=$?");
    let started = Instant::now();
    let mut stage = Stage::run((100, 40), &[], &["/bin/sh", "-c", &script]);
    stage.until("it runs", |screen| screen.contains("run 1/1") && !screen.contains(" 0/60"));
    stage.press("\x1a");
    stage.until("it is stopped", |screen| screen.contains("status=147") || screen.contains("status=148"));
    let stopped = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    let stood = stopped.elapsed();
    stage.press("\n");
    stage.until("it goes on to its end", |screen| screen.contains("exit=0"));
    let elapsed = started.elapsed();
    let result = std::fs::read(stage.folder.path().join("result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
    let run = &result["arms"][0]["runs"][0];
    assert_eq!(run["tasks"]["succeeded"], 60);
    let wall = Duration::from_secs_f64(run["wall_s"].as_f64().unwrap());
    assert!(wall + stood <= elapsed, "{wall:?} measured, {stood:?} stopped, {elapsed:?} in all");
    stage.ended(0);
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_is_none() {
    for term in ["dumb", ""] {
        let stage = Stage::run((100, 120), &[("TERM", term)], &[PROGRAM, "small.yaml"]);
        stage.until("it compares", |screen| screen.contains("running headless") && screen.contains("120 succeeded"));
        stage.until("nothing was drawn", |screen| !screen.contains("LIVE") && screen.contains("run 2/2"));
        stage.ended(0);
    }
    let stage = Stage::run((100, 50), &[("TERM", "dumb")], &[PROGRAM]);
    stage.until("it says what it needs", |screen| screen.contains("needs a terminal"));
    stage.ended(2);
}

#[test]
fn where_only_ascii_can_be_shown_nothing_else_is() {
    for variables in [&[("TERM", "linux")][..], &[("LC_ALL", "C")], &[("LC_ALL", ""), ("LANG", "de_DE.ISO-8859-1")]] {
        let mut stage = Stage::run((100, 30), variables, &[PROGRAM, "small.yaml"]);
        stage.until("a run is live", |screen| screen.contains("LIVE"));
        let screen = stage.screen();
        assert!(screen.is_ascii(), "{variables:?}\n{screen}");
        stage.press("qy");
        stage.ended(0);
        let stage = Stage::run((100, 50), variables, &[PROGRAM, "run", "small.yaml"]);
        stage.until("a bar", |screen| screen.contains("##") || screen.contains("60 succeeded"));
        stage.until("the result", |screen| screen.contains("60 submitted = 60 succeeded"));
        let screen = stage.screen();
        assert!(screen.is_ascii() && screen.contains(" us"), "{variables:?}\n{screen}");
        stage.ended(0);
    }
    let stage = Stage::run((100, 50), &[], &[PROGRAM, "run", "small.yaml"]);
    stage.until("the result in its own signs", |screen| screen.contains("✓ ● pool  60 submitted"));
    stage.ended(0);
}

/// What a command of the stage's folder writes to its standard output, as JSON; `poolscope` is the program.
fn repeated(stage: &Stage, command: &str) -> serde_json::Value {
    let folder = std::path::Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("{command} --format json --quiet")])
        .current_dir(stage.folder.path())
        .env("PATH", path)
        .env("POOLSCOPE_CACHE_DIR", stage.folder.path())
        .env("POOLSCOPE_DB", "off")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{command}: {error}: {said}"))
}

/// The command that it left on the terminal.
fn command_left(stage: &Stage) -> String {
    stage.until("it says how to repeat it", |screen| {
        screen.lines().any(|line| line.starts_with("  poolscope compare ")) && !screen.contains("LIVE")
    });
    let screen = stage.screen();
    screen.lines().find(|line| line.starts_with("  poolscope compare ")).unwrap().trim().to_owned()
}

#[test]
fn what_was_measured_stays_on_the_terminal_with_the_command_that_repeats_it() {
    let script = format!("cp small.yaml 'my load.yaml'; exec {PROGRAM} 'my load.yaml' --set tasks.0.count=40 --seed 5");
    let mut stage = Stage::run((200, 80), &[], &["/bin/sh", "-c", &script]);
    stage.until("a run is live", |screen| screen.contains("LIVE"));
    stage.press("+");
    stage.until("all runs were made", |screen| screen.contains("FINISHED"));
    let finished = stage.screen();
    stage.press("q");
    let command = command_left(&stage);
    let screen = stage.screen();
    for word in ["tasks/s", "40 tasks", "● pool", "■ process", "seed 5", "To repeat it:"] {
        assert!(screen.contains(word), "{word}\n{screen}\nafter\n{finished}");
    }
    assert!(!screen.contains("ABORTED") && !screen.contains("stopped on request"), "{screen}");
    let result = repeated(&stage, &command);
    let workers = |arm: usize| result["arms"][arm]["workers"].as_u64().unwrap();
    assert_eq!((workers(0), workers(1)), (3, 2), "{command}");
    assert_eq!(result["workload"]["seed"], 5, "{result:#}");
    for arm in [0, 1] {
        let runs = result["arms"][arm]["runs"].as_array().unwrap();
        assert!(runs.iter().all(|run| run["tasks"]["succeeded"] == 40), "{command}");
    }
    let hash = result["workload"]["stream_hash"].as_str().unwrap();
    assert!(screen.contains(&format!("stream {}", &hash[..8])), "the same tasks: {hash}\n{screen}");
    stage.ended(0);
}

#[test]
fn leaving_early_tells_what_there_is_and_nothing_where_nothing_was_measured() {
    // Interrupted in its second run.
    let mut stage = Stage::open(120, 50);
    stage.until("the other engine is live", |screen| screen.contains("replay"));
    stage.press("\x03\x03");
    let command = command_left(&stage);
    assert_eq!(command, "poolscope compare small.yaml");
    let screen = stage.screen();
    assert!(screen.contains("stopped on request") && screen.contains("● pool"), "{screen}");
    stage.ended(130);
    // A signal is named.
    let stage = Stage::open(120, 50);
    stage.until("the other engine is live", |screen| screen.contains("replay"));
    support::kill(stage.child.process_id().unwrap(), rustix::process::Signal::TERM);
    let _command = command_left(&stage);
    assert!(stage.screen().contains("SIGTERM"), "{}", stage.screen());
    stage.ended(143);
    // Nothing was started.
    let mut stage = Stage::run((120, 50), &[], &[PROGRAM]);
    stage.until("the workloads are listed", |screen| screen.contains("small.yaml"));
    stage.press("q");
    stage.until("the terminal is given back", |screen| !screen.contains("small.yaml"));
    let said = stage.screen();
    stage.ended(0);
    assert_eq!(said.trim(), "");
}

#[test]
fn the_picker_opens_at_what_is_open_and_goes_back_to_the_screen_before() {
    let mut stage = Stage::run((80, 24), &[], &[PROGRAM, "timeouts", "--set", "measure.repeats=1"]);
    stage.until("a run is live", |screen| screen.contains("LIVE"));
    stage.press("2");
    stage.until("the tasks are shown", |screen| screen.contains("Tasks that failed"));
    stage.press("o");
    stage.until("its row is chosen, with what it means", |screen| {
        screen.lines().any(|line| line.contains("▸ timeouts") && (line.contains(" 1 run") || line.contains("·1")))
            && screen.contains("by --set measure.repeats=1")
    });
    stage.press("\x1b");
    stage.until("the tasks are shown again", |screen| screen.contains("Tasks that failed"));
    stage.press("qy");
    stage.ended(0);
}

const FAILING: &str = "
version: 1
name: failing
tasks:
  - { name: page, kind: command, command: [sh, -c, 'echo \"no page {index}\" >&2; exit 3', it's me], count: 6, retries: { max: 1, on: [error] } }
  - { name: text, kind: command, shell: true, command: \"sleep 0.0{index} | exit 4\", count: 3 }
engines: [{ kind: pool, workers: 1 }, { kind: process, workers: 1 }]
measure: { warmup: 0, repeats: 3 }
";

#[test]
fn failed_tasks_are_filtered_and_shown_with_their_command_line() {
    let script = format!("cat >failing.yaml <<'END'\n{FAILING}END\nexec {PROGRAM} failing.yaml");
    let mut stage = Stage::run((100, 30), &[], &["/bin/sh", "-c", &script]);
    stage.until("all runs were made", |screen| screen.contains("FINISHED"));
    stage.press("2/status:failed engine:pool run:2 \x1b[200~no page 4\n\x1b[201~");
    stage.until("what was pasted is in it", |screen| screen.contains("2 of 90"));
    stage.press("\r\r");
    stage.until("its details are open", |screen| {
        let command = r#"sh -c 'echo "no page 4" >&2; exit 3' 'it'\''s me'"#;
        ["task 4 · try 2/2 · run 2 · ● POOL", command, "ended with exit code 3"]
            .iter()
            .all(|&word| screen.contains(word))
    });
    stage.press("n");
    stage.until("the other attempt is open", |screen| screen.contains("task 4 · try 1/2 · run 2 · ● POOL"));
    stage.press("\x1b");
    stage.until("the list is shown", |screen| screen.contains("▸ #4"));
    stage.press("\x1b");
    stage.until("there is no filter", |screen| screen.contains("90 kept"));
    stage.press("/class:text\r\r");
    stage.until("a text for the shell is shown as one", |screen| {
        screen.contains("| exit 4") && screen.contains("shell ")
    });
    stage.press("q");
    stage.ended(0);
}

#[test]
fn work_of_the_command_line_ends_with_the_code_of_its_failures_and_names_them() {
    let tried = |more: &str| {
        let script = format!("printf 'a\\nb b\\n' | exec {PROGRAM} try --items - {more} -- sh -c 'test \"$1\" = a' sh");
        let mut stage = Stage::run((160, 60), &[], &["/bin/sh", "-c", &script]);
        stage.until("all was done", |screen| screen.contains("FINISHED"));
        stage.press("q");
        stage.until("it says how to repeat it", |screen| screen.contains("given the same items once more"));
        stage
    };
    let stage = tried("");
    assert!(stage.screen().contains("b b"), "{}", stage.screen());
    stage.ended(1);
    tried("--allow-failures").ended(0);
}

/// A workload of a file whose items are on standard input: keys come from the terminal.
#[test]
fn items_of_standard_input_are_shown_and_failures_of_a_file_are_its_code_where_asked_for() {
    let shown = |source: &str, items: &str, fails: &str, more: &str, code: u32| {
        let workload = format!(
            "version: 1\nname: piped\ntasks:\n  - {{name: t, kind: command, command: [test, \"{{item.n}}\", -lt, \"8\"], \
             items: {{{source}: \"-\"}}}}\nengines: [{{kind: process, workers: 1}}]\n"
        );
        let script =
            format!("printf '%b' \"$WORKLOAD\" > piped.yaml; printf '{items}' | exec {PROGRAM} piped.yaml {more}");
        let variables = [("WORKLOAD", workload.as_str())];
        let mut stage = Stage::run((160, 60), &variables, &["/bin/sh", "-c", &script]);
        stage.until("all was done", |screen| screen.contains("FINISHED"));
        stage.press("q");
        stage.until("it says how to repeat it", |screen| screen.contains("given the same items once more"));
        let failed = format!("task 1 (t, {fails}): failed: ended with exit code 1");
        assert_eq!(stage.screen().contains(&failed), code == 1, "{}", stage.screen());
        stage.ended(code);
    };
    shown("jsonl", "{\"n\":7}\\n{\"n\":9}\\n", "{\"n\":9}", "--fail-on-error", 1);
    shown("csv", "n,m\\n7,y\\n9,x\\n", "9,x", "--fail-on-error", 1);
    shown("csv", "n,m\\n7,y\\n9,x\\n", "9,x", "", 0);
}

#[test]
fn a_sweep_and_a_search_run_live_and_the_user_takes_over() {
    let argv = [PROGRAM, "small.yaml", "--set", "tasks.0.count=10", "--sweep", "chunksize=1,5"];
    // So high that the reports of all that it was asked for stand there at its end.
    let mut stage = Stage::run((120, 120), &[], &argv);
    stage.until("the sweep is shown", |screen| screen.contains("chunksize=1,5") && screen.contains("run 1/3"));
    stage.until("all its runs were made", |screen| screen.contains("DONE") && screen.contains("fastest of pool"));
    // What is wrong is said, and the line stays.
    stage.press("f\x15p99<5\r");
    stage.until("a limit without a unit is refused", |screen| screen.contains("> p99<5") && screen.contains("unit"));
    stage.press("\x15knee\r");
    stage.until("the first step was made", |screen| screen.contains("LOOKING") && screen.contains(" 1. a batch"));
    stage.press("+");
    stage.until("the user has taken over", |screen| screen.contains("TAKEN OVER") && screen.contains(" 1. a batch"));
    stage.press("f\x15break-even\r");
    stage.until("another one has begun", |screen| screen.contains("break-even  LOOKING"));
    // Leaving in the middle of one asks, ends it, and tells of all of them.
    stage.press("qy");
    stage.until("the reports stand there", |screen| {
        screen.contains("fastest of pool") && screen.contains("target: knee") && screen.contains("--target knee")
    });
    stage.ended(0);
}
