//! What the user does with the list of what was measured before: which line is looked at, the filter, the two that are compared.
//! A reducer.

use crate::report::history::Listed;
use crate::tui::history::archive::{LineKey, Past, Wish};
use crate::tui::keys::Action;
use crate::tui::line_edit::LineEdit;

/// Sessions that are asked for at a time, and lines below the chosen one that are there before more are asked for.
const PAGE: u32 = 100;
const AHEAD: usize = 100;

/// What was chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// The line that is looked at. It stays, whatever is stored.
    chosen: Option<LineKey>,
    /// Where it was; without one, the line that is looked at.
    at: usize,
    /// A, what is compared with, and B, what is compared.
    pub(crate) sides: [Option<LineKey>; 2],
    pub(crate) filter: LineEdit,
    /// Whether its words are being typed.
    pub(crate) typing: bool,
    /// Whether only clear differences are shown.
    pub(crate) differences: bool,
    /// Whether keys act on the comparison, which has the screen then.
    pub(crate) on_comparison: bool,
    /// The session whose details are asked for.
    pub(crate) open: Option<i64>,
    /// How far details or comparison are scrolled.
    pub(crate) scroll: usize,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is none of the list.
    Not,
    Yes,
    Said(&'static str),
}

pub(crate) fn key(line: &Listed) -> LineKey {
    (line.id, line.place)
}

impl Choice {
    /// Both lines that are compared, where both are set.
    #[must_use]
    pub(crate) fn pair(&self) -> Option<(LineKey, LineKey)> {
        self.sides[0].zip(self.sides[1])
    }

    /// What is to be asked next for what is shown.
    #[must_use]
    pub(crate) fn wish(&self, past: &Past) -> Option<Wish> {
        if past.asked.is_some() {
            return None;
        }
        let page = |before: Option<i64>| {
            // As far down as was looked at before.
            let most = if before.is_none() { past.known().max(PAGE) } else { PAGE };
            Some(Wish::Page { before, most })
        };
        if !past.fresh {
            return page(None);
        }
        if past.failed.is_some() {
            return None;
        }
        if let Some(id) = self.open.filter(|id| past.opened.as_ref().is_none_or(|(opened, _)| opened != id)) {
            return Some(Wish::Open(id));
        }
        if let Some((a, b)) = self.pair().filter(|pair| past.compared.as_ref().is_none_or(|(of, _)| of != pair)) {
            return Some(Wish::Compare(a, b));
        }
        let wants_more = !self.filter.text().trim().is_empty() || self.place(past) + AHEAD >= past.lines.len();
        let last = past.lines.last().filter(|_| wants_more && !past.is_whole)?;
        page(Some(last.id))
    }

    /// The lines that the filter leaves.
    #[must_use]
    pub(crate) fn shown<'a>(&self, past: &'a Past) -> Vec<&'a Listed> {
        let words: Vec<String> = self.filter.text().split_whitespace().map(str::to_lowercase).collect();
        past.lines.iter().filter(|line| words.iter().all(|word| fits(line, word))).collect()
    }

    /// Where the line that is looked at stands among these.
    #[must_use]
    pub(crate) fn place_in(&self, shown: &[&Listed]) -> usize {
        let there = self.chosen.and_then(|chosen| shown.iter().position(|line| key(line) == chosen));
        there.unwrap_or_else(|| self.at.min(shown.len().saturating_sub(1)))
    }

    /// Where it stands in the list as it is shown.
    #[must_use]
    pub(crate) fn place(&self, past: &Past) -> usize {
        self.place_in(&self.shown(past))
    }

    /// The line that is looked at.
    #[must_use]
    pub(crate) fn line<'a>(&self, past: &'a Past) -> Option<&'a Listed> {
        let shown = self.shown(past);
        shown.get(self.place_in(&shown)).copied()
    }

    /// Moves in the list. At its begin it stays with what is newest, at its end with what comes when more of it is read.
    pub(crate) fn step(&mut self, past: &Past, by: isize) {
        let shown = self.shown(past);
        let last = shown.len().saturating_sub(1);
        let at = self.place_in(&shown).saturating_add_signed(by);
        let to_an_end = at == 0 || at > last && by > 1;
        self.chosen = shown.get(at.min(last)).filter(|_| !to_an_end).map(|line| key(line));
        self.at = if to_an_end { at } else { at.min(last) };
    }

    /// An action on the list.
    pub(crate) fn act(&mut self, past: &Past, action: Action) -> Done {
        match action {
            Action::Filter => {
                self.typing = true;
                self.on_comparison = false;
            }
            Action::SetA => return self.set(past, 0),
            Action::SetB => return self.set(past, 1),
            Action::Differences => self.differences = !self.differences,
            _ => return Done::Not,
        }
        Done::Yes
    }

    /// The list was read anew: what was chosen is the same arm of the same session, wherever that stands now. Sides that are gone
    /// are not set any more.
    pub(crate) fn follow(&mut self, before: &[Listed], now: &[Listed]) {
        let arm = |line: &Listed| line.arm.as_ref().map(|arm| (arm.name.clone(), arm.workers));
        let moved = |was: LineKey| -> Option<LineKey> {
            // What stands below what was read is where it was.
            let Some(line) = before.iter().find(|line| key(line) == was) else { return Some(was) };
            let same = |other: &&Listed| other.id == line.id && arm(other) == arm(line);
            let all: Vec<&Listed> = now.iter().filter(same).collect();
            let at_its_place = all.iter().find(|other| other.place == line.place);
            at_its_place.or(all.first()).map(|other| key(other))
        };
        self.sides = self.sides.map(|side| side.and_then(moved));
        self.chosen = self.chosen.and_then(|chosen| moved(chosen).or(Some(chosen)));
        self.on_comparison &= self.pair().is_some();
    }

    fn set(&mut self, past: &Past, side: usize) -> Done {
        // Nobody sees the list behind the comparison.
        if self.on_comparison {
            return Done::Said("Esc shows the list, in which A and B are set");
        }
        let Some(line) = self.line(past).map(key) else { return Done::Said("there is no line to compare") };
        let [a, b] = self.sides;
        let (own, other) = if side == 0 { (a, b) } else { (b, a) };
        if other == Some(line) {
            return Done::Said("A and B are two lines: choose another one");
        }
        let set = (own != Some(line)).then_some(line);
        self.sides = if side == 0 { [set, b] } else { [a, set] };
        self.scroll = 0;
        Done::Yes
    }

    /// An action while the filter is typed; false for one that has nothing to do with that.
    pub(crate) fn edit(&mut self, action: Action) -> bool {
        self.filter.filter(&mut self.typing, action)
    }

    /// Goes back by one step within the view; false where there is none.
    pub(crate) fn back(&mut self) -> bool {
        if std::mem::take(&mut self.on_comparison) {
            self.scroll = 0;
            return true;
        }
        let filtered = !self.filter.text().is_empty();
        self.filter.clear();
        filtered
    }
}

/// Whether a line has a word somewhere, or where the word says: `#12`, `workload:`, `engine:`, `verb:`.
fn fits(line: &Listed, word: &str) -> bool {
    let has = |text: &str, part: &str| text.to_lowercase().contains(part);
    let engine = |part: &str| {
        line.arm.as_ref().is_some_and(|arm| has(&arm.name, part) || arm.kind.is_some_and(|kind| has(kind.word(), part)))
    };
    // One that is being typed hides nothing yet.
    if let Some(number) = word.strip_prefix('#') {
        return number.is_empty() || line.id.to_string() == number;
    }
    match word.split_once(':') {
        Some(("workload", part)) => has(&line.workload, part),
        Some(("engine", part)) => engine(part),
        Some(("verb", part)) => has(&line.verb, part),
        _ => {
            let texts = [&line.workload, &line.verb, &line.host, &line.commit, &line.note, &line.when];
            texts.into_iter().any(|text| has(text, word)) || engine(word)
        }
    }
}
