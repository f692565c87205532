//! The lines of the list: as many columns as there is room for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::paint::{cols, first_visible, put, put_right, row, rows, span};
use crate::report::history::Listed;
use crate::tui::history::archive::Past;
use crate::tui::history::choice::{Choice, key};
use crate::tui::theme::Theme;
use crate::tui::{format, text};

/// Columns of the screen before the first: the marker, and A or B.
const MARKER: u16 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Id,
    When,
    Workload,
    Arm,
    Workers,
    Rate,
    P95,
    Failed,
    Verb,
    Commit,
    Note,
}

/// In the order of the screen.
const ALL: [Column; 11] = [
    Column::Id,
    Column::When,
    Column::Workload,
    Column::Arm,
    Column::Workers,
    Column::Rate,
    Column::P95,
    Column::Failed,
    Column::Verb,
    Column::Commit,
    Column::Note,
];
/// What is left out last comes first. The note has what is left over.
const BY_USE: [Column; 10] = [
    Column::Id,
    Column::Arm,
    Column::Workers,
    Column::Rate,
    Column::Workload,
    Column::When,
    Column::Verb,
    Column::P95,
    Column::Failed,
    Column::Commit,
];
/// Least columns of a note.
const LEAST_NOTE: u16 = 7;

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Id => "run",
            Self::When => "when",
            Self::Workload => "workload",
            Self::Arm => "engine",
            Self::Workers => "w",
            Self::Rate => "tasks/s",
            Self::P95 => "p95",
            Self::Failed => "fail",
            Self::Verb => "verb",
            Self::Commit => "commit",
            Self::Note => "note",
        }
    }

    fn width(self, screen: u16) -> u16 {
        match self {
            Self::Id | Self::Failed => 5,
            Self::When | Self::Workload if screen >= 110 => 16,
            Self::Rate if screen >= 110 => 13,
            Self::Rate if screen >= 60 => 12,
            Self::When | Self::Rate | Self::Commit => 11,
            Self::Arm if screen >= 110 => 12,
            Self::Workload if screen < 60 => 12,
            Self::Verb if screen < 110 => 7,
            Self::Arm | Self::Verb | Self::Workload => 9,
            Self::Workers => 3,
            Self::P95 if screen >= 110 => 7,
            Self::P95 => 6,
            Self::Note => LEAST_NOTE,
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Id | Self::Workers | Self::P95 | Self::Failed)
    }
}

/// The columns for a width, with the columns of the screen that each takes.
fn fitting(width: u16) -> Vec<(Column, u16)> {
    let mut used = MARKER;
    let mut chosen = Vec::new();
    for column in BY_USE {
        let wide = column.width(width) + 1;
        // Once something has no room, what is of less use has none either; a wide screen keeps the note.
        let kept = if width >= 110 { 24 } else { 0 };
        if used + wide + kept > width {
            break;
        }
        used += wide;
        chosen.push(column);
    }
    let note = width.saturating_sub(used);
    let all = ALL.into_iter().filter(|column| chosen.contains(column)).map(|column| (column, column.width(width)));
    all.chain((note >= LEAST_NOTE).then_some((Column::Note, note))).collect()
}

/// The list with its head, and what is to be known of the line that is looked at below it.
pub(crate) fn draw(past: &Past, choice: &Choice, theme: &Theme, area: Rect, buf: &mut Buffer) {
    let shown = choice.shown(past);
    if shown.is_empty() {
        let words = if past.is_whole { "Nothing fits the filter; Esc clears it." } else { "reading …" };
        put(buf, row(area, 1), span(format!("  {words}"), theme.warn));
        return;
    }
    let columns = fitting(area.width);
    let mut x = MARKER;
    for (column, width) in &columns {
        let place = cols(row(area, 0), x, *width);
        let words = span(column.title(), theme.dim);
        if column.is_number() {
            put_right(buf, place, words);
        } else {
            put(buf, place, words);
        }
        x += width + 1;
    }
    let at = choice.place_in(&shown);
    let below = u16::from(area.height >= 6);
    let body = rows(area, 1, area.height.saturating_sub(1 + below));
    let height = usize::from(body.height);
    let first = first_visible(at, shown.len(), height);
    for (index, (number, line)) in (0..).zip(shown.iter().enumerate().skip(first).take(height)) {
        let place = row(body, index);
        // The number of a session stands before its first arm that is on the screen.
        let begins = number == first || shown.get(number - 1).is_none_or(|before| before.id != line.id);
        draw_line(line, begins, past, choice, &columns, theme, place, buf);
        if number == at {
            put(buf, cols(place, 0, 1), span("▸", theme.strong));
            buf.set_style(place.intersection(buf.area), theme.selected);
        }
    }
    if let (1, Some(line)) = (below, shown.get(at)) {
        let words = text::fit(&about(line, past), usize::from(area.width).saturating_sub(2));
        put(buf, row(area, area.height - 1), span(format!(" {words}"), theme.base));
    }
}

/// What has no column, in words.
fn about(line: &Listed, past: &Past) -> String {
    let mut parts = vec![format!("{} {} of {} on {}", line.id, line.verb, line.workload, line.host)];
    if !line.step.is_empty() {
        parts.push(line.step.clone());
    }
    if !line.commit.is_empty() {
        parts.push(format!("commit {}", line.commit));
    }
    if past.own.contains(&line.id) {
        parts.push("of this dashboard".to_owned());
    }
    if !line.note.is_empty() {
        parts.push(line.note.clone());
    }
    text::clean(&parts.join(" · "))
}

#[expect(clippy::too_many_arguments, reason = "one line of a table, of which nothing is known elsewhere")]
fn draw_line(
    line: &Listed,
    begins: bool,
    past: &Past,
    choice: &Choice,
    columns: &[(Column, u16)],
    theme: &Theme,
    place: Rect,
    buf: &mut Buffer,
) {
    let side = match choice.sides {
        [Some(a), _] if a == key(line) => "A",
        [_, Some(b)] if b == key(line) => "B",
        _ => " ",
    };
    put(buf, cols(place, 1, 1), span(side, theme.warn));
    let mut x = MARKER;
    for (column, width) in columns {
        let cell = cols(place, x, *width);
        x += width + 1;
        if let (Column::Arm, Some(arm)) = (column, &line.arm) {
            if let Some(kind) = arm.kind {
                let mark = theme.mark(kind, false);
                put(buf, cell, span(mark.sign, mark.style));
            }
            let room = usize::from(width.saturating_sub(2));
            // Arms of a sweep differ in their settings, which their names end with.
            let fit = if line.step.contains('=') && arm.name.contains('=') { text::fit_end } else { text::fit };
            let name = fit(&text::clean(&arm.name), room);
            put(buf, cols(cell, 2, cell.width), span(name, theme.base));
            continue;
        }
        let words = words(line, begins, past, *column, *width);
        let style = match column {
            Column::Failed if line.arm.as_ref().is_some_and(|arm| arm.failed > 0) => theme.bad,
            Column::Note => theme.warn,
            _ => theme.base,
        };
        let words = span(text::fit(&text::clean(&words), usize::from(*width)), style);
        if column.is_number() { put_right(buf, cell, words) } else { put(buf, cell, words) }
    }
}

fn words(line: &Listed, begins: bool, past: &Past, column: Column, width: u16) -> String {
    let of_session = |words: &str| if begins { words.to_owned() } else { String::new() };
    let of_arm = |words: &dyn Fn(&crate::report::history::ListedArm) -> String| {
        line.arm.as_ref().map_or_else(String::new, words)
    };
    match column {
        Column::Id => of_session(&line.id.to_string()),
        // Without the year.
        Column::When if width < 16 => of_session(line.when.get(5..).unwrap_or(&line.when)),
        Column::When => of_session(&line.when),
        Column::Workload => of_session(&line.workload),
        Column::Verb => of_session(&line.verb),
        Column::Commit => of_session(&line.commit),
        Column::Arm => String::new(),
        Column::Workers => of_arm(&|arm| arm.workers.to_string()),
        Column::Rate => of_arm(&|arm| arm.rate.replace(" ± ", "±")),
        Column::P95 => of_arm(&|arm| arm.p95.clone()),
        Column::Failed => of_arm(&|arm| format::count(arm.failed)),
        Column::Note if line.note.is_empty() && begins && past.own.contains(&line.id) => "this dashboard".to_owned(),
        Column::Note => line.note.clone(),
    }
}
