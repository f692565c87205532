//! WHAT runs: the workload file, its types, its loader and the seeded stream of tasks.
//!
//! A leaf: nothing in here knows an engine, a process or a screen. Both sides of the worker protocol use it: the parent
//! to plan, the child to find out how much work its task is.

pub mod arrivals;
pub mod model;
pub mod random;
pub mod stream;
