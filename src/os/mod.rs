//! The operating system: starting and ending processes, signals, shared memory, readings of CPU, memory and cgroups.
//!
//! A leaf that knows no tasks. `unsafe` lives here and nowhere else. What only Linux has sits behind functions that say
//! so where it is absent.

pub mod host;
pub mod job_control;
pub mod readings;
pub mod signals;
