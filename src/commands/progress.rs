//! Progress on standard error: a bar with ETA on a terminal, plain lines otherwise.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{FormattedDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::analysis::silence;
use crate::cli::Output;
use crate::commands::console::Console;
use crate::commands::write;
use crate::engine::event::Moment;
use crate::report::clean;
use crate::session::view::SessionView;

/// Between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Shows how far a session is.
pub(super) struct Progress {
    form: Form,
    /// The run of which was said that nothing answers.
    silent: Option<String>,
}

enum Form {
    /// Nothing at all, or nothing but answers to signals.
    Silent {
        quiet: bool,
    },
    Bar(ProgressBar),
    /// Lines: when the last one was written, and which run it was about.
    Lines(Instant, String),
}

impl Progress {
    pub(super) fn new(output: &Output, console: Console) -> Self {
        if output.quiet || output.no_progress {
            return Self::of(Form::Silent { quiet: output.quiet });
        }
        if !std::io::stderr().is_terminal() || console.is_dumb() {
            return Self::of(Form::Lines(Instant::now(), String::new()));
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{prefix} {wide_bar} {pos}/{len} {percent:>3} %  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars(if console.ascii(true) { "##." } else { "██░" }));
        }
        Self::of(Form::Bar(bar))
    }

    fn of(form: Form) -> Self {
        Self { form, silent: None }
    }

    /// What is drawn on a terminal.
    pub(super) fn bar(&self) -> Option<ProgressBar> {
        if let Form::Bar(bar) = &self.form { Some(bar.clone()) } else { None }
    }

    pub(super) fn show(&mut self, view: &SessionView) {
        let Some(arm) = view.arms.iter().find(|arm| arm.live) else { return };
        let Some(run) = arm.latest() else { return };
        let title = format!("{}  {}", view.position, clean::line(&arm.spec.name));
        let done = run.done();
        let left = run.remaining(view.workload.arrivals.last(run.total).map(Moment::from));
        let eta = left.map_or(String::new(), |left| format!("  ETA {}", FormattedDuration(left)));
        if silence::is_silent(&view.workload, run) && self.silent.as_ref() != Some(&title) {
            self.note(&format!("note: {}", silence::HINT));
            self.silent = Some(title.clone());
        }
        match &mut self.form {
            Form::Silent { .. } => {}
            Form::Bar(bar) => {
                if bar.prefix() != title {
                    bar.reset();
                    bar.set_prefix(title);
                }
                bar.set_length(run.total);
                bar.set_position(done);
                bar.set_message(format!("{:.1}/s{eta}", run.throughput));
            }
            Form::Lines(last, about) => {
                if *about != title {
                    write::say(&title);
                    *about = title;
                    *last = Instant::now();
                } else if last.elapsed() >= LINE_INTERVAL {
                    write::say(&format!("{title}  {done}/{}  {:.1}/s{eta}", run.total, run.throughput));
                    *last = Instant::now();
                }
            }
        }
    }

    pub(super) fn note(&self, text: &str) {
        match &self.form {
            Form::Bar(bar) => bar.println(text),
            Form::Silent { quiet: true } => {}
            _ => write::say(text),
        }
    }

    pub(super) fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}
