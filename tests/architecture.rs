//! The edges of the architecture: who may use whom, how long a file may be, what lies at the top level.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// For each part, the parts it may use. `commands` may use everything. Vocabulary of `engine` (events, outcomes,
/// control) is open to those who observe; its inside is not.
const ALLOWED: &[(&str, &[&str])] = &[
    ("workload", &[]),
    ("os", &[]),
    ("worker", &["workload", "os"]),
    ("engine", &["workload", "worker", "os"]),
    ("metrics", &["workload", "os", "engine"]),
    ("analysis", &["workload", "os", "engine", "metrics"]),
    ("report", &["workload", "os", "engine", "metrics", "analysis"]),
    ("session", &["workload", "os", "worker", "engine", "metrics", "analysis"]),
    ("tui", &["workload", "os", "engine", "metrics", "analysis", "report", "session"]),
];

/// What observers may know of the engine.
const VOCABULARY: &[&str] = &["event", "outcome", "control"];
/// Parts that may know more of it.
const DRIVES_ENGINES: &[&str] = &["engine", "session"];

/// Longest file.
const MOST_LINES: usize = 600;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut list = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            list.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            list.push(path);
        }
    }
    list
}

/// Lines of code, without comments.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or("").to_owned()).collect()
}

fn is_test(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ["tests", "fixture"].iter().any(|word| name.contains(word))
}

#[test]
fn every_part_uses_only_what_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for (part, allowed) in ALLOWED {
        for path in sources(&root.join(part)).into_iter().filter(|path| !is_test(path)) {
            for line in code(&path) {
                if line.trim() == "#[cfg(test)]" {
                    break;
                }
                for used in line.split("crate::").skip(1) {
                    looked_at += 1;
                    let mut words = used.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty());
                    let (used, inside) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                    let known = used == *part || ALLOWED.iter().all(|(other, _)| used != *other);
                    let fits = known || allowed.contains(&used);
                    let deep = used == "engine" && !DRIVES_ENGINES.contains(part) && !VOCABULARY.contains(&inside);
                    if !fits || deep {
                        wrong.push(format!("{}: {}", path.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert!(looked_at > 100, "the test looks in the wrong place");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > MOST_LINES).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unsafe_code_lives_in_os_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let elsewhere: Vec<String> = sources(&root)
        .into_iter()
        .filter(|path| !path.starts_with(root.join("os")) && !is_test(path))
        .flat_map(|path| code(&path).into_iter().map(move |line| (path.clone(), line)))
        .filter(|(_, line)| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe"))
        .map(|(path, line)| format!("{}: {}", path.display(), line.trim()))
        .collect();
    assert!(elsewhere.is_empty(), "{}", elsewhere.join("\n"));
}

#[test]
fn the_top_level_holds_what_was_agreed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let agreed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "workloads",
        "tests",
        "assets",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "target",
    ];
    let others: Vec<String> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !agreed.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}
