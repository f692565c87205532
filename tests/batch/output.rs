//! What tasks write: given out whole, in order where that is asked for, and never lost without a word.

use std::cell::RefCell;
use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use super::support::cli::{code, json, text};
use super::{done, entries, lines, shell, until, workload};

const ENGINES: [&str; 2] = ["process", "pool"];

#[test]
fn outputs_are_whole_apart_and_in_order_where_asked_for() {
    for engine in ENGINES {
        let script = "for n in 1 2 3; do echo {item}-$n; echo {item}-$n >&2; sleep 0.0{item}; done";
        let folder = workload("[9, 5, 1, 7]", script, "");
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml --engine {engine} --workers 4 -q"));
        code(&output, 0);
        let whole = |item: &str| format!("{item}-1\n{item}-2\n{item}-3\n");
        for stream in [text(&output.stdout), text(&output.stderr)] {
            assert!(["9", "5", "1", "7"].iter().all(|item| stream.contains(&whole(item))), "{engine}: {stream}");
            assert_eq!(stream.lines().count(), 12, "{engine}: {stream}");
        }
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml --engine {engine} --workers 4 -q --keep-order"));
        assert_eq!(text(&output.stdout), ["9", "5", "1", "7"].map(whole).concat(), "{engine}");
    }
}

#[test]
fn the_report_is_on_standard_error_and_with_another_format_the_output_is_nowhere() {
    let folder = workload("[a, b]", "echo out", ", keep_output: kept");
    let output = shell(&folder, "POOLSCOPE run w.yaml");
    assert_eq!(text(&output.stdout), "out\nout\n");
    assert!(text(&output.stderr).contains("2 submitted = 2 succeeded"), "{}", text(&output.stderr));
    let result = json(&shell(&folder, "POOLSCOPE run w.yaml --format json"));
    assert_eq!(result["arms"][0]["runs"][0]["tasks"]["succeeded"], 2);
    assert_eq!(lines(&folder, "kept/1.out"), ["out"]);
    let output = shell(&folder, "POOLSCOPE run w.yaml --format json --output result.json");
    assert_eq!(text(&output.stdout), "out\nout\n", "standard output is free");
    let output = shell(&folder, "printf 'x\\ny\\n' | POOLSCOPE try --items - --workers 1 --headless -- echo item {}");
    assert_eq!(text(&output.stdout), "item x\nitem y\n");
    assert!(text(&output.stderr).contains("2 submitted = 2 succeeded"), "{}", text(&output.stderr));
}

#[test]
fn of_a_task_that_is_tried_again_or_ended_nothing_is_given_out() {
    for engine in ENGINES {
        let script = "echo {item} $POOLSCOPE_TASK; case {item} in slow) exec sleep 30;; esac; test -e {item} || { touch {item}; exit 1; }";
        let more = ", retries: {max: 1, on: [error]}, timeout: 2s, grace_period: 100ms";
        let folder = workload("[again, slow]", script, more);
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml --engine {engine} -q"));
        assert_eq!(text(&output.stdout), "again 0.2\n", "{engine}: {}", text(&output.stderr));
    }
}

#[test]
fn what_was_cut_off_is_given_out_by_no_engine() {
    // More than anybody holds in memory is there of one when the other halts the run, or when its own time is over.
    let script = "echo out {item}; case {item} in slow) head -c 200000 /dev/zero; touch begun; exec sleep 30;; \
                  *) until test -e begun; do sleep 0.02; done; exit 1;; esac";
    for engine in ENGINES {
        for (items, how, given) in
            [("[slow, bad]", "--halt now,fail=1", "out bad\n"), ("[slow]", "--set tasks.0.timeout=1500ms", "")]
        {
            let folder = workload(items, script, ", grace_period: 100ms");
            let call = format!("POOLSCOPE run w.yaml --engine {engine} --set engines.1.chunksize=1 {how} -q");
            let output = shell(&folder, &call);
            assert!(matches!(output.status.code(), Some(1 | 3)), "{engine} {how}: {:?}", output.status);
            assert!(folder.path("begun").exists(), "{engine} {how}");
            let out = text(&output.stdout);
            assert!(out == given, "{engine} {how}: {} bytes, {}", out.len(), text(&output.stderr));
        }
    }
}

#[test]
fn a_reader_that_never_goes_on_keeps_nobody_from_ending_it() {
    // The tasks end, or are ended; what they have written has nowhere to go, and the next interrupt is the last one.
    for (count, interrupts) in [(4, 1), (100, 2)] {
        let items: Vec<u32> = (0..count).collect();
        let script = "head -c 60000 /dev/zero; test {item} -lt 4 || sleep 30";
        let folder = workload(&serde_json::to_string(&items).unwrap(), script, ", grace_period: 50ms");
        let mut run = folder.run("process", &["--joblog", "log"]);
        let run = run.current_dir(folder.as_path()).stdout(Stdio::piped()).spawn().unwrap();
        let (id, run) = (run.id(), RefCell::new(run));
        let interrupt = || {
            let pid = rustix::process::Pid::from_raw(id as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        };
        until("the first tasks have ended", || done(&folder).len() >= 4);
        if interrupts == 2 {
            until("others are in work", || done(&folder).len() >= 6);
            interrupt();
        }
        // Then nothing is left to do but to write.
        until("signals end it again", || {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << 1) == 0
        });
        interrupt();
        until("its end", || run.borrow_mut().try_wait().unwrap().is_some());
        assert!(!run.into_inner().wait().unwrap().success());
    }
}

#[test]
fn large_outputs_are_on_disk_and_the_memory_is_bounded() {
    for engine in ENGINES {
        let folder = workload("[3, 2, 1, 0]", "sleep 0.{item}; head -c 30000000 /dev/zero | tr '\\0' {item}", "");
        fs::create_dir(folder.path("tmp")).unwrap();
        let script = format!(
            "mkfifo pipe; TMPDIR=$PWD/tmp POOLSCOPE run w.yaml --workers 4 --engine {engine} -q --keep-order > pipe & \
             {{ sleep 1.2; grep VmHWM /proc/$!/status >&2; tr -s 0-9; echo; }} < pipe; wait $!"
        );
        let output = shell(&folder, &script);
        assert_eq!(text(&output.stdout), "3210\n", "{engine}: {}", text(&output.stderr));
        let peak = text(&output.stderr);
        let peak: u64 =
            peak.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_else(|| panic!("{peak}"));
        assert!(peak < 60_000, "{engine}: {peak} KiB for 120 MB of output");
        assert_eq!(fs::read_dir(folder.path("tmp")).unwrap().count(), 0, "nothing is left");
    }
}

#[test]
fn a_reader_that_has_gone_ends_it_like_a_filter() {
    let items: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    for engine in ENGINES {
        let folder = workload(&serde_json::to_string(&items).unwrap(), "echo out {item}; sleep 0.01", "");
        let script = format!(
            "{{ POOLSCOPE run w.yaml --engine {engine} --no-progress --joblog log; echo $? > code; }} | head -n 2"
        );
        let output = shell(&folder, &script);
        assert_eq!(lines(&folder, "code"), ["141"], "{engine}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{engine}: without a word");
        assert_eq!(text(&output.stdout).lines().count(), 2);
        assert!(done(&folder).len() < 400 && entries(&folder, "log").len() < done(&folder).len(), "{engine}");
    }
}

#[test]
fn what_cannot_be_given_out_is_not_logged_as_done() {
    let folder = workload("[a, b, c, d]", "echo out", "");
    let output = shell(&folder, "POOLSCOPE run w.yaml --joblog log -q >/dev/full");
    code(&output, 3);
    assert!(
        text(&output.stderr).contains("standard output cannot be written to: No space left"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(entries(&folder, "log").len(), 0);
    let before = done(&folder).len();
    let output = shell(&folder, "POOLSCOPE run w.yaml --joblog log -q >&-");
    code(&output, 2);
    assert!(text(&output.stderr).contains("standard output is closed"), "{}", text(&output.stderr));
    assert_eq!(done(&folder).len(), before, "nothing was started");
}

#[test]
fn a_reader_that_is_slow_is_waited_for() {
    let items: Vec<String> = (0..700).map(|number| number.to_string()).collect();
    // 60 KB each: in memory.
    let folder = workload(&serde_json::to_string(&items).unwrap(), "head -c 60000 /dev/zero", "");
    let mut run = folder.run("process", &["--keep-order"]);
    let mut run = run.current_dir(folder.as_path()).stdout(Stdio::piped()).spawn().unwrap();
    let before = std::cell::Cell::new(0);
    until("a standstill", || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = done(&folder).len();
        before.replace(now) == now && now > 0
    });
    assert!(done(&folder).len() < 600, "{} were begun while nobody read", done(&folder).len());
    let mut bytes = 0;
    let mut stdout = run.stdout.take().unwrap();
    let mut piece = vec![0; 1 << 16];
    loop {
        match stdout.read(&mut piece).unwrap() {
            0 => break,
            count => bytes += count,
        }
    }
    assert!(run.wait().unwrap().success());
    assert_eq!(bytes, 700 * 60_000);
}
