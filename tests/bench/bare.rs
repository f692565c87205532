//! What a process for each task cannot be faster than: `posix_spawn(3)` and `waitpid(2)`, and nothing else.

#![allow(dead_code, reason = "each benchmark has its own limits")]

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;
use std::sync::OnceLock;
use std::time::Instant;

/// The smallest program of all, compiled here and now: C, static, does nothing.
///
/// # Errors
/// What to do where it cannot be compiled.
pub fn tiny_program() -> Result<PathBuf, String> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    COMPILED.get_or_init(|| compile("tiny")).clone()
}

/// Processes per second that a tiny process forks and waits for, when they do nothing, so many at a time.
///
/// # Errors
/// What to do where it cannot be compiled, or what went wrong.
pub fn forks_per_second(at_once: u32, count: u64) -> Result<f64, String> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let program = COMPILED.get_or_init(|| compile("tiny_fork")).clone()?;
    let output = Command::new(program).args([at_once.to_string(), count.to_string()]).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("tiny_fork ended with {}", output.status))
}

fn compile(name: &str) -> Result<PathBuf, String> {
    let source = format!("{}/tests/bench/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // Others may be running it at this moment.
    let new = program.with_extension(std::process::id().to_string());
    match Command::new("gcc").args(["-O2", "-static", "-o"]).arg(&new).arg(&source).status() {
        Ok(status) if status.success() => {}
        Ok(status) => {
            return Err(format!("gcc -O2 -static {source}: {status}; is the static C library (libc.a) installed?"));
        }
        Err(error) => return Err(format!("the limit is a C program, and gcc cannot be started: {error}")),
    }
    std::fs::rename(&new, &program).map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(program)
}

/// Processes per second when so many are started, so many at a time.
pub fn processes_per_second(argv: &[&str], at_once: u32, count: u64) -> f64 {
    let argv: Vec<CString> = argv.iter().map(|text| CString::new(*text).expect("no zero bytes")).collect();
    let arguments: Vec<_> = argv.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect();
    let wait = || {
        // SAFETY: a null status is allowed; nobody else in this process waits while the limit is measured.
        assert!(unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0, "a child ends");
    };
    let begin = Instant::now();
    for started in 0..count {
        if started >= u64::from(at_once) {
            wait();
        }
        let mut pid = 0;
        // SAFETY: `argv` ends with a null pointer and outlives the call; nothing changes the environment meanwhile.
        let error = unsafe {
            libc::posix_spawn(&mut pid, argv[0].as_ptr(), ptr::null(), ptr::null(), arguments.as_ptr(), environ)
        };
        assert_eq!(error, 0, "it starts");
    }
    (0..count.min(u64::from(at_once))).for_each(|_| wait());
    count as f64 / begin.elapsed().as_secs_f64()
}

/// The same of a program that is started once for each of these arguments, its output thrown away.
pub fn each_per_second(program: &str, arguments: &[&str], at_once: u32) -> f64 {
    let text = |text: &str| CString::new(text).expect("no zero bytes");
    let (program, nowhere) = (text(program), text("/dev/null"));
    let arguments: Vec<CString> = arguments.iter().map(|argument| text(argument)).collect();
    // SAFETY: all zeros is a value of it, and it is made ready before it is used.
    let mut actions: libc::posix_spawn_file_actions_t = unsafe { std::mem::zeroed() };
    // SAFETY: a place for them, and a path that outlives the call.
    let ready = unsafe {
        libc::posix_spawn_file_actions_init(&mut actions) == 0
            && libc::posix_spawn_file_actions_addopen(&mut actions, 1, nowhere.as_ptr(), libc::O_WRONLY, 0) == 0
    };
    assert!(ready, "standard output can be thrown away");
    let wait = || {
        // SAFETY: a null status is allowed; nobody else in this process waits while the limit is measured.
        assert!(unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0, "a child ends");
    };
    let begin = Instant::now();
    for (started, argument) in arguments.iter().enumerate() {
        if started >= at_once as usize {
            wait();
        }
        let (mut pid, argv) = (0, [program.as_ptr().cast_mut(), argument.as_ptr().cast_mut(), ptr::null_mut()]);
        // SAFETY: `argv` ends with a null pointer and outlives the call; nothing changes the environment meanwhile.
        let error =
            unsafe { libc::posix_spawnp(&mut pid, program.as_ptr(), &actions, ptr::null(), argv.as_ptr(), environ) };
        assert_eq!(error, 0, "it starts");
    }
    (0..arguments.len().min(at_once as usize)).for_each(|_| wait());
    // SAFETY: made ready above, and used no more.
    unsafe { libc::posix_spawn_file_actions_destroy(&mut actions) };
    arguments.len() as f64 / begin.elapsed().as_secs_f64()
}

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}
