//! Sending a message by whatever channel, and what its answer means.

use std::time::Duration;

use auto_recovery::host::Host;
use sha2::{Digest as _, Sha256};

use super::{alertmanager, chat, command, webhook};
use crate::alerts::config::{Channel, Secret};
use crate::alerts::message::{Incident, Message};
use crate::outbound::{Answer, Outbound, OutboundUrl};

/// The part of an answer that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 200;

/// Whether `secret` is a key of a webhook.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn check_key(secret: &Secret) -> Result<(), String> {
    webhook::key(secret).map(drop)
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// It was taken.
    Sent,
    /// It was refused, and is to be tried again, not before that long.
    Refused(String, Option<Duration>),
    /// Nobody knows whether it was taken.
    Unanswered(String),
    /// The destination is gone for good.
    Gone,
}

/// What every channel may use.
pub(crate) struct Means<'a> {
    pub(crate) outbound: &'a Outbound,
    pub(crate) host: &'a dyn Host,
    /// The directory for the files that programs are given.
    pub(crate) dir: &'a std::path::Path,
    /// Certificates that are trusted.
    #[cfg(feature = "smtp")]
    pub(crate) roots: Option<&'a std::path::Path>,
}

impl Channel {
    /// Sends `message`, which tells of `incidents`; `maybe` says that it may have been sent before.
    pub(crate) fn send(
        &self,
        message: &Message,
        incidents: &[Incident],
        maybe: bool,
        means: &Means<'_>,
    ) -> Tried {
        match self {
            Self::Webhook { url, secrets } => webhook::send(url, secrets, message, means),
            Self::Alertmanager { url } => {
                alertmanager::send(url, incidents, message.link.as_deref(), means)
            }
            Self::Slack { url } => post(url, &chat::slack(message, maybe), means),
            Self::Discord { url } => post(url, &chat::discord(message, maybe), means),
            Self::Teams { url } => post(url, &chat::teams(message, maybe), means),
            Self::Ntfy { url, topic, token } => {
                let body = chat::ntfy(topic, message, maybe);
                let bearer = token.as_ref().map(|token| format!("Bearer {}", token.0));
                let mut headers = vec![("content-type", "application/json")];
                headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
                let now = means.host.now();
                of(means.outbound.post(url, &headers, body.as_bytes(), now))
            }
            Self::Command { argv } => command::run(argv, message, means),
            #[cfg(feature = "smtp")]
            Self::Mail(mail) => super::mail::send(mail, message, means),
        }
    }

    /// Tells again what fires, where that is needed for it to go on.
    pub(crate) fn keep_alive(
        &self,
        incidents: &[Incident],
        link: Option<&str>,
        means: &Means<'_>,
    ) -> Option<Tried> {
        match self {
            Self::Alertmanager { url } if !incidents.is_empty() => {
                Some(alertmanager::send(url, incidents, link, means))
            }
            _ => None,
        }
    }

    /// A text that is another once the destination is another.
    pub(crate) fn fingerprint(&self) -> String {
        let whole = match self {
            Self::Webhook { url, .. }
            | Self::Alertmanager { url }
            | Self::Slack { url }
            | Self::Discord { url }
            | Self::Teams { url } => url.whole().to_owned(),
            Self::Ntfy { url, topic, .. } => format!("{} {topic}", url.whole()),
            Self::Command { argv } => argv.join("\0"),
            #[cfg(feature = "smtp")]
            Self::Mail(mail) => format!("{} {} {:?}", mail.host, mail.port, mail.to),
        };
        let digest = Sha256::digest(whole.as_bytes());
        digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn post(url: &OutboundUrl, body: &str, means: &Means<'_>) -> Tried {
    let json = [("content-type", "application/json")];
    of(means
        .outbound
        .post(url, &json, body.as_bytes(), means.host.now()))
}

/// What an answer means.
pub(super) fn of(answer: auto_recovery::Result<Answer>) -> Tried {
    match answer {
        Err(error) => Tried::Unanswered(error.chain()),
        Ok(answer) if answer.is_taken() => Tried::Sent,
        Ok(answer) if answer.status == 410 => Tried::Gone,
        Ok(answer) => {
            let said = String::from_utf8_lossy(&answer.body);
            let said = auto_recovery::escape::escape_text(&said);
            let said: String = said.chars().take(ANSWER_CHARS_MAX).collect();
            let heeds = matches!(answer.status, 429 | 502 | 503 | 504);
            let wait = answer.retry_after.filter(|_| heeds);
            Tried::Refused(format!("{} {said}", answer.status), wait)
        }
    }
}
