//! The entries of the picker: every workload that is known here, and first the one that was named on the command line.
//! Reads files and says what they would do; starts nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::ChangeArgs;
use crate::commands::prepare::{self, Platform};
use crate::commands::{farewell, list};
use crate::report::{self, shell};
use crate::tui::CatalogueEntry;
use crate::tui::model::{Brief, READS_INPUT};
use crate::workload::model::Workload;
use crate::workload::source::Source;

/// Every workload that is known here.
pub(super) fn catalogue(platform: &Platform, changes: &ChangeArgs) -> Vec<CatalogueEntry> {
    let entry = |known: list::ListedWorkload| match known.outcome {
        Ok(workload) => entry(known.name, known.source, known.text, Arc::new(workload), platform, changes.max_time),
        Err(problems) => CatalogueEntry {
            name: known.name,
            title: if known.reads_input { READS_INPUT.to_owned() } else { String::new() },
            source: known.source,
            summary: Vec::new(),
            brief: Brief::default(),
            outcome: Err(problems),
            text: known.text,
        },
    };
    list::known(false, changes.allow_exec).into_iter().map(entry).collect()
}

fn entry(
    name: String,
    source: String,
    text: String,
    workload: Arc<Workload>,
    platform: &Platform,
    max_time: Option<Duration>,
) -> CatalogueEntry {
    let plan = prepare::plan(&workload, platform, max_time);
    let arms = workload.engines.iter().zip(&plan.engines);
    let brief = Brief {
        arms: arms.map(|(arm, plan)| (arm.kind, arm.name.clone(), plan.workers)).collect(),
        runs: workload.measure.repeats.get(),
        at_least: plan.at_least_s.and_then(|least| Duration::try_from_secs_f64(least).ok()),
    };
    let title = workload.title.clone();
    CatalogueEntry {
        name,
        title,
        source,
        summary: report::plan::lines(&workload, &plan),
        brief,
        outcome: Ok(workload),
        text,
    }
}

/// The workload that was named on the command line, with the changes that were asked for there.
pub(super) fn entry_of(
    file: &str,
    source: &Source,
    workload: Arc<Workload>,
    platform: &Platform,
    changes: &ChangeArgs,
) -> CatalogueEntry {
    let name = file.to_owned();
    let mut entry = entry(name.clone(), name, source.text.clone(), workload, platform, changes.max_time);
    let changed = farewell::changes(changes, &[]);
    if !changed.is_empty() {
        entry.summary.insert(0, format!("changed   by {}", shell::join(&changed)));
    }
    entry
}

/// Puts an entry in the place of the one that is the same file or bundled workload, or else before all others. Its index.
pub(super) fn offer(catalogue: &mut Vec<CatalogueEntry>, entry: CatalogueEntry, source: &Source) -> usize {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let path = source.path.as_deref().and_then(real);
    let same = |known: &CatalogueEntry| match &path {
        Some(path) => known.source != list::BUILT_IN && real(Path::new(&known.name)).as_ref() == Some(path),
        None => known.source == list::BUILT_IN && source.name == format!("{}.yaml", known.name),
    };
    match catalogue.iter().position(same) {
        Some(place) => {
            if let Some(known) = catalogue.get_mut(place) {
                let (name, source) = (known.name.clone(), known.source.clone());
                *known = CatalogueEntry { name, source, ..entry };
            }
            place
        }
        None => {
            catalogue.insert(0, entry);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 5 }]\n";

    fn opened(name: &str, changes: &ChangeArgs, platform: &Platform) -> (CatalogueEntry, Source) {
        let (source, workload) = prepare::source_and_workload(name, changes, crate::cli::Color::Never).unwrap();
        (entry_of(name, &source, workload, platform, changes), source)
    }

    #[test]
    fn a_file_that_reads_standard_input_has_no_errors() {
        let folder = tempfile::tempdir().unwrap();
        let entry = |name: &str, from: &str| {
            let path = folder.path().join(name);
            let tasks = format!("{{ name: t, kind: command, command: [echo, \"{{a}}\"], items: {{ {from} }} }}");
            std::fs::write(&path, format!("version: 1\ntasks: [{tasks}]\n")).unwrap();
            let known = list::file(&path, true, false, true).unwrap();
            (known.reads_input, known.outcome.err().unwrap_or_default())
        };
        for from in ["csv: \"-\"", "jsonl: \"-\""] {
            let (reads_input, said) = entry("input.yaml", from);
            assert!(reads_input && said.starts_with("reads standard input: ... | poolscope run "), "{from}: {said}");
        }
        let (reads_input, said) = entry("missing.yaml", "csv: nowhere.csv");
        assert!(!reads_input && said.contains("nowhere.csv"), "{said}");
    }

    #[test]
    fn the_workload_that_was_named_has_one_place_in_the_picker() {
        let platform = Platform::detect();
        let changes = ChangeArgs { set: vec!["measure.repeats=2".to_owned()], ..ChangeArgs::default() };
        let mut list = catalogue(&platform, &changes);
        let before = list.len();
        let (entry, source) = opened("cpu_uniform.yml", &changes, &platform);
        let at = offer(&mut list, entry, &source);
        assert_eq!((list.len(), list[at].name.as_str()), (before, "cpu-uniform"), "whatever it was called");
        assert_eq!(list[at].brief.runs, 2, "with its changes");
        assert!(list[at].summary.iter().any(|line| line.contains("--set measure.repeats=2")));
        // A file of another folder is offered first, and only once.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("elsewhere.yaml");
        std::fs::write(&path, FILE).unwrap();
        for _ in 0..2 {
            let (entry, source) = opened(path.to_str().unwrap(), &ChangeArgs::default(), &platform);
            assert_eq!(offer(&mut list, entry, &source), 0);
            assert_eq!((list.len(), list[0].name.as_str()), (before + 1, path.to_str().unwrap()));
        }
    }
}
