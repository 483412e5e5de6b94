//! Sending a message by whatever channel.

use super::tried::{Means, Tried, of};
use super::{alertmanager, chat, command, webhook};
use crate::alerts::config::{Channel, Secret};
use crate::alerts::message::{Incident, Message};
use crate::digest::digest_of;
use crate::outbound::OutboundUrl;

/// Whether `secret` is a key of a webhook.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub fn check_key(secret: &Secret) -> Result<(), String> {
    webhook::key(secret).map(drop)
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
        digest_of(&whole, 8)
    }
}

fn post(url: &OutboundUrl, body: &str, means: &Means<'_>) -> Tried {
    let json = [("content-type", "application/json")];
    of(means
        .outbound
        .post(url, &json, body.as_bytes(), means.host.now()))
}
