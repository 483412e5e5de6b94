//! What is watched for and who is told: `[alert.NAME]`, `[notify.NAME]` and `[alerts]` of the
//! user's own file. A project can page nobody.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use auto_recovery::files::{Links, read_small};
use auto_recovery::{Error, ErrorKind, Result};
use auto_recovery_server::{
    Alerting, Channel, Check, Destination, Label, OutboundUrl, QuietHours, Rule, Secret, Severity,
    WINDOW_MAX, check_key,
};

use crate::settings::section::Section;
use crate::settings::value::absolute_path;
use crate::settings::{Origin, Setting, StrategyCommand};

/// The longest file with a secret.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// How often what is critical is told again, unless the rule says otherwise.
const REPEAT_CRITICAL: Duration = Duration::from_secs(4 * 60 * 60);

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
            settings.quiet_hours = section.parsed("quiet_hours", quiet_hours)?;
            settings.gather = section.duration("gather")?;
            settings.storm = section.number("storm", 2)?;
            section.finish()?;
        }
        for (name, mut section) in root.tables("notify")? {
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
            quiet: self.quiet_hours.as_ref().map(|hours| hours.value),
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
                token: token.as_ref().map(Text::read).transpose()?.map(Secret),
            },
            Way::Command(argv) => Channel::Command { argv: argv.clone() },
            #[cfg(feature = "smtp")]
            Way::Mail(mail) => {
                let password = mail.password.as_ref().map(Text::read).transpose()?;
                let login = mail.user.clone().zip(password.map(Secret));
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
    Ok(keys)
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

fn any(_text: &str) -> Result<(), String> {
    Ok(())
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
            let topic = section.text("topic")?;
            let token = text(section, "token", "token_file", &any)?;
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
    let password = text(section, "password", "password_file", &any)?.map(|one| one.value);
    let from = section.text("from")?.map(|from| from.value);
    let to = section.texts("to")?.map(|to| to.value).unwrap_or_default();
    let (Some(host), Some(from)) = (host, from) else {
        return Err(section.refuse("needs `host`, `from` and `to`"));
    };
    if to.is_empty() {
        return Err(section.refuse("needs `to`, a list of addresses"));
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

fn rule(name: String, mut section: Section<'_>, known: &BTreeSet<String>) -> Result<Rule> {
    let check = check(&mut section)?;
    let hold = section
        .duration("for")?
        .map(|hold| hold.value)
        .unwrap_or_default();
    let keep_firing = section.duration("keep_firing_for")?.map(|keep| keep.value);
    let severity = section.parsed("severity", |text| match text {
        "warning" => Ok(Severity::Warning),
        "critical" => Ok(Severity::Critical),
        _ => Err("must be warning or critical"),
    })?;
    let severity = severity.map(|severity| severity.value).unwrap_or_default();
    let group_by = section.parsed_texts("group_by", |text| {
        let mut labels = Label::ALL.into_iter();
        labels
            .find(|label| label.as_str() == text)
            .ok_or("one of project, host, error_type, failure_kind")
    })?;
    let to = section.texts("to")?.map(|to| to.value);
    if let Some(unknown) = to.iter().flatten().find(|name| !known.contains(*name)) {
        return Err(section.refuse(&format!(
            "tells `{unknown}`: there is no [notify.{unknown}]"
        )));
    }
    let repeat = section.duration("repeat")?.map(|repeat| repeat.value);
    if repeat.is_some_and(|repeat| repeat < Duration::from_secs(60)) {
        return Err(section.refuse("repeats more often than once a minute"));
    }
    section.finish()?;
    let is_critical = severity == Severity::Critical;
    Ok(Rule {
        name,
        check,
        hold,
        keep_firing: keep_firing.unwrap_or_default(),
        group_by: group_by.map(|labels| labels.value).unwrap_or_default(),
        severity,
        to: to.unwrap_or_else(|| known.iter().cloned().collect()),
        repeat: repeat.or(is_critical.then_some(REPEAT_CRITICAL)),
    })
}

fn check(section: &mut Section<'_>) -> Result<Check> {
    let Some(kind) = section.text("rule")? else {
        return Err(section.refuse("needs a `rule`, like \"escalated\""));
    };
    Ok(match &*kind.value {
        "escalated" => Check::Escalated,
        "repeated" => Check::Repeated {
            times: number(section, "times", 2, None)?,
            within: window(section)?,
        },
        "success_rate" => Check::SuccessRate {
            below: f64::from(percent(section, "below")?.unwrap_or(80)),
            at_least: number(section, "at_least", 1, Some(10))?,
            within: window(section)?,
        },
        "flaky" => Check::Flaky {
            times: number(section, "times", 1, None)?,
            share: percent(section, "share")?.map(f64::from),
            within: window(section)?,
        },
        "slow" => Check::Slow {
            longer_than: time(section, "longer_than", None)?,
            at_least: number(section, "at_least", 1, Some(5))?,
            within: window(section)?,
        },
        "heartbeat" => Check::Heartbeat {
            name: match section.text("name")? {
                Some(name) => name.value,
                None => return Err(section.refuse("needs a `name`")),
            },
            every: time(section, "every", None)?,
            grace: section
                .duration("grace")?
                .map(|grace| grace.value)
                .unwrap_or_default(),
        },
        "store_unreachable" => Check::StoreUnreachable,
        "follow_lag" => Check::FollowLag {
            longer_than: time(section, "longer_than", Some(60))?,
        },
        "spool_waiting" => Check::SpoolWaiting {
            longer_than: time(section, "longer_than", Some(600))?,
        },
        "delivery_failing" => Check::DeliveryFailing {
            longer_than: time(section, "longer_than", Some(3600))?,
        },
        _ => {
            let why = "has no such `rule`: escalated, repeated, success_rate, flaky, slow, \
                       heartbeat, store_unreachable, follow_lag, spool_waiting or delivery_failing";
            return Err(section.refuse(why));
        }
    })
}

fn number(
    section: &mut Section<'_>,
    key: &'static str,
    min: u32,
    default: Option<u32>,
) -> Result<u32> {
    let found = section.number(key, min)?.map(|found| found.value);
    found
        .or(default)
        .ok_or_else(|| section.refuse(&format!("needs `{key}`")))
}

fn percent(section: &mut Section<'_>, key: &'static str) -> Result<Option<u32>> {
    match section.number(key, 1)? {
        Some(percent) if percent.value > 100 => {
            Err(section.refuse(&format!("has a `{key}` over 100 percent")))
        }
        percent => Ok(percent.map(|percent| percent.value)),
    }
}

fn time(section: &mut Section<'_>, key: &'static str, default_s: Option<u64>) -> Result<Duration> {
    let found = section.duration(key)?.map(|found| found.value);
    match found.or(default_s.map(Duration::from_secs)) {
        Some(time) if !time.is_zero() => Ok(time),
        Some(_) => Err(section.refuse(&format!("has a `{key}` of nothing"))),
        None => Err(section.refuse(&format!("needs `{key}`, like \"10m\""))),
    }
}

/// The window of a rule: no longer than what is kept to decide by.
fn window(section: &mut Section<'_>) -> Result<Duration> {
    let window = time(section, "within", None)?;
    match window > WINDOW_MAX {
        true => Err(section.refuse("looks back further than 7 days, which is what is kept")),
        false => Ok(window),
    }
}

fn quiet_hours(text: &str) -> Result<QuietHours, String> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute) = (hour.parse::<u32>().ok()?, minute.parse::<u32>().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let hours = text.split_once('-');
    let hours = hours.and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
    match hours {
        Some((from, until)) if from != until => Ok(QuietHours { from, until }),
        _ => Err("must be hours in UTC, like \"22:00-07:00\"".to_owned()),
    }
}
