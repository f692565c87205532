//! What the dashboard has found for targets, in the session that was open: a line for each arm, with its reason.

use crate::report::clean;
use crate::report::sweep::text::wrapped;
use crate::report::text::{Paint, TextOptions, line};

/// What was found for one arm.
pub(crate) struct Answered {
    /// Its name, where there are several.
    pub(crate) arm: Option<String>,
    /// `p99<40ms: USE 4`.
    pub(crate) words: String,
    pub(crate) why: String,
    /// Whether the target is met; `None` where that cannot be told.
    pub(crate) met: Option<bool>,
    /// Whether it is the arm to use, of several.
    pub(crate) is_best: bool,
    /// Whether the search was ended before it was through.
    pub(crate) ended: bool,
}

/// All of them, oldest first; empty without any.
#[must_use]
pub(crate) fn render(answers: &[Answered], options: TextOptions) -> String {
    let paint = Paint(options.colour);
    let mut out = String::new();
    for Answered { arm, words, why, met, is_best, ended } in answers {
        if out.is_empty() {
            out.push('\n');
            line(&mut out, &paint.with(Paint::BOLD, "Targets that were looked for"));
        }
        let arm = arm.as_ref().map_or_else(String::new, |arm| format!("{}, ", clean::line(arm)));
        // Which of them is to be used says more where each can be.
        let best = match met {
            Some(false) if *is_best => ", the nearest engine",
            _ if *is_best => ", the faster engine",
            _ => "",
        };
        let ended = if *ended { "; ended before it was through" } else { "" };
        let style = if *met == Some(true) { Paint::GOOD } else { Paint::WARN };
        let said = format!("{arm}{}{best}{ended}", clean::line(words));
        wrapped(&mut out, "  ", &said, options.width, paint, style);
        wrapped(&mut out, "    why: ", &clean::line(why), options.width, paint, anstyle::Style::new());
    }
    out
}
