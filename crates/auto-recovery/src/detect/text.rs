//! The texts of rules, borrowed from the built-in files: copying thousands of them would be a third
//! of the rules' cost for a failing run.

use std::borrow::Cow;

/// A text of a rule: part of a built-in file, or read from a user's.
pub type Text = Cow<'static, str>;
