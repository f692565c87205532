//! The interpreter of an arm.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::workload::model::{EngineSpec, Interpreter, ThreadPool, Version};

#[derive(Serialize)]
pub(crate) struct InterpreterOut<'a> {
    executable: &'a Path,
    version: String,
    implementation: &'a str,
    /// Whether a global interpreter lock is in use.
    gil: bool,
    /// Whether what the tasks call has switched it on, in an interpreter that began without (additive to version 1).
    gil_switched_on: bool,
    /// Whether its build can do without (additive to version 1).
    free_threaded: bool,
    cpu_count: Option<u32>,
    process_cpu_count: Option<u32>,
    virtual_environment: Option<&'a Path>,
    /// What its own `multiprocessing` does where nobody asks for anything else.
    start_method: &'a str,
    /// How the processes of one of CPython's own were started.
    started_by: Option<&'static str>,
    /// Whether it can have several interpreters in a process.
    interpreters: bool,
    /// What its environment says of where modules are looked for, locale, seeds and threads (additive to version 1).
    variables: BTreeMap<&'a str, &'a str>,
    /// Libraries with threads of their own that came with what the tasks call (additive to version 1).
    thread_pools: &'a [ThreadPool],
}

/// As it is, and as an arm uses it.
pub(crate) fn interpreter<'a>(found: &'a Interpreter, spec: Option<&EngineSpec>) -> InterpreterOut<'a> {
    InterpreterOut {
        executable: &found.executable,
        version: found.version.to_string(),
        implementation: &found.implementation,
        gil: found.gil,
        gil_switched_on: found.gil_switched_on,
        free_threaded: found.free_threaded,
        cpu_count: found.cpu_count,
        process_cpu_count: found.process_cpu_count,
        virtual_environment: found.environment.as_deref(),
        start_method: &found.start_method,
        variables: found.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        thread_pools: &found.thread_pools,
        started_by: spec.filter(|spec| spec.kind.is_reference()).map(|spec| spec.start_method.word()),
        interpreters: found.version >= Version(vec![3, 14]),
    }
}
