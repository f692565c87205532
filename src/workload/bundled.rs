//! The workloads that come with the program, in the order in which a new user would look at them.

use crate::workload::hash::short_hash;
use crate::workload::load::nearest_word;
use crate::workload::model::Workload;

/// A workload inside the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// File name without `.yaml`.
    pub name: &'static str,
    /// Text of the file.
    pub text: &'static str,
}

/// What their tasks in Python call: file names and texts. All of them may be in one folder.
#[must_use]
pub(crate) fn sources() -> &'static [(&'static str, &'static str)] {
    SOURCES
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".py"), include_str!(concat!("../../workloads/", $name, ".py")))),*]
    };
}

static SOURCES: &[(&str, &str)] = sources![
    "gil",
    "gil_io",
    "gil_released",
    "gil_convoy",
    "start_methods_python",
    "initializer_preload",
    "pool_vs_process",
    "payload",
    "unpicklable",
    "no_main_guard",
    "article_python",
];

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
    "hash-files",
    "lines",
    "csv-args",
    "serve-lines",
    "memory",
    "article",
    "article-python",
    "gil",
    "gil-io",
    "gil-released",
    "gil-convoy",
    "start-methods-python",
    "initializer-preload",
    "pool-vs-process",
    "payload",
    "unpicklable",
    "no-main-guard",
];

/// Files of items that they name: file names and texts.
static DATA: &[(&str, &str)] = &[("cities.csv", include_str!("../../workloads/cities.csv"))];

/// The text of a file of items that a bundled workload names.
#[must_use]
pub(crate) fn data(name: &str) -> Option<&'static str> {
    DATA.iter().find(|(file, _)| *file == name).map(|(_, text)| *text)
}

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

/// Whether a workload has the very text of a bundled one, whatever the command line has changed in it.
#[must_use]
pub(crate) fn is_one(workload: &Workload) -> bool {
    ALL.iter().any(|bundled| short_hash(bundled.text.as_bytes()) == workload.text_hash)
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
    use crate::workload::source::load_bundled;

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
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // Whoever has run one in place has a folder of compiled modules there.
        let (files, mut modules): (Vec<String>, Vec<String>) =
            files.filter(|file| file != "__pycache__").partition(|file| file.ends_with(".yaml"));
        modules.sort();
        let mut sources: Vec<&str> = SOURCES.iter().chain(DATA).map(|(name, _)| *name).collect();
        sources.sort_unstable();
        assert_eq!(modules, sources, "nothing else belongs there");
        let mut files: Vec<&str> = files.iter().filter_map(|file| file.strip_suffix(".yaml")).collect();
        files.sort_unstable();
        let mut bundled: Vec<&str> = ALL.iter().map(|workload| workload.name).collect();
        bundled.sort_unstable();
        assert_eq!(files, bundled);
    }

    #[test]
    fn each_loads_without_a_warning_and_explains_itself() {
        for bundled in ALL {
            let loaded = load_bundled(bundled).unwrap_or_else(|problems| panic!("{problems}"));
            assert_eq!(loaded.warnings, [], "{}", bundled.name);
            let workload = loaded.workload;
            assert_eq!(workload.name, bundled.name);
            assert!(workload.title != workload.name && !workload.description.is_empty(), "{}", bundled.name);
            assert!(!workload.teaches.is_empty(), "{}", bundled.name);
        }
    }

    #[test]
    fn what_they_call_comes_with_them() {
        for bundled in ALL {
            let workload = load_bundled(bundled).unwrap().workload;
            assert!(is_one(&workload), "{}", bundled.name);
            for call in workload.classes.iter().filter_map(|class| class.work.callable()) {
                let (module, function) = call.split_once(':').unwrap();
                let source = SOURCES.iter().find(|(name, _)| name.strip_suffix(".py") == Some(module));
                let (_, text) = source.unwrap_or_else(|| panic!("{}: no source of {call}", bundled.name));
                assert!(text.contains(&format!("\ndef {function}(")), "{}: {call}", bundled.name);
            }
        }
        let other = load("version: 1\nname: gil\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 1 }]", "gil");
        assert!(!is_one(&other.unwrap().workload), "its name alone makes none");
    }

    #[test]
    fn each_is_modest_on_a_small_machine() {
        for bundled in ALL {
            let workload = load_bundled(bundled).unwrap().workload;
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
