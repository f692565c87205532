//! What a workload is there to show, beside the figures that every run has: one line for each arm, and none where there is
//! nothing to see. What is shown for one arm is shown for all of them, so that they can be compared.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::figures::memory;
use super::paint::{cols, put, put_right, span};
use super::{Scene, caller, charts};
use crate::analysis::leak::Leak;
use crate::engine::event::WorkerState;
use crate::metrics::snapshot::Snapshot;
use crate::tui::model::Pane;
use crate::tui::widgets::spark;
use crate::tui::{format, text};
use crate::workload::model::{
    Chunksize, Dispatch, EngineSpec, FaultKind, Join, Mishap, OnTimeout, Reap, Recycling, StartMethod, Workload,
};

/// What the arms of a workload differ in, or what goes wrong in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// Callers that wait for their results.
    delivery: bool,
    /// Who gets which task.
    dispatch: bool,
    /// When processes are joined.
    join: bool,
    /// Processes that have ended and were not reaped.
    zombies: bool,
    /// Tasks that nobody waits for any more.
    ghosts: bool,
    /// What comes before a worker's first task.
    initializers: bool,
    /// How processes begin.
    starts: bool,
    /// How many tasks travel together.
    chunks: bool,
    /// How the memory of workers goes.
    pub(crate) memory: bool,
}

impl Lesson {
    /// Of the runs that are shown.
    pub(crate) fn of(scene: &Scene<'_>) -> Self {
        let workload = &scene.view.workload;
        // Of the whole of each run, so that a line that has come stays.
        let frames = || scene.panes.iter().flat_map(|pane| &pane.view.track.frames);
        let newest = || scene.panes.iter().filter_map(|pane| pane.view.track.frames.last());
        let any = |is: fn(&EngineSpec) -> bool| workload.engines.iter().any(is);
        Self {
            delivery: any(|spec| spec.submit.blocks()),
            dispatch: any(|spec| spec.dispatch != Dispatch::Shared),
            join: any(|spec| spec.join != Join::AsCompleted),
            zombies: any(|spec| spec.reap == Reap::Never)
                || newest().any(|frame| frame.life.undead.zombies_at_end > Some(0) || frame.life.undead.orphans > 0),
            ghosts: any(|spec| spec.on_timeout == Some(OnTimeout::Abandon))
                || workload.classes.iter().any(|class| class.on_timeout == OnTimeout::Abandon)
                || newest().any(|frame| frame.ghosts.began > 0),
            initializers: any(|spec| spec.initializer.is_some()),
            starts: any(|spec| spec.start_method != StartMethod::Spawn),
            chunks: any(|spec| !matches!(spec.chunksize, Chunksize::Auto | Chunksize::Fixed(_)))
                || frames().any(|frame| frame.chunks.as_deref().is_some_and(|chunks| chunks.size.get() > 1)),
            memory: any(|spec| spec.recycling != Recycling::default()) || leaks(workload),
        }
    }

    /// Workers of a table that are to be seen before anything else, where there is little room: what is to be seen is in
    /// their rows.
    pub(crate) fn least_rows(self, workers: u16) -> u16 {
        workers.min(if self.ghosts || self.zombies { 4 } else { 2 })
    }

    /// Whether there is a line of words.
    pub(crate) fn has_words(self) -> bool {
        self != Self { memory: self.memory, ..Self::default() }
    }

    /// Lines that it takes, with that of the caller.
    pub(crate) fn lines(self, scene: &Scene<'_>) -> u16 {
        let called = scene.panes.iter().filter_map(|pane| pane.frame).any(caller::is_worth_a_line);
        u16::from(self.memory) + u16::from(self.has_words()) + u16::from(called)
    }

    /// The words about one arm: what the workload is about comes first.
    pub(crate) fn words(self, scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot) -> Vec<Span<'static>> {
        let theme = scene.theme;
        let mut words = Vec::new();
        let mut say = |words_of: String, is_wrong: bool| {
            words.push(span(words_of, if is_wrong { theme.warn } else { theme.base }));
        };
        let (life, spec) = (&frame.life, &pane.view.spec);
        if self.zombies {
            match life.undead.zombies.unwrap_or(0).max(life.undead.zombies_at_end.unwrap_or(0)) {
                0 => say("zombies 0".to_owned(), false),
                count => say(format!("ZOMBIES {}", format::count(count)), true),
            }
            if life.undead.orphans > 0 {
                say(format!("orphans {}", format::count(life.undead.orphans)), true);
            }
        }
        if self.join {
            match life.join_delay.count {
                0 => say(spec.join.words().to_owned(), false),
                _ => {
                    let delay = &life.join_delay;
                    let most = format::duration(delay.max);
                    say(format!("join delay {} max {most}", format::duration(delay.mean)), false);
                }
            }
        }
        if self.delivery && spec.submit.blocks() {
            let delivery = &frame.delivery;
            if delivery.delivered.count > 0 {
                let most = format::duration(delivery.held_back_max);
                say(format!("held back {} max {most}", format::duration(delivery.held_back_mean())), false);
            } else {
                say("nothing delivered yet".to_owned(), false);
            }
        } else if self.delivery {
            say("delivered at once".to_owned(), false);
        }
        if self.dispatch {
            let imbalance = frame.imbalance().map_or_else(|| "–".to_owned(), |share| format!("{:.0}%", share * 100.0));
            say(format!("imbalance {imbalance}"), false);
            match &frame.end {
                Some(end) => say(format!("idle at the end {}", format::duration(end.tail_idle)), false),
                None => say(format!("idle {:.0}%", frame.worker_time.shares().2 * 100.0), false),
            }
        }
        if self.ghosts {
            let now = frame.workers.iter().filter(|row| row.state == WorkerState::Ghost).count();
            say(format!("ghosts {now} now, {} in all", format::count(frame.ghosts.began)), now > 0);
            // Known of those that are gone.
            if frame.ghosts.ended > 0 {
                say(format!("burnt {}", format::duration(frame.ghosts.cpu)), false);
            }
        }
        if self.starts {
            say(frame.start_method(spec.start_method).word().to_owned(), frame.not_forked().is_some());
            let startup = &life.startup;
            let parts = [("exec", &startup.fork_exec), ("load", &startup.loading), ("ready", &startup.ready)];
            let told: Vec<String> = parts
                .into_iter()
                .filter(|(_, times)| times.count > 0)
                .map(|(name, times)| format!("{name} {}", format::duration(times.mean)))
                .collect();
            if !told.is_empty() {
                say(told.join(" "), false);
            }
        }
        if self.initializers && spec.initializer.is_some() {
            let initializers = &frame.initializers;
            match u32::try_from(initializers.count).unwrap_or(u32::MAX) {
                0 => say("initialized 0".to_owned(), false),
                count => {
                    let each = format::duration(initializers.wall / count);
                    say(format!("initialized {} × {each}", format::count(initializers.count)), false);
                }
            }
        }
        if self.chunks {
            say(chunk(spec, frame), false);
        }
        words
    }
}

/// How many tasks travel together now, and whose choice that is.
fn chunk(spec: &EngineSpec, frame: &Snapshot) -> String {
    let whose = match spec.chunksize {
        Chunksize::Auto => " (auto)",
        Chunksize::Cpython => " (cpython)",
        Chunksize::Fixed(_) => "",
    };
    match frame.chunks.as_deref() {
        Some(chunks) if whose.is_empty() => format!("chunk {}", format::count(chunks.size.get().into())),
        // No more travel together than there are.
        Some(chunks) => format!("chunk {}{whose}", format::count(chunks.size_of(frame.total))),
        None => "chunk –".to_owned(),
    }
}

fn leaks(workload: &Workload) -> bool {
    let leaks = |mishap: &Mishap| matches!(mishap, Mishap::InTask(fault) if matches!(fault.kind, FaultKind::Leak(_)));
    workload.faults.iter().any(|rule| leaks(&rule.mishap))
}

/// One line over time: how the memory of the workers went.
pub(crate) fn draw_memory(scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot, line: Rect, buf: &mut Buffer) {
    put(buf, line, span(if frame.memory.pss_bytes.is_some() { "PSS" } else { "RSS" }, scene.theme.base));
    let max = charts::shared_max(scene, |frame| memory(frame) as f64);
    // How fast it grows is what is to be seen, and stands where nothing pushes it out.
    let leak = Leak::of([frame]).filter(|leak| leak.is_sure);
    let leaks = leak.map(|leak| format!(" leaks {}/s", format::bytes(leak.slope.value.abs().round() as u64)));
    let told = format!("{}{}", format::bytes(memory(frame)), leaks.as_deref().unwrap_or_default());
    let columns = line.width.saturating_sub(14.max(text::width(&told) as u16 + 7));
    let values = charts::resample(scene, pane, usize::from(columns), |frame| memory(frame) as f64);
    spark::columns(buf, cols(line, 6, columns), &values, max, scene.mark(pane).style);
    put_right(buf, line, span(told, if leaks.is_some() { scene.theme.warn } else { scene.theme.strong }));
}
