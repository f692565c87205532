//! stub
/// b
pub struct Bundled {
    /// n
    pub name: &'static str,
    /// t
    pub text: &'static str,
}
/// a
pub fn all() -> &'static [Bundled] {
    &[]
}
