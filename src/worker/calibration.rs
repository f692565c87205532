//! stub
/// c
#[derive(Clone, Copy, Debug)]
pub struct Calibration {
    /// i
    pub iterations_per_second: f64,
}
