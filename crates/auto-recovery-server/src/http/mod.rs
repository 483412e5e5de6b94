//! HTTP itself: connections, who may ask, what is answered when something is wrong.

mod accept;
mod access;
mod body;
mod compress;
mod guard;
mod login;
mod path;
mod problem;
mod query;
mod scope;
mod secret;
mod tls;
mod tokens;

pub(crate) use accept::ended;
pub use accept::serve;
pub(crate) use access::{Access, Caller};
pub(crate) use body::{Chunks, chunks};
pub(crate) use compress::{compression, decoded, too_large};
pub(crate) use guard::guard;
pub(crate) use login::{leave, login, login_form};
pub(crate) use path::Named;
pub(crate) use problem::Problem;
pub(crate) use query::{Query, length};
pub use scope::Scope;
pub(crate) use scope::{AllNeeds, Needs};
pub use tls::Tls;
pub use tokens::{TokenFacts, Tokens};
