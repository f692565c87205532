//! The child's side: what a worker process does from its first instruction to its last.
//!
//! `entry` is decided at the very top of `main`, before anything else is set up: start-up is a hot path. Nothing in here
//! knows a dispatcher, a screen or a clock other than the kernel's.

pub mod calibration;
pub mod command;
pub mod entry;
pub mod environment;
mod faults;
pub mod guardian;
mod inbox;
mod initializer;
pub mod kernels;
mod lane;
pub mod protocol;
mod serve;
pub mod spin;
pub mod work;
pub mod work_error;
