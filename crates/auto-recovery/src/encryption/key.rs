//! Recipients and identities: the two halves of a key pair, as age writes them.

use std::fmt;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{Draw, bech32};

const RECIPIENT_PREFIX: &str = "age";
const IDENTITY_PREFIX: &str = "age-secret-key-";

/// How many characters of a recipient name it where it is told.
const SHORT_CHARS: usize = 8;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRefused(&'static str);

impl fmt::Display for KeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for KeyRefused {}

/// Somebody who can be the only one to open something: `age1…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(PublicKey);

/// What opens what was encrypted for its recipient: `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(StaticSecret);

impl Recipient {
    /// The recipient that `text` names.
    ///
    /// # Errors
    /// If it names none.
    pub fn parse(text: &str) -> Result<Self, KeyRefused> {
        if text.to_ascii_lowercase().starts_with(IDENTITY_PREFIX) {
            return Err(KeyRefused("it is a secret key: give the recipient `age1…`"));
        }
        if text.starts_with("ssh-") || text.starts_with("age1yubikey1") {
            return Err(KeyRefused(
                "only keys that `age-keygen` makes can be recipients",
            ));
        }
        let bytes = bech32::decode(RECIPIENT_PREFIX, text).and_then(|bytes| bytes.try_into().ok());
        let bytes: [u8; 32] = bytes.ok_or(KeyRefused("it is no recipient `age1…`"))?;
        // Whoever is that recipient could open nothing, or anybody could.
        let probe = StaticSecret::from([1; 32]).diffie_hellman(&PublicKey::from(bytes));
        match probe.was_contributory() {
            true => Ok(Self(PublicKey::from(bytes))),
            false => Err(KeyRefused("it is no recipient `age1…`")),
        }
    }

    /// Its beginning, for people.
    pub fn short(&self) -> String {
        let text = self.to_string();
        format!("{}…", &text[..SHORT_CHARS])
    }

    pub(super) fn point(&self) -> &PublicKey {
        &self.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bech32::encode(RECIPIENT_PREFIX, self.0.as_bytes()))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Identity {
    /// A new one.
    pub fn new(draw: &mut Draw<'_>) -> Self {
        Self::of(draw())
    }

    pub(super) fn of(secret: [u8; 32]) -> Self {
        Self(StaticSecret::from(secret))
    }

    /// The identity that `text` is.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, KeyRefused> {
        let refused = KeyRefused("it is no identity `AGE-SECRET-KEY-1…`");
        if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(refused);
        }
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let bytes = Zeroizing::new(bech32::decode(IDENTITY_PREFIX, &text).ok_or(refused)?);
        let secret: [u8; 32] = bytes.as_slice().try_into().map_err(|_| refused)?;
        Ok(Self::of(secret))
    }

    /// The identities in `text`, a file as `age-keygen` writes it: one on each line, beside lines
    /// that are empty or begin with `#`.
    ///
    /// # Errors
    /// If it has none, or a line is something else.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, KeyRefused> {
        if text.starts_with("age-encryption.org/v1") || text.starts_with("-----BEGIN") {
            return Err(KeyRefused(
                "it is encrypted, or a key of another kind: use `identity_command`",
            ));
        }
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let found = lines.map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        match found.is_empty() {
            true => Err(KeyRefused("it has no identity `AGE-SECRET-KEY-1…`")),
            false => Ok(found),
        }
    }

    /// Its text, to be kept where only its owner reads.
    pub fn secret_text(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(bech32::encode(IDENTITY_PREFIX, self.0.as_bytes()));
        Zeroizing::new(text.to_ascii_uppercase())
    }

    /// The recipient whose files it opens.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0))
    }

    pub(super) fn secret(&self) -> &StaticSecret {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by `age-keygen` 1.1.1 for this test alone.
    const RECIPIENT: &str = "age1aqywfqw79d5mx4ld6jelkawpn7udgf7frsxszxm4cy3jtp79zqfqwsqrum";
    const IDENTITY: &str = concat!(
        "AGE-SECRET",
        "-KEY-1LUSXG0FUUUM2TMA643VKURZAE9R4MUF3U3PYDNPHND5GKFFXH43QXKA399"
    );

    #[test]
    fn what_age_keygen_makes_is_read_and_written_again() {
        let identity = Identity::parse(IDENTITY).unwrap();
        assert_eq!(*identity.secret_text(), IDENTITY);
        assert_eq!(identity.recipient().to_string(), RECIPIENT);
        assert_eq!(Recipient::parse(RECIPIENT), Ok(identity.recipient()));
        let file = format!("# created: today\n# public key: {RECIPIENT}\n{IDENTITY}\n\n");
        assert_eq!(Identity::parse_file(&file).unwrap().len(), 1);
        assert!(!format!("{identity:?}").contains("SECRET"));
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let says = |text: &str| Recipient::parse(text).unwrap_err().to_string();
        assert!(says(IDENTITY).contains("secret key"));
        assert!(says("ssh-ed25519 AAAA").contains("age-keygen"));
        assert!(says(&RECIPIENT.to_uppercase()).contains("no recipient"));
        let nobody = bech32::encode("age", &[0; 32]);
        assert!(says(&nobody).contains("no recipient"));
        for text in ["", "# nothing\n", RECIPIENT, "-----BEGIN OPENSSH", "x"] {
            Identity::parse_file(text).unwrap_err();
        }
        Identity::parse(&IDENTITY.to_lowercase()).unwrap_err();
    }
}
