//! stub
/// m
pub struct Machine {
    /// a
    pub usable_cores: u32,
    /// b
    pub max_processes: u32,
    /// c
    pub memory_bytes: u64,
}
/// p
#[derive(serde::Serialize)]
pub struct Plan {
    /// w
    pub warnings: Vec<String>,
    /// r
    pub refusals: Vec<String>,
}
impl Plan {
    /// n
    pub fn new(_: &super::model::Workload, _: &Machine) -> Self {
        Self { warnings: vec![], refusals: vec![] }
    }
    /// e
    pub fn explain(&self) -> String {
        String::new()
    }
}
