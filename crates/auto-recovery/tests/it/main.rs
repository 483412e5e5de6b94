//! The library's tests: one binary, one module a topic.

mod tidy;
