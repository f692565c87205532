//! What a task was, in words: its command line as it was run, or what it had to do and how long that was to take.

use crate::report::shell;
use crate::tui::{format, text};
use crate::workload::command::shell_text;
use crate::workload::model::{Attempt, IoWork, Kernel, MemoryWork, Phase, TaskClass, TaskIndex, Work};
use crate::workload::service;

/// A name for it, and the lines that say it; cleaned for a terminal.
#[must_use]
pub(crate) fn lines(class: &TaskClass, seed: u64, index: TaskIndex, attempt: Attempt) -> (&'static str, Vec<String>) {
    match class.started(seed, index, attempt) {
        Some(Ok(argv)) => of_argv(&argv),
        Some(Err(error)) => ("command", vec![format!("not known: {}", text::clean(&error.to_string()))]),
        None => of_work(&class.work, class.drawing_seed(seed, attempt), index, attempt),
    }
}

fn of_argv(argv: &[String]) -> (&'static str, Vec<String>) {
    match shell_text(argv) {
        Some(script) => ("shell", text::clean_lines(script, usize::MAX)),
        None => ("command", vec![text::clean(&shell::join(argv))]),
    }
}

fn of_work(work: &Work, seed: u64, index: TaskIndex, attempt: Attempt) -> (&'static str, Vec<String>) {
    if let Work::Served(program) = work {
        let argv = text::clean(&shell::join(&program.argv(seed)));
        let line = String::from_utf8_lossy(&program.line(index, attempt, seed)).into_owned();
        return ("command", vec![argv, format!("was sent {}", text::clean(line.trim_end()))]);
    }
    if let Work::Command(command) = work {
        return of_argv(&command.arguments(index, attempt, seed));
    }
    let drawn = service::service_time(work, seed, index).map(format::duration);
    let words = match work {
        Work::Mixed(phases) => {
            let phases = phases.iter().zip(0..).map(|(phase, position)| of_phase(phase, position, seed, index));
            format!("mixed: {}", phases.collect::<Vec<_>>().join(", then "))
        }
        Work::Io(io) => of_io(*io),
        Work::Memory(memory) => of_memory(*memory),
        Work::Kernel(kernel) => format!("kernel {}", of_kernel(kernel)),
        Work::Python(call) => format!("python {}", text::clean(&call.callable)),
        Work::Cpu(_) | Work::Sleep(_) | Work::Command(_) | Work::Program(_) | Work::Served(_) | Work::Echo => {
            work.word().to_owned()
        }
    };
    let drawn = drawn.map(|time| format!(" · {time} of work drawn for this task")).unwrap_or_default();
    ("task", vec![format!("{words}{drawn}")])
}

fn of_phase(phase: &Phase, position: u64, seed: u64, index: TaskIndex) -> String {
    let time = service::phase_time(phase, position, seed, index).map(format::duration).unwrap_or_default();
    match phase {
        Phase::Cpu(_) => format!("cpu {time}"),
        Phase::Sleep(_) => format!("sleep {time}"),
        Phase::Io(io) => of_io(*io),
        Phase::Memory(memory) => of_memory(*memory),
    }
}

fn of_io(io: IoWork) -> String {
    let flushed = if io.sync { ", flushed to the device" } else { "" };
    format!("io {}{flushed}", format::bytes(io.bytes))
}

fn of_memory(memory: MemoryWork) -> String {
    let times = if memory.passes == 1 { String::new() } else { format!(", written {} times", memory.passes) };
    format!("memory {}{times}", format::bytes(memory.bytes))
}

fn of_kernel(kernel: &Kernel) -> String {
    match kernel {
        Kernel::Noop => "noop".to_owned(),
        Kernel::Primes { n } => format!("primes, n {n}"),
        Kernel::Mandelbrot { width, height, iterations } => {
            format!("mandelbrot, width {width}, height {height}, iterations {iterations}")
        }
        Kernel::Matmul { n } => format!("matmul, n {n}"),
        Kernel::Sha256 { bytes } => format!("sha256 of {}", format::bytes(*bytes)),
        Kernel::Sort { n } => format!("sort, n {n}"),
        Kernel::MonteCarloPi { samples } => format!("monte_carlo_pi, samples {samples}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::workload::model::{CommandLine, Dist};

    fn command(words: &[&str]) -> Work {
        Work::Command(CommandLine::new(words.iter().map(|word| (*word).to_owned()).collect()))
    }

    #[test]
    fn a_command_line_is_shown_as_it_was_run() {
        let work = command(&["fetch", "--page", "{index}", "it's {attempt}", "{seed}"]);
        assert_eq!(
            of_work(&work, 7, 41, Attempt::FIRST.next()),
            ("command", vec![r"fetch --page 41 'it'\''s 2' 7".to_owned()])
        );
        let hostile = command(&["a\x1b[31m", "b\nc"]);
        assert_eq!(of_work(&hostile, 7, 41, Attempt::FIRST).1, [r"$'a\033[31m' $'b\nc'"]);
        let work = Work::Command(CommandLine::of_shell("echo {index}   a\n  | wc -l\n".to_owned()));
        assert_eq!(
            of_work(&work, 7, 3, Attempt::FIRST),
            ("shell", vec!["echo 3   a".to_owned(), "  | wc -l".to_owned()])
        );
    }

    #[test]
    fn other_tasks_say_what_they_had_to_do() {
        let ms = |ms| Dist::Constant(Duration::from_millis(ms));
        let text = |work: &Work| of_work(work, 7, 41, Attempt::FIRST).1.concat();
        assert_eq!(text(&Work::Cpu(ms(80))), "cpu · 80 ms of work drawn for this task");
        let mixed = Work::Mixed(vec![Phase::Cpu(ms(5)), Phase::Io(IoWork { bytes: 4096, sync: true })]);
        let words = "mixed: cpu 5.0 ms, then io 4.0 KiB, flushed to the device · 5.0 ms of work drawn for this task";
        assert_eq!(text(&mixed), words);
        assert_eq!(text(&Work::Kernel(Kernel::Primes { n: 100 })), "kernel primes, n 100");
        let drawn = Work::Sleep(Dist::Exponential { mean: Duration::from_secs(1), max: None });
        let time = service::service_time(&drawn, 7, 41).map(format::duration).unwrap();
        assert!(text(&drawn).contains(&time), "the time of this very task");
    }
}
