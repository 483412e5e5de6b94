//! Arguments about the tokens of a server.

use clap::{Args, Subcommand};

const TOKEN_EXAMPLES: &str = "\
Examples:
  recover serve token add --read grafana     prints the token, once
  recover serve token add --write ci         for machines that record here
  recover serve token remove ci              from now on it opens nothing";

/// What else there is to do about a server.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Make, list and remove tokens, also while the server runs
    Token(TokenArgs),
}

/// Make, list and remove tokens, also while the server runs
///
/// Only their hashes are kept: a token is printed when it is made, and never again.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = TOKEN_EXAMPLES)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) what: TokenCommand,
}

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it
    Add {
        #[command(flatten)]
        scope: ScopeArgs,

        /// Name for the token: the record says it of whatever is done with it
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// List names and scopes
    List,
    /// Remove a token, and end the logins that were made with it
    Remove {
        /// Name of the token
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// What a token lets its holder do.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct ScopeArgs {
    /// See everything
    #[arg(long)]
    pub(crate) read: bool,

    /// See everything, and record attempts
    #[arg(long)]
    pub(crate) write: bool,

    /// See everything, record, hold, release and remove
    #[arg(long)]
    pub(crate) admin: bool,
}
