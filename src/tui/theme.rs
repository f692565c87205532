//! Colours and signs. Colour is never the only carrier of a meaning: each engine has its own sign, bar and name too.
//!
//! Blue and orange are those of Okabe and Ito (<https://jfly.uni-koeln.de/color/>), which stay apart under every common
//! colour vision deficiency; the light and the automatic theme use darker relatives so that they keep their contrast.

use ratatui::style::{Color, Modifier, Style};

use crate::engine::event::WorkerState;
pub(crate) use crate::report::ascii::sign as ascii_for;
use crate::workload::model::{EngineKind, Hue, KindRow};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ThemeName {
    /// The terminal's own text and background; accents that can be read on black and on white.
    #[default]
    Auto,
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
    /// For projectors and weak eyes.
    HighContrast,
    /// No colours at all.
    Mono,
}

impl ThemeName {
    /// In the order in which a key goes through them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 5] = [Self::Auto, Self::Dark, Self::Light, Self::HighContrast, Self::Mono];

    /// The word used on the command line and on screen.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::Mono => "mono",
        }
    }

    /// The theme with this name.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word() == word)
    }

    /// The next one.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::HighContrast,
            Self::HighContrast => Self::Mono,
            Self::Mono => Self::Auto,
        }
    }
}

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ColorDepth {
    /// None, or none are wanted.
    None,
    /// The sixteen of ANSI.
    Ansi,
    /// The 256 of xterm.
    Indexed,
    /// 24 bits.
    Rgb,
}

impl ColorDepth {
    /// What the environment says. `NO_COLOR` set to anything but the empty text means none (<https://no-color.org>).
    pub(crate) fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" || term.ends_with("-m") {
            return Self::None;
        }
        let true_color = variable("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
        if true_color || term.ends_with("-direct") {
            Self::Rgb
        } else if term.contains("256color") || term.contains("kitty") || term.contains("alacritty") {
            Self::Indexed
        } else {
            Self::Ansi
        }
    }
}

/// How one engine looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EngineStyle {
    pub(crate) sign: &'static str,
    /// What its bars are made of.
    pub(crate) bar: &'static str,
    pub(crate) style: Style,
}

/// Styles of everything that is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Theme {
    pub(crate) name: ThemeName,
    /// Whether only ASCII is drawn.
    pub(crate) ascii: bool,
    /// Ordinary text and the background.
    pub(crate) base: Style,
    /// Text of less weight.
    pub(crate) dim: Style,
    /// Text of more weight.
    pub(crate) strong: Style,
    /// Frames.
    pub(crate) border: Style,
    /// The frame that keys act on.
    pub(crate) focus: Style,
    /// What went well.
    pub(crate) good: Style,
    /// What wants attention.
    pub(crate) warn: Style,
    /// What went wrong.
    pub(crate) bad: Style,
    /// The chosen line.
    pub(crate) selected: Style,
    /// The names of keys.
    pub(crate) key: Style,
    palette: Palette,
}

/// A colour in its three depths.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tone {
    rgb: (u8, u8, u8),
    ansi: Color,
}

const fn tone(rgb: u32, ansi: Color) -> Tone {
    Tone { rgb: ((rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8), ansi }
}

/// The colours of a theme; `None` is the terminal's own.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Palette {
    text: Option<Tone>,
    ground: Option<Tone>,
    dim: Option<Tone>,
    border: Option<Tone>,
    good: Tone,
    warn: Tone,
    bad: Tone,
    blue: Tone,
    orange: Tone,
    pink: Tone,
    violet: Tone,
    second: Tone,
    depth: ColorDepth,
}

const AUTO: Palette = Palette {
    text: None,
    ground: None,
    dim: None,
    border: None,
    good: tone(0x00875F, Color::Green),
    warn: tone(0xA36A00, Color::Yellow),
    bad: tone(0xD7404A, Color::LightRed),
    blue: tone(0x1F7DC0, Color::LightBlue),
    orange: tone(0xB86A00, Color::Yellow),
    pink: tone(0xB85C94, Color::LightMagenta),
    violet: tone(0x7A6FD0, Color::Magenta),
    second: tone(0x008670, Color::Cyan),
    depth: ColorDepth::Rgb,
};

const DARK: Palette = Palette {
    text: Some(tone(0xE4E4E4, Color::White)),
    ground: Some(tone(0x121212, Color::Black)),
    dim: Some(tone(0xA8A8A8, Color::Gray)),
    border: Some(tone(0x808080, Color::DarkGray)),
    good: tone(0x5FD787, Color::LightGreen),
    warn: tone(0xFFD75F, Color::LightYellow),
    bad: tone(0xFF8787, Color::LightRed),
    blue: tone(0x56B4E9, Color::LightBlue),
    orange: tone(0xE69F00, Color::Yellow),
    pink: tone(0xE08BC0, Color::LightMagenta),
    violet: tone(0xB4A7FF, Color::Magenta),
    second: tone(0x2FC99B, Color::LightCyan),
    depth: ColorDepth::Rgb,
};

const LIGHT: Palette = Palette {
    text: Some(tone(0x1C1C1C, Color::Black)),
    ground: Some(tone(0xFFFFFF, Color::White)),
    dim: Some(tone(0x585858, Color::DarkGray)),
    border: Some(tone(0x767676, Color::DarkGray)),
    good: tone(0x006B47, Color::Green),
    warn: tone(0x7A4F00, Color::Red),
    bad: tone(0xB00020, Color::Red),
    blue: tone(0x0072B2, Color::Blue),
    orange: tone(0xA14A00, Color::Red),
    pink: tone(0x8F3F73, Color::Magenta),
    violet: tone(0x5A48A8, Color::Blue),
    second: tone(0x006A55, Color::Cyan),
    depth: ColorDepth::Rgb,
};

const HIGH_CONTRAST: Palette = Palette {
    text: Some(tone(0xFFFFFF, Color::White)),
    ground: Some(tone(0x000000, Color::Black)),
    dim: Some(tone(0xE4E4E4, Color::White)),
    border: Some(tone(0xFFFFFF, Color::White)),
    good: tone(0x87FFAF, Color::LightGreen),
    warn: tone(0xFFFF5F, Color::LightYellow),
    bad: tone(0xFFAFAF, Color::LightRed),
    blue: tone(0x87D7FF, Color::LightCyan),
    orange: tone(0xFFB733, Color::LightYellow),
    pink: tone(0xFFAFFF, Color::LightMagenta),
    violet: tone(0xD7D7FF, Color::LightBlue),
    second: tone(0x5FFFD7, Color::LightGreen),
    depth: ColorDepth::Rgb,
};

impl Theme {
    /// The theme for a terminal of so many colours.
    #[must_use]
    pub(crate) fn new(name: ThemeName, depth: ColorDepth, ascii: bool) -> Self {
        let depth = if name == ThemeName::Mono { ColorDepth::None } else { depth };
        let palette = match name {
            ThemeName::Auto | ThemeName::Mono => AUTO,
            ThemeName::Dark => DARK,
            ThemeName::Light => LIGHT,
            ThemeName::HighContrast => HIGH_CONTRAST,
        };
        let palette = Palette { depth, ..palette };
        let mut base = Style::new();
        if depth != ColorDepth::None {
            base.fg = palette.text.map(|tone| palette.color(tone));
            base.bg = palette.ground.map(|tone| palette.color(tone));
        }
        let quiet = |tone: Option<Tone>| match tone {
            Some(tone) if depth != ColorDepth::None => base.fg(palette.color(tone)),
            // "Faint" is too weak for a projector, so high contrast and mono leave it out.
            _ if name == ThemeName::Auto => base.add_modifier(Modifier::DIM),
            _ => base,
        };
        let bold = |tone: Tone| palette.style(base, tone).add_modifier(Modifier::BOLD);
        Self {
            name,
            ascii,
            base,
            dim: quiet(palette.dim),
            strong: base.add_modifier(Modifier::BOLD),
            border: quiet(palette.border),
            focus: base.add_modifier(Modifier::BOLD),
            good: bold(palette.good),
            warn: bold(palette.warn),
            bad: bold(palette.bad),
            selected: base.add_modifier(Modifier::REVERSED),
            key: base.add_modifier(Modifier::BOLD),
            palette,
        }
    }

    /// How an engine looks; `second` tells two engines of the same kind apart.
    #[must_use]
    pub(crate) fn mark(&self, kind: EngineKind, second: bool) -> EngineStyle {
        let KindRow { signs, bars, hue, .. } = kind.row();
        let palette = &self.palette;
        let [sign, bar] = [signs, bars].map(|[first, other]| if second { *other } else { *first });
        let tone = if second { palette.second } else { palette.tone_of(*hue) };
        EngineStyle { sign, bar, style: self.palette.style(self.base, tone) }
    }
}

impl Palette {
    fn tone_of(&self, hue: Hue) -> Tone {
        match hue {
            Hue::Blue => self.blue,
            Hue::Orange => self.orange,
            Hue::Pink => self.pink,
            Hue::Violet => self.violet,
        }
    }

    fn color(&self, tone: Tone) -> Color {
        let (r, g, b) = tone.rgb;
        match self.depth {
            ColorDepth::Rgb => Color::Rgb(r, g, b),
            ColorDepth::Indexed => Color::Indexed(nearest_indexed(r, g, b)),
            ColorDepth::Ansi => tone.ansi,
            ColorDepth::None => Color::Reset,
        }
    }

    fn style(&self, base: Style, tone: Tone) -> Style {
        if self.depth == ColorDepth::None { base } else { base.fg(self.color(tone)) }
    }
}

/// Levels of the 6x6x6 cube of the 256 colours.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The nearest of the 240 fixed colours (cube and greys) of the 256.
fn nearest_indexed(r: u8, g: u8, b: u8) -> u8 {
    let distance = |(x, y, z): (u8, u8, u8)| {
        let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        square(r, x) + square(g, y) + square(b, z)
    };
    (16..=255).min_by_key(|&index| distance(indexed_rgb(index))).unwrap_or(7)
}

/// What one of the 240 fixed colours looks like.
fn indexed_rgb(index: u8) -> (u8, u8, u8) {
    let level = |n: u8| CUBE.get(usize::from(n)).copied().unwrap_or(255);
    if index >= 232 {
        let grey = (index - 232) * 10 + 8;
        return (grey, grey, grey);
    }
    let n = index.saturating_sub(16);
    (level(n / 36), level(n / 6 % 6), level(n % 6))
}

/// The sign of a worker's state.
#[must_use]
pub(crate) fn state_sign(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Free | WorkerState::Idle => "·",
        WorkerState::Starting => "+",
        WorkerState::Initializing => "i",
        WorkerState::Busy => "▶",
        WorkerState::Ghost => "?",
        WorkerState::Retiring => "▽",
        WorkerState::Ending => "×",
        WorkerState::Unkillable => "!",
    }
}

#[cfg(test)]
#[path = "theme_tests.rs"]
mod tests;
