//! CPython's own `multiprocessing.Pool`, `concurrent.futures.ProcessPoolExecutor` and `multiprocessing.Process` as arms: the
//! references that ours stand beside.
//!
//! A plain program makes the calls that a script would make (`caller.py` and the files beside it), with the function itself
//! and no wrapper around it, unless one of its items cannot be read (with `imap`, where items are read on the way: where it has
//! any); a shim in its processes ([`crate::worker::shim`]) sees what they do. Nothing in here dispatches, ends or repeats a
//! task: what they cannot do is said ([`cannot`]) and not done for them.

use std::ffi::OsStr;

use crate::engine::arm::{Arm, ArmRun, RunRequest, StartError};
use crate::engine::control::Capabilities;
use crate::engine::event::Observer;
use crate::engine::external::protocol::{CallerOrders, MOST_GIVEN};
use crate::engine::external::spec::{Calls, Spec};
use crate::engine::external::{SaidCapabilities, launch};
use crate::os::surroundings::Surroundings;
use crate::worker::python::{self, HandingOn};
use crate::worker::shim::Shim;
use crate::workload::model::{
    Arrivals, Chunksize, CpuList, EngineKind, EngineSpec, PythonCall, Share, StartMethod, SubmitMode, TaskClass, Total,
    Value, Version, Work, Workload,
};

/// What the caller's command line says. Its modules are not in a folder of `sys.path`: the shim knows them.
const BOOT: &str = "import sys\nif sys.path[:1] == ['']: del sys.path[0]\nimport _poolscope_caller as c\nc.main()";
/// The modules that it is made of.
const MODULES: [(&str, &str); 2] = [
    (
        "_poolscope_caller",
        concat!(
            include_str!("head.py"),
            include_str!("../../../worker/python/call.py"),
            include_str!("../../../worker/python/digest.py"),
            include_str!("../../../worker/python/failure.py"),
            include_str!("caller.py"),
            include_str!("pools.py"),
            include_str!("processes.py"),
        ),
    ),
    ("_poolscope_task", include_str!("task.py")),
];

/// One of CPython's own.
#[derive(Debug)]
pub struct Reference {
    kind: EngineKind,
    capabilities: SaidCapabilities,
}

impl Reference {
    /// The arm of a kind; `None` for a kind that is no reference.
    #[must_use]
    pub fn of_kind(kind: EngineKind) -> Option<Self> {
        let capabilities = SaidCapabilities::default();
        capabilities.set(Capabilities {
            kill_worker: true,
            process_per_task: kind.process_per_task(),
            ..Capabilities::LEAST
        });
        kind.is_reference().then_some(Self { kind, capabilities })
    }
}

impl Arm for Reference {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.get()
    }

    fn start(&self, request: RunRequest<'_>, observer: Box<dyn Observer>) -> Result<Box<dyn ArmRun>, StartError> {
        let (workload, spec) = (request.workload, request.spec);
        if let Some(reason) = cannot(workload, spec) {
            return Err(StartError::Cannot { reason });
        }
        let interpreter = spec.interpreter.clone().ok_or(StartError::NoInterpreter)?;
        let settings = spec.python.over(&workload.python);
        let setup = |source| StartError::Setup { source };
        let surroundings = Surroundings::new(
            spec.placement.affinity.as_ref().map(CpuList::numbers),
            spec.placement.nice,
            workload.limits.max_open_files,
        );
        let arguments = [OsStr::new("-c"), OsStr::new(BOOT)];
        let program = python::interpreter(interpreter.executable.as_os_str(), &settings, workload.seed, &arguments)
            .and_then(|program| program.in_folder(workload.folder.as_deref()))
            .map_err(setup)?
            .surrounded_by(surroundings);
        let orders = CallerOrders {
            kind: self.kind.word(),
            submit: spec.submit,
            chunksize: match spec.chunksize {
                Chunksize::Fixed(chunk) => Some(chunk.get()),
                Chunksize::Auto | Chunksize::Cpython => None,
            },
            start_method: start_method(spec),
            max_tasks_per_child: spec.recycling.max_tasks.map(std::num::NonZeroU64::get),
            initializer: spec.initializer.as_ref().and_then(|initializer| initializer.call.clone()),
            python_path: python::folders(&settings, workload.folder.as_deref()),
        };
        let name = interpreter.executable.to_string_lossy().into_owned();
        let mut run = Spec::new((program, name), request, self.capabilities.clone())?;
        // What is imported is no silence.
        run.silence += settings.patience();
        run.shim = Some(Shim::unpack(&MODULES, &run.worker_program).map_err(setup)?);
        // The executor breaks by itself, and a process is started for a task alone.
        let restarts = self.kind == EngineKind::MpPool;
        run.calls = Some(Calls {
            orders,
            process_per_task: self.kind.process_per_task(),
            tells_of_ends: self.kind != EngineKind::MpPool,
            most_not_initialized: spec.initializer.as_ref().filter(|_| restarts).map(|rules| rules.max_failures),
        });
        launch(run, observer)
    }
}

/// How its processes are started: as it is written, or as its interpreter does it where nobody asks for anything else.
#[must_use]
pub fn start_method(spec: &EngineSpec) -> StartMethod {
    let usual = || match spec.interpreter.as_ref().map(|found| found.start_method.as_str()) {
        Some("spawn") => StartMethod::Spawn,
        Some("forkserver") => StartMethod::Forkserver,
        _ => StartMethod::Fork,
    };
    spec.chosen_start_method.unwrap_or_else(usual)
}

/// What must hold of a function and its arguments so that a reference arm can hand them on; `None` for other arms.
#[must_use]
pub fn handing_on(spec: &EngineSpec) -> Option<HandingOn> {
    // A process that is forked has its function already.
    let pickled = spec.kind != EngineKind::MpProcess || start_method(spec) != StartMethod::Fork;
    let one = matches!(spec.submit, SubmitMode::Imap | SubmitMode::ImapUnordered);
    spec.kind.is_reference().then(|| HandingOn {
        pickled,
        by_position: spec.submit.returns_chunks().then(|| spec.submit.word()),
        one,
        inside: false,
    })
}

fn counted(share: Share) -> u64 {
    match share {
        Share::Count(count) => count.get(),
        Share::Weight(_) => 0,
    }
}

/// Why one of CPython's own cannot run a workload, in words; `None` if it can, or if it is another arm.
#[must_use]
pub fn cannot(workload: &Workload, spec: &EngineSpec) -> Option<String> {
    if !spec.kind.is_reference() {
        return None;
    }
    let any = |is_so: fn(&TaskClass) -> bool| workload.classes.iter().any(is_so);
    let whole = spec.submit.returns_chunks();
    let submit = spec.submit.word();
    let of_executor = |spec: &EngineSpec| spec.kind == EngineKind::Ppe && spec.recycling.max_tasks.is_some();
    let version =
        |least: &[u32]| spec.interpreter.as_ref().is_some_and(|found| found.version < Version(least.to_vec()));
    let too_many = match workload.total {
        Total::Weighted(total) => total.get() > MOST_GIVEN,
        Total::PerClass => workload.classes.iter().map(|class| counted(class.share)).sum::<u64>() > MOST_GIVEN,
        Total::ByDuration => false,
    };
    let python = |class: &TaskClass, is_so: fn(&PythonCall) -> bool| match &class.work {
        Work::Python(call) => is_so(call),
        _ => false,
    };
    let unused = |call: &PythonCall| {
        call.payload.with_task > 0 && !call.args.values().any(|value| value.any(&|value| *value == Value::Payload))
    };
    let reasons = [
        (any(|class| class.work.callable().is_none()), "its tasks are functions in Python alone".to_owned()),
        (
            any(|class| class.timeout.is_some()),
            "it cannot end one task (`timeout`); `wait_timeout` is its get(timeout)".to_owned(),
        ),
        (
            any(|class| class.queue_timeout.is_some()),
            "it cannot take a task out of its queue (`queue_timeout`)".to_owned(),
        ),
        (any(|class| class.retries.max > 0), "it does not run a task again (`retries`)".to_owned()),
        (
            workload.faults.iter().any(|rule| rule.is_for(&spec.name)),
            "faults cannot be put into it (`faults`)".to_owned(),
        ),
        (
            matches!(workload.arrivals, Arrivals::ClosedLoop { .. }),
            "it is handed its tasks without regard to how many are in it (`max_in_flight`)".to_owned(),
        ),
        (
            whole && any(|class| class.wait_timeout.is_some()),
            format!("with {submit} it waits for all results together, for each as long as it takes (`wait_timeout`)"),
        ),
        (
            whole && workload.classes.len() > 1,
            format!("a call of {submit} has one function, and there are {} classes", workload.classes.len()),
        ),
        (
            spec.submit == SubmitMode::Map && too_many,
            format!("it is handed at most {MOST_GIVEN} tasks in one call of map"),
        ),
        (
            workload.classes.iter().any(|class| python(class, |call| call.payload.with_result > 0)),
            "it returns what the function returns and nothing beside it (`payload: { out }`)".to_owned(),
        ),
        (
            workload.classes.iter().any(|class| python(class, unused)),
            "it hands on arguments and nothing beside them: `{payload}` among `args` is what travels".to_owned(),
        ),
        (
            of_executor(spec) && version(&[3, 11]),
            "its ProcessPoolExecutor knows max_tasks_per_child from Python 3.11 on".to_owned(),
        ),
        (
            of_executor(spec) && start_method(spec) == StartMethod::Fork,
            "its max_tasks_per_child cannot be had with fork: `start_method: spawn` or forkserver".to_owned(),
        ),
    ];
    reasons.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
}
