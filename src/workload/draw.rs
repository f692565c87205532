//! stub
use super::model::{Dist, TaskIndex};
use std::time::Duration;
/// p
pub fn phase_time(dist: &Dist, _seed: u64, _index: TaskIndex, _phase: u32) -> Duration {
    match dist {
        Dist::Constant(time) => *time,
        _ => Duration::from_millis(1),
    }
}
