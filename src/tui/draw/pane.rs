//! One arm: its workers, and below them what the classroom size has no room for elsewhere.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::caller::{self, is_worth_a_line};
use super::lesson::Lesson;
use super::paint::{cols, fill, joined, panel, put, put_right, row, rows, span};
use super::{Scene, charts, figures, header, latency, lesson, offered, progress, time_split, worker_table};
use crate::analysis::leak::Leak;
use crate::metrics::snapshot::Snapshot;
use crate::report::settings;
use crate::tui::model::{self, Pane};
use crate::tui::theme::Theme;
use crate::tui::widgets::spark;
use crate::tui::{format, text};

fn frame<'a>(
    scene: &Scene<'a>,
    index: usize,
    pane: &Pane<'a>,
    table_height: u16,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let theme = scene.theme;
    let mark = scene.mark(pane);
    let focused = scene.panes.len() > 1 && scene.focus() == index;
    let bold = mark.style.add_modifier(ratatui::style::Modifier::BOLD);
    let share = if pane.next_workers.is_some() { 3 } else { 2 };
    let label = model::short_label(&pane.label, usize::from(area.width / share));
    let mut left = vec![span(if focused { "▸" } else { "" }, theme.strong), span(format!("{label} "), bold)];
    // The answer to a key comes before everything else.
    left.extend(pane.next_workers.map(|next| span(format!("→ {next} next "), theme.warn)));
    left.push(span(format!("{} ", mark.sign), mark.style));
    let (role, style) = header::role_word(pane.role, theme);
    let range = worker_table::range(scene, index, pane, (area.width.saturating_sub(2), table_height));
    let right = match range {
        Some(range) => vec![span(range, theme.base)],
        None if pane.frame.is_none() => vec![span(progress::without_run(scene), style)],
        None => vec![span(role, style)],
    };
    let right = Line::from(right);
    let taken = left.iter().map(Span::width).sum::<usize>() + right.width() + 6;
    let room = usize::from(area.width).saturating_sub(taken);
    // What is live and which workers are seen matters more than what the engine is like.
    // Where it was placed is what the figures depend on.
    let placed = settings::of_placement(&pane.view.spec.placement).join(", ");
    let natures = (pane.kind().row().nature)(pane.workers()).map(|nature| match (nature.as_str(), placed.as_str()) {
        (_, "") => nature,
        ("", placed) => placed.to_owned(),
        (nature, placed) => format!("{nature}, {placed}"),
    });
    let short = placed.replace("on CPU", "CPU").replace("niceness", "nice");
    let nature = natures.into_iter().chain([short]).find(|nature| text::width(nature) <= room);
    left.push(span(nature.unwrap_or_default(), theme.base));
    panel(buf, area, Line::from(left), right, focused, theme)
}

/// Lines that the longer of the tables in panes of a width would like to have: they stand side by side.
pub(crate) fn table_lines(scene: &Scene<'_>, width: u16) -> u16 {
    let workers = scene.panes.iter().filter_map(|pane| pane.frame).map(|frame| frame.workers.len());
    workers.map(|workers| worker_table::lines(workers, width.saturating_sub(2))).max().unwrap_or(3)
}

/// The classroom pane: workers, throughput, queue, latency, time and counts in one frame.
pub(crate) fn draw_compact(scene: &Scene<'_>, index: usize, area: Rect, buf: &mut Buffer) {
    let Some(pane) = scene.panes.get(index) else { return };
    let inner_height = area.height.saturating_sub(2);
    let lesson = Lesson::of(scene);
    // Seven lines below the table, one of which may go; what is left over makes the throughput taller.
    let extra = lesson.lines(scene);
    let below = 7 + extra.saturating_sub(1);
    let wanted = table_lines(scene, area.width).max(2);
    // A head, and the rows that the lines below give way to; what became of the tasks keeps its place.
    let least = (1 + lesson.least_rows(wanted - 1)).min(inner_height.saturating_sub(4 + extra)).max(2);
    let table = inner_height.saturating_sub(below).clamp(least, wanted.max(least)).min(inner_height);
    let inner = frame(scene, index, pane, table, area, buf);
    worker_table::draw(scene, index, pane, rows(inner, 0, table), buf);
    let below = rows(inner, table, inner.height);
    let Some(frame) = pane.frame else { return };
    let spark_height = below.height.saturating_sub(6 + extra).clamp(1, 6);
    let thick = scene.panes.len() > 1 && scene.focus() == index;
    divide(scene, area, below.y, thick, buf);
    throughput(scene, pane, frame, rows(below, 0, 1 + spark_height), buf);
    let rest = rows(below, 1 + spark_height, below.height);
    queue(scene, pane, frame, row(rest, 0), buf);
    let room = rest.width.saturating_sub(2);
    // The same lines in both panes, so that they stand beside each other; the last ones are the least missed.
    let mut lines = (1..rest.height).map(|line| cols(row(rest, line), 1, room));
    let mut next = || lines.next().unwrap_or_default();
    if scene.panes.iter().filter_map(|pane| pane.frame).any(is_worth_a_line) {
        caller::draw_line(scene, pane, frame, next(), buf);
    }
    if lesson.memory {
        lesson::draw_memory(scene, pane, frame, next(), buf);
    }
    if lesson.has_words() {
        put(buf, next(), joined(lesson.words(scene, pane, frame), room));
    }
    // Where there is no room for all, what became of the tasks comes first.
    let short = rest.height < 4 + extra;
    if short {
        put(buf, next(), joined(counts(frame, scene.theme), room));
    }
    if short {
        time_split::draw_line(scene, pane, frame, next(), buf);
    }
    put(buf, next(), joined(latency::short(scene, frame, room), room));
    if !short {
        time_split::draw_line(scene, pane, frame, next(), buf);
        put(buf, next(), joined(counts(frame, scene.theme), room));
    }
    let mut last = offered::load(scene, frame);
    last.extend(starts(pane, frame, scene.theme));
    put(buf, next(), joined(last, room));
    if rest.height > 6 + extra {
        conservation(scene, frame, next(), buf);
    }
}

/// Lines of a larger pane below its table.
pub(crate) fn lines_below(scene: &Scene<'_>) -> u16 {
    2 + u16::from(Lesson::of(scene).has_words())
}

/// The larger pane: workers, the conservation law and the counts.
pub(crate) fn draw_table(scene: &Scene<'_>, index: usize, area: Rect, buf: &mut Buffer) {
    let Some(pane) = scene.panes.get(index) else { return };
    let lesson = Lesson::of(scene);
    let table = area.height.saturating_sub(2 + lines_below(scene));
    let inner = frame(scene, index, pane, table, area, buf);
    worker_table::draw(scene, index, pane, rows(inner, 0, table), buf);
    let Some(frame) = pane.frame else { return };
    conservation(scene, frame, row(inner, table), buf);
    let mut pieces = counts(frame, scene.theme);
    if is_worth_a_line(frame) {
        pieces.push(span(format!("caller {}", caller::words(frame, scene.theme).content), scene.theme.base));
    }
    pieces.extend(starts(pane, frame, scene.theme));
    let room = inner.width.saturating_sub(2);
    put(buf, cols(row(inner, table + 1), 1, inner.width), joined(pieces, room));
    if lesson.has_words() {
        put(buf, cols(row(inner, table + 2), 1, inner.width), joined(lesson.words(scene, pane, frame), room));
    }
}

/// A line across a frame.
fn divide(scene: &Scene<'_>, outer: Rect, y: u16, thick: bool, buf: &mut Buffer) {
    let line = Rect { y, height: 1, ..outer }.intersection(outer);
    let (left, right) = if thick { ("┠", "┨") } else { ("├", "┤") };
    let style = if thick { scene.theme.focus } else { scene.theme.border };
    fill(buf, line, "─", scene.theme.border);
    fill(buf, cols(line, 0, 1), left, style);
    fill(buf, cols(line, line.width.saturating_sub(1), 1), right, style);
}

fn throughput(scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let max = charts::rate_max(scene);
    let offered =
        offered::now(scene).map(|rate| format!(", offered {}/s", charts::axis_label(rate))).unwrap_or_default();
    let title = format!(" tasks/s (0–{}){offered} ", charts::axis_label(max));
    put(buf, cols(row(area, 0), 1, area.width.saturating_sub(2)), span(title, theme.base));
    let body = cols(rows(area, 1, area.height), 1, area.width.saturating_sub(2));
    let shown = format::rate(figures::throughput(frame));
    let columns = body.width.saturating_sub(8);
    let values = charts::resample(scene, pane, usize::from(columns), |frame| frame.throughput);
    spark::columns(buf, cols(body, 0, columns), &values, max, scene.mark(pane).style);
    put_right(buf, row(body, body.height.saturating_sub(1)), span(shown, theme.strong));
}

fn queue(scene: &Scene<'_>, pane: &Pane<'_>, frame: &Snapshot, line: Rect, buf: &mut Buffer) {
    let line = cols(line, 1, line.width.saturating_sub(2));
    put(buf, line, span("queue", scene.theme.base));
    let max = charts::shared_max(scene, |frame| frame.queue.depth as f64);
    let columns = line.width.saturating_sub(14);
    let values = charts::resample(scene, pane, usize::from(columns), |frame| frame.queue.depth as f64);
    spark::columns(buf, cols(line, 6, columns), &values, max, scene.mark(pane).style);
    put_right(buf, line, span(format::count(frame.queue.depth), scene.theme.strong));
}

/// Outcomes; those that should not be are in capitals.
pub(crate) fn counts(frame: &Snapshot, theme: &Theme) -> Vec<Span<'static>> {
    let counts = &frame.counts;
    let mut pieces = vec![span(format!("✓ {}", format::count(counts.succeeded)), theme.base)];
    let wrong = |pieces: &mut Vec<Span<'static>>, quiet: Option<&str>, loud: &str, count: u64, style: Style| {
        if count > 0 {
            pieces.push(span(format!("{loud} {}", format::count(count)), style));
        } else if let Some(quiet) = quiet {
            pieces.push(span(format!("{quiet} 0"), theme.base));
        }
    };
    wrong(&mut pieces, Some("✗"), "FAILED", counts.failed, theme.bad);
    wrong(&mut pieces, Some("timeouts"), "TIMEOUTS", counts.timed_out, theme.bad);
    wrong(&mut pieces, None, "of them QUEUED", counts.queue_timed_out, theme.bad);
    wrong(&mut pieces, None, "callers GAVE UP", counts.wait_timed_out, theme.bad);
    wrong(&mut pieces, None, "LOST", counts.lost, theme.bad);
    wrong(&mut pieces, None, "DROPPED", counts.dropped, theme.bad);
    wrong(&mut pieces, None, "cancelled", counts.cancelled, theme.warn);
    pieces.push(span(format!("retries {}", format::count(counts.retries)), theme.base));
    pieces
}

fn starts(pane: &Pane<'_>, frame: &Snapshot, theme: &Theme) -> Vec<Span<'static>> {
    let mut pieces = leak(frame, theme);
    if pane.kind().process_per_task() {
        pieces.push(span(format!("started {}", format::count(frame.worker_starts)), theme.base));
    }
    let style = if frame.worker_restarts > 0 { theme.warn } else { theme.base };
    pieces.push(span(format!("restarts {}", format::count(frame.worker_restarts)), style));
    if let Some(pss) = frame.memory.pss_bytes {
        pieces.push(span(format!("PSS {}", format::bytes(pss)), theme.base));
    }
    // Nothing takes no memory: that is one that was not sampled yet.
    let rss = (frame.memory.rss_bytes > 0).then(|| format::bytes(frame.memory.rss_bytes));
    pieces.push(span(format!("RSS {}", rss.as_deref().unwrap_or("–")), theme.base));
    // It is in the sums, and no worker.
    let server = frame.fork_server.as_ref().and_then(|server| server.pss_bytes.or(server.rss_bytes));
    pieces.extend(server.map(|bytes| span(format!("fork server {}", format::bytes(bytes)), theme.base)));
    pieces
}

/// How fast the workers leak, and what recycling makes of it, where it is sure that they do.
fn leak(frame: &Snapshot, theme: &Theme) -> Vec<Span<'static>> {
    let Some(leak) = Leak::of([frame]).filter(|leak| leak.is_sure) else { return Vec::new() };
    let size = |bytes: f64| format::bytes(bytes.abs().round() as u64);
    let mut pieces =
        vec![span(format!("leaks {}/s ± {}", size(leak.slope.value), size(leak.slope.half())), theme.warn)];
    pieces.extend(leak.sawtooth.map(|tooth| {
        span(format!("recycled: {} to {}", format::bytes(tooth.low), format::bytes(tooth.high)), theme.base)
    }));
    pieces
}

/// The law that no task is lost or counted twice, with its numbers and as many words as there is room for.
fn conservation(scene: &Scene<'_>, frame: &Snapshot, line: Rect, buf: &mut Buffer) {
    let counts = &frame.counts;
    let number = |value| format::count(value);
    let (queued, running, ended) = (number(counts.queued), number(counts.running), number(counts.finished()));
    let all = number(counts.submitted);
    let (sign, style) =
        if counts.conserved() { ("✓", scene.theme.dim) } else { ("DOES NOT ADD UP", scene.theme.bad) };
    let line = cols(line, 1, line.width.saturating_sub(2));
    let fits = |law: &String| text::width(law) <= usize::from(line.width);
    let law = Some(format!("submitted {all} = queued {queued} + running {running} + ended {ended} {sign}"))
        .filter(fits)
        .or_else(|| Some(format!("{all} = {queued} queued + {running} + {ended} ended {sign}")).filter(fits))
        .unwrap_or_else(|| format!("{all} = {queued} + {running} + {ended} {sign}"));
    put(buf, line, span(law, style));
}
