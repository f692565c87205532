//! Links the program statically where that can be done.
//!
//! A process for each task starts this program for each task: half of what that costs is the loader's work, of which a
//! static program without relocations has none. `-C target-feature=+crt-static` would say the same for all crates,
//! procedural macros too, which cannot be; so the program alone is linked this way, against stand-ins for the shared
//! libraries that send the linker to the static ones. Whether that works is tried with a small program first. Where it does
//! not (no static C library, a linker of another kind, another target), the program is linked as usual and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Shared libraries that the standard library asks for, and what takes their place: linker scripts, which every linker
/// reads where it expects a library. The C library needs the compiler's and the unwinder, and that needs it.
const STAND_INS: [(&str, &str); 7] = [
    ("c", "GROUP(-l:libc.a -l:libgcc.a -l:libgcc_eh.a)"),
    ("gcc_s", "GROUP(-l:libc.a -l:libgcc.a -l:libgcc_eh.a)"),
    ("m", "INPUT(-l:libm.a)"),
    ("rt", "INPUT(-l:librt.a)"),
    ("dl", "INPUT(-l:libdl.a)"),
    ("util", "INPUT(-l:libutil.a)"),
    ("pthread", "INPUT(-l:libpthread.a)"),
];

/// What a worker cannot do without: arguments, threads, panics that are caught.
const TRIAL: &str = r#"
fn main() {
    let thread = std::thread::spawn(|| std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7))).is_err());
    assert!(thread.join().unwrap() && std::env::args().count() == 2);
}
"#;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    // A calibration holds for one build alone.
    println!("cargo::rustc-env=POOLSCOPE_OPT_LEVEL={}", env::var("OPT_LEVEL").unwrap_or_default());
    let linking = match static_arguments() {
        Ok(arguments) => {
            for argument in arguments {
                println!("cargo::rustc-link-arg-bins={argument}");
            }
            "static".to_owned()
        }
        Err(reason) => {
            println!("cargo::warning=linked dynamically, workers start more slowly: {reason}");
            reason
        }
    };
    println!("cargo::rustc-env=POOLSCOPE_LINKING={linking}");
}

/// What the linker needs to be told, if a program that was linked this way runs.
fn static_arguments() -> Result<Vec<String>, String> {
    let set = |name: &str| env::var(name).unwrap_or_default();
    let (target, host) = (set("TARGET"), set("HOST"));
    if set("CARGO_CFG_TARGET_OS") != "linux" || set("CARGO_CFG_TARGET_ENV") != "gnu" {
        return Err(format!("not done for {target}"));
    }
    if target != host {
        return Err(format!("a program for {target} cannot be tried on {host}"));
    }
    let folder = PathBuf::from(set("OUT_DIR")).join("static");
    let arguments = vec![format!("-L{}", folder.display()), "-static".to_owned(), "-no-pie".to_owned()];
    prepare(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    try_out(&folder, &arguments)?;
    Ok(arguments)
}

fn prepare(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (library, script) in STAND_INS {
        fs::write(folder.join(format!("lib{library}.so")), format!("{script}\n"))?;
    }
    fs::write(folder.join("trial.rs"), TRIAL)
}

fn try_out(folder: &Path, arguments: &[String]) -> Result<(), String> {
    let set = |name: &str| env::var(name).unwrap_or_default();
    let program = folder.join("trial");
    let mut rustc = Command::new(set("RUSTC"));
    rustc.arg(folder.join("trial.rs")).arg("-o").arg(&program).args(["--edition=2024", "--target", &set("TARGET")]);
    rustc.args(set("CARGO_ENCODED_RUSTFLAGS").split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.args(arguments.iter().map(|argument| format!("-Clink-arg={argument}")));
    let output = rustc.output().map_err(|error| format!("{rustc:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let missing = said.lines().find(|line| line.contains("find") && line.contains("-l:"));
        let reason = match missing {
            Some(line) => format!("a static library is missing ({})", line.trim().trim_start_matches("= note: ")),
            None => "a static program cannot be linked here".to_owned(),
        };
        return Err(reason);
    }
    match Command::new(&program).arg("argument").status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("a program that was linked statically does not run here: {status}")),
        Err(error) => Err(format!("a program that was linked statically cannot be started here: {error}")),
    }
}
