//! The workers in other languages, ready to be started as worker programs.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use super::Setting;

/// The interpreter itself: what the name stands for may be a script that takes longer to start than it does.
fn interpreter() -> &'static str {
    static INTERPRETER: OnceLock<String> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let real = "import sys; assert sys.version_info >= (3, 10), sys.version; print(sys.executable)";
        let asked = Command::new("python3").args(["-I", "-c", real]).output();
        let output = asked.expect("these tests need python3, which cannot be started");
        assert!(output.status.success(), "these tests need Python 3.10: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

/// The program of a worker in Python that tells in this way (`board`, `started`, `nothing`) which task it is in.
pub fn python(tells: &str) -> OsString {
    written(tells, &format!("'{}' -I -S", interpreter()), "py")
}

/// The same in Perl, which has no mapped files: `started` or `nothing`. It runs no programs.
pub fn perl(tells: &str) -> OsString {
    written(tells, "perl", "pl")
}

fn written(tells: &str, interpreter: &str, ending: &str) -> OsString {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("foreign-{ending}-{tells}-{}", std::process::id()));
    static WRITTEN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one_at_a_time = WRITTEN.lock().unwrap();
    if !path.exists() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workers/foreign");
        let text = format!("#!/bin/sh\nexec {interpreter} '{script}.{ending}' {tells} \"$@\"\n");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    path.into_os_string()
}

/// The same setting with such a worker.
pub fn with(worker_program: OsString, setting: Setting) -> Setting {
    Setting { worker_program, ..setting }
}
