//! Which paths a file of the library uses, however they are written.

/// The code of a file: without comments, and with nothing in its texts and characters.
pub fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| literal(rest));
        match skipped {
            Some(length) => {
                code.push(' ');
                // A line stays a line.
                code.extend(rest[..length].chars().filter(|c| *c == '\n'));
                rest = &rest[length..];
            }
            None => {
                // A word is passed over whole: what follows an `r` in it is no raw text.
                let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let length = if word > 0 { word } else { first.len_utf8() };
                code.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    code
}

fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.strip_prefix("/*").map(|inside| inside.find("*/").map_or(rest.len(), |end| end + 4))
}

fn literal(rest: &str) -> Option<usize> {
    let unmarked = rest.trim_start_matches(['b', 'c']);
    let mark = rest.len() - unmarked.len();
    if mark > 1 {
        return None;
    }
    if let Some(raw) = unmarked.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).map_or(inside.len(), |place| place + end.len());
        return Some(mark + 1 + hashes + 1 + length);
    }
    let quote = unmarked.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    let inside = unmarked[1..].char_indices();
    let end = inside.into_iter().find(|(_, c)| {
        let ends = !escaped && *c == quote;
        escaped = !escaped && *c == '\\';
        ends
    });
    let length = end.map_or(unmarked.len(), |(place, _)| place + 2);
    // A lifetime has no second quote after one character.
    let is_lifetime = quote == '\'' && !unmarked.starts_with("'\\") && unmarked[..length].chars().count() != 3;
    (!is_lifetime).then_some(mark + length)
}

/// Without what is compiled for tests alone: the item after each `#[cfg(test)]`.
fn without_tests(mut code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    while let Some(place) = code.find(MARK) {
        kept.push_str(&code[..place]);
        let mut depth = 0usize;
        let item = &code[place + MARK.len()..];
        let end = item.char_indices().find(|(_, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        code = end.map_or("", |(place, _)| &item[place + 1..]);
    }
    kept + code
}

/// Every path that a file uses, from the root of the crate. `module` is the file's own.
pub fn used(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let code = without_tests(&code(text));
    let mut used = Vec::new();
    let mut words = code.as_str();
    while let Some(start) = words.find(|c: char| c.is_alphanumeric() || c == '_') {
        // A word in the middle of a path belongs to its beginning.
        let inner = words[..start].trim_end().ends_with("::");
        words = &words[start..];
        let end = words.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(words.len());
        let (word, after) = words.split_at(end);
        words = after;
        let Some(mut tree) = after.trim_start().strip_prefix("::").filter(|_| !inner) else { continue };
        let mut base = match word {
            "crate" | "poolscope" => Vec::new(),
            "self" => module.to_vec(),
            "super" => parent(module),
            _ => continue,
        };
        while let Some(up) = tree.trim_start().strip_prefix("super").and_then(|up| up.trim_start().strip_prefix("::")) {
            base = parent(&base);
            tree = up;
        }
        expand(&base, tree, &mut used);
    }
    used.retain(|path| !path.is_empty());
    used
}

fn parent(module: &[String]) -> Vec<String> {
    module[..module.len().saturating_sub(1)].to_vec()
}

/// Adds the paths of a use tree that begins here (`a::b`, `{a, b::{c, d}}`, `*`); returns what follows it.
fn expand<'a>(base: &[String], tree: &'a str, used: &mut Vec<Vec<String>>) -> &'a str {
    let tree = tree.trim_start();
    if let Some(mut inside) = tree.strip_prefix('{') {
        loop {
            inside = expand(base, inside, used).trim_start();
            // `as NAME`.
            let end = inside.find([',', '}']).unwrap_or(inside.len());
            inside = &inside[end..];
            match inside.chars().next() {
                Some(',') => inside = inside[1..].trim_start(),
                Some(_) => return &inside[1..],
                None => return inside,
            }
            if let Some(after) = inside.strip_prefix('}') {
                return after;
            }
        }
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (word, after) = tree.split_at(end);
    let mut path = base.to_vec();
    if !matches!(word, "" | "self") {
        path.push(word.to_owned());
    }
    match after.trim_start().strip_prefix("::") {
        Some(deeper) => expand(&path, deeper, used),
        None => {
            used.push(path);
            after
        }
    }
}
