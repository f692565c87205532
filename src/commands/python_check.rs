//! What `poolscope check` says of tasks in Python: which interpreters its arms have, which arms would be skipped, and which
//! could not be run here. Asks interpreters of this machine which ones they are, and nothing else: nothing is imported, no
//! setting of the file reaches them, and one that comes with the file is not started.

use std::path::Path;
use std::sync::Arc;

use crate::commands::python::{no_subinterpreters, skip};
use crate::engine::external::reference;
use crate::worker::python::probe;
use crate::workload::model::{EngineSpec, Interpreter, PythonSettings, SkippedArm, Work, Workload};
use crate::workload::plan::PlanNote;

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct PythonCheck {
    /// Arms and what runs them, in words.
    pub(crate) interpreters: Vec<(String, String)>,
    pub(crate) skipped: Vec<SkippedArm>,
    pub(crate) impossible: Vec<PlanNote>,
}

impl PythonCheck {
    /// Looks at a workload; one without tasks in Python has nothing to be said.
    pub(super) fn of(workload: &Workload) -> Self {
        let mut check = Self::default();
        if !workload.classes.iter().any(|class| matches!(class.work, Work::Python(_))) {
            return check;
        }
        let mut known: Vec<(PythonSettings, Seen)> = Vec::new();
        for spec in &workload.engines {
            let settings = spec.python.over(&workload.python);
            let bare = PythonSettings {
                interpreter: settings.interpreter,
                probe_timeout: settings.probe_timeout,
                ..PythonSettings::default()
            };
            let seen = match known.iter().find(|(other, _)| *other == bare) {
                Some((_, seen)) => seen.clone(),
                None => {
                    let seen = Seen::of(&bare, workload.folder.as_deref());
                    known.push((bare, seen.clone()));
                    seen
                }
            };
            check.arm(workload, spec, seen);
        }
        if check.skipped.len() == workload.engines.len() {
            let message = "no arm is left that could be run".to_owned();
            check.impossible.push(PlanNote { key: "engines".to_owned(), message });
        }
        check
    }

    fn arm(&mut self, workload: &Workload, spec: &EngineSpec, seen: Seen) {
        let skipped = |reason| SkippedArm { name: spec.name.clone(), engine: spec.kind, reason };
        let found = match seen {
            Seen::Found(found) => found,
            Seen::Not(reason) => {
                match &spec.when {
                    Some(when) => self.skipped.push(skipped(format!("it needs {when}, and {reason}"))),
                    None => self.impossible.push(PlanNote { key: spec.name.clone(), message: reason }),
                }
                return;
            }
            Seen::NotLookedAt(name) => {
                let words = format!("{name}, which comes with the file and is looked at before a run");
                self.interpreters.push((spec.name.clone(), words));
                self.skipped.extend(reference::cannot(workload, spec).map(skipped));
                return;
            }
        };
        let arm = EngineSpec { interpreter: Some(Arc::clone(&found)), ..spec.clone() };
        let skipped = match &spec.when {
            Some(when) if !when.holds(&found.version) => Some(skip(spec, when, &found)),
            _ => no_subinterpreters(&arm).or_else(|| reference::cannot(workload, &arm)).map(skipped),
        };
        match skipped {
            Some(skipped) => self.skipped.push(skipped),
            None => self.interpreters.push((spec.name.clone(), found.words())),
        }
    }

    /// For people: a line for each interpreter, and one for each arm that is left out.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut by_words: Vec<(&str, Vec<&str>)> = Vec::new();
        for (arm, words) in &self.interpreters {
            match by_words.iter_mut().find(|(other, _)| other == words) {
                Some((_, arms)) => arms.push(arm),
                None => by_words.push((words, vec![arm])),
            }
        }
        let interpreters = by_words.iter().map(|(words, arms)| format!("python    {words}: {}", arms.join(", ")));
        let skipped = self.skipped.iter().map(|arm| format!("SKIPPED   {}: {}", arm.name, arm.reason));
        interpreters.chain(skipped).collect()
    }
}

/// What is known of an interpreter.
#[derive(Clone)]
enum Seen {
    Found(Arc<Interpreter>),
    /// Why it cannot be used.
    Not(String),
    NotLookedAt(String),
}

impl Seen {
    fn of(settings: &PythonSettings, folder: Option<&Path>) -> Self {
        // A path without a root begins in the folder of the file, and what is there may have come with it.
        if let Some(name) = settings.interpreter.as_ref().filter(|name| name.contains('/') && !name.starts_with('/')) {
            let path = folder.unwrap_or(Path::new("")).join(name);
            return match std::fs::metadata(&path) {
                Ok(_) => Self::NotLookedAt(name.clone()),
                Err(error) => Self::Not(format!("the interpreter {} could not be started: {error}", path.display())),
            };
        }
        match probe(settings, None, 0, &[]) {
            Ok(found) => Self::Found(Arc::new(found)),
            Err(error) => Self::Not(error.to_string()),
        }
    }
}
