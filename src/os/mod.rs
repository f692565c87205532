//! The operating system: starting and ending processes, signals, shared memory, readings of CPU, memory and cgroups.
//!
//! A leaf that knows no tasks. `unsafe` lives here and nowhere else. What only Linux has sits behind functions that say
//! so where it is absent.

pub mod accounting;
pub mod board;
pub mod capture;
pub mod cgroup;
pub mod child;
pub mod clock;
pub mod dev_null;
pub mod early;
pub mod heap;
pub mod host;
pub mod inherited;
pub mod job_control;
pub mod last_act;
pub mod limits;
pub mod oom;
pub mod orphans;
pub mod pages;
pub mod pipe;
pub mod pressure;
pub mod probes;
pub mod process_owner;
pub mod readiness;
pub mod readings;
pub mod signal_watch;
pub mod signals;
pub mod slot_groups;
pub mod spawn;
pub mod standard_output;
pub mod threads;
pub mod timer;
