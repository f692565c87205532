//! The child's side: what a worker process does from its first instruction to its last.
//!
//! `entry` is decided at the very top of `main`, before anything else is set up: start-up is a hot path. Nothing in here
//! knows a dispatcher, a screen or a clock other than the kernel's.

pub mod calibration;
pub mod command;
pub mod entry;
pub mod environment;
pub mod guardian;
pub mod kernels;
pub mod protocol;
pub mod spin;
pub mod work;
pub mod work_error;
