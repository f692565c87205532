//! Before a run with tasks in Python: each interpreter is looked at once, arms whose condition does not hold are left
//! out, and calls that cannot be made are told. Starts nothing else.

use std::sync::Arc;

use crate::commands::unpacked;
use crate::engine::external::reference;
use crate::report::clean;
use crate::worker::python::{CallProblem, CallProblemKind, HandingOn, ProbeError, cannot_hand_on, probe};
use crate::workload::model::{
    EngineKind, EngineSpec, Interpreter, PythonCall, PythonSettings, SkippedArm, StartMethod, Version, Work, Workload,
};

/// Why a workload with tasks in Python cannot be run here: lines for people.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(super) struct Unfit(pub(crate) Vec<String>);

impl Unfit {
    /// The same for a place without room: the first reason.
    pub(super) fn reason(&self) -> &str {
        let first = self.0.first().map_or("", String::as_str);
        first.strip_prefix("error: ").unwrap_or(first)
    }
}

/// Looks at the interpreters of a workload: they, and the arms that do not take part, are in what comes back. One without tasks in Python is ready as it is.
pub(super) fn ready(workload: Arc<Workload>) -> Result<Arc<Workload>, Unfit> {
    let classes = workload.classes.iter().enumerate();
    let of_tasks: Vec<Call<'_>> = classes
        .filter_map(|(place, class)| match &class.work {
            Work::Python(call) => Some(Call { place: Place::Task(place), call }),
            _ => None,
        })
        .collect();
    if of_tasks.is_empty() {
        return Ok(workload);
    }
    let with_sources = unpacked::with_sources(&workload).map_err(|error| {
        let place = std::env::temp_dir();
        let line = format!("error: what its tasks call cannot be written to {}: {error}", place.display());
        Unfit(vec![line, "nothing was started".to_owned()])
    })?;
    let workload = &with_sources.map_or_else(|| Arc::clone(&workload), Arc::new);
    let mut found: Vec<(PythonSettings, Option<&PythonCall>, Arc<Interpreter>)> = Vec::new();
    let (mut arms, mut skipped) = (Vec::new(), Vec::new());
    for (place, spec) in workload.engines.iter().enumerate() {
        let settings = spec.python.over(&workload.python);
        let initializer = spec.initializer.as_ref().and_then(|initializer| initializer.call.as_ref());
        let own = initializer.map(|call| Call { place: Place::Initializer(place), call });
        let calls: Vec<Call<'_>> = of_tasks.iter().copied().chain(own).collect();
        let is_known =
            |(other, call, _): &&(PythonSettings, Option<&PythonCall>, _)| *other == settings && *call == initializer;
        let known = found.iter().find(is_known).map(|(_, _, known)| Arc::clone(known));
        let interpreter = match known {
            Some(known) => known,
            None => match look(workload, spec, &settings, &calls)? {
                Look::Found(interpreter) => interpreter,
                Look::Skip(reason) => {
                    skipped.push(SkippedArm { name: spec.name.clone(), engine: spec.kind, reason });
                    continue;
                }
            },
        };
        found.push((settings.clone(), initializer, Arc::clone(&interpreter)));
        match &spec.when {
            Some(when) if !when.holds(&interpreter.version) => {
                skipped.push(skip(spec, when, &interpreter));
            }
            _ => {
                let mut arm = EngineSpec { python: settings, interpreter: Some(interpreter), ..spec.clone() };
                match cannot(workload, &mut arm, &calls)? {
                    None => arms.push(arm),
                    Some(reason) => {
                        skipped.push(SkippedArm { name: arm.name, engine: arm.kind, reason });
                    }
                }
            }
        }
    }
    if arms.is_empty() {
        let reasons = skipped.iter().map(|arm| format!("error: {} is skipped: {}", arm.name, arm.reason));
        return Err(Unfit(reasons.chain(["no arm is left that could be run".to_owned()]).collect()));
    }
    let baseline = workload.engines.get(workload.baseline).map(|engine| &engine.name);
    let baseline = arms.iter().position(|arm| Some(&arm.name) == baseline).unwrap_or(0);
    Ok(Arc::new(Workload { engines: arms, baseline, skipped, ..(**workload).clone() }))
}

/// A call that is to be made in a run.
#[derive(Clone, Copy)]
struct Call<'a> {
    place: Place,
    call: &'a PythonCall,
}

/// Where in the file it is, by number.
#[derive(Clone, Copy)]
enum Place {
    Task(usize),
    Initializer(usize),
}

/// What one of CPython's own does where nobody asks for anything else, and why an arm cannot make these calls where it makes them,
/// if it cannot.
fn cannot(workload: &Workload, arm: &mut EngineSpec, calls: &[Call<'_>]) -> Result<Option<String>, Unfit> {
    let unable = |arm: &EngineSpec, initializer: bool, how: HandingOn| {
        let asked = calls.iter().filter(|asked| matches!(asked.place, Place::Initializer(_)) == initializer);
        let asked: Vec<Call<'_>> = asked.copied().collect();
        if asked.is_empty() {
            return Ok(None);
        }
        let alone: Vec<&PythonCall> = asked.iter().map(|asked| asked.call).collect();
        match cannot_hand_on(&arm.python, workload.folder.as_deref(), workload.seed, &alone, how) {
            // It was imported before, but not so.
            Err(error @ (ProbeError::TookTooLong { .. } | ProbeError::Left { .. })) if how.inside => {
                Ok(Some(format!("in a subinterpreter, {error}")))
            }
            other => other.map_err(|error| unfit(workload, arm, &asked, &error)),
        }
    };
    if arm.kind == EngineKind::Interpreter {
        if let Some(reason) = no_subinterpreters(arm) {
            return Ok(Some(reason));
        }
        let how = HandingOn { inside: true, ..HandingOn::default() };
        let reason = unable(arm, false, how)?;
        return if reason.is_some() { Ok(reason) } else { unable(arm, true, how) };
    }
    let Some(how) = reference::handing_on(arm) else { return Ok(None) };
    arm.start_method = reference::start_method(arm);
    if let Some(reason) = reference::cannot(workload, arm) {
        return Ok(Some(reason));
    }
    let reason = unable(arm, false, how)?;
    // An initializer travels with the start of a process, and a process that is forked has it already.
    if reason.is_none() && arm.start_method != StartMethod::Fork {
        return unable(arm, true, HandingOn { pickled: true, ..HandingOn::default() });
    }
    Ok(reason)
}

enum Look {
    Found(Arc<Interpreter>),
    /// Its condition does not hold, so that nobody needs to know whether its calls could be made.
    Skip(String),
}

pub(super) fn skip(spec: &EngineSpec, when: &crate::workload::model::When, found: &Interpreter) -> SkippedArm {
    let reason = format!("it needs {when}, and its interpreter is {}", found.words());
    SkippedArm { name: spec.name.clone(), engine: spec.kind, reason }
}

/// Why an arm of subinterpreters does not take part: there are none that a program may use.
pub(super) fn no_subinterpreters(spec: &EngineSpec) -> Option<String> {
    let found = spec.interpreter.as_ref().filter(|_| spec.kind == EngineKind::Interpreter)?;
    (!has_subinterpreters(found)).then(|| {
        format!(
            "subinterpreters (concurrent.interpreters) need CPython 3.14 or newer, and its interpreter is {}",
            found.words()
        )
    })
}

/// Whether there are subinterpreters that a program may use.
pub(super) fn has_subinterpreters(found: &Interpreter) -> bool {
    found.implementation == "CPython" && found.version >= Version(vec![3, 14])
}

/// Looks at the interpreter of an arm. What one that does not meet the arm's condition could not do is no fault.
fn look(workload: &Workload, spec: &EngineSpec, settings: &PythonSettings, calls: &[Call<'_>]) -> Result<Look, Unfit> {
    let folder = workload.folder.as_deref();
    if let Some(when) = &spec.when {
        let found = match probe(settings, folder, workload.seed, &[]) {
            // What is not there, or too old for any task, does not meet it either.
            Err(error @ (ProbeError::NotStarted { .. } | ProbeError::TooOld { .. })) => {
                return Ok(Look::Skip(format!("it needs {when}, and {error}")));
            }
            other => other.map_err(|error| unfit(workload, spec, calls, &error))?,
        };
        if !when.holds(&found.version) {
            return Ok(Look::Skip(skip(spec, when, &found).reason));
        }
    }
    let asked: Vec<&PythonCall> = calls.iter().map(|asked| asked.call).collect();
    let found = probe(settings, folder, workload.seed, &asked);
    found.map(|found| Look::Found(Arc::new(found))).map_err(|error| unfit(workload, spec, calls, &error))
}

fn unfit(workload: &Workload, spec: &EngineSpec, calls: &[Call<'_>], error: &ProbeError) -> Unfit {
    let mut lines = Vec::new();
    if let ProbeError::Calls { problems, .. } = error {
        for problem in problems {
            lines.extend(of_call(workload, calls, problem));
        }
    } else {
        lines.push(format!("error: {}: {}", clean::line(&spec.name), clean::line(&error.to_string())));
    }
    if let ProbeError::NotStarted { .. } | ProbeError::TooOld { .. } = error {
        let help = "its tasks are in Python: `python: { interpreter: PATH }` names another interpreter, and poolscope \
                    doctor lists those that are here";
        lines.push(format!("  {help}"));
    }
    let printed = error.printed().trim_end();
    if !printed.is_empty() {
        lines.push("  it printed:".to_owned());
        lines.extend(indented(printed));
    }
    lines.push("nothing was started".to_owned());
    Unfit(lines)
}

/// What is wrong with a call: where in the file, and what the interpreter says to it.
fn of_call(workload: &Workload, calls: &[Call<'_>], problem: &CallProblem) -> Vec<String> {
    let Some(Call { place, call }) = calls.get(problem.place) else { return vec![problem.message.clone()] };
    let (path, what) = match *place {
        Place::Task(place) => {
            let name = workload.classes.get(place).map_or("", |class| &class.name);
            (format!("tasks[{place}]"), format!("task `{name}`"))
        }
        Place::Initializer(place) => {
            let name = workload.engines.get(place).map_or("", |spec| &spec.name);
            (format!("engines[{place}].initializer"), format!("initializer of `{name}`"))
        }
    };
    let (key, says) = match problem.kind {
        CallProblemKind::Import => ("callable", format!("cannot be imported: {}", problem.message)),
        CallProblemKind::Missing => ("callable", problem.message.clone()),
        CallProblemKind::Call => ("callable", format!("it is {}", problem.message)),
        CallProblemKind::Arguments => ("args", format!("it cannot be called so: {}", problem.message)),
    };
    let line = format!("error: {path}.{key}: {what}: `{}`: {says}", call.callable);
    let mut lines = vec![clean::line(&line).into_owned()];
    if !problem.signature.is_empty() {
        let (_, function) = call.callable.split_once(':').unwrap_or_default();
        lines.push(format!("  it is {}{}", clean::line(function), clean::line(&problem.signature)));
    }
    lines.extend(indented(problem.trace.trim_end()));
    lines
}

fn indented(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(|line| format!("  {}", clean::line(line)))
}
