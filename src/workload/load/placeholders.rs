//! Texts with placeholders: whether they name what is there, and whether they are nearly one.

use crate::workload::items::{PATH_PARTS, Part, Parts};
use crate::workload::load::field::Field;
use crate::workload::load::items::{OfItems, names};
use crate::workload::load::nearest::nearest;
use crate::workload::placeholder::{Piece, pieces};
use crate::workload::text::shortened;

/// What stands for something in every text.
const EVERYWHERE: [&str; 3] = ["index", "attempt", "seed"];
/// Longest name between braces that is taken for a misspelt placeholder.
const LONGEST: usize = 40;

impl OfItems<'_> {
    /// Checks what a text says of the item. Other braces are common in awk, JSON and the shell and stay as they are; what is
    /// nearly a placeholder is worth a warning.
    pub(crate) fn check(&self, field: &Field<'_>, text: &str) -> Option<()> {
        let mut fine = Some(());
        for piece in pieces(text, true) {
            let Piece::Item(part) = piece else { continue };
            if !self.present {
                let name = if let Part::Named(key) = part { format!("{{item.{key}}}") } else { "{item}".to_owned() };
                field.warn(format!(
                    "`{}` is passed on as it stands: this task has no `items`",
                    shortened(&name, LONGEST)
                ));
                continue;
            }
            self.used.set(true);
            if let Part::Named(key) = part {
                fine = fine.and(self.has(field, key));
            }
        }
        self.warn_about(field, text);
        fine
    }

    fn has(&self, field: &Field<'_>, key: &str) -> Option<()> {
        let Some(source) = self.source else { return Some(()) };
        let shown = shortened(key, LONGEST);
        let (known, message) = match source.parts() {
            Parts::Path => {
                let message = format!("`{{item.{shown}}}` of items that have no fields");
                (PATH_PARTS.to_vec(), message)
            }
            Parts::Fields(fields) => {
                let number = source.missing(key).unwrap_or(1);
                (fields, format!("item {number} has no `{shown}`"))
            }
        };
        if known.contains(&key) {
            source.require(key);
            return Some(());
        }
        let allowed = match known.as_slice() {
            [] => "`{item}` as a whole: there is no field that all items have".to_owned(),
            known => format!("`{{item}}`, or of it {}", names(known)),
        };
        let mut error = field.error(message).allowed(allowed);
        if let Some(meant) = nearest(key, known.iter().copied()) {
            error = error.suggest(&format!("item.{meant}"));
        }
        field.refuse(error)
    }

    /// `{indx}` would reach the program as it stands.
    fn warn_about(&self, field: &Field<'_>, text: &str) {
        let mut parts = text.split('{');
        let mut before = parts.next().unwrap_or_default();
        for part in parts {
            let behind_dollar = std::mem::replace(&mut before, part).ends_with('$');
            let Some((name, _)) = part.split_once('}') else { continue };
            if behind_dollar {
                self.warn_of_the_shells(field, name);
            } else if let Some(meant) = self.meant(name) {
                field.warn(format!(
                    "`{{{}}}` is passed on as it stands; did you mean `{{{meant}}}`?",
                    shortened(name, LONGEST)
                ));
            }
        }
    }

    /// `${item}` is a variable of the shell.
    fn warn_of_the_shells(&self, field: &Field<'_>, name: &str) {
        let is_of_item = self.present && (name == "item" || name.starts_with("item."));
        if is_of_item || EVERYWHERE.contains(&name) {
            let name = shortened(name, LONGEST);
            field.warn(format!(
                "`${{{name}}}` is passed on as it stands: behind `$` only a shell replaces what is in braces"
            ));
        }
    }

    /// What a name between braces that is none may have been meant to be.
    fn meant(&self, name: &str) -> Option<String> {
        if name.len() > LONGEST || EVERYWHERE.contains(&name) {
            return None;
        }
        let word = name.trim().to_ascii_lowercase();
        if self.present {
            if name == "item" || name.strip_prefix("item.").is_some_and(|key| !key.is_empty()) {
                return None;
            }
            if name.is_empty() || word == "item" || word == "items" {
                return Some("item".to_owned());
            }
            if let Some(key) = word.strip_prefix("item") {
                let key = key.trim_matches(|c: char| !c.is_ascii_alphanumeric());
                return Some(if key.is_empty() { "item".to_owned() } else { format!("item.{key}") });
            }
        }
        if EVERYWHERE.contains(&word.as_str()) {
            return Some(word);
        }
        let is_word = name.len() >= 3 && name.chars().all(|c| c.is_ascii_alphabetic());
        let item = self.present.then_some("item");
        is_word.then(|| nearest(name, EVERYWHERE.into_iter().chain(item)))?.map(str::to_owned)
    }
}
