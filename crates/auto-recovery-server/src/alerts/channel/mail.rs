//! Mail by SMTP. The library that writes it keeps text from becoming a header; `Message-ID` is that
//! of the message over all tries, so that a mailbox can tell a repeat.

use std::time::Duration;

use auto_recovery::files::{Links, read_small};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{SmtpTransport, Transport as _};

use super::tried::{Means, Tried};
use crate::alerts::config::{Mail, MailTls};
use crate::alerts::message::{Message, cut_to};
use crate::outbound::ROOTS_BYTES_MAX;

/// The time that a server has to answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 200;

pub(super) fn send(mail: &Mail, message: &Message, means: &Means<'_>) -> Tried {
    let transport = match transport(mail, means) {
        Ok(transport) => transport,
        Err(why) => return Tried::Refused(why, None),
    };
    let letter = match letter(mail, message) {
        Ok(letter) => letter,
        Err(why) => return Tried::Refused(why, None),
    };
    match transport.send(&letter) {
        Ok(_) => Tried::Sent,
        Err(error) if error.is_permanent() || error.is_transient() => {
            Tried::Refused(auto_recovery::escape::escape_text(&error.to_string()), None)
        }
        Err(error) => Tried::Unanswered(chain(&error)),
    }
}

fn transport(mail: &Mail, means: &Means<'_>) -> Result<SmtpTransport, String> {
    use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};

    let mut tls = TlsParameters::builder(mail.host.clone());
    if let Some(path) = means.roots {
        let unusable = |error: String| format!("{}: {error}", path.display());
        let pem = read_small(path, Links::Follow, ROOTS_BYTES_MAX);
        let pem = pem.map_err(|error| unusable(error.to_string()))?;
        let own = Certificate::from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        tls = tls.add_root_certificate(own);
    }
    let parameters = || tls.build_rustls().map_err(|error| error.to_string());
    let tls = match mail.tls {
        MailTls::Whole => Tls::Wrapper(parameters()?),
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::Plain => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(&mail.host)
        .port(mail.port)
        .tls(tls)
        .timeout(Some(TIMEOUT));
    if let Some((name, password)) = &mail.login {
        builder = builder.credentials(Credentials::new(name.clone(), password.0.clone()));
    }
    Ok(builder.build())
}

fn letter(mail: &Mail, message: &Message) -> Result<lettre::Message, String> {
    let mailbox = |text: &str| {
        let parsed = text.parse::<Mailbox>();
        parsed.map_err(|_| format!("{text:?} is no address of mail"))
    };
    let from = mailbox(&mail.from)?;
    let domain = from.email.domain().to_owned();
    let mut builder: MessageBuilder = lettre::Message::builder().from(from);
    for to in &mail.to {
        builder = builder.to(mailbox(to)?);
    }
    let subject = format!("[recover] {}", message.title());
    let automatic = HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    );
    let body = message.lines().join("\n") + "\n";
    builder
        .subject(cut_to(&subject, SUBJECT_CHARS_MAX))
        .message_id(Some(format!("<{}@{domain}>", message.id)))
        .raw_header(automatic)
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|error| error.to_string())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
