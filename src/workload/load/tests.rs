//! What is accepted, and what it becomes. What is refused is in `tests/bad_input.rs`.

