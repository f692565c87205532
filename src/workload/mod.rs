//! WHAT runs: the workload file, its types, its loader and the seeded stream of tasks.
//!
//! A leaf: nothing in here knows an engine, a process or a screen. Both sides of the worker protocol use it: the parent
//! to plan, the child to find out how much work its task is.
//!
//! From text to tasks: [`source`] finds and reads a file (or [`bundled`] one), [`load`] checks it and reports every
//! problem as a [`diagnostic`], [`plan`] says what it would do on a machine, and [`stream`] and [`arrivals`] give out
//! the tasks. Nothing in here runs anything.

pub(crate) mod arrivals;
pub mod bundled;
mod changes;
pub(crate) mod command;
pub mod diagnostic;
pub(crate) mod dist;
mod engines;
mod hash;
pub mod items;
pub mod load;
mod lookalike;
pub mod model;
pub(crate) mod normal;
mod permutation;
pub(crate) mod placeholder;
pub mod plan;
pub(crate) mod program_start;
pub(crate) mod random;
pub(crate) mod redact;
mod render;
mod scan;
pub(crate) mod served;
pub(crate) mod service;
#[cfg(test)]
pub(crate) mod simulated;
pub(crate) mod source;
pub mod stream;
pub(crate) mod sweep;
pub mod task_set;
pub(crate) mod text;
mod told;
pub mod trace;
pub mod units;
pub(crate) mod yaml;
