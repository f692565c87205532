//! stub
use crate::worker::calibration::Calibration;
use crate::workload::model::{Kernel, Work};
/// r
pub fn run(work: &Work, _seed: u64, index: u64, _c: Calibration) -> Result<u64, std::io::Error> {
    match work {
        Work::Kernel(Kernel::Noop) => Ok(std::hint::black_box(index)),
        Work::Sleep(crate::workload::model::Dist::Constant(d)) => {
            std::thread::sleep(*d);
            Ok(0)
        }
        _ => Err(std::io::Error::other("stub")),
    }
}
