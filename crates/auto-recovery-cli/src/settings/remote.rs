//! What proves who we are to a server, and it to us: `[remote]`, RECOVER_TOKEN, SSL_CERT_FILE.

use std::path::PathBuf;

use auto_recovery::Result;

use crate::settings::section::Section;
use crate::settings::value::absolute_path;
use crate::settings::{Environment, Origin, SecretText, Setting};

/// What the user's own file and the environment say of it. No project says anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RemoteSettings {
    /// The token, from the environment.
    pub(crate) token: Option<Setting<SecretText>>,
    /// The file with the token, for its owner alone.
    pub(crate) token_file: Option<Setting<PathBuf>>,
    /// The file of certificates that are trusted where the URL names none.
    pub(crate) certificates: Option<Setting<PathBuf>>,
}

impl RemoteSettings {
    /// What `[remote]` of the user's own file says.
    pub(super) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("remote")? else {
            return Ok(Self::default());
        };
        let token_file = section.parsed("token_file", absolute_path)?;
        section.finish()?;
        Ok(Self {
            token_file,
            ..Self::default()
        })
    }

    /// What the environment says.
    pub(super) fn of_environment(environment: &Environment) -> Self {
        let token = environment.token.clone();
        let certificates = environment.ssl_cert_file.clone();
        Self {
            token: token.map(|value| Setting {
                value,
                origin: Origin::Environment("RECOVER_TOKEN"),
            }),
            token_file: None,
            certificates: certificates.map(|value| Setting {
                value,
                origin: Origin::Environment("SSL_CERT_FILE"),
            }),
        }
    }

    /// Takes from `weaker` whatever this says nothing about.
    pub(super) fn lay_over(&mut self, weaker: &Self) {
        let Self {
            token,
            token_file,
            certificates,
        } = weaker;
        self.token = self.token.take().or_else(|| token.clone());
        self.token_file = self.token_file.take().or_else(|| token_file.clone());
        self.certificates = self.certificates.take().or_else(|| certificates.clone());
    }
}
