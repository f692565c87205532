//! Contrast (WCAG 2.2, success criterion 1.4.3) of every theme in every depth that has known colours.

use super::*;

fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn seen(color: Color) -> (u8, u8, u8) {
    match color {
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(index) => indexed_rgb(index),
        other => panic!("no known colour: {other:?}"),
    }
}

fn accents(theme: &Theme) -> Vec<(&'static str, Style)> {
    let mut styles = vec![("good", theme.good), ("warn", theme.warn), ("bad", theme.bad)];
    for kind in EngineKind::all() {
        styles.push((theme.mark(kind, false).sign, theme.mark(kind, false).style));
        styles.push((theme.mark(kind, true).sign, theme.mark(kind, true).style));
    }
    styles
}

#[test]
fn text_can_be_read_in_every_theme() {
    for (name, least) in [(ThemeName::Dark, 4.5), (ThemeName::Light, 4.5), (ThemeName::HighContrast, 7.0)] {
        for depth in [ColorDepth::Rgb, ColorDepth::Indexed] {
            let theme = Theme::new(name, depth, false);
            let ground = seen(theme.base.bg.unwrap());
            let mut styles = accents(&theme);
            styles.extend([("text", theme.base), ("dim", theme.dim), ("strong", theme.strong)]);
            for (what, style) in styles {
                let ratio = contrast(seen(style.fg.unwrap()), ground);
                assert!(ratio >= least, "{name:?} {depth:?} {what}: {ratio:.2}");
            }
            let border = contrast(seen(theme.border.fg.unwrap()), ground);
            assert!(border >= 3.0, "{name:?} {depth:?} border: {border:.2}");
        }
    }
}

#[test]
fn automatic_accents_can_be_read_on_black_and_on_white() {
    for depth in [ColorDepth::Rgb, ColorDepth::Indexed] {
        for (what, style) in accents(&Theme::new(ThemeName::Auto, depth, false)) {
            for ground in [(0, 0, 0), (255, 255, 255)] {
                let ratio = contrast(seen(style.fg.unwrap()), ground);
                // 3:1 is what WCAG asks of graphics and bold text; all of these are one or the other, or carry a sign.
                assert!(ratio >= 3.5, "{depth:?} {what} on {ground:?}: {ratio:.2}");
            }
        }
    }
}

#[test]
fn automatic_leaves_text_and_background_alone() {
    let theme = Theme::new(ThemeName::Auto, ColorDepth::Rgb, false);
    assert_eq!((theme.base.fg, theme.base.bg), (None, None));
}

#[test]
fn no_color_means_no_color() {
    let mono = Theme::new(ThemeName::Mono, ColorDepth::Rgb, false);
    let none = Theme::new(ThemeName::Dark, ColorDepth::None, false);
    for theme in [mono, none] {
        let mut styles = accents(&theme);
        styles.extend([("base", theme.base), ("dim", theme.dim), ("border", theme.border), ("key", theme.key)]);
        for (what, style) in styles {
            let plain = |color: Option<Color>| color.is_none_or(|color| color == Color::Reset);
            assert!(plain(style.fg) && plain(style.bg), "{what}");
        }
    }
}

#[test]
fn engines_differ_without_colour() {
    let theme = Theme::new(ThemeName::Mono, ColorDepth::None, false);
    let marks: Vec<EngineStyle> =
        EngineKind::all().flat_map(|kind| [theme.mark(kind, false), theme.mark(kind, true)]).collect();
    for (i, a) in marks.iter().enumerate() {
        for b in &marks[i + 1..] {
            assert_ne!(a.sign, b.sign);
            let ascii = |sign: &str| sign.chars().map(ascii_for).collect::<Vec<_>>();
            assert_ne!(ascii(a.sign), ascii(b.sign));
        }
    }
    let bar = |kind, second| theme.mark(kind, second).bar;
    for kind in EngineKind::all() {
        assert_ne!(bar(kind, false), bar(kind, true));
    }
}

#[test]
fn depth_follows_the_environment() {
    let with = |pairs: &'static [(&'static str, &'static str)]| {
        ColorDepth::detect(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    };
    assert_eq!(with(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), ColorDepth::Rgb);
    assert_eq!(with(&[("TERM", "xterm-256color")]), ColorDepth::Indexed);
    assert_eq!(with(&[("TERM", "linux")]), ColorDepth::Ansi);
    assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), ColorDepth::None);
    assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), ColorDepth::Indexed);
    assert_eq!(with(&[("TERM", "dumb")]), ColorDepth::None);
}

#[test]
fn every_theme_has_a_word_and_a_successor() {
    let mut name = ThemeName::Auto;
    for expected in ThemeName::ALL {
        assert_eq!(name, expected);
        assert_eq!(ThemeName::from_word(name.word()), Some(name));
        name = name.next();
    }
    assert_eq!(name, ThemeName::Auto);
}
