//! Pages for people: made here, whole without a script, every filter in the address.
//!
//! Text that others wrote goes in through the templates, which escape it, or through the library's
//! report, which does too.

mod about;
mod actions;
mod advice;
mod alert_forms;
mod alert_strip;
mod alerts;
mod assets;
mod choices;
mod failures;
mod frame;
mod live;
mod login;
mod overview;
mod pieces;
mod session;
mod sessions;
mod stats;
mod took;
mod view;

pub(crate) use about::about;
pub(crate) use actions::{clear, hold, release};
pub(crate) use advice::advice;
pub(crate) use alert_forms::{acknowledge, again, end_acknowledgement, end_silence, silence};
pub(crate) use alerts::alerts;
pub(crate) use assets::{script, style};
pub(crate) use choices::in_view;
pub(crate) use failures::{failure, failures};
pub(crate) use live::live;
pub(crate) use login::login;
pub(crate) use overview::overview;
pub(crate) use session::session;
pub(crate) use sessions::sessions;
pub(crate) use stats::{make_anew, stats};
