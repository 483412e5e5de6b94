//! The texts of rules, borrowed from the built-in files: to copy thousands of them would be a third
//! of what the rules cost a failing run.

use std::borrow::Cow;

/// A text of a rule: part of a built-in file, or read from a user's.
pub type Text = Cow<'static, str>;
