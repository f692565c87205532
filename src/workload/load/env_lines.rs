//! Where a text that may be no YAML may have values of an `env`. It hides too much rather than too little: what is wrong with
//! such a text may be in the very value.

use std::ops::Range;

/// Places that no excerpt shows, each from a line and column to right before another.
pub(crate) fn places(text: &str) -> Vec<Range<(usize, usize)>> {
    const END: (usize, usize) = (usize::MAX, usize::MAX);
    // `\r\n` would count as two.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines = text.split('\n');
    // An escape may spell the key, and an alias may have its values anywhere.
    if lines
        .clone()
        .any(|line| is_escaped_key(line) || line.split_once("env").is_some_and(|(_, rest)| rest.contains('*')))
    {
        return vec![(1, 1)..END];
    }
    let mut found = Vec::new();
    // Column of the key whose value it is, and whether indentation tells its end.
    let mut within: Option<usize> = None;
    let (mut open, mut flow) = (false, false);
    for (number, line) in (1..).zip(lines) {
        if let Some(col) = within {
            if open || !ends(line, col) {
                open |= is_open(line);
                found.push((number, 1)..(number, usize::MAX));
                continue;
            }
            within = None;
        }
        let Some((before, rest)) = line.split_once("env") else {
            // A map or list that begins before the key ends behind it.
            flow |= line.contains(['{', '[']) && !line.contains(['}', ']']);
            continue;
        };
        found.push((number, before.chars().count() + 4)..(number, usize::MAX));
        let ends_here = rest.trim_matches(['"', '\'', ' ', '\t']).is_empty();
        if rest.contains(':') || ends_here || before.contains('?') {
            let col = before.chars().take_while(|c| matches!(c, ' ' | '-')).count();
            within = Some(col);
            open |= flow || is_open(before) || is_open(rest.trim_start_matches(['"', '\'']));
        }
    }
    found
}

/// Whether a value goes on in the next lines, however these are indented: where brackets or quotes stand it is not told apart.
fn is_open(text: &str) -> bool {
    text.contains(['{', '[', '}', ']', '"', '\''])
}

/// Whether a line is beyond the value of a key in this column.
fn ends(line: &str, col: usize) -> bool {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let rest = line.trim_start_matches(' ');
    let is_key = rest
        .trim_start_matches(['-', ' '])
        .split_once(':')
        .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    is_key && (indent < col || indent == col && !rest.starts_with('-'))
}

/// Whether a quoted text of a line has an escape in which letters can be written.
fn is_escaped_key(line: &str) -> bool {
    ["\\x", "\\u", "\\U"].iter().any(|escape| line.contains(escape))
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
        ] {
            let text = format!("version: 1\ntasks:\n- name: a\n{broken}");
            let told = load(&text, "f").expect_err(broken);
            let told = format!("{}{}", told.render(false), serde_json::to_string(&told).expect("JSON"));
            assert!(!told.contains("sesame"), "{text}\n{told}");
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
