//! Where a text that may be no YAML may have values of an `env`. It hides too much rather than too little: what is wrong with
//! such a text may be in the very value.

use std::ops::Range;

use crate::workload::load::keys;

const BLANKS: [char; 2] = [' ', '\t'];
const QUOTES: [char; 2] = ['"', '\''];

/// Places that no excerpt shows, each from a line and column to right before another.
pub(crate) fn places(text: &str) -> Vec<Range<(usize, usize)>> {
    // `\r\n` would count as two.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let mut within: Option<Value> = None;
    for (number, (line, next)) in (1..).zip(with_next(&text)) {
        if let Some(value) = within.as_mut() {
            if !value.ends_before(line) {
                value.read(line);
                found.push((number, 1)..(number, usize::MAX));
                continue;
            }
            within = None;
        }
        let Some((before, rest)) = key(line, next).and_then(|at| line.split_at_checked(at)) else { continue };
        found.push((number, before.chars().count() + 1)..(number, usize::MAX));
        let mut value = Value { col: column(line), ..Value::default() };
        value.read(rest.split_once(':').map_or(rest, |(_, value)| value));
        within = Some(value);
    }
    // An alias may have its values anywhere.
    if !found.is_empty() && text.split('\n').any(|line| has_alias(without_comment(line))) {
        return vec![(1, 1)..(usize::MAX, usize::MAX)];
    }
    found
}

/// Each line with the next one that is neither blank nor a comment. It is linear in the text, as is everything here.
fn with_next(text: &str) -> Vec<(&str, &str)> {
    let mut next = "";
    let mut lines: Vec<(&str, &str)> = text
        .rsplit('\n')
        .map(|line| {
            let pair = (line, next);
            if !line.trim_start().is_empty() && !line.trim_start().starts_with('#') {
                next = line;
            }
            pair
        })
        .collect();
    lines.reverse();
    lines
}

/// The value of a key, as far as it was read.
#[derive(Default)]
struct Value {
    /// Column of its key, from 0.
    col: usize,
    /// What closes the lists and maps that are open.
    closing: Vec<char>,
    quote: Option<char>,
    /// Where it ends cannot be told.
    endless: bool,
}

impl Value {
    fn read(&mut self, text: &str) {
        let mut before = ' ';
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (self.quote, c) {
                (Some('"'), '\\') => drop(chars.next()),
                (Some(quote), _) => self.quote = Some(quote).filter(|quote| *quote != c),
                (None, '#') if before.is_whitespace() => break,
                (None, '"' | '\'') if !before.is_alphanumeric() => self.quote = Some(c),
                (None, '"') => self.endless = true,
                (None, '{') => self.closing.push('}'),
                (None, '[') => self.closing.push(']'),
                (None, '}' | ']') => self.endless |= self.closing.pop().is_some_and(|closing| closing != c),
                (None, _) => {}
            }
            before = c;
        }
    }

    /// Whether a line is beyond it: it has a key of the format there, and not just any that may be the name of a variable.
    fn ends_before(&self, line: &str) -> bool {
        if self.endless || self.quote.is_some() || !self.closing.is_empty() {
            return false;
        }
        let text = line.trim_start_matches(' ');
        let indent = line.len() - text.len();
        let entry = text.strip_prefix('-').map(|entry| entry.trim_start_matches([' ', '{']));
        let text = entry.unwrap_or(text).trim_start_matches(QUOTES);
        let Some((name, rest)) = text.split_once(':') else { return false };
        let name = name.trim_end_matches(BLANKS).trim_end_matches(QUOTES);
        let is_here = indent < self.col || indent == self.col && entry.is_none();
        is_here && (rest.is_empty() || rest.starts_with(BLANKS)) && keys::is_beyond_env(name, indent == self.col)
    }
}

/// Column of the first key of a line, from 0.
fn column(line: &str) -> usize {
    line.chars().take_while(|c| matches!(c, ' ' | '-')).count()
}

/// From which byte of a line on it may have the value of an `env`. `next` is the line that follows.
fn key(line: &str, next: &str) -> Option<usize> {
    let line = without_comment(line);
    [named(line, next), escaped(line, next), explicit(line), aliased(line)].into_iter().flatten().min()
}

/// The line without its comment, if that is surely one and not the rest of a quoted text.
fn without_comment(line: &str) -> &str {
    let mut begins = line
        .match_indices('#')
        .filter(|(at, _)| line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with(BLANKS)));
    let Some((before, comment)) = begins.next().and_then(|(at, _)| line.split_at_checked(at)) else { return line };
    let closes_a_quote =
        comment.split(QUOTES).skip(1).any(|rest| rest.trim_start_matches(BLANKS).starts_with([',', '}', ']']));
    if before.contains(QUOTES) || closes_a_quote { line } else { before }
}

/// After the word itself, also in a path of keys as a sweep has it.
fn named(line: &str, next: &str) -> Option<usize> {
    let last_colon = line.rfind(':').unwrap_or_default();
    line.match_indices("env").find_map(|(at, word)| {
        let end = at + word.len();
        let (before, rest) = (line.get(..at)?, line.get(end..)?);
        if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let rest = rest.trim_start_matches(QUOTES).trim_start_matches(BLANKS);
        let is_key = match rest.chars().next() {
            Some(':') => true,
            Some('.' | '[') => last_colon > end || next.trim_start().starts_with(':'),
            Some(_) => false,
            None => {
                let before = before.trim_end_matches(QUOTES).trim_end_matches(BLANKS);
                (before.is_empty() || before.ends_with(['-', '{', ','])) && is_value_of(next, column(line))
            }
        };
        is_key.then_some(end)
    })
}

/// Whether a line looks like the value of a key in this column whose colon is missing in the line before.
fn is_value_of(line: &str, col: usize) -> bool {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let is_known = Value { col, ..Value::default() }.ends_before(line);
    text.starts_with(':') || text.contains(':') && !is_known && (indent > col || !text.starts_with('-'))
}

/// Before a key in double quotes with an escape in which letters can be written.
fn escaped(line: &str, next: &str) -> Option<usize> {
    let mut begin = 0;
    let mut parts = line.split('"').peekable();
    let mut before = parts.next()?;
    while let Some(part) = parts.next() {
        begin += before.len();
        if ["\\x", "\\u", "\\U"].iter().any(|escape| part.contains(escape)) {
            let is_key = match parts.peek().map(|rest| rest.trim_start_matches(BLANKS)) {
                Some("") => next.trim_start().starts_with(':'),
                Some(rest) => rest.starts_with(':'),
                // The quote is never closed: what it begins may have been meant as a key.
                None => part.contains(':') && begins_node(before, &['-', '{', ',']),
            };
            if is_key {
                return Some(begin);
            }
        }
        begin += 1;
        before = part;
    }
    None
}

/// Before a key after a `?`, which can be written in many ways.
fn explicit(line: &str) -> Option<usize> {
    line.match_indices('?').map(|(at, _)| at).find(|at| {
        let (before, rest) = line.split_at_checked(*at).unwrap_or_default();
        let rest = rest.strip_prefix('?').unwrap_or_default();
        (rest.is_empty() || rest.starts_with(BLANKS)) && begins_node(before, &['-', '{', '[', ','])
    })
}

/// Before a key that is an alias.
fn aliased(line: &str) -> Option<usize> {
    line.match_indices(':').find_map(|(at, _)| {
        let key = line.get(..at)?.trim_end_matches(BLANKS);
        let word = key.rsplit([' ', '\t', ':', ',', '{', '[']).next()?;
        word.starts_with('*').then(|| key.len() - word.len())
    })
}

/// Whether a line has an anchor, an alias or a merge.
fn has_alias(line: &str) -> bool {
    let is_merge = |rest: &str| rest.trim_start_matches(QUOTES).trim_start_matches(BLANKS).starts_with(':');
    line.split("<<").skip(1).any(is_merge)
        || line.match_indices(['*', '&']).any(|(at, mark)| {
            let (before, rest) = line.split_at_checked(at).unwrap_or_default();
            let name = rest.strip_prefix(mark).unwrap_or_default();
            let is_named = name.starts_with(|c: char| !c.is_whitespace() && c != '&');
            is_named && begins_node(before, &['-', '{', '[', ',', ':', '?'])
        })
}

/// Whether a value or key begins after this part of a line: after one of these, its tag, or nothing.
fn begins_node(before: &str, after: &[char]) -> bool {
    let word = before.trim_end_matches(BLANKS);
    let is_tagged =
        || word.len() < before.len() && word.rsplit(BLANKS).next().is_some_and(|word| word.starts_with('!'));
    word.is_empty() || word.ends_with(after) || is_tagged()
}

#[cfg(test)]
mod tests {
    use crate::workload::load::load;

    #[test]
    fn a_text_that_is_no_yaml_shows_no_value_of_an_env() {
        for broken in [
            "  env:\n    A: sesame: x\n",
            "  env:\n    A: sesame\n   B: sesame\n",
            "  env:\n    A: \"sesame\n",
            "  env:\n    A: \"sesame\nsesame: x\nname: sesame\n",
            "  env: { A: sesame, B: ]\n",
            "  env: { A: sesame,\nname: sesame: ]\n",
            "  env: {A: sesame} x: y\n",
            "  \"env\": { A: sesame }}\n",
            "  \"\\u0065nv\":\n    A: sesame: x\n",
            "  env:\n  - A: sesame: x\n",
            "  env:\n\tA: sesame\n",
            "  ? env\n  : A: sesame: x\n",
            "  env:\r\n    A: sesame: x\r\n",
            "  env:\n    A: @sesame\n",
            "  env:\n    A: %sesame\n",
            "  env: *all\n  x: &all { A: sesame ]\n",
            "  env:\n    A: |\n      one\n   sesame: b: c\n",
            "  env:\n    no_proxy: h\n  http_proxy: http://u:sesame@h: x\n",
            "  env:\n  http_proxy: http://u:sesame@h: x\n",
            "  env:\n  no_proxy: h\n http_proxy: sesame: x\n",
            "  env: { no_proxy: h,\n  kind: sesame: ] }\n",
            "  env: { no_proxy: \"}\",\n  kind: sesame: ] }\n",
            "  env: { a: h },\n    token: sesame: x }\n",
            "  env\n    token: sesame: x\n",
            "  env\n  token: sesame: x\n",
            "  env :\n    token: sesame: x\n",
            "  'env': \n    token: sesame: x\n",
            "  \"env: { token: sesame }\n",
            "  kind: command env: { token: sesame }\n",
            "  command: [\"a # b\", x] env: { token: sesame }\n",
            "- { name: \"x\n  # y\", env: { token: sesame ] }\n",
            "- { name: b, env: { token: sesame ] }\n",
            "- { name: b,env: { token: sesame ] }\n",
            "- { name: b, \"env\"\n  : { token: sesame ] }\n",
            "  \"\\x65nv\" : { token: sesame ]\n",
            "  \"\\u65nv\": { token: sesame }\n",
            "  ? \"e\\\n    nv\"\n  : token: sesame: x\n",
            "  ? |-\n    env\n  : token: sesame: x\n",
            "  env:\n    <<: *d\nx-d: &d\n  token: sesame: x\n",
            "  env:\n    *d\nx-d: &d\n  token: sesame: x\n",
            "  env: # later\n    - *d\nx-d: !!map &d\n  token: sesame: x\n",
            "  title: &e env\n  *e : { token: sesame ]\n",
            "  title: &e env\n  *e: { token: sesame ]\n",
            "sweep: { \"tasks[0].env.token\": [sesame, ] ]\n",
            "sweep:\n  python.env.token: [sesame, } ]\n",
            "  env: { token: !!int sesame }\n",
            "  env: { token: !!float \"sesame, expected at line 1\" }\n",
        ] {
            let text = format!("version: 1\ntasks:\n- name: a\n{broken}");
            let told = load(&text, "f").expect_err(broken);
            let told = format!("{}{}", told.render(false), serde_json::to_string(&told).expect("JSON"));
            assert!(!told.contains("sesame"), "{text}\n{told}");
        }
        // An anchor before the env.
        let text = "x-d: &d\n  token: sesame: x\ntasks:\n- name: a\n  env:\n    <<: *d\n";
        let told = load(text, "f").expect_err("no YAML").render(false);
        assert!(!told.contains("sesame"), "{told}");
    }

    #[test]
    fn a_text_without_an_env_is_shown_whole() {
        for text in [
            "# \\x1b[0m",
            "# prints \"\\x1b[0m\"",
            "command: [printf, \"\\x1b[0m\"]",
            "# envelope of 5 * 3",
            "# don't give an env: it is *not* &needed",
            "- { name: envoy, kind: command, command: [echo, \"a:b\"] }",
            "- { name: env, kind: command, command: [env, \"a:b\"] }",
            "command:\n  - env\n  - \"a: b\"",
            "command: env\n  kind: command",
            "shell: make && env A=b run *.txt",
            "title: &t why? *not*",
            "my_env: 1\nenvs: 2",
        ] {
            assert_eq!(super::places(text), [], "{text}");
        }
    }

    #[test]
    fn an_env_in_brackets_ends_with_them() {
        for env in [
            "- { name: b, env: { token: sesame }, kind: command }",
            "- { name: b, env: { token: \"}\",\n  no_proxy: ']' }, kind: command }",
            "- name: b\n  env: { token: don't }",
            "- name: b\n  shell: make && run\n  env:\n    token: sesame",
        ] {
            let text = format!("tasks:\n{env}\n- {{ name: c, kind: command: x }}\n");
            let told = load(&text, "f").expect_err(env).render(false);
            assert!(told.contains("name: c, kind: command: x"), "{text}\n{told}");
        }
    }

    #[test]
    fn what_stands_beside_an_env_is_shown() {
        let text = "tasks:\n- name: a\n  env:\n    A: sesame\n  kind: command: x\n";
        let told = load(text, "f").expect_err("no YAML").render(false);
        assert!(told.contains("kind: command: x"), "{told}");
        let told = load("name: environment\ntasks: ]\n", "f").expect_err("no YAML").render(false);
        assert!(told.contains("tasks: ]"), "{told}");
    }
}
