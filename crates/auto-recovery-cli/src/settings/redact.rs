//! What is masked in all that is kept and told: `[redact]` and `--redact-env`.

use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use auto_recovery::files::{Links, read_small};
use auto_recovery::redaction::{RedactionRule, Redactor, kinds};
use auto_recovery::wording::nearest;
use auto_recovery::{Error, Result};

use crate::settings::environment::{named_variable, secret_variables};
use crate::settings::section::Section;
use crate::settings::value::absolute_path;
use crate::settings::{Origin, Setting};

/// The longest file of values: 1 MiB, a thousand times what is looked for at once.
const VALUES_BYTES_MAX: u64 = 1024 * 1024;

/// What one place says of it, and what all say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RedactSettings {
    /// Names of variables whose values are masked besides those whose names say so.
    pub(crate) env: Vec<Setting<String>>,
    /// The file with values, one on each line.
    pub(crate) values_file: Option<Setting<PathBuf>>,
    /// What strategy commands are given.
    pub(crate) fixers: Option<Setting<FixerText>>,
    /// Whether nothing is masked.
    pub(crate) off: Option<Setting<bool>>,
    /// Rules of the user's, and kinds that are not looked for.
    pub(crate) rules: Vec<RedactRule>,
}

/// The text that strategy commands are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FixerText {
    /// Without its secrets.
    #[default]
    Masked,
    /// As it is.
    Real,
}

/// `[redact.rule.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RedactRule {
    /// Its name, which masks have, or the kind that is not looked for.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) origin: Origin,
    /// The pattern and the group of it that is masked; none turns the kind off.
    pub(crate) pattern: Option<(String, u32)>,
}

impl FixerText {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Real => "real",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let all = [Self::Masked, Self::Real];
        let found = all.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not what fixers are given: use masked or real"))
    }
}

impl RedactSettings {
    /// What `[redact]` of the user's own file says.
    pub(super) fn of_user(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("redact")? else {
            return Ok(Self::default());
        };
        let settings = Self {
            values_file: section.parsed("values_file", absolute_path)?,
            fixers: section.parsed("fixers", FixerText::parse)?,
            off: section.flag("off")?,
            ..Self::of_anybody(&mut section, Whose::Users)?
        };
        section.finish()?;
        Ok(settings)
    }

    /// What `[redact]` of a project's file says, which may only add.
    pub(super) fn of_project(root: &mut Section<'_>) -> Result<Self> {
        let Some(mut section) = root.table("redact")? else {
            return Ok(Self::default());
        };
        for key in ["values_file", "fixers", "off"] {
            if section.offset_of(key).is_some() {
                let reason = format!(
                    "`{key}` cannot be set by a project, which may only add to what is masked: set \
                     it in your own config.toml"
                );
                return Err(section.refuse(&reason));
            }
        }
        let settings = Self::of_anybody(&mut section, Whose::Projects)?;
        section.finish()?;
        Ok(settings)
    }

    fn of_anybody(section: &mut Section<'_>, whose: Whose) -> Result<Self> {
        let env = section.texts("env")?;
        let env = env.map(|Setting { value, origin }| {
            let each = value.into_iter().map(|value| Setting {
                value,
                origin: origin.clone(),
            });
            each.collect()
        });
        let rules = section.tables("rule")?.into_iter();
        let rules = rules.map(|(name, section)| read_rule(name, section, whose));
        Ok(Self {
            env: env.unwrap_or_default(),
            rules: rules.collect::<Result<_>>()?,
            ..Self::default()
        })
    }

    /// Takes from `weaker` whatever this says nothing about, and all of its lists.
    pub(super) fn lay_over(&mut self, weaker: &Self) {
        let Self {
            env,
            values_file,
            fixers,
            off,
            rules,
        } = weaker;
        self.env.extend(env.iter().cloned());
        self.rules.extend(rules.iter().cloned());
        self.values_file = self.values_file.take().or_else(|| values_file.clone());
        self.fixers = self.fixers.take().or_else(|| fixers.clone());
        self.off = self.off.take().or_else(|| off.clone());
    }

    /// Whether nothing is masked.
    pub(crate) fn is_off(&self) -> bool {
        self.off.as_ref().is_some_and(|off| off.value)
    }

    /// What strategy commands are given.
    pub(crate) fn fixers(&self) -> FixerText {
        let fixers = self.fixers.as_ref().map(|fixers| fixers.value);
        fixers.unwrap_or_default()
    }

    /// The redactor that these settings want; its masks are made with `key`. It knows no values.
    pub(crate) fn redactor(&self, key: [u8; 16]) -> Redactor {
        let mut rules = Vec::new();
        let mut without = Vec::new();
        for rule in &self.rules {
            match &rule.pattern {
                // It was compiled when it was read, to refuse one that cannot be.
                Some((pattern, group)) => {
                    rules.extend(RedactionRule::new(&rule.name, pattern, *group as usize).ok());
                }
                None => without.push(rule.name.clone()),
            }
        }
        Redactor::new(key).with_rules(rules).without_kinds(without)
    }

    /// Teaches `redactor` what the command line names as secret. What of it is not masked, and why.
    pub(crate) fn learn_named(&self, redactor: &Redactor) -> Vec<String> {
        let is_named = |one: &&Setting<String>| matches!(one.origin, Origin::Flag(_));
        let mut not_masked = Vec::new();
        for Setting { value: name, .. } in self.env.iter().filter(is_named) {
            let Some(value) = named_variable(name) else {
                not_masked.push(format!("{name} is not set, so nothing of it is masked"));
                continue;
            };
            if let Err(why) = redactor.learn(name, &value.into_vec()) {
                not_masked.push(format!("the value of {name} is not masked: {why}"));
            }
        }
        not_masked
    }

    /// The values that somebody named as secret, each with the name of its masks.
    ///
    /// # Errors
    /// If the file of values cannot be read.
    pub(crate) fn values(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let mut values: Vec<_> = secret_variables()
            .into_iter()
            .map(|(name, value)| (name, value.into_vec()))
            .collect();
        for name in &self.env {
            if let Some(value) = named_variable(&name.value) {
                values.push((name.value.clone(), value.into_vec()));
            }
        }
        if let Some(file) = &self.values_file {
            let path = &file.value;
            let text = read_small(path, Links::Follow, VALUES_BYTES_MAX).map_err(|error| {
                Error::io("read", path, error)
                    .context(format!("{}: redact.values_file", file.origin))
            })?;
            let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| !line.is_empty());
            values.extend(lines.map(|line| ("value".to_owned(), line.to_vec())));
        }
        Ok(values)
    }
}

/// Whose file says it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Users,
    Projects,
}

fn read_rule(name: String, mut section: Section<'_>, whose: Whose) -> Result<RedactRule> {
    let pattern = section.text("pattern")?;
    let group = section.number("group", 0)?;
    let off = section.flag("off")?;
    section.finish()?;
    let is_off = off.is_some_and(|off| off.value);
    let pattern = match (pattern, is_off) {
        (Some(_), true) => {
            return Err(section.refuse("is off and has a pattern: remove one of the two"));
        }
        (None, false) => return Err(section.refuse("needs a `pattern`, or `off = true`")),
        (None, true) if whose == Whose::Projects => {
            let reason = "cannot be turned off by a project: do that in your own config.toml";
            return Err(section.refuse(reason));
        }
        (None, true) => {
            check_kind(&name).map_err(|reason| section.refuse(&reason))?;
            None
        }
        (Some(pattern), false) => {
            let group = group.map_or(0, |group| group.value);
            RedactionRule::new(&name, &pattern.value, group as usize)
                .map_err(|reason| section.refuse(&format!("has no sound pattern: {reason}")))?;
            Some((pattern.value, group))
        }
    };
    Ok(RedactRule {
        name,
        origin: section.origin(),
        pattern,
    })
}

/// Makes sure that there is a kind `name`.
fn check_kind(name: &str) -> Result<(), String> {
    let mut ids = kinds().iter().map(|kind| kind.id.as_str());
    if ids.any(|id| id == name) {
        return Ok(());
    }
    let ids = kinds().iter().map(|kind| kind.id.as_str());
    let hint = match nearest(name, ids) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`recover redact --list` names them".to_owned(),
    };
    Err(format!("is no kind that could be turned off: {hint}"))
}
