//! The guide's page on the library, compiled: here, because it uses the stores of this crate too.

#[doc = include_str!("../../../docs/guide/library.md")]
struct Library;
