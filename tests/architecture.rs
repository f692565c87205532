//! The edges of the architecture: who may use whom, how long a file may be, what lies at the top level.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "architecture/paths.rs"]
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What observers may know of the engine, by the name that the table of `src/lib.rs` gives it.
const VOCABULARY: &str = "vocabulary";

/// Longest file.
const MOST_LINES: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

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

/// Whether a file under `src` is there for tests alone.
fn is_test(path: &Path) -> bool {
    let name = path.strip_prefix(root()).unwrap().to_string_lossy();
    ["tests", "fixture"].iter().any(|word| name.contains(word))
}

/// A file of the library: the path of its module, and what it uses.
struct Module {
    name: Vec<String>,
    uses: Vec<Vec<String>>,
}

fn modules() -> Vec<Module> {
    let src = root().join("src");
    let files = sources(&src).into_iter().filter(|path| !is_test(path));
    let modules = files.filter_map(|path| {
        let mut name: Vec<String> = path
            .strip_prefix(&src)
            .unwrap()
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().into())
            .collect();
        name.pop_if(|last| last == "mod");
        let outside = ["lib", "main", "build"].iter().any(|file| name == [*file]);
        (!outside).then(|| Module { uses: paths::used(&fs::read_to_string(&path).unwrap(), &name), name })
    });
    modules.collect()
}

/// For each part, what it may use: the table in the documentation of `src/lib.rs`.
fn table() -> BTreeMap<String, Vec<Vec<String>>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let words = |cell: &str| {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(|word| word.split("::").map(str::to_owned).collect()).collect::<Vec<Vec<String>>>()
    };
    let (_, defined) = text.split_once(&format!("The *{VOCABULARY}*")).unwrap();
    let vocabulary = words(defined.split("\n//!\n").next().unwrap());
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | [`")?.strip_suffix('|'));
    rows.map(|row| {
        let (part, rest) = row.split_once("`] | ").unwrap();
        let (_, may_use) = rest.rsplit_once(" | ").unwrap();
        let mut all = words(may_use);
        if all.iter().any(|word| *word == [VOCABULARY]) {
            all.retain(|word| *word != [VOCABULARY]);
            all.extend(vocabulary.clone());
        }
        (part.to_owned(), all)
    })
    .collect()
}

/// What is wrong with what these modules use.
fn forbidden(modules: &[Module], table: &BTreeMap<String, Vec<Vec<String>>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for Module { name, uses } in modules {
        let allowed = table.get(&name[0]);
        let fits = |used: &Vec<String>| {
            // A macro of the crate is named without a part.
            used[0] == name[0] || allowed.is_some_and(|allowed| allowed.iter().any(|may| used.starts_with(may)))
        };
        wrong.extend(
            uses.iter().filter(|used| !fits(used)).map(|used| format!("{} uses {}", name.join("::"), used.join("::"))),
        );
    }
    wrong
}

#[test]
fn every_part_uses_only_what_the_table_in_lib_rs_allows() {
    let (modules, table) = (modules(), table());
    let parts: BTreeSet<&String> = modules.iter().map(|module| &module.name[0]).collect();
    assert_eq!(parts, table.keys().collect(), "the table names every part");
    let looked_at: usize = modules.iter().map(|module| module.uses.len()).sum();
    assert!(looked_at > 1000, "the test looks in the wrong place: {looked_at}");
    let wrong = forbidden(&modules, &table);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_forbidden_is_seen_however_it_is_written() {
    let table = table();
    let seen = |part: &str, text: &str| {
        let name = vec![part.to_owned(), "some".to_owned()];
        !forbidden(&[Module { uses: paths::used(text, &name), name }], &table).is_empty()
    };
    for forbidden in [
        "use crate::metrics::snapshot::Snapshot;",
        "use crate::{os::clock, metrics};",
        "use crate::{\n    os::{clock, pipe},\n    tui::{\n        state::{self, UiState},\n    },\n};",
        "use crate::commands::Exit;",
        "use crate::cli;",
        "use super::super::report;",
        "pub(crate) use crate::report::clean as other;",
        "fn f() { let _ = vec![crate::session::view::nothing()]; }",
        "#[cfg(test)]\nmod fixtures;\nuse crate::tui::theme;",
        "#[cfg(test)]\nmod tests { fn f() { \"}\"; '{'; } }\nuse crate::tui::theme;",
        "use crate::unheard_of::Thing;",
        "use poolscope::metrics::snapshot::Snapshot;",
    ] {
        assert!(seen("engine", forbidden), "{forbidden}");
    }
    for allowed in [
        "use crate::{os::{clock, pipe}, engine::event};",
        "// use crate::metrics::snapshot;\n/* crate::tui */ const A: &str = \"crate::report::x\";",
        "#[cfg(test)]\nmod tests {\n    use crate::metrics::snapshot::Snapshot;\n}",
        "use super::other;\nuse super::super::os::clock;",
    ] {
        assert!(!seen("engine", allowed), "{allowed}");
    }
    assert!(seen("metrics", "use crate::engine::{event::Moment, driver::Run};"), "the inside of the engine");
    assert!(!seen("metrics", "use crate::engine::{event::Moment, outcome};"));
}

/// Edges between the modules of one folder, each with all that is in it. What a folder's `mod.rs` holds is its children's
/// common ground and no part of a circle.
fn edges(modules: &[Module]) -> BTreeMap<Vec<String>, BTreeSet<(String, String)>> {
    let mut edges: BTreeMap<Vec<String>, BTreeSet<(String, String)>> = BTreeMap::new();
    let known: BTreeSet<&[String]> =
        modules.iter().flat_map(|module| (1..=module.name.len()).map(|length| &module.name[..length])).collect();
    for Module { name, uses } in modules {
        for used in uses {
            let common = name.iter().zip(used).take_while(|(one, other)| one == other).count();
            // The first step in which they differ, where it is a step of both.
            if let (Some(from), Some(to)) = (name.get(common), used.get(common))
                && known.contains(&used[..=common])
            {
                edges.entry(name[..common].to_vec()).or_default().insert((from.clone(), to.clone()));
            }
        }
    }
    edges
}

/// The modules of each circle.
fn circles(edges: &BTreeSet<(String, String)>) -> BTreeSet<BTreeSet<String>> {
    fn reached<'a>(edges: &'a BTreeSet<(String, String)>, from: &'a String) -> BTreeSet<&'a String> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            next.extend(edges.iter().filter(|(from, _)| from == at).map(|(_, to)| to).filter(|to| seen.insert(*to)));
        }
        seen
    }
    let nodes: BTreeSet<&String> = edges.iter().map(|(from, _)| from).collect();
    let circle = |node: &&String| {
        let all = reached(edges, node);
        all.contains(*node)
            .then(|| all.into_iter().filter(|other| reached(edges, other).contains(*node)).cloned().collect())
    };
    nodes.iter().filter_map(circle).collect()
}

#[test]
fn no_modules_of_one_part_use_each_other_in_a_circle() {
    let modules = modules();
    let mut found = BTreeSet::new();
    // Parts among each other are the table's business.
    for (folder, edges) in edges(&modules).iter().filter(|(folder, _)| !folder.is_empty()) {
        for circle in circles(edges) {
            let names: Vec<String> = circle.iter().map(|name| format!("{}::{name}", folder.join("::"))).collect();
            found.insert(names);
        }
    }
    assert!(found.is_empty(), "circles: {found:#?}");
}

#[test]
fn a_circle_is_seen() {
    let module = |name: &str, text: &str| {
        let name: Vec<String> = name.split("::").map(str::to_owned).collect();
        Module { uses: paths::used(text, &name), name }
    };
    let all = [
        module("metrics", "use self::a::A;"),
        module("metrics::a", "use super::b::{self, B};"),
        module("metrics::b", "use crate::metrics::{c::inner::C, d};"),
        module("metrics::c", ""),
        module("metrics::c::inner", "use crate::metrics::a; use super::Common;"),
        module("metrics::d", "use crate::metrics::Root;"),
    ];
    let found = circles(&edges(&all)[&vec!["metrics".to_owned()]]);
    assert_eq!(found, BTreeSet::from([["a", "b", "c"].map(str::to_owned).into()]));
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > MOST_LINES).then(|| format!("{} has {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unsafe_code_lives_in_os_alone() {
    let src = root().join("src");
    let files = sources(&src).into_iter().filter(|path| !path.starts_with(src.join("os")) && !is_test(path));
    let elsewhere: Vec<String> = files
        .filter(|path| {
            let code = paths::code(&fs::read_to_string(path).unwrap());
            code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(elsewhere.is_empty(), "{}", elsewhere.join("\n"));
}

#[test]
fn no_test_keeps_its_runs_in_the_history_of_whoever_runs_it() {
    let (cache, history) = ("\"POOLSCOPE_CACHE_DIR\"", "\"POOLSCOPE_DB\"");
    let mut looked_at = 0;
    for path in sources(&root().join("tests")).iter().filter(|path| !path.ends_with("architecture.rs")) {
        let text = fs::read_to_string(path).unwrap();
        // Whoever says where the calibration is kept runs the program: right there it is said of runs too.
        for (place, _) in text.match_indices(&format!("env({cache}")) {
            looked_at += 1;
            let near = text[place..].lines().take(5).any(|line| line.contains(history));
            assert!(near, "{}: {cache} without {history}", path.display());
        }
    }
    assert!(looked_at > 10, "the test looks in the wrong place: {looked_at}");
}

#[test]
fn the_top_level_holds_what_was_agreed() {
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
    let others: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !agreed.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}
