//! What a token lets its holder do.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use axum::http::Method;

/// What a token lets its holder do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See everything.
    Read,
    /// Record attempts, too.
    Write,
    /// Hold, release and remove sessions, too.
    Admin,
}

impl Scope {
    /// All, the least first.
    const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// How it is kept: its name and those of all that it includes.
    pub(super) fn kept(self) -> String {
        let included = Self::ALL.into_iter().filter(|one| *one <= self);
        included.map(Self::as_str).collect::<Vec<_>>().join(" ")
    }

    /// The scope that was kept as `text`; one that is not known lets nobody do anything.
    pub(super) fn read_kept(text: &str) -> Option<Self> {
        text.split(' ').filter_map(|name| name.parse().ok()).max()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|scope| scope.as_str() == name).ok_or(())
    }
}

/// What a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it tells nothing of the store.
    Nothing,
    /// A token with this scope, or the login of a browser that used one.
    Scope(Scope),
}

/// What requests need, by the pattern of their path and by method.
pub(crate) struct AllNeeds(HashMap<(&'static str, Method), Needs>);

impl AllNeeds {
    /// Those of `routes`.
    pub(crate) fn new(routes: impl Iterator<Item = ((&'static str, Method), Needs)>) -> Self {
        Self(routes.collect())
    }

    /// Those of a request by `method` for a path of the pattern `path`. What is not known needs a
    /// token, too.
    pub(crate) fn of(&self, path: Option<&str>, method: &Method) -> Needs {
        let method = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        let known = path.and_then(|path| self.0.get(&(path, method.clone())));
        known.copied().unwrap_or(Needs::Scope(Scope::Read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_was_kept() {
        for scope in Scope::ALL {
            assert_eq!(Scope::read_kept(&scope.kept()), Some(scope));
        }
        assert_eq!(Scope::Admin.kept(), "read write admin");
        for text in ["", "root", "readwrite"] {
            assert_eq!(Scope::read_kept(text), None, "{text}");
        }
    }
}
