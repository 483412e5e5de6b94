//! One preset: how an agent is called, and what bounds it.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::fixer::version::Version;

/// What stands for the prompt, its file and the limits in the words of a preset.
const PROMPT: &str = "{prompt}";
const PROMPT_FILE: &str = "{prompt_file}";
const TURNS: &str = "{turns}";
const BUDGET_USD: &str = "{budget_usd}";

/// How an agent gets its prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptBy {
    /// On its standard input.
    #[default]
    Stdin,
    /// As an argument, where `{prompt}` stands; other users of the machine can read it there.
    Argument,
    /// As a file, whose path stands for `{prompt_file}`.
    File,
}

impl PromptBy {
    /// The name used in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdin => "stdin",
            Self::Argument => "argument",
            Self::File => "file",
        }
    }
}

impl FromStr for PromptBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Stdin, Self::Argument, Self::File]
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| {
                let context = format!("`{text}` is no way in: use stdin, argument or file");
                Error::new(ErrorKind::InvalidInput, context)
            })
    }
}

/// How an agent is called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preset {
    /// Its name, as in `agent:NAME`.
    pub name: String,
    /// The program and its arguments, which are run directly. `{prompt}` or `{prompt_file}` stands
    /// where the prompt goes, `{turns}` and `{budget_usd}` for the limits.
    pub argv: Vec<String>,
    /// How it gets its prompt.
    pub prompt: PromptBy,
    /// The most turns it takes, where it can bound them.
    pub turns: Option<u32>,
    /// The most it spends, in US dollars, where it can bound that.
    pub budget_usd: Option<String>,
    /// The longest it runs, in whole seconds.
    pub timeout_seconds: Option<u64>,
    /// Variables that are taken from its environment.
    pub env_remove: Vec<String>,
    /// What prints its version; empty to ask nothing.
    pub probe: Vec<String>,
    /// The oldest version that fits.
    pub version_min: Option<String>,
    /// The first version that fits no more.
    pub version_below: Option<String>,
}

/// What a user says of a preset: what is not said stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresetChange {
    /// The name of the preset that is changed, or of a new one.
    pub name: String,
    /// See [`Preset::argv`].
    pub argv: Option<Vec<String>>,
    /// See [`Preset::prompt`].
    pub prompt: Option<PromptBy>,
    /// See [`Preset::turns`].
    pub turns: Option<u32>,
    /// See [`Preset::budget_usd`].
    pub budget_usd: Option<String>,
    /// See [`Preset::timeout_seconds`].
    pub timeout: Option<Duration>,
    /// See [`Preset::env_remove`].
    pub env_remove: Option<Vec<String>>,
    /// See [`Preset::probe`].
    pub probe: Option<Vec<String>>,
    /// See [`Preset::version_min`].
    pub version_min: Option<String>,
    /// See [`Preset::version_below`].
    pub version_below: Option<String>,
}

impl Preset {
    /// The preset with what `change` says of it. Another way of calling it has limits of its own.
    pub(super) fn changed(mut self, change: &PresetChange) -> Self {
        let change = change.clone();
        self.name = change.name;
        if let Some(argv) = change.argv {
            let is_other = argv.first() != self.argv.first();
            let has = |what: &str| argv.iter().any(|word| word.contains(what));
            self.turns = self.turns.filter(|_| has(TURNS));
            self.budget_usd = self.budget_usd.filter(|_| has(BUDGET_USD));
            if is_other {
                self.probe = Vec::new();
                (self.version_min, self.version_below) = (None, None);
            }
            self.argv = argv;
        }
        self.prompt = change.prompt.unwrap_or(self.prompt);
        self.turns = change.turns.or(self.turns);
        self.budget_usd = change.budget_usd.or(self.budget_usd);
        let timeout = change.timeout.map(|timeout| timeout.as_secs().max(1));
        self.timeout_seconds = timeout.or(self.timeout_seconds);
        self.env_remove = change.env_remove.unwrap_or(self.env_remove);
        self.probe = change.probe.unwrap_or(self.probe);
        self.version_min = change.version_min.or(self.version_min);
        self.version_below = change.version_below.or(self.version_below);
        self
    }

    /// Refuses a preset that could not be called, or that would not get what it is to be given.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`]: what is wrong, and what would be right.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| {
            let context = format!("fixer {:?} {what}", self.name);
            Err(Error::new(ErrorKind::InvalidInput, context))
        };
        if self
            .argv
            .first()
            .is_none_or(|program| program.trim().is_empty())
        {
            return wrong("names no program: give it `argv`".to_owned());
        }
        let has = |what: &str| self.argv.iter().any(|word| word.contains(what));
        let wants = match self.prompt {
            PromptBy::Stdin => None,
            PromptBy::Argument => Some(PROMPT),
            PromptBy::File => Some(PROMPT_FILE),
        };
        let by = self.prompt.as_str();
        for place in [PROMPT, PROMPT_FILE] {
            match (wants == Some(place), has(place)) {
                (true, false) => {
                    return wrong(format!("gets its prompt as {by}, and no word is {place}"));
                }
                (false, true) => {
                    return wrong(format!("has {place}, but its prompt comes by {by}"));
                }
                _ => {}
            }
        }
        let limits = [
            ("turns", TURNS, self.turns.is_some()),
            ("budget_usd", BUDGET_USD, self.budget_usd.is_some()),
        ];
        for (key, place, is_set) in limits {
            match (is_set, has(place)) {
                (true, false) => {
                    return wrong(format!("has no word {place}, so `{key}` bounds nothing"));
                }
                (false, true) => return wrong(format!("has {place} and no `{key}`")),
                _ => {}
            }
        }
        if let Some(budget) = &self.budget_usd
            && !is_sum(budget)
        {
            return wrong(format!("`budget_usd`: {budget:?} is no sum like \"2.50\""));
        }
        let versions = self.version_min.iter().chain(&self.version_below);
        match versions
            .into_iter()
            .find(|text| Version::find(text).is_none())
        {
            Some(text) => wrong(format!("{text:?} is no version like \"1.2.3\"")),
            None => Ok(()),
        }
    }

    /// The longest it runs.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_seconds.map(Duration::from_secs)
    }

    /// Its words with the limits in them; the prompt's places are still to be filled.
    pub fn words(&self) -> Vec<String> {
        let turns = self
            .turns
            .map(|turns| turns.to_string())
            .unwrap_or_default();
        let budget = self.budget_usd.as_deref().unwrap_or_default();
        let words = self.argv.iter();
        words
            .map(|word| filled(word, &[(TURNS, &turns), (BUDGET_USD, budget)]))
            .collect()
    }

    /// Its words with everything in them: `prompt`, whose file is at `prompt_file`. What stands in
    /// the prompt is not filled in again.
    pub fn call(&self, prompt: &str, prompt_file: &str) -> Vec<String> {
        let words = self.words().into_iter();
        words
            .map(|word| filled(&word, &[(PROMPT_FILE, prompt_file), (PROMPT, prompt)]))
            .collect()
    }

    /// How it is called, for people.
    pub fn in_words(&self) -> String {
        let by = match self.prompt {
            PromptBy::Stdin => "the prompt on stdin",
            PromptBy::Argument => "the prompt for {prompt}",
            PromptBy::File => "the prompt's file for {prompt_file}",
        };
        let limit = self
            .timeout_seconds
            .map(|seconds| format!(", {seconds} s at most"));
        let removed = match self.env_remove.is_empty() {
            true => String::new(),
            false => format!(", without {}", self.env_remove.join(" ")),
        };
        format!("{by}{}{removed}", limit.unwrap_or_default())
    }

    /// Why the version that its probe told in `said` does not fit, if so. One that says none may
    /// fit.
    pub fn unfit(&self, said: &str) -> Option<String> {
        let version = Version::find(said)?;
        let bound = |text: &Option<String>| text.as_deref().and_then(Version::find);
        let name = &self.name;
        let wants = match (bound(&self.version_min), bound(&self.version_below)) {
            (Some(min), _) if version < min => format!("{min} or newer"),
            (_, Some(below)) if version >= below => format!("a version below {below}"),
            _ => return None,
        };
        Some(format!(
            "agent:{name}: `{}` says version {version}, and this takes {wants}: install that, or \
             write [fixer.{name}] for the one that is there",
            self.probe.join(" ")
        ))
    }
}

/// `word` with what stands for each of `places`, in one pass.
fn filled(word: &str, places: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(word.len());
    let mut rest = word;
    loop {
        let places = places.iter();
        let next = places.filter_map(|(place, with)| Some((rest.find(place)?, *place, *with)));
        let Some((at, place, with)) = next.min_by_key(|(at, ..)| *at) else {
            text.push_str(rest);
            return text;
        };
        text.push_str(&rest[..at]);
        text.push_str(with);
        rest = &rest[at + place.len()..];
    }
}

/// `2`, `2.50`: more than nothing, without a sign or an exponent.
fn is_sum(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| {
        !digits.is_empty() && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    is_number(whole) && is_number(part) && text.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(prompt: PromptBy, argv: &[&str]) -> Preset {
        Preset {
            name: "x".to_owned(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            prompt,
            ..Preset::default()
        }
    }

    #[test]
    fn what_could_not_work_is_refused() {
        let limited = |turns, budget: Option<&str>, argv: &[&str]| Preset {
            turns,
            budget_usd: budget.map(str::to_owned),
            ..preset(PromptBy::Stdin, argv)
        };
        let cases = [
            (preset(PromptBy::Stdin, &[]), "names no program"),
            (preset(PromptBy::Argument, &["a"]), "no word is {prompt}"),
            (preset(PromptBy::File, &["a"]), "no word is {prompt_file}"),
            (
                preset(PromptBy::Stdin, &["a", "{prompt}"]),
                "comes by stdin",
            ),
            (
                preset(PromptBy::Argument, &["a", "{prompt}", "{prompt_file}"]),
                "comes by argument",
            ),
            (limited(Some(3), None, &["a"]), "`turns` bounds nothing"),
            (limited(None, None, &["a", "--turns={turns}"]), "no `turns`"),
            (
                limited(None, Some("2"), &["a"]),
                "`budget_usd` bounds nothing",
            ),
            (limited(None, Some("-2"), &["a", "{budget_usd}"]), "no sum"),
            (
                limited(None, Some("0.00"), &["a", "{budget_usd}"]),
                "no sum",
            ),
        ];
        for (preset, says) in cases {
            let error = preset.check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(
            limited(Some(3), Some("2.50"), &["a", "{turns}{budget_usd}"])
                .check()
                .is_ok()
        );
    }

    #[test]
    fn what_stands_in_the_prompt_is_not_filled_in() {
        let mut one = preset(PromptBy::Argument, &["a", "-n={turns}", "-p", "{prompt}"]);
        one.turns = Some(7);
        let prompt = "say {prompt} {turns} {prompt_file}";
        assert_eq!(one.call(prompt, "/f"), ["a", "-n=7", "-p", prompt]);
        let file = preset(PromptBy::File, &["a", "@{prompt_file}"]);
        assert_eq!(file.call(prompt, "/{prompt}"), ["a", "@/{prompt}"]);
    }

    #[test]
    fn a_version_that_does_not_fit_is_named() {
        let one = Preset {
            probe: vec!["a".to_owned(), "--version".to_owned()],
            version_min: Some("2.0.28".to_owned()),
            version_below: Some("3".to_owned()),
            ..preset(PromptBy::Stdin, &["a"])
        };
        let old = one.unfit("2.0.9 (An Agent)").expect("it is too old");
        assert!(
            old.contains("2.0.9") && old.contains("2.0.28 or newer"),
            "{old}"
        );
        let new = one.unfit("a-cli v3.0").expect("it is too new");
        assert!(new.contains("below 3"), "{new}");
        for fits in ["2.0.28", "v2.1 beta", "2.10.0", "none"] {
            assert_eq!(one.unfit(fits), None, "{fits}");
        }
    }
}
