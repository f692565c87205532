//! The child's side: what a worker process does from its first instruction to its last.
//!
//! `entry` is decided at the very top of `main`, before anything else is set up: start-up is a hot path. Nothing in here
//! knows a dispatcher, a screen or a clock other than the kernel's.

pub(crate) mod calibration;
pub(crate) mod command;
pub mod entry;
pub(crate) mod environment;
mod faults;
pub(crate) mod fork_server;
pub(crate) mod guardian;
mod inbox;
mod initializer;
pub(crate) mod kernels;
mod lane;
pub mod protocol;
mod serve;
pub(crate) mod spin;
pub(crate) mod work;
pub(crate) mod work_error;
