//! What was typed, what the environment says and what the files say, resolved into plain values.
//!
//! Every value knows where it came from. Nothing below this module reads the environment or looks
//! for files by itself.

#[cfg(feature = "serve")]
mod alert_rule;
#[cfg(feature = "serve")]
mod alerts;
mod duration;
mod encryption;
mod environment;
mod file;
mod fixer;
mod layer;
mod learn;
mod moment;
#[cfg(not(feature = "serve"))]
mod no_alerts;
mod origin;
mod otlp;
mod ownership;
mod project;
mod recipe;
mod redact;
mod remote;
mod resolve;
mod retention;
mod run;
mod seal;
mod secret_text;
#[cfg(feature = "postgres")]
mod secret_url;
mod section;
mod served;
mod size;
mod trusted;
mod untrusted;
mod value;

#[cfg(feature = "serve")]
pub(crate) use alerts::AlertSettings;
pub(crate) use auto_recovery::audit::sealing::SealWhen;
pub(crate) use auto_recovery::manager::OnAuditFailure;
pub(crate) use auto_recovery::recipe::Tier;
pub(crate) use auto_recovery::run::{OnLeftover, RollbackTarget};
pub(crate) use duration::{parse_duration, parse_limit};
pub(crate) use encryption::{CHECKPOINTS, EncryptionSettings};
pub(crate) use environment::{Environment, GithubFiles, listed_name};
pub(crate) use file::{
    Mistakes, PROJECT_FILE, SourceFile, Sources, Unread, find_project, read_project_file,
};
pub(crate) use fixer::FixerSetting;
pub(crate) use layer::{Layer, PolicyLayer};
pub(crate) use learn::{LearnLayer, LearnSettings};
pub(crate) use moment::parse_moment;
#[cfg(not(feature = "serve"))]
pub(crate) use no_alerts::AlertSettings;
pub(crate) use origin::{Origin, Setting};
pub(crate) use otlp::OtlpSettings;
pub(crate) use ownership::Doubt;
pub(crate) use project::{Project, commands, sha256};
pub(crate) use recipe::{RecipeAction, RecipeChange, RecipeSetting, RuleSetting};
pub(crate) use redact::{FixerText, RedactSettings};
pub(crate) use remote::RemoteSettings;
pub(crate) use resolve::Settings;
pub(crate) use retention::RetentionSettings;
pub(crate) use run::{Policy, RunRequest, RunSettings};
pub(crate) use seal::SealLayer;
pub(crate) use secret_text::SecretText;
#[cfg(feature = "postgres")]
pub(crate) use secret_url::SecretUrl;
pub(crate) use section::one_line;
pub(crate) use served::ServedSettings;
pub(crate) use size::{human_size, parse_size};
pub(crate) use trusted::{TrustLine, Trusted, TrustedContent};
pub(crate) use untrusted::Untrusted;
pub(crate) use value::{StoreUrl, StrategyCommand, durability_name};
