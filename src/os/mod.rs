//! The operating system: starting and ending processes, signals, shared memory, readings of CPU, memory and cgroups.
//!
//! A leaf that knows no tasks. `unsafe` lives here and nowhere else. What only Linux has sits behind functions that say
//! so where it is absent.

pub mod accounting;
pub mod board;
pub mod capture;
pub(crate) mod cgroup;
pub mod child;
pub mod clock;
pub(crate) mod dev_null;
pub(crate) mod early;
pub(crate) mod ends;
pub(crate) mod family;
pub(crate) mod fork;
pub mod heap;
pub mod host;
pub mod inherited;
pub(crate) mod job_control;
pub(crate) mod last_act;
pub mod limits;
pub(crate) mod live_usage;
pub(crate) mod memory_file;
pub(crate) mod oom;
pub mod orphans;
pub(crate) mod owned;
pub(crate) mod packets;
pub(crate) mod pages;
pub mod pipe;
pub(crate) mod pressure;
pub(crate) mod private_folder;
pub(crate) mod probes;
pub mod process_owner;
pub(crate) mod process_table;
pub(crate) mod readiness;
pub mod readings;
pub(crate) mod relatives;
mod resource_tracker;
pub mod signal_watch;
pub(crate) mod signals;
pub(crate) mod slot_groups;
pub(crate) mod spare_cores;
pub mod spawn;
pub mod standard_output;
pub mod surroundings;
pub(crate) mod teller;
pub(crate) mod terminal_input;
pub(crate) mod threads;
pub(crate) mod timer;
pub(crate) mod worded;
