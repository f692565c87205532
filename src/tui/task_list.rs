//! What the user does with the list of unsuccessful attempts: which one is looked at, the filter, the order. A reducer.

use std::sync::Arc;

use crate::session::view::SessionView;
use crate::tui::failures::{FailedAttempt, Kept, List, Sort};
use crate::tui::filter::Filter;
use crate::tui::keys::Action;
use crate::tui::line_edit::LineEdit;

/// The state of the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskList {
    /// The attempt that is looked at. It stays, whatever else fails, ends or begins.
    pub(crate) chosen: Option<Arc<Kept>>,
    /// How far its details are scrolled.
    pub(crate) scroll: usize,
    /// The words of the filter.
    pub(crate) filter: LineEdit,
    /// Whether they are being typed.
    pub(crate) typing: bool,
    pub(crate) sort: Sort,
}

impl TaskList {
    /// Another session: nothing of the one before is in it. The order stays.
    pub(crate) fn opened(&mut self) {
        *self = Self { sort: self.sort, ..Self::default() };
    }

    /// The list of a view.
    #[must_use]
    pub(crate) fn list<'a>(&'a self, view: &'a SessionView) -> List<'a> {
        Filter::new(self.filter.text()).list(view, self.sort, self.chosen.as_deref())
    }

    /// The attempt whose details are open: the chosen one even where the filter hides it.
    #[must_use]
    pub(crate) fn opened_attempt<'a>(&'a self, view: &'a SessionView) -> Option<FailedAttempt<'a>> {
        self.chosen.as_deref().map(Kept::failure).or_else(|| self.list(view).chosen)
    }

    /// Something was brought onto the screen: from now on it is looked at, and what comes does not push it away.
    pub(crate) fn settle(&mut self, view: &SessionView) {
        if self.chosen.is_none() {
            self.choose(self.list(view).chosen.map(|failure| failure.keep()));
        }
    }

    /// The list is shown anew: an attempt that is known no longer is let go.
    pub(crate) fn enter(&mut self, view: &SessionView) {
        if self.list(view).gone {
            self.chosen = None;
        }
        self.settle(view);
    }

    fn choose(&mut self, kept: Option<Kept>) {
        self.chosen = kept.map(Arc::new);
        self.scroll = 0;
    }

    /// Opens the attempt that is marked in the list; false where there is none.
    pub(crate) fn open(&mut self, view: &SessionView) -> bool {
        if !self.list(view).gone {
            self.step(view, 0);
        }
        self.scroll = 0;
        self.list(view).chosen.is_some()
    }

    /// Moves in the list; what is chosen stays where there is nothing to move to.
    pub(crate) fn step(&mut self, view: &SessionView, by: isize) {
        let list = self.list(view);
        // Next to one that is known no longer stands the one that follows it.
        let by = if list.stands || by <= 0 { by } else { by - 1 };
        let place = list.place.saturating_add_signed(by).min(list.shown.len().saturating_sub(1));
        if let Some(failure) = list.shown.get(place).map(FailedAttempt::keep) {
            self.choose(Some(failure));
        }
    }

    /// An action on the list; false for one that has nothing to do with it.
    pub(crate) fn act(&mut self, action: Action) -> bool {
        match action {
            Action::Filter => self.typing = true,
            Action::SortLeft => self.sort = self.sort.moved(-1),
            Action::SortRight => self.sort = self.sort.moved(1),
            Action::Invert => self.sort.inverted = !self.sort.inverted,
            _ => return false,
        }
        true
    }

    /// An action while the filter is typed; false for one that has nothing to do with that.
    pub(crate) fn edit(&mut self, action: Action) -> bool {
        self.filter.filter(&mut self.typing, action)
    }

    /// Goes back by one step within the list: lets go of the filter. False where there is none.
    pub(crate) fn back(&mut self) -> bool {
        let filtered = !self.filter.text().is_empty();
        self.filter.clear();
        filtered
    }
}
