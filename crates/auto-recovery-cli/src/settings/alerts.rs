//! What is watched for and who is told: `[alert.NAME]`, `[notify.NAME]` and `[alerts]` of the
//! user's own file. A project can page nobody.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::files::{Links, read_small};
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_server::{
    Alerting, Channel, Destination, OutboundUrl, QuietHours, Rule, Secret, check_key,
};

use crate::settings::alert_rule::rule;
use crate::settings::section::Section;
use crate::settings::value::absolute_path;
use crate::settings::{Origin, Setting, StrategyCommand};

/// The longest file with a secret.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// The longest time that a transition may wait for others: what is told later helps nobody.
const GATHER_MAX: Duration = Duration::from_secs(60 * 60);

/// The longest name of a rule or a destination, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Everything about alerts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct AlertSettings {
    /// What is watched for.
    pub(crate) rules: Vec<Setting<Rule>>,
    /// Who can be told.
    pub(crate) destinations: Vec<Setting<Notify>>,
    /// Certificates that are trusted.
    pub(crate) ca_file: Option<Setting<PathBuf>>,
    /// The address under which people reach the server.
    pub(crate) link: Option<Setting<String>>,
    /// Who is told each minute that rules are worked out.
    pub(crate) watchdog: Option<Setting<Text>>,
    /// When only what is critical is told, in UTC.
    pub(crate) quiet_hours: Option<Setting<QuietHours>>,
    /// How long a transition waits for others.
    pub(crate) gather: Option<Setting<Duration>>,
    /// This many incidents in five minutes are one message.
    pub(crate) storm: Option<Setting<u32>>,
}

/// A text that may be a secret, here or in a file.
#[derive(Clone, PartialEq)]
pub(crate) enum Text {
    /// The text.
    Here(String),
    /// The file with it.
    File(PathBuf),
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(_) => f.write_str("…"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Text {
    fn read(&self) -> Result<String> {
        match self {
            Self::Here(text) => Ok(text.clone()),
            Self::File(path) => {
                let bytes = read_small(path, Links::Follow, SECRET_BYTES_MAX);
                let bytes = bytes.map_err(|error| Error::io("read", path, error))?;
                Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
            }
        }
    }
}

/// A destination as the file names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notify {
    name: String,
    way: Way,
}

#[derive(Clone, Debug, PartialEq)]
enum Way {
    Webhook(Text, Vec<Text>),
    Alertmanager(Text),
    Slack(Text),
    Discord(Text),
    Teams(Text),
    Ntfy(Text, String, Option<Text>),
    Command(Vec<String>),
    #[cfg(feature = "smtp")]
    Mail(Box<MailWay>),
}

#[cfg(feature = "smtp")]
#[derive(Clone, Debug, PartialEq)]
struct MailWay {
    host: String,
    port: u16,
    tls: auto_recovery_server::MailTls,
    user: Option<String>,
    password: Option<Text>,
    from: String,
    to: Vec<String>,
}

impl AlertSettings {
    /// Reads the tables of the user's own file.
    pub(crate) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        let mut settings = Self::default();
        if let Some(mut section) = root.table("alerts")? {
            settings.ca_file = section.parsed("ca_file", absolute_path)?;
            settings.link = section.parsed("link", link)?;
            settings.watchdog = text(&mut section, "watchdog", "watchdog_file", &checked_url)?;
            settings.quiet_hours = section.parsed("quiet_hours", str::parse)?;
            settings.gather = section.duration_up_to("gather", GATHER_MAX)?;
            settings.storm = section.number("storm", 2)?;
            section.finish()?;
        }
        for (name, mut section) in root.tables("notify")? {
            check_name(&name, &section)?;
            let way = way(&mut section)?;
            section.finish()?;
            let value = Notify { name, way };
            let origin = section.origin();
            settings.destinations.push(Setting { value, origin });
        }
        let known: BTreeSet<String> = settings
            .destinations
            .iter()
            .map(|one| one.value.name.clone())
            .collect();
        for (name, section) in root.tables("alert")? {
            check_name(&name, &section)?;
            let origin = section.origin();
            let value = rule(name, section, &known)?;
            settings.rules.push(Setting { value, origin });
        }
        Ok(settings)
    }

    /// The stronger of two.
    pub(super) fn lay_over(&mut self, weaker: &Self) {
        let Self {
            rules,
            destinations,
            ca_file,
            link,
            watchdog,
            quiet_hours,
            gather,
            storm,
        } = weaker;
        self.rules.extend(rules.iter().cloned());
        self.destinations.extend(destinations.iter().cloned());
        self.ca_file = self.ca_file.take().or_else(|| ca_file.clone());
        self.link = self.link.take().or_else(|| link.clone());
        self.watchdog = self.watchdog.take().or_else(|| watchdog.clone());
        self.gather = self.gather.take().or_else(|| gather.clone());
        self.storm = self.storm.take().or_else(|| storm.clone());
        self.quiet_hours = self.quiet_hours.take().or_else(|| quiet_hours.clone());
    }

    /// The plain values, with the secrets of files. `link` is the server's own public address.
    ///
    /// # Errors
    /// If a file cannot be read, or has no such secret.
    pub(crate) fn alerting(&self, spool: Option<PathBuf>, link: Option<&str>) -> Result<Alerting> {
        let destinations = self.destinations.iter();
        let destinations = destinations.map(|one| {
            let channel = one.value.channel(&one.origin)?;
            Ok(Destination {
                name: one.value.name.clone(),
                channel,
            })
        });
        let watchdog = self.watchdog.as_ref();
        let own = self.link.as_ref().map(|link| link.value.clone());
        Ok(Alerting {
            rules: self.rules.iter().map(|rule| rule.value.clone()).collect(),
            destinations: destinations.collect::<Result<_>>()?,
            ca_file: self.ca_file.as_ref().map(|path| path.value.clone()),
            link: own.or_else(|| link.map(|link| link.trim_end_matches('/').to_owned())),
            watchdog: watchdog
                .map(|one| url(&one.value, &one.origin))
                .transpose()?,
            quiet: self.quiet_hours.as_ref().map(|hours| hours.value.clone()),
            gather: self.gather.as_ref().map(|gather| gather.value),
            storm: self.storm.as_ref().map(|storm| storm.value),
            spool,
        })
    }
}

impl Notify {
    /// The kind of destination that it is, for people.
    pub(crate) fn shown(&self) -> (&str, &'static str) {
        let kind = match &self.way {
            Way::Webhook(..) => "webhook",
            Way::Alertmanager(_) => "alertmanager",
            Way::Slack(_) => "slack",
            Way::Discord(_) => "discord",
            Way::Teams(_) => "teams",
            Way::Ntfy(..) => "ntfy",
            Way::Command(_) => "command",
            #[cfg(feature = "smtp")]
            Way::Mail(_) => "mail",
        };
        (&self.name, kind)
    }

    fn channel(&self, origin: &Origin) -> Result<Channel> {
        Ok(match &self.way {
            Way::Webhook(to, secrets) => Channel::Webhook {
                url: url(to, origin)?,
                secrets: keys(secrets, origin)?,
            },
            Way::Alertmanager(to) => Channel::Alertmanager {
                url: url(to, origin)?,
            },
            Way::Slack(to) => Channel::Slack {
                url: url(to, origin)?,
            },
            Way::Discord(to) => Channel::Discord {
                url: url(to, origin)?,
            },
            Way::Teams(to) => Channel::Teams {
                url: url(to, origin)?,
            },
            Way::Ntfy(to, topic, token) => Channel::Ntfy {
                url: url(to, origin)?,
                topic: topic.clone(),
                token: secret(token.as_ref(), "token", origin)?,
            },
            Way::Command(argv) => Channel::Command { argv: argv.clone() },
            #[cfg(feature = "smtp")]
            Way::Mail(mail) => {
                let password = secret(mail.password.as_ref(), "password", origin)?;
                let login = mail.user.clone().zip(password);
                Channel::Mail(auto_recovery_server::Mail {
                    host: mail.host.clone(),
                    port: mail.port,
                    tls: mail.tls,
                    login,
                    from: mail.from.clone(),
                    to: mail.to.clone(),
                })
            }
        })
    }
}

fn url(text: &Text, origin: &Origin) -> Result<OutboundUrl> {
    OutboundUrl::parse(&text.read()?).map_err(|why| wrong(origin, &format!("its URL {why}")))
}

/// The keys in `secrets`; a file may have several, one a line.
fn keys(secrets: &[Text], origin: &Origin) -> Result<Vec<Secret>> {
    let mut keys = Vec::new();
    for secret in secrets {
        for line in secret
            .read()?
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            let key = Secret(line.trim().to_owned());
            check_key(&key).map_err(|why| wrong(origin, &format!("a secret {why}")))?;
            keys.push(key);
        }
    }
    match keys.is_empty() && !secrets.is_empty() {
        true => {
            let why = "its file of secrets has none: write `whsec_…` there, or leave `secrets_file` \
                       out to send without a signature";
            Err(wrong(origin, why))
        }
        false => Ok(keys),
    }
}

fn wrong(origin: &Origin, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{origin}: {why}"))
}

/// The text at `key`, which `check` accepts, or the file at `file_key`.
fn text(
    section: &mut Section<'_>,
    key: &'static str,
    file_key: &'static str,
    check: &dyn Fn(&str) -> Result<(), String>,
) -> Result<Option<Setting<Text>>> {
    let here = section.parsed(key, |text| {
        check(text).map(|()| Text::Here(text.to_owned()))
    })?;
    let file = section.parsed(file_key, |path| absolute_path(path).map(Text::File))?;
    match (here, file) {
        (Some(_), Some(_)) => {
            Err(section.refuse(&format!("has both `{key}` and `{file_key}`: remove one")))
        }
        (here, file) => Ok(here.or(file)),
    }
}

fn checked_url(text: &str) -> Result<(), String> {
    OutboundUrl::parse(text).map(drop)
}

/// That `text` can be a token or a password, without repeating it.
fn is_secret(text: &str) -> Result<(), String> {
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err("must be a text of one line that is not empty".to_owned()),
        false => Ok(()),
    }
}

/// The secret `text` that is called `name`, if there is one.
fn secret(text: Option<&Text>, name: &str, origin: &Origin) -> Result<Option<Secret>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let text = text.read()?;
    is_secret(&text).map_err(|why| wrong(origin, &format!("its {name} {why}")))?;
    Ok(Some(Secret(text)))
}

/// A topic as ntfy takes it.
fn topic(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("must be 1 to 64 letters, digits, `_` and `-`: ntfy has no other".to_owned()),
    }
}

/// Makes sure that people can call a rule or a destination by `name`.
fn check_name(name: &str, section: &Section<'_>) -> Result<()> {
    let length = name.chars().count();
    match (1..=NAME_CHARS_MAX).contains(&length) && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(section.refuse(&format!(
            "needs a name of 1 to {NAME_CHARS_MAX} characters in one line, like [alert.outage]"
        ))),
    }
}

fn link(text: &str) -> Result<String, String> {
    checked_url(text)?;
    Ok(text.trim_end_matches('/').to_owned())
}

fn way(section: &mut Section<'_>) -> Result<Way> {
    let Some(kind) = section.text("kind")? else {
        return Err(section.refuse("needs a `kind`, like \"webhook\""));
    };
    let mut needs_url = || {
        let found = text(section, "url", "url_file", &checked_url)?;
        found
            .map(|found| found.value)
            .ok_or_else(|| section.refuse("needs `url` or `url_file`"))
    };
    Ok(match &*kind.value {
        "webhook" => {
            let url = needs_url()?;
            let is_key = |text: &str| check_key(&Secret(text.to_owned()));
            let here = section.parsed_texts("secrets", |text| {
                is_key(text).map(|()| Text::Here(text.to_owned()))
            });
            // What is wrong with one is said without the key itself.
            let here = here.map_err(|_| {
                section.refuse("`secrets` must be texts `whsec_…` with 24 to 64 bytes in base64")
            })?;
            let file =
                section.parsed("secrets_file", |path| absolute_path(path).map(Text::File))?;
            if here.as_ref().is_some_and(|here| here.value.is_empty()) {
                let why = "has `secrets` of nothing: leave it out to send without a signature";
                return Err(section.refuse(why));
            }
            let here = here.map(|here| here.value).unwrap_or_default();
            Way::Webhook(
                url,
                here.into_iter()
                    .chain(file.map(|file| file.value))
                    .collect(),
            )
        }
        "alertmanager" => Way::Alertmanager(needs_url()?),
        "slack" => Way::Slack(needs_url()?),
        "discord" => Way::Discord(needs_url()?),
        "teams" => Way::Teams(needs_url()?),
        "ntfy" => {
            let url = needs_url()?;
            let topic = section.parsed("topic", topic)?;
            let token = text(section, "token", "token_file", &is_secret)?;
            match topic {
                Some(topic) => Way::Ntfy(url, topic.value, token.map(|token| token.value)),
                None => return Err(section.refuse("needs a `topic`")),
            }
        }
        "command" => match section.command("run")?.map(|run| run.value) {
            Some(StrategyCommand::Argv(argv)) => Way::Command(argv),
            _ => {
                let why = "needs `run`, a list: [\"program\", \"argument\"]; no shell is asked";
                return Err(section.refuse(why));
            }
        },
        #[cfg(feature = "smtp")]
        "mail" => mail(section)?,
        #[cfg(not(feature = "smtp"))]
        "mail" => {
            return Err(section.refuse("is mail, which this `recover` was built without"));
        }
        _ => {
            let why = "has no such `kind`: webhook, alertmanager, slack, discord, teams, ntfy, \
                       command or mail";
            return Err(section.refuse(why));
        }
    })
}

#[cfg(feature = "smtp")]
fn mail(section: &mut Section<'_>) -> Result<Way> {
    use auto_recovery_server::MailTls;

    let host = section.text("host")?.map(|host| host.value);
    let tls = section.parsed("tls", |text| match text {
        "always" => Ok(MailTls::Whole),
        "starttls" => Ok(MailTls::StartTls),
        "off" => Ok(MailTls::Plain),
        _ => Err("must be always, starttls or off"),
    })?;
    let tls = tls.map_or(MailTls::Whole, |tls| tls.value);
    let port = section.number("port", 1)?.map(|port| port.value);
    let user = section.text("user")?.map(|user| user.value);
    let password = text(section, "password", "password_file", &is_secret)?.map(|one| one.value);
    let from = section.text("from")?.map(|from| from.value);
    let to = section.texts("to")?.map(|to| to.value).unwrap_or_default();
    let (Some(host), Some(from)) = (host, from) else {
        return Err(section.refuse("needs `host`, `from` and `to`"));
    };
    if host.trim().is_empty() {
        return Err(section.refuse("has a `host` of nothing: name the server that takes mail"));
    }
    if to.is_empty() {
        return Err(section.refuse("needs `to`, a list of addresses"));
    }
    let is_address = |text: &str| {
        let parts = text.rsplit_once('@');
        parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
            && !text.chars().any(char::is_control)
    };
    if let Some(wrong) = to.iter().chain([&from]).find(|text| !is_address(text)) {
        return Err(section.refuse(&format!("has `{wrong}`, which is no address of mail")));
    }
    if user.is_some() != password.is_some() {
        return Err(section.refuse("needs `user` and a password, or neither"));
    }
    let is_here = matches!(&*host, "localhost" | "127.0.0.1" | "::1");
    if tls == MailTls::Plain && !is_here {
        return Err(section.refuse("sends without TLS, which only a server on this machine takes"));
    }
    let usual = if tls == MailTls::Whole { 465 } else { 587 };
    let port = u16::try_from(port.unwrap_or(usual))
        .map_err(|_| section.refuse("has a `port` over 65535"))?;
    Ok(Way::Mail(Box::new(MailWay {
        host,
        port,
        tls,
        user,
        password,
        from,
        to,
    })))
}
