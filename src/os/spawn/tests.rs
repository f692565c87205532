use std::os::fd::AsFd as _;

use super::*;
use crate::os::accounting::Exit;
use crate::os::capture::Capture;
use crate::os::pipe::{drain, pipe};

/// What a program writes to its standard output until its end, and how it ended.
fn output(program: &Program, more: &[(BorrowedFd<'_>, RawFd)]) -> (String, Exit) {
    let (read, write) = pipe().unwrap();
    let mut descriptors = more.to_vec();
    descriptors.push((write.as_fd(), 1));
    let mut child = program.spawn(&descriptors).unwrap();
    let exit = child.wait().unwrap().exit;
    let mut capture = Capture::default();
    drain(&read, &mut capture);
    (capture.text(), exit)
}

fn shell(script: &str) -> Program {
    Program::new(&["/bin/sh", "-c", script]).unwrap()
}

#[test]
fn a_child_has_default_signals_and_none_blocked() {
    // The runtime of this very process ignores SIGPIPE.
    let (text, exit) = output(&shell("grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status; kill -PIPE $$"), &[]);
    assert_eq!(exit, Exit::Signal(libc::SIGPIPE));
    let masks: Vec<u64> =
        text.lines().map(|line| u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()).collect();
    assert_eq!(masks.len(), 3, "{text}");
    // Two real-time signals are the C library's own.
    let own: u64 = 0b11 << 31;
    assert_eq!((masks[0], masks[1] & !own), (0, 0), "{text}");
}

#[test]
fn a_child_has_the_descriptors_it_is_given_and_no_others() {
    let files: Vec<std::fs::File> = (0..4).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    let given = [(files[0].as_fd(), 0), (files[1].as_fd(), 2), (files[2].as_fd(), 5)];
    let (text, _) = output(&shell("for fd in 0 1 2 4 5 6 7 8; do test -e /proc/$$/fd/$fd && echo $fd; done"), &given);
    let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    let inherited = |number: &u32| {
        let flags = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:").map(str::trim).map(str::to_owned));
        flags.is_some_and(|flags| i32::from_str_radix(&flags, 8).unwrap() & libc::O_CLOEXEC == 0)
    };
    // What this process was itself started with is passed on, as to any program.
    let given: Vec<u32> = [0, 1, 2, 4, 5, 6, 7, 8]
        .into_iter()
        .filter(|number| matches!(number, 0 | 1 | 2 | 5) || inherited(number))
        .collect();
    assert_eq!(numbers, given);
}

#[test]
fn descriptors_may_trade_their_numbers() {
    let (one, other) = (pipe().unwrap(), pipe().unwrap());
    let (low, high) = if one.1.as_raw_fd() < other.1.as_raw_fd() { (one, other) } else { (other, one) };
    let targets = [(low.1.as_fd(), 4), (high.1.as_fd(), 3)];
    let mut child = shell("echo low >&4; echo high >&3").spawn(&targets).unwrap();
    assert_eq!(child.wait().unwrap().exit, Exit::Code(0));
    for (read, expected) in [(&low.0, "low\n"), (&high.0, "high\n")] {
        let mut capture = Capture::default();
        drain(read, &mut capture);
        assert_eq!(capture.text(), expected);
    }
}

#[test]
fn a_child_runs_in_its_folder_and_finds_its_program_there() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("job.sh");
    std::fs::write(&script, "#!/bin/sh\npwd -P\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = Program::new(&["./job.sh"]).unwrap().in_folder(Some(folder.path())).unwrap();
    let (text, exit) = output(&program, &[]);
    assert_eq!(exit, Exit::Code(0));
    assert_eq!(text.trim(), folder.path().canonicalize().unwrap().to_string_lossy());
    let gone = Program::new(&["./job.sh"]).unwrap().in_folder(Some(&folder.path().join("gone"))).unwrap();
    let error = gone.spawn(&[]).unwrap_err();
    assert!(error.to_string().contains("gone cannot be entered"), "{error}");
    assert!(!is_transient(&error));
}

#[test]
fn what_cannot_be_run_is_told_apart_and_leaves_no_child() {
    let code = |argv: &[&str]| Program::new(argv).unwrap().spawn(&[]).unwrap_err().raw_os_error();
    assert_eq!(code(&["/no/such/program"]), Some(libc::ENOENT));
    assert_eq!(code(&["no-such-program-anywhere"]), Some(libc::ENOENT));
    assert_eq!(code(&[""]), Some(libc::ENOENT));
    assert_eq!(code(&["/"]), Some(libc::EACCES));
    assert_eq!(code(&["/dev/null"]), Some(libc::EACCES));
    let text = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&text, "not a program").unwrap();
    std::fs::set_permissions(&text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let words = |argv: &[&str]| Program::new(argv).unwrap().spawn(&[]).unwrap_err().to_string();
    let path = text.to_str().unwrap();
    assert!(words(&[path]).contains("first line such as"), "{}", words(&[path]));
    std::fs::write(&text, "#!/no/such/interpreter\n").unwrap();
    assert!(words(&[path]).contains("\"/no/such/interpreter\", was not found"), "{}", words(&[path]));
    std::fs::write(&text, "#!/bin/sh\r\n").unwrap();
    assert!(words(&[path]).contains("line ends of Windows"), "{}", words(&[path]));
    assert!(Program::new::<&str>(&[]).is_err() && Program::new(&["a\0b"]).is_err());
}

#[test]
fn the_start_is_told_by_the_child_and_not_by_when_we_have_our_turn_again() {
    for _ in 0..50 {
        let before = crate::os::clock::monotonic();
        let mut child = shell("echo hi > /dev/null").spawn(&[]).unwrap();
        let after = crate::os::clock::monotonic();
        assert!((before..=after).contains(&child.started_at()));
        let usage = child.wait().unwrap().usage;
        // A program that was loaded has worked for longer than this; the stamp of a parent that had to wait for its turn
        // came after the end.
        let life = crate::os::clock::monotonic() - child.started_at();
        assert!(u128::from(life) + 20_000_000 >= usage.user.as_nanos(), "{life} ns of life, {usage:?}");
    }
}

/// Set in a process of this test program that has a group for itself.
const ALONE: &str = "POOLSCOPE_TEST_ALONE_IN_ITS_GROUP";

#[test]
fn a_signal_to_our_group_does_not_reach_a_child_that_leaves_it() {
    if std::env::var_os(ALONE).is_some() {
        return start_children_in_a_storm_of_signals();
    }
    let name = "os::spawn::tests::a_signal_to_our_group_does_not_reach_a_child_that_leaves_it";
    let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
    alone.args(["--exact", name]).env(ALONE, "1");
    std::os::unix::process::CommandExt::process_group(&mut alone, 0);
    let alone = alone.output().unwrap();
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
}

/// So many signals that most children get one in the few microseconds in which they are in our group.
fn start_children_in_a_storm_of_signals() {
    use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};
    assert_eq!(getpgrp(), getpid());
    crate::os::signals::ignore(Signal::TERM);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                kill_current_process_group(Signal::TERM).unwrap();
            }
        });
        let program = Program::new(&["true"]).unwrap();
        let ends: Vec<Exit> = (0..200).map(|_| output(&program, &[]).1).collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        let hit = ends.iter().filter(|end| **end != Exit::Code(0)).count();
        assert_eq!(hit, 0, "{ends:?}");
    });
}

#[test]
fn a_program_is_found_in_the_path() {
    assert_eq!(output(&Program::new(&["true"]).unwrap(), &[]).1, Exit::Code(0));
    assert_eq!(output(&Program::new(&["false"]).unwrap(), &[]).1, Exit::Code(1));
}

#[test]
fn a_program_that_has_moved_is_found_where_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let [early, late] = ["a", "b"].map(|name| folder.path().join(name));
    [&early, &late].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let mut surroundings = Program::new(&["unused"]).unwrap();
    surroundings.set("PATH".as_ref(), format!("{}:{}", early.display(), late.display()).as_ref()).unwrap();
    let run = || output(&surroundings.with_arguments(&["moving"]).unwrap(), &[]).1;
    std::os::unix::fs::symlink("/bin/true", late.join("moving")).unwrap();
    assert_eq!(run(), Exit::Code(0));
    std::fs::remove_file(late.join("moving")).unwrap();
    std::os::unix::fs::symlink("/bin/false", early.join("moving")).unwrap();
    assert_eq!(run(), Exit::Code(1));
    std::fs::remove_file(early.join("moving")).unwrap();
    let missing = surroundings.with_arguments(&["moving"]).unwrap().spawn(&[]).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_child_that_is_to_die_with_its_parent_does() {
    let (read, write) = pipe().unwrap();
    let pid = std::thread::spawn(move || {
        let sleeper = Program::new(&["sleep", "600"]).unwrap().dies_with_parent();
        let mut child = sleeper.spawn(&[(write.as_fd(), 1)]).unwrap();
        let pidfd = child.take_pidfd();
        std::mem::forget(child);
        pidfd.unwrap()
    });
    let pidfd = pid.join().unwrap();
    let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    let mut ends = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut ends, Some(&limit)).unwrap(), 1, "its parent's end was the end of its thread");
    drop(read);
}
