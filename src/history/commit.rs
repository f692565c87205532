//! The version of the user's own work: commit and state of the folder that a session is started in, as git tells them.
//!
//! git is asked before anything runs and given a quarter of a second; where it is not there or takes longer, there is no
//! commit. It changes nothing: it takes no optional locks, and looks at files that are under version control alone.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::record::Commit;

/// Longest that git is waited for.
const PATIENCE: Duration = Duration::from_millis(250);
/// Most that is read of what it says: the commit comes first.
const MOST: u64 = 64 << 10;

/// The commit of the current folder; `None` where there is none, or git is none or slow.
#[must_use]
pub(crate) fn current() -> Option<Commit> {
    // Without a repository around there is nothing to ask.
    let here = std::env::current_dir().ok()?;
    here.ancestors().find(|folder| folder.join(".git").exists())?;
    // A repository may name a program that is asked for what has changed: none of it is run.
    let arguments = [
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
    ];
    let mut git = Command::new("git")
        .args(arguments)
        .args(["--ignore-submodules=all", "--no-ahead-behind"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let out = git.stdout.take()?;
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        // Who waits may have gone.
        let _ = out.take(MOST).read_to_string(&mut text).map(|_| tell.send(text));
    });
    let deadline = Instant::now() + PATIENCE;
    let text = told.recv_timeout(PATIENCE).ok();
    // What was told whole needs no end; a git that is slow gets one.
    while matches!(git.try_wait(), Ok(None)) {
        if text.is_none() || Instant::now() >= deadline {
            let _ = git.kill();
            let _ = git.wait();
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    parse(&text?)
}

/// What `git status --porcelain=v2 --branch` says.
fn parse(text: &str) -> Option<Commit> {
    let id = text.lines().find_map(|line| line.strip_prefix("# branch.oid "))?;
    let is_hash = id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let dirty = text.lines().any(|line| !line.starts_with('#') && !line.is_empty());
    is_hash.then(|| Commit { id: id.to_owned(), dirty: Some(dirty) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_and_state_are_read() {
        let id = "0123456789012345678901234567890123456789";
        let clean = format!("# branch.oid {id}\n# branch.head main\n");
        assert_eq!(parse(&clean), Some(Commit { id: id.to_owned(), dirty: Some(false) }));
        let dirty = format!("{clean}1 .M N... 100644 100644 100644 {id} {id} a.rs\n");
        assert_eq!(parse(&dirty).and_then(|commit| commit.dirty), Some(true));
        for none in ["", "# branch.oid (initial)\n# branch.head main\n", "fatal: not a git repository"] {
            assert_eq!(parse(none), None, "{none}");
        }
    }
}
