//! Questions about many sessions, and their answers.

use std::fmt;
use std::str::FromStr;

use super::AggregateStatistics;
use crate::error::{Error, ErrorKind};

/// A dimension to group entries by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The strategy of the attempt.
    Strategy,
    /// The type of the failure.
    ErrorType,
    /// The recipe that the attempt came from.
    Recipe,
    /// The category of the failure that its session recovered from.
    Category,
    /// The place where that failure was seen: the tool, as a rule.
    Source,
    /// The workspace of its session, by the name of its directory.
    Project,
    /// The machine of its session.
    Host,
    /// The day of the attempt in UTC, as `2026-01-31`.
    Day,
    /// The hour of the attempt in UTC, as `2026-01-31T23:00:00Z`.
    Hour,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 9] = [
        Self::Strategy,
        Self::ErrorType,
        Self::Recipe,
        Self::Category,
        Self::Source,
        Self::Project,
        Self::Host,
        Self::Day,
        Self::Hour,
    ];

    /// Its name in flags, columns and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::ErrorType => "error_type",
            Self::Recipe => "recipe",
            Self::Category => "category",
            Self::Source => "source",
            Self::Project => "project",
            Self::Host => "host",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// Whether it is a time, whose values have an order of their own.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Day | Self::Hour)
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Dimension {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|one| one.as_str()).collect();
            let names = names.join(", ");
            Error::new(
                ErrorKind::InvalidInput,
                format!("cannot tell entries apart by {text:?}: use {names}"),
            )
        })
    }
}

/// The entries to sum up, and the dimensions to group them by. The default is all, together.
///
/// A session is counted in every group that an entry of it is in. How it ended, when it recovered
/// and how many of its recoveries were flaky counts once: in the group of the last of its entries
/// that are asked for. A session without any entry is asked for by the time it began, and has no
/// strategy and no recipe.
///
/// ```
/// use auto_recovery::Result;
/// use auto_recovery::audit::AuditStore;
/// use auto_recovery::statistics::{AggregateQuery, Dimension};
///
/// /// What got better in `project`, day by day: the day, and how many percent helped.
/// fn by_day(store: &dyn AuditStore, project: &str) -> Result<Vec<(String, f64)>> {
///     let query = AggregateQuery {
///         project: Some(project.to_owned()),
///         by: vec![Dimension::Day],
///         ..AggregateQuery::default()
///     };
///     let days = store.aggregate(&query)?.groups.into_iter().map(|day| {
///         let name = day.key[0].clone().unwrap_or_default();
///         (name, day.statistics.success_rate)
///     });
///     Ok(days.collect())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AggregateQuery {
    /// Only entries of this time or later, in microseconds since the epoch.
    pub since_us: Option<i64>,
    /// Only entries before this time.
    pub until_us: Option<i64>,
    /// Only sessions of this project.
    pub project: Option<String>,
    /// Only sessions of this machine.
    pub host: Option<String>,
    /// Dimensions to group entries by, each once.
    pub by: Vec<Dimension>,
}

impl AggregateQuery {
    /// Whether it asks for every entry.
    pub fn is_of_all(&self) -> bool {
        !self.has_window() && self.project.is_none() && self.host.is_none()
    }

    /// Whether only entries of some time are asked for.
    pub fn has_window(&self) -> bool {
        self.since_us.is_some() || self.until_us.is_some()
    }

    /// Whether something of this moment is asked for. A query for all times alone asks for entries
    /// without a time.
    pub fn includes(&self, moment_us: Option<i64>) -> bool {
        match moment_us {
            Some(moment) => {
                self.since_us.is_none_or(|since| since <= moment)
                    && self.until_us.is_none_or(|until| moment < until)
            }
            None => !self.has_window(),
        }
    }

    /// Whether sessions of `project` and `host` are asked for.
    pub fn includes_session(&self, project: Option<&str>, host: Option<&str>) -> bool {
        let is = |wanted: &Option<String>, value: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == value
        };
        is(&self.project, project) && is(&self.host, host)
    }
}

/// The answer to an [`AggregateQuery`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregates {
    /// All that was asked for, together.
    pub total: AggregateStatistics,
    /// The same by group, most attempts first and then by key; none if no dimension was given.
    pub groups: Vec<AggregateGroup>,
}

/// The sums of the entries with the same key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AggregateGroup {
    /// The value of each dimension that was asked for, in that order; `None` where there is none.
    pub key: Vec<Option<String>>,
    /// The sums.
    pub statistics: AggregateStatistics,
}

impl Aggregates {
    /// The answer, its groups put in order.
    pub fn new(total: AggregateStatistics, mut groups: Vec<AggregateGroup>) -> Self {
        groups.sort_by(|a, b| {
            let attempts = |group: &AggregateGroup| group.statistics.total_attempts;
            attempts(b)
                .cmp(&attempts(a))
                .then_with(|| a.key.cmp(&b.key))
        });
        Self { total, groups }
    }
}
