//! What the terminal and the locale can show, as the environment tells it.

/// What can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Console {
    dumb: bool,
    few_characters: bool,
    narrow_locale: bool,
}

impl Console {
    /// Asks the environment.
    pub(crate) fn detect() -> Self {
        Self::of(|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let terminal = set("TERM");
        // POSIX.1-2024, 8.2: the first that is set and not empty decides; without any it is the POSIX locale.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        Self {
            dumb: terminal.as_deref().is_none_or(|name| name == "dumb"),
            // The Linux console's font has a few hundred characters.
            few_characters: terminal.as_deref().is_some_and(|name| name == "linux" || name.starts_with("linux-")),
            narrow_locale: !locale.to_ascii_lowercase().replace('-', "").contains("utf8"),
        }
    }

    /// Whether it is as good as no terminal: nothing can be drawn on it.
    pub(crate) fn is_dumb(self) -> bool {
        self.dumb
    }

    /// Whether only ASCII can be shown, on the terminal or elsewhere.
    pub(crate) fn ascii(self, on_terminal: bool) -> bool {
        self.narrow_locale || on_terminal && self.few_characters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(variables: &[(&str, &str)]) -> Console {
        Console::of(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_first_variable_that_is_set_decides_about_the_locale() {
        for (variables, ascii) in [
            (&[][..], true),
            (&[("LANG", "C")], true),
            (&[("LANG", "POSIX")], true),
            (&[("LANG", "C.UTF-8")], false),
            (&[("LANG", "en_US.utf8")], false),
            (&[("LANG", "de_DE.UTF-8@euro")], false),
            (&[("LANG", "de_DE@euro")], true),
            (&[("LANG", "en_US.ISO-8859-1")], true),
            (&[("LC_CTYPE", "UTF-8"), ("LANG", "C")], false),
            (&[("LC_ALL", "C"), ("LC_CTYPE", "C.UTF-8"), ("LANG", "C.UTF-8")], true),
            (&[("LC_ALL", ""), ("LC_CTYPE", ""), ("LANG", "C.UTF-8")], false),
        ] {
            assert_eq!(console(variables).ascii(false), ascii, "{variables:?}");
        }
    }

    #[test]
    fn terminals_that_cannot_draw_and_terminals_with_few_characters() {
        let of = |term: &str| console(&[("TERM", term), ("LANG", "C.UTF-8")]);
        assert!(console(&[]).is_dumb() && of("").is_dumb() && of("dumb").is_dumb());
        assert!(!of("xterm").is_dumb() && !of("xterm").ascii(true));
        assert!(of("linux-16color").ascii(true));
        assert!(!of("linux").is_dumb() && of("linux").ascii(true) && !of("linux").ascii(false));
    }
}
