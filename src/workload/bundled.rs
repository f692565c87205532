//! The workloads that come with the program, in the order in which a new user would look at them.

use crate::workload::load::nearest_word;

/// A workload inside the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// File name without `.yaml`.
    pub name: &'static str,
    /// Text of the file.
    pub text: &'static str,
}

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        &[$(Bundled { name: $name, text: include_str!(concat!("../../workloads/", $name, ".yaml")) }),*]
    };
}

static ALL: &[Bundled] = bundled![
    "cpu-uniform",
    "tiny-tasks",
    "heavy-tail",
    "io-wait",
    "mixed",
    "open-loop",
    "bursts",
    "one-hang",
    "timeouts",
    "flaky",
    "worker-death",
    "recycle-leak",
    "initializer",
    "ghosts",
    "submit-modes",
    "dispatch",
    "start-methods",
    "join-order",
    "zombies",
    "commands",
    "memory",
    "article",
];

/// All bundled workloads.
#[must_use]
pub fn all() -> &'static [Bundled] {
    ALL
}

/// A bundled workload by its name, with or without `.yaml`; `-` and `_` are equal.
#[must_use]
pub(crate) fn get(name: &str) -> Option<&'static Bundled> {
    let plain = plain(name);
    ALL.iter().find(|workload| workload.name == plain)
}

/// The bundled workload whose name is most like a misspelt one.
#[must_use]
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    nearest_word(&plain(name), ALL.iter().map(|workload| workload.name))
}

fn plain(name: &str) -> String {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")).unwrap_or(name);
    stem.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::workload::load::load;
    use crate::workload::plan::{self, Machine};

    const MACHINE: Machine = Machine {
        cores: 2,
        memory_bytes: 4 << 30,
        memory_source: "free memory",
        processes: crate::workload::plan::Room::of(4096),
        descriptors: None,
    };

    #[test]
    fn every_file_of_the_folder_is_bundled() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|file| file.strip_suffix(".yaml").expect("only .yaml files belong there").to_owned())
            .collect();
        files.sort();
        let mut bundled: Vec<&str> = ALL.iter().map(|workload| workload.name).collect();
        bundled.sort_unstable();
        assert_eq!(files, bundled);
    }

    #[test]
    fn each_loads_without_a_warning_and_explains_itself() {
        for bundled in ALL {
            let loaded = load(bundled.text, bundled.name).unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(loaded.warnings, [], "{}", bundled.name);
            let workload = loaded.workload;
            assert_eq!(workload.name, bundled.name);
            assert!(workload.title != workload.name && !workload.description.is_empty(), "{}", bundled.name);
            assert!(!workload.teaches.is_empty(), "{}", bundled.name);
        }
    }

    #[test]
    fn each_is_modest_on_a_small_machine() {
        for bundled in ALL {
            let workload = load(bundled.text, bundled.name).unwrap().workload;
            let plan = plan::plan(&workload, MACHINE);
            assert_eq!(plan.refusals, [], "{}", bundled.name);
            for engine in &plan.engines {
                assert!(engine.peak_processes <= 64, "{} {}", bundled.name, engine.name);
                let Some(makespan) = &engine.makespan else { continue };
                assert!(makespan.at_least_s <= 10.0, "{} {}: {makespan:?}", bundled.name, engine.name);
            }
        }
    }

    #[test]
    fn the_article_takes_two_waves_of_two_seconds() {
        let workload = load(get("article").unwrap().text, "article").unwrap().workload;
        let plan = plan::plan(&workload, MACHINE);
        for engine in &plan.engines {
            let makespan = engine.makespan.as_ref().unwrap();
            assert_eq!((engine.workers, engine.waves), (Some(3), Some(2)), "{}", engine.name);
            assert_eq!(Duration::from_secs_f64(makespan.at_least_s), Duration::from_secs(4), "{}", engine.name);
            assert_eq!(makespan.at_least_s, makespan.at_most_s, "{}", engine.name);
        }
    }
}
