//! What of all this the JSON Schema refuses too: everything that is wrong by its structure. What only the reader knows is
//! listed in `semantic.txt`, exactly.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;
use std::sync::OnceLock;

use poolscope::workload::diagnostic::Diagnostic;

const LIST: &str = include_str!("semantic.txt");
/// Names the file that accepted texts are told to.
const TOLD: &str = "POOLSCOPE_TEST_SEMANTIC";

fn validator() -> &'static jsonschema::Validator {
    static VALIDATOR: OnceLock<jsonschema::Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_poolscope")).arg("schema").output().unwrap();
        jsonschema::validator_for(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
    })
}

/// Whether the schema takes a text; what is no YAML has no structure at all.
fn is_valid(text: &str) -> bool {
    serde_yaml::from_str::<serde_json::Value>(text).is_ok_and(|value| validator().is_valid(&value))
}

/// A text that the reader refuses: either so does the schema, or it is one of the list.
pub fn refused(text: &str, problem: &Diagnostic) {
    let line = format!("{} | {}", problem.key, problem.message).replace('\n', " ");
    let accepts = is_valid(text);
    if let Some(told) = std::env::var_os(TOLD) {
        if accepts {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(told).unwrap();
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        return;
    }
    let listed = LIST.lines().any(|listed| listed == line);
    assert!(listed || !accepts, "neither refused by the schema nor in semantic.txt: {line}\n{text}");
}

/// A text that the reader accepts: so does the schema.
pub fn accepted(text: &str) {
    if !is_valid(text) {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        let why: Vec<String> = validator().iter_errors(&value).map(|error| error.to_string()).collect();
        panic!("the schema refuses what the reader accepts: {why:?}\n{text}");
    }
}

/// Runs all cases once more, in a program of their own that writes down what the schema accepts.
#[test]
fn the_list_of_what_only_the_reader_refuses_is_exact() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--skip", "the_list_of"]).env(TOLD, &told).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let found = std::fs::read_to_string(&told).unwrap();
    let (found, listed): (BTreeSet<&str>, BTreeSet<&str>) = (found.lines().collect(), LIST.lines().collect());
    if std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always") {
        let lines: String = found.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bad_input/semantic.txt"), lines).unwrap();
        return;
    }
    assert_eq!(found.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "not in the list");
    assert_eq!(listed.difference(&found).collect::<Vec<_>>(), Vec::<&&str>::new(), "refused by the schema, or gone");
}

#[test]
fn every_workload_that_comes_with_the_program_is_valid() {
    let all = poolscope::workload::bundled::all();
    assert!(all.len() > 10);
    all.iter().for_each(|bundled| accepted(bundled.text));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let count = files.map(|path| accepted(&std::fs::read_to_string(path).unwrap())).count();
    assert!(count > 10, "{count}");
}
