//! The child's side: what a worker process does from its first instruction to its last.
//!
//! `entry` is decided at the very top of `main`, before anything else is set up: start-up is a hot path. Nothing in here
//! knows a dispatcher, a screen or a clock other than the kernel's. Workers of other people's programs are seen through a
//! `shim`.

pub(crate) mod calibration;
pub(crate) mod command;
pub mod entry;
pub(crate) mod environment;
mod faults;
pub(crate) mod fork_server;
pub(crate) mod guardian;
mod inbox;
mod initializer;
pub(crate) mod keeper;
pub(crate) mod kept_output;
pub(crate) mod kernels;
mod lane;
pub(crate) mod lines;
pub mod protocol;
pub mod python;
mod serve;
pub(crate) mod shim;
pub(crate) mod spin;
pub(crate) mod spooled_output;
pub(crate) mod work;
pub(crate) mod work_error;
