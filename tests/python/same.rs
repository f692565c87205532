//! The same function has the same result in every engine and every interpreter.

use crate::harness::*;

#[test]
fn results_do_not_depend_on_engine_or_version() {
    let source = r#"
import collections, dataclasses, enum, fractions

class Colour(enum.Enum):
    RED = 1

class Access(enum.Flag):
    READ = 1
    WRITE = 2

class Mode(enum.IntFlag):
    A = 1
    B = 2

@dataclasses.dataclass
class Point:
    x: float
    y: object

Pair = collections.namedtuple("Pair", "a b")

def work(index):
    cycle = [index]
    cycle.append(cycle)
    shared = [1, 2]
    values = [
        None, True, 1, 1.0, -2 ** 100, float("nan"), "\u20ac\udc80", b"x", (1, [2, {3}]), {"b": 1, "a": {2: None}},
        Colour.RED, Access.READ | Access.WRITE, Access(0), Mode.A | Mode.B, Point(1.5, Pair(1, "b")), cycle, [shared, shared], frozenset("abcdef"), range(index), 2j,
    ]
    return {"values": values, "index": index, "set": {str(n) for n in range(50)}}

def draws(n, f, seed, attempt, text):
    return [n, f, seed, attempt, text]
"#;
    let drawn = "args: { n: { dist: uniform, min: 1, max: 100 }, f: { dist: exponential, mean: 1.5 }, seed: { seed }, \
                 attempt: '{attempt}', text: 'file-{index}' }, count: 20";
    let tasks = [("t", "values:work", "args: [{ index }], count: 5"), ("d", "values:draws", drawn)];
    let mut hashes = std::collections::BTreeSet::new();
    for python in pythons() {
        let folder = folder(python, &tasks, "python: { interpreter: PYTHON }");
        std::fs::write(folder.path("values.py"), source).unwrap();
        for engine in ENGINES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 25, "{python:?} {engine}: {:?}", told.run["failures"]);
            hashes.insert(told.hash().to_owned());
        }
    }
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

#[test]
fn what_differs_differs() {
    let source = "import os\ndef work(x): return [x]\ndef opaque(): return object()\n";
    let python = newest();
    let hash = |args: &str| {
        let folder = folder(python, &[("t", "values:work", args)], "python: { interpreter: PYTHON }");
        std::fs::write(folder.path("values.py"), source).unwrap();
        run(&folder, "pool").hash().to_owned()
    };
    let args =
        ["args: [1]", "args: [1.0]", "args: [true]", "args: ['1']", "args: [[1]]", "args: [{1: 1}]", "args: [~]"];
    let hashes: std::collections::BTreeSet<String> = args.iter().map(|args| hash(args)).collect();
    assert_eq!(hashes.len(), args.len(), "{hashes:?}");
}

#[test]
fn arguments_have_the_types_that_they_are_written_with() {
    let source = r#"
def work(**k):
    assert k["big"] == 123456789012345678901234567890 and type(k["big"]) is int, k
    assert k["none"] is None and k["yes"] is True and k["half"] == 0.5 and k["text"] == "12", k
    assert k["nested"] == [1, {"a": [True, None], 2: "x"}] and k["h\u00e4\u00df"] == 1, k
    assert k["not an identifier"] == -3 and len(k["bytes"]) == 1000 and type(k["bytes"]) is bytes, k
    assert type(k["index"]) is int and k["nan"] != k["nan"], k
"#;
    let args = "args: { big: 123456789012345678901234567890, none: ~, yes: true, half: 0.5, text: '12', \
                nested: [1, { a: [true, ~], 2: x }], häß: 1, not an identifier: -3, bytes: { payload }, \
                index: { index }, nan: .nan }, payload: { in: 1000B, out: 2MiB }, count: 3";
    for python in pythons() {
        let folder = folder(python, &[("t", "typed_values:work", args)], "python: { interpreter: PYTHON }");
        std::fs::write(folder.path("typed_values.py"), source).unwrap();
        for engine in ENGINES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 3, "{python:?} {engine}: {:?}", told.run["failures"]);
        }
    }
}

#[test]
fn surroundings_are_the_same_in_every_engine() {
    let names = ["seen", "text", "flags", "place", "switch"];
    let callables = names.map(|name| format!("py19_environment:{name}"));
    let tasks: Vec<Task<'_>> = names.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    for python in pythons() {
        let folder = folder(python, &tasks, "");
        let hashes: Vec<String> = ENGINES.iter().map(|engine| run(&folder, engine).hash().to_owned()).collect();
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "{python:?}: {hashes:?}");
    }
    // Hashes of text come from the seed, and what would have an interpreter run something else is not handed on.
    let tasks = [("t", "py07_random_after_fork:string_hash", "count: 4")];
    let folder = folder(newest(), &tasks, "");
    let hash = |engine: &str| {
        let mut command = folder.run(engine, &["--format", "json"]);
        command.env("PYTHONSTARTUP", "/nowhere").env("PYTHONHOME", "/nowhere").env("PYTHONINSPECT", "1");
        crate::support::program::only_run(&command.output().unwrap())["results_hash"].as_str().unwrap().to_owned()
    };
    assert_eq!(hash("pool"), hash("process"));
}
