//! A search beside the comparison that is open: while it is under way its session is the one that is shown, and the comparison
//! waits. When it is over, the comparison is there again and the story stays.

use std::sync::Arc;

use tokio::sync::watch;

use super::Dashboard;
use crate::session::escalation::Escalation;
use crate::session::handle::SessionHandle;
use crate::session::view::{ArmView, SessionCommand, SessionView};
use crate::tui::arms;
use crate::tui::goal_line::Look;
use crate::tui::look;
use crate::tui::model;
use crate::tui::search::{Request, Search, Story, Wanted};
use crate::tui::state::{Screen, UiEffect};
use crate::workload::model::Dimension;

/// A search under way.
pub(super) struct Searching {
    story: watch::Receiver<Arc<Story>>,
    /// The comparison that waits.
    base: Option<SessionHandle>,
    pub(super) base_view: Arc<SessionView>,
    /// What its panes showed.
    pair: [usize; 2],
    focus: usize,
    kept: Option<usize>,
}

impl Dashboard {
    /// Begins a search for an arm, or stops what runs and begins it then.
    pub(super) fn look_for(&mut self, wanted: Wanted, arm: usize) {
        let Some(view) = self.model.session.clone() else { return };
        if model::is_running(&view) {
            self.next_search = Some((wanted, arm));
            // A stop of the user's after this one kills.
            self.ui.asked.key();
            return self.send(SessionCommand::Stop);
        }
        let changed =
            |(of, before): (&ArmView, &u32)| (of.workers != *before).then(|| (of.spec.name.clone(), of.workers));
        let request = Request {
            wanted: wanted.clone(),
            entry: self.opened.0,
            engine: view.arms.get(arm).map(|arm| arm.spec.name.clone()).unwrap_or_default(),
            workers: view.arms.iter().zip(&self.opened.1).filter_map(changed).collect(),
            base: Arc::clone(&view),
        };
        match (self.options.search)(request) {
            Ok(Search { mut session, story }) => {
                self.model.search = Some(Arc::new(Story::new(wanted)));
                let shown = Arc::clone(&session.view.borrow_and_update());
                self.searching = Some(Searching {
                    story,
                    base: self.session.replace(session),
                    base_view: view,
                    pair: self.ui.pair,
                    focus: self.ui.focus,
                    kept: self.ui.kept,
                });
                self.ui.asked = Escalation::default();
                self.ui.frozen = None;
                self.model.session = Some(shown);
                self.ui.search_page = Some(0);
            }
            Err(error) => self.ui.notice = Some(format!("it cannot be looked for: {error:#}")),
        }
        self.pacer.input();
    }

    /// What was asked for on the command line needs no question.
    pub(super) fn sweep_at_once(&mut self, fields: Vec<Dimension>) {
        let Some(view) = self.model.session.clone() else { return };
        self.ui.screen = Screen::Tune;
        // All engines take part, as in `sweep`: those on screen are two at most.
        self.ui.look = Some(Look::Beside(Wanted::Sweep(fields)));
        for effect in look::begin(&mut self.ui, &view) {
            match effect {
                UiEffect::Search(wanted, arm) => self.look_for(wanted, arm),
                UiEffect::Send(command) => self.send(command),
                _ => {}
            }
        }
    }

    /// Takes over what the search has told since; the arms of its sessions are not always the same.
    pub(super) fn follow_search(&mut self, before: Option<&SessionView>) {
        let Some(searching) = &mut self.searching else { return };
        self.model.search = Some(Arc::clone(&searching.story.borrow_and_update()));
        let names = |view: &SessionView| view.arms.iter().map(|arm| arm.spec.name.clone()).collect::<Vec<_>>();
        if let Some(view) = self.model.session.as_deref().filter(|view| before.map(names) != Some(names(view))) {
            (self.ui.focus, self.ui.kept) = (0, None);
            self.ui.show(arms::first_pair(view));
        }
    }

    /// The session of the search is gone, and so the search is over: the comparison is shown again.
    pub(super) fn search_is_over(&mut self) -> bool {
        let Some(mut searching) = self.searching.take() else { return false };
        let story = Arc::clone(&searching.story.borrow_and_update());
        // Its thread broke, which is told as every other panic.
        self.model.search = (!story.is_under_way()).then_some(story);
        self.model.past.stale();
        // They are about the session that is gone.
        (self.ui.frozen, self.ui.question, self.ui.goal) = (None, None, None);
        self.session = searching.base;
        self.model.session = Some(searching.base_view);
        self.ui.asked = Escalation::default();
        (self.ui.focus, self.ui.kept) = (searching.focus, searching.kept);
        self.ui.show(searching.pair);
        self.ui.stopping = false;
        if let Some(session) = &mut self.session {
            self.model.session = Some(Arc::clone(&session.view.borrow_and_update()));
        }
        self.report_panic();
        self.pacer.input();
        true
    }
}

/// Whether there is more of the story; waits for ever without one, and where nothing more will come.
pub(super) async fn told(searching: &mut Option<Searching>) {
    if let Some(searching) = searching
        && searching.story.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
