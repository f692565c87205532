//! No behaviour is forgotten: each is a case of this suite or is named here, with the place where it is tested or the reason
//! why there is nothing to test yet.

use std::collections::BTreeSet;
use std::path::Path;

use crate::CASES;
use crate::engines::ENGINES;

/// Where a behaviour is that is no case of this suite.
enum Place {
    /// Tests of another file: its path, and their names.
    Tested(&'static str, &'static [&'static str]),
    /// It comes with this part of Poolscope, which is not there yet.
    Later(&'static str),
}
use Place::{Later, Tested};

const ELSEWHERE: &[(&str, Place)] = &[
    ("C9", Later("the Python engine: threads of a task, and a broken standard output of its interpreter")),
    ("C12", Later("the Python engine: a main module without a guard")),
    ("C18", Later("the library: a producer of arguments, which can fail in the middle")),
    ("C20", Later("the library: callbacks of success and of failure")),
    ("C21", Later("the library: queues")),
    ("C22", Later("the library: queues and what feeds them")),
    ("C23", Later("the library: pipes")),
    ("C24", Later("the library: shared values and their locks")),
    ("C25", Later("the Python engine: tracebacks")),
    (
        "C41",
        Tested(
            "src/os/cgroup/tests.rs",
            &[
                "version_2_takes_the_tightest_limit_up_to_the_root",
                "version_1_is_understood",
                "what_makes_no_sense_is_no_limit",
            ],
        ),
    ),
    ("C41", Tested("src/os/host.rs", &["usable_cores_are_the_smaller_of_affinity_and_quota"])),
    ("C41", Tested("tests/placing.rs", &["automatic_workers_are_as_many_as_cpus_are_given"])),
    (
        "C42",
        Tested(
            "tests/outlive.rs",
            &[
                "sigkill_leaves_nothing_running_a_second_later",
                "sigkill_leaves_nothing_of_one_that_starts_others_all_the_time",
            ],
        ),
    ),
];

#[test]
fn every_behaviour_is_a_case_or_has_its_place_elsewhere() {
    let here: BTreeSet<String> = CASES.iter().map(|(id, _)| (*id).to_owned()).collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(id, _)| (*id).to_owned()).collect();
    let both: Vec<_> = here.intersection(&elsewhere).collect();
    assert!(both.is_empty(), "here and elsewhere: {both:?}");
    let all: BTreeSet<String> = (1..=42).map(|number| format!("C{number}")).collect();
    let found: BTreeSet<String> = here.union(&elsewhere).cloned().collect();
    assert_eq!(found, all);
}

#[test]
fn what_is_tested_elsewhere_is_there() {
    for (id, place) in ELSEWHERE {
        match place {
            Tested(file, names) => {
                let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
                for name in *names {
                    assert!(
                        text.contains(&format!("#[test]\nfn {name}()"))
                            || text.contains(&format!("#[test]\n    fn {name}()")),
                        "{id}: {file} has no test {name}"
                    );
                }
            }
            Later(part) => println!("{id}: with {part}"),
        }
    }
}

#[test]
fn an_exception_is_of_a_case_that_there_is_and_has_a_reason() {
    for engine in ENGINES {
        let mut seen = BTreeSet::new();
        for (of, why) in engine.exceptions {
            assert!(CASES.iter().any(|(id, name)| id == of || name == of), "{}: there is no {of}", engine.name);
            assert!(!why.is_empty() && seen.insert(of), "{}: {of}", engine.name);
        }
    }
}
