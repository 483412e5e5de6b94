//! Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, and a signature with every key.

use auto_recovery::integrity::{base64, decode_base64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use super::tried::{Means, Tried, of};
use crate::alerts::clock::millis;
use crate::alerts::config::Secret;
use crate::alerts::message::Message;
use crate::outbound::OutboundUrl;

/// Bytes of a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The longest body: receivers need take no more.
const BODY_BYTES_MAX: usize = 20_000;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    timestamp: &'a str,
    data: &'a Message,
}

/// The key that `secret` has.
///
/// # Errors
/// What is wrong with it, without repeating it.
pub(crate) fn key(secret: &Secret) -> Result<Vec<u8>, String> {
    let text = secret.0.trim();
    let text = text.strip_prefix("whsec_").unwrap_or(text);
    let key = decode_base64(text).filter(|key| KEY_BYTES.contains(&key.len()));
    key.ok_or_else(|| "must be `whsec_` and 24 to 64 bytes in base64".to_owned())
}

pub(super) fn send(
    url: &OutboundUrl,
    secrets: &[Secret],
    message: &Message,
    means: &Means<'_>,
) -> Tried {
    let now = means.host.now();
    let seconds = (millis(now) / 1000).to_string();
    let body = body(message);
    let signed = format!("{}.{seconds}.{body}", message.id);
    let mut signatures = Vec::new();
    for secret in secrets {
        match key(secret) {
            Ok(key) => signatures.push(format!("v1,{}", signature(&key, signed.as_bytes()))),
            Err(why) => return Tried::Refused(format!("a key {why}"), None),
        }
    }
    let signatures = signatures.join(" ");
    let mut headers = vec![
        ("content-type", "application/json"),
        ("webhook-id", &*message.id),
        ("webhook-timestamp", &*seconds),
    ];
    if !signatures.is_empty() {
        headers.push(("webhook-signature", &*signatures));
    }
    of(means.outbound.post(url, &headers, body.as_bytes(), now))
}

/// The body, cut until it is short enough.
fn body(message: &Message) -> String {
    let text = |message: &Message| {
        let body = Body {
            kind: format!("alert.{}", message.change),
            timestamp: &message.at,
            data: message,
        };
        serde_json::to_string(&body).unwrap_or_default()
    };
    let mut whole = text(message);
    let mut message = message.clone();
    while whole.len() > BODY_BYTES_MAX && !message.incidents.is_empty() {
        message.incidents.pop();
        whole = text(&message);
    }
    whole
}

fn signature(key: &[u8], text: &[u8]) -> String {
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("a key of any length is one")
    };
    hmac.update(text);
    base64(&hmac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let key = key(&Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned())).unwrap();
        let text = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        assert_eq!(
            signature(&key, text),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_key_is_long_enough_and_is_not_repeated() {
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%", "password"] {
            let wrong = key(&Secret(text.to_owned())).unwrap_err();
            assert!(text.len() < 7 || !wrong.contains(text), "{wrong}");
        }
    }

    #[test]
    fn a_body_is_short_enough_whatever_it_tells() {
        let incident = crate::alerts::message::Incident {
            message: "\u{1}".repeat(300),
            tried: vec!["\u{1}".repeat(300); 8],
            ..Default::default()
        };
        let message = Message::new("msg_1", "firing", "", vec![incident; 9]);
        let body = body(&message);
        assert!(body.len() <= BODY_BYTES_MAX, "{}", body.len());
        assert!(body.contains("\"count\":9"));
    }
}
