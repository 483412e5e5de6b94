//! Arguments of the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::ServeCommand;

const SERVE_EXAMPLES: &str = "\
Examples:
  recover serve                                      the store of this machine, for its owner
  recover serve --listen 127.0.0.1:0                 on a port that is free
  recover serve --token-file ~/.config/recover/token     for programs that read the token there
  recover serve --listen 0.0.0.0:4780 --tls-cert cert.pem --tls-key key.pem
                --public-url https://recover.example.org:4780    for other machines
  curl -NH \"Authorization: Bearer $TOKEN\" http://127.0.0.1:4780/api/v1/events

On loopback too, every request needs a token: all users of a machine and all web pages reach it. On a
terminal, a link is printed that logs a browser in, once and within a minute.";

/// How lines of a log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of words.
    #[default]
    Text,
    /// A line of JSON, also for where it listens.
    Json,
}

/// Serve the record over HTTP: a live stream, an API, pages, metrics
///
/// Prints `listening on http://HOST:PORT` on stderr once it answers, and ends within a second after
/// SIGTERM or Ctrl-C. One server a store.
#[derive(Args, Debug)]
#[command(after_long_help = SERVE_EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(crate) what: Option<ServeCommand>,

    /// Where to listen; port 0 takes one that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:4780")]
    pub(crate) listen: SocketAddr,

    /// The file with the token; it is made, for you alone, where there is none
    ///
    /// Without it a token is printed at the first start and kept as a hash.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// The file with its certificate and those above it, in PEM: it then speaks HTTPS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The file with the private key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// The address under which browsers reach it, if a proxy stands before it
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,

    /// Live streams at once; more are told to come again
    #[arg(
        long,
        value_name = "N",
        default_value_t = 512,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub(crate) streams_max: u32,

    /// How to write the log on stderr: who changed what, who was refused, what went wrong
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log: LogFormat,

    /// Listen elsewhere than on loopback, without TLS: a proxy before it has that
    #[arg(long, conflicts_with = "tls_cert")]
    pub(crate) behind_proxy: bool,
}
