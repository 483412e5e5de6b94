//! The settings of a `recover.toml` that somebody else could have written: only those that make a
//! recovery stricter, and none that runs anything.
//!
//! Pure: the file's and the user's own settings in, the remaining ones out.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use auto_recovery::Category;

use crate::settings::run::{MAX_ATTEMPTS, MAX_DELAY};
use crate::settings::{
    Layer, OnLeftover, PolicyLayer, RecipeSetting, RedactSettings, RuleSetting, Setting, Tier,
};

/// A project's file that is not trusted, and its unused settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Untrusted {
    /// The file.
    pub(crate) path: Arc<PathBuf>,
    /// The reason why it is not trusted.
    pub(crate) doubt: String,
    /// The unused keys, in the file's words.
    pub(crate) unused: Vec<String>,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unused = match self.unused.is_empty() {
            true => "all it says does that".to_owned(),
            false => format!("not used: {}", self.unused.join(", ")),
        };
        write!(
            f,
            "{} is used only where it makes recovery stricter, because {}; {unused}; `recover trust` \
             takes it whole",
            self.path.display(),
            self.doubt
        )
    }
}

/// The settings of `project`, which is not trusted, that are left beside those of `user`; and the
/// unused keys.
pub(super) fn restrict(project: Layer, user: &Layer) -> (Layer, Vec<String>) {
    // Destructured, so that the compiler names a setting that is forgotten here.
    let Layer {
        // A project can never set these.
        store: _,
        state_dir: _,
        durability: _,
        color: _,
        on_audit_failure: _,
        retention: _,
        seal: _,
        encryption: _,
        served: _,
        remote: _,
        fixers: _,
        learn,
        policy,
        grace,
        protect,
        allow,
        approve,
        on_escalate,
        rollback,
        keep_progress,
        keep_failed_changes,
        checkpoint,
        hold_stdout,
        fail_on_flaky,
        hold_output,
        fail_on_change,
        stage,
        confirm,
        on_leftover,
        pty,
        categories,
        error_types,
        recipes,
        rules,
        redact,
    } = project;
    let mut unused = Unused(Vec::new());
    let allowed = user.allow.as_ref().map_or(Tier::Safe, |allow| allow.value);
    let policy = restrict_policy("", policy, &Limits::general(user), &mut unused);
    let left = Layer {
        policy,
        protect,
        learn,
        allow: unused.unless("allow", allow, |tier| *tier <= allowed),
        checkpoint: unused.unless("checkpoint", checkpoint, |on| *on),
        fail_on_flaky: unused.unless("fail_on_flaky", fail_on_flaky, |on| *on),
        fail_on_change: unused.unless("fail_on_change", fail_on_change, |on| *on),
        confirm: unused.unless("confirm", confirm, |on| *on),
        on_leftover: unused.unless("on_leftover", on_leftover, |what| *what == OnLeftover::Stop),
        ..Layer::default()
    };
    unused.all("grace", grace);
    unused.all("approve", approve);
    unused.all("on_escalate", on_escalate);
    unused.all("rollback", rollback);
    unused.all("keep_progress", keep_progress);
    unused.all("keep_failed_changes", keep_failed_changes);
    unused.all("hold_stdout", hold_stdout);
    unused.all("hold_output", hold_output);
    unused.all("stage", stage);
    unused.all("pty", pty);
    let (categories, error_types) = restrict_kinds((categories, error_types), user, &mut unused);
    unused.0.extend(tables(&recipes, &rules));
    unused.table("[redact]", redact != RedactSettings::default());
    (left.of_kinds(categories, error_types), unused.0)
}

/// The settings for kinds of failures: by category, and by type.
type Kinds = (
    BTreeMap<Category, PolicyLayer>,
    BTreeMap<String, PolicyLayer>,
);

/// The settings for kinds of failures that are left to a project that is not trusted.
fn restrict_kinds((categories, error_types): Kinds, user: &Layer, unused: &mut Unused) -> Kinds {
    let of_category = |(category, policy): (Category, PolicyLayer)| {
        let prefix = format!("category.{category}.");
        let limits = Limits::of_category(user, category);
        let policy = restrict_policy(&prefix, policy, &limits, unused);
        (policy != PolicyLayer::default()).then_some((category, policy))
    };
    let categories = categories.into_iter().filter_map(of_category).collect();
    let of_type = |(name, policy): (String, PolicyLayer)| {
        let prefix = format!("error_type.{name}.");
        let limits = Limits::of_type(user, &name);
        let policy = restrict_policy(&prefix, policy, &limits, unused);
        (policy != PolicyLayer::default()).then_some((name, policy))
    };
    let error_types = error_types.into_iter().filter_map(of_type).collect();
    (categories, error_types)
}

impl Layer {
    fn of_kinds(
        self,
        categories: BTreeMap<Category, PolicyLayer>,
        error_types: BTreeMap<String, PolicyLayer>,
    ) -> Self {
        Self {
            categories,
            error_types,
            ..self
        }
    }
}

/// The tables of recipes and rules, as a file names them.
fn tables(recipes: &[RecipeSetting], rules: &[RuleSetting]) -> Vec<String> {
    let recipes = recipes.iter().map(|one| format!("[recipe.{}]", one.name));
    let rules = rules.iter().map(|one| format!("[rule.{}]", one.name));
    recipes.chain(rules).collect()
}

/// The unused keys.
struct Unused(Vec<String>);

impl Unused {
    /// Notes a whole table that the file has.
    fn table(&mut self, name: &str, has: bool) {
        self.0.extend(has.then(|| name.to_owned()));
    }

    /// Notes `key`, if it is set.
    fn all<T>(&mut self, key: &str, setting: Option<Setting<T>>) {
        if setting.is_some() {
            self.0.push(key.to_owned());
        }
    }

    /// Returns `setting` if it counts; else notes `key`.
    fn unless<T>(
        &mut self,
        key: &str,
        setting: Option<Setting<T>>,
        counts: impl FnOnce(&T) -> bool,
    ) -> Option<Setting<T>> {
        let setting = setting?;
        if counts(&setting.value) {
            return Some(setting);
        }
        self.0.push(key.to_owned());
        None
    }
}

/// The limits without the project, which may set less, not more. Without a limit on time, any is
/// less; where the category decides on retries, only 0 is.
#[derive(Debug, PartialEq)]
struct Limits {
    retry: Option<u32>,
    retry_for: Option<Duration>,
    max_attempts: u32,
    max_delay: Duration,
    attempt_timeout: Option<Duration>,
    deadline: Option<Duration>,
}

impl Limits {
    fn general(user: &Layer) -> Self {
        Self::default().under(&user.policy)
    }

    fn of_category(user: &Layer, category: Category) -> Self {
        let limits = Self::general(user);
        match user.categories.get(&category) {
            Some(policy) => limits.under(policy),
            None => limits,
        }
    }

    /// The strictest limits for a failure of the type `name`, whose category is not known before it
    /// fails.
    fn of_type(user: &Layer, name: &str) -> Self {
        let general = Self::general(user);
        let categories = user.categories.values().map(|one| general.under(one));
        let least = categories.fold(general.under(&PolicyLayer::default()), Self::stricter);
        match user.error_types.get(name) {
            Some(policy) => least.under(policy),
            None => least,
        }
    }

    /// These limits, overridden by `policy`.
    fn under(&self, policy: &PolicyLayer) -> Self {
        fn said<T: Copy>(setting: &Option<Setting<T>>) -> Option<T> {
            setting.as_ref().map(|setting| setting.value)
        }
        Self {
            retry: said(&policy.retry).or(self.retry),
            retry_for: said(&policy.retry_for).or(self.retry_for),
            max_attempts: said(&policy.max_attempts).unwrap_or(self.max_attempts),
            max_delay: said(&policy.max_delay).unwrap_or(self.max_delay),
            attempt_timeout: said(&policy.attempt_timeout).or(self.attempt_timeout),
            deadline: said(&policy.deadline).or(self.deadline),
        }
    }

    fn stricter(self, other: Self) -> Self {
        let time = |a: Option<Duration>, b: Option<Duration>| a.into_iter().chain(b).min();
        Self {
            // Left to the category, only 0 is known to be less.
            retry: self.retry.zip(other.retry).map(|(a, b)| a.min(b)),
            retry_for: self.retry_for.zip(other.retry_for).map(|(a, b)| a.min(b)),
            max_attempts: self.max_attempts.min(other.max_attempts),
            max_delay: self.max_delay.min(other.max_delay),
            attempt_timeout: time(self.attempt_timeout, other.attempt_timeout),
            deadline: time(self.deadline, other.deadline),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            retry: None,
            retry_for: None,
            max_attempts: MAX_ATTEMPTS,
            max_delay: MAX_DELAY,
            attempt_timeout: None,
            deadline: None,
        }
    }
}

fn restrict_policy(
    prefix: &str,
    policy: PolicyLayer,
    limits: &Limits,
    unused: &mut Unused,
) -> PolicyLayer {
    let PolicyLayer {
        fix,
        alternative,
        retry,
        retry_for,
        max_attempts,
        base_delay,
        max_delay,
        jitter,
        attempt_timeout,
        deadline,
    } = policy;
    let key = |name: &str| format!("{prefix}{name}");
    let is_less =
        |limit: Option<Duration>| move |time: &Duration| limit.is_none_or(|limit| *time <= limit);
    unused.all(&key("fix"), fix);
    unused.all(&key("alternative"), alternative);
    unused.all(&key("base_delay"), base_delay);
    unused.all(&key("jitter"), jitter);
    PolicyLayer {
        retry: unused.unless(&key("retry"), retry, |times| {
            *times <= limits.retry.unwrap_or(0)
        }),
        retry_for: unused.unless(&key("retry_for"), retry_for, |time| {
            limits.retry_for.is_some_and(|limit| *time <= limit)
        }),
        max_attempts: unused.unless(&key("max_attempts"), max_attempts, |times| {
            *times <= limits.max_attempts
        }),
        max_delay: unused.unless(
            &key("max_delay"),
            max_delay,
            is_less(Some(limits.max_delay)),
        ),
        attempt_timeout: unused.unless(
            &key("attempt_timeout"),
            attempt_timeout,
            is_less(limits.attempt_timeout),
        ),
        deadline: unused.unless(&key("deadline"), deadline, is_less(limits.deadline)),
        ..PolicyLayer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::SourceFile;

    fn layer(text: &str) -> Layer {
        let file = SourceFile {
            path: Arc::new(PathBuf::from("recover.toml")),
            text: text.to_owned(),
            doubt: None,
        };
        Layer::from_project_file(&file).expect("a layer")
    }

    #[test]
    fn only_what_makes_stricter_is_left() {
        let commands = "fix = \"a\"\nalternative = \"b\"\napprove = \"c\"\non_escalate = \"d\"\n\
                        rollback = \"last-good\"\n[recipe.r]\noff = true\n[rule.u]\nexit_codes = [1]\n\
                        category = \"transient\"\n[category.unknown]\nfix = \"e\"\n[error_type.E]\n\
                        alternative = \"f\"\n";
        let not_commands = "fix, alternative, approve, on_escalate, rollback, category.unknown.fix, \
                            error_type.E.alternative, [recipe.r], [rule.u]";
        let flags = "keep_progress = true\nkeep_failed_changes = false\nhold_stdout = true\n\
                     grace = \"1s\"\njitter = true\nbase_delay = \"1ms\"\n";
        let not_flags =
            "base_delay, jitter, grace, keep_progress, keep_failed_changes, hold_stdout";
        let limits = "max_attempts = 4\nmax_delay = \"2m\"\nretry = 1\n";
        let users = "max_attempts = 2\nmax_delay = \"9s\"\nretry = 5\ndeadline = \"1h\"\n";
        let of_category = "[category.transient]\nretry = 1\nmax_attempts = 1\n";
        for (project, user, expected) in [
            (commands, "", not_commands),
            (flags, "", not_flags),
            (
                "checkpoint = false\nfail_on_flaky = false\nallow = \"moderate\"\n",
                "",
                "allow, checkpoint, fail_on_flaky",
            ),
            ("on_leftover = \"restore\"\n", "", "on_leftover"),
            (
                "checkpoint = true\non_leftover = \"stop\"\nfail_on_flaky = true\nallow = \"safe\"\nprotect = [\"x\"]\n",
                "",
                "",
            ),
            ("allow = \"moderate\"\n", "allow = \"network\"\n", ""),
            ("max_attempts = 2\nmax_delay = \"9s\"\nretry = 0\n", "", ""),
            ("deadline = \"1h\"\nattempt_timeout = \"1s\"\n", "", ""),
            (limits, "", "retry, max_attempts, max_delay"),
            (limits, users, "max_attempts, max_delay"),
            ("deadline = \"2h\"\nretry = 6\n", users, "retry, deadline"),
            ("deadline = \"59m\"\nmax_attempts = 1\n", users, ""),
            (
                "[category.transient]\nretry = 1\n",
                "",
                "category.transient.retry",
            ),
            ("[category.transient]\nretry = 1\n", "retry = 2\n", ""),
            (
                "[category.transient]\nmax_attempts = 2\n",
                of_category,
                "category.transient.max_attempts",
            ),
            // The category of a type is not known, so the strictest counts.
            (
                "[error_type.E]\nmax_attempts = 2\n",
                of_category,
                "error_type.E.max_attempts",
            ),
            ("[error_type.E]\nmax_attempts = 1\n", of_category, ""),
            (
                "[error_type.E]\nretry = 1\n",
                of_category,
                "error_type.E.retry",
            ),
            (
                "[error_type.E]\nretry = 1\n",
                "[error_type.E]\nretry = 2\n",
                "",
            ),
        ] {
            let (left, unused) = restrict(layer(project), &layer(user));
            assert_eq!(unused.join(", "), expected, "{project} beside {user}");
            let (again, none) = restrict(left.clone(), &layer(user));
            assert_eq!((again, none), (left, Vec::new()), "{project}");
        }
    }
}
