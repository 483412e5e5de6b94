//! Arguments of the commands that seal the record and prove what it says.

use std::path::PathBuf;

use auto_recovery::encryption::Recipient;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::check;

const VERIFY_EXAMPLES: &str = "\
Examples:
  recover verify                                    everything that was ever sealed here
  recover verify --against 412:9f3c1a2b44d0e7c1     and that what a CI log tells of is still there
  recover verify --against ../copy/seals.jsonl      and that a copy tells the same story
  recover verify --pin 3f2a9c01d2b4e6f8 --require sealed,pinned     for a script

Exit codes: 0 everything that was sealed is as it was; 1 something changed or is missing; 3 nothing is
known to have changed, and that cannot be proved: no seal, nobody vouches for the chain, or what
--require asks for is not so; 2 usage, 125.";

/// Verify that nothing that was sealed changed, is missing or was put back
///
/// Reads every seal, the whole journal and every trail, and needs no secret. What is not sealed yet
/// is counted. Sums that are kept beside the entries are counted again.
#[derive(Args, Debug)]
#[command(after_long_help = VERIFY_EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// Sessions whose trails are read; all if left out
    #[arg(value_name = "SESSION", value_parser = check::session)]
    pub(crate) session: Vec<String>,

    /// Every session, which is what is verified if none is named
    #[arg(long, conflicts_with = "session")]
    pub(crate) all: bool,

    /// A seal that was kept elsewhere: N:HEX as a run tells it, or a file of seals
    #[arg(long, value_name = "FILE|N:HEX", value_parser = check::kept_seal)]
    pub(crate) against: Vec<String>,

    /// A chain that must have sealed it, as `recover key show` prints it
    #[arg(long, value_name = "CHAIN", value_parser = check::chain)]
    pub(crate) pin: Vec<String>,

    /// What else must be so, or the exit code is 3
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) require: Vec<Required>,
}

/// What else must be so for a record to be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Required {
    /// Nothing was recorded since the newest seal
    Sealed,
    /// A chain named with --pin sealed it
    Pinned,
    /// A seal given with --against agrees, or a witness of `[seal] witnesses` signed one
    Outside,
}

const SEAL_EXAMPLES: &str = "\
Examples:
  recover seal                          seal what is on record now
  recover seal --print >> ../seals      keep the seal where nobody who can write here can write
  recover seal --sign ~/.ssh/id_ed25519.pub     and sign it as yourself; the signature goes on record
  recover seal --add-checkpoint 0 > request     what a witness is sent to sign the first seal
  recover seal --cosignatures answer    keep what it signed; `recover verify` tells it
  recover seal --new-chain --reason 'restored from the backup of Monday'";

/// Seal what is on record now
///
/// Recoveries seal by themselves. A seal says how many records there are and what they are, signed
/// with a key that is used once; whoever changes anything that it covers is found by `recover
/// verify`.
#[derive(Args, Debug)]
#[command(after_long_help = SEAL_EXAMPLES)]
pub(crate) struct SealArgs {
    /// Print the newest seal whole, as a signed note
    #[arg(long)]
    pub(crate) print: bool,

    /// Sign the seal with this key of yours too, by `ssh-keygen -Y sign`
    #[arg(long, value_name = "PUB")]
    pub(crate) sign: Option<PathBuf>,

    /// Make the last seal of its chain: what is recorded later begins a new one
    #[arg(long, conflicts_with = "new_chain")]
    pub(crate) close: bool,

    /// Print what a witness is sent to sign the newest seal, if it signed one of OLD records last
    /// (0: none)
    #[arg(
        long,
        value_name = "OLD",
        value_parser = check::records,
        allow_hyphen_values = true,
        conflicts_with_all = ["print", "sign", "close"]
    )]
    pub(crate) add_checkpoint: Option<u64>,

    /// Keep the signatures that a witness answered, from this file, or `-` for standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["print", "sign", "close", "new_chain", "add_checkpoint"]
    )]
    pub(crate) cosignatures: Option<PathBuf>,

    /// Only hand the newest seal to the command of `[seal] publish`, as runs do when they end
    #[arg(long, hide = true, conflicts_with_all = ["print", "sign", "close", "new_chain", "add_checkpoint", "cosignatures"])]
    pub(crate) publish_newest: bool,

    /// Go on in a new chain, because the key or the seals of the old one are gone
    #[arg(long, requires = "reason")]
    pub(crate) new_chain: bool,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", requires = "new_chain", value_parser = check::reason)]
    pub(crate) reason: Option<String>,
}

const PROOF_EXAMPLES: &str = "\
Examples:
  recover proof SESSION 2 -o attempt.tlog-proof     the receipt of its second attempt
  recover proof --check attempt.tlog-proof          whether a receipt holds, and what it is of

Exit codes: 0; 1 there is no such attempt, it is not sealed, or the receipt does not hold; 3 it holds,
and nobody here vouches for its chain; 2 usage, 125.";

/// Print a receipt for one attempt, or check one
///
/// A receipt proves by itself that the attempt was on record when the seal was made that stands in
/// it. Checking one needs no store.
#[derive(Args, Debug)]
#[command(after_long_help = PROOF_EXAMPLES)]
pub(crate) struct ProofArgs {
    /// Session of the attempt
    #[arg(
        value_name = "SESSION",
        value_parser = check::session,
        required_unless_present = "check",
        conflicts_with = "check",
        requires = "attempt"
    )]
    pub(crate) session: Option<String>,

    /// Number of the attempt
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) attempt: Option<u64>,

    /// File to write to instead of stdout
    #[arg(long, short, value_name = "FILE", conflicts_with = "check")]
    pub(crate) output: Option<PathBuf>,

    /// Check the receipt in this file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,

    /// A chain that must have sealed it, as `recover key show` prints it
    #[arg(long, value_name = "CHAIN", value_parser = check::chain, requires = "check")]
    pub(crate) pin: Vec<String>,
}

const KEY_EXAMPLES: &str = "\
Examples:
  recover key show     the chain of this store: write it down elsewhere, for `verify --pin`
  recover key list     the chains that this machine began, and the store of each
  recover key witness  the key by which witnesses know this store: their operators are told it
  recover key init -o ~/identity.txt      an identity, and the lines that encrypt texts to it
  recover key rotate --to age1...         after something was erased: old backups open nothing then
  recover key shred SESSION               its texts are gone, here and in every copy";

/// Show the chains of seals that this machine makes, and look after keys of encrypted texts
///
/// Keys of seals make themselves, are used once and need no backup; the one for witnesses stays.
/// The name of a chain is worth writing down: with it, `recover verify --pin` knows the real one
/// anywhere.
#[derive(Args, Debug)]
#[command(after_long_help = KEY_EXAMPLES)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    pub(crate) what: KeyCommand,
}

/// What to do with keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print the name of the chain that seals this store
    Show,
    /// List the chains that this machine began
    List,
    /// Print the key by which witnesses know this store, made the first time
    Witness,
    /// Make an identity, and print what encrypts texts to it
    Init {
        /// File for the identity; it must not be there
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Print the recipients of your identity
    Identity,
    /// Wrap the keys of all sessions for other recipients, all of them or none
    Rotate {
        /// Who opens them from then on: `age1…`
        #[arg(long, value_name = "RECIPIENT", required = true, value_parser = check::recipient)]
        to: Vec<Recipient>,
    },
    /// Destroy the keys of a session: nobody reads its texts any more
    Shred {
        /// Session to make unreadable
        #[arg(value_name = "SESSION", value_parser = check::session)]
        session: String,

        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

const ACCESS_EXAMPLES: &str = "\
Examples:
  recover access                     who can read and write the record, its keys and the configuration
  recover access --sql | psql DATABASE     roles for a store in PostgreSQL

Exit codes: 0; 1 somebody else can read the record or write what it rests on; 2 usage, 125.";

/// Print who can read and write the record
///
/// Of files and directories it prints owner and mode, and what others can do. In PostgreSQL roles
/// decide: --sql prints three, for who writes, who may remove, and who reads.
#[derive(Args, Debug)]
#[command(after_long_help = ACCESS_EXAMPLES)]
pub(crate) struct AccessArgs {
    /// Print SQL that makes the roles of a store in PostgreSQL
    #[arg(long)]
    pub(crate) sql: bool,
}
