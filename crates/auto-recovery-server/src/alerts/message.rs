//! What a message says: the same for every channel, as data, and as lines of text.

use auto_recovery::escape::escape_text;
use serde::{Deserialize, Serialize};

use super::observe::Labels;

/// Incidents that a message describes; it counts all.
pub(crate) const INCIDENTS_MAX: usize = 5;

/// Incidents whose ids a message has.
const IDS_MAX: usize = 200;

/// An incident as messages tell it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) id: String,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) labels: Labels,
    pub(crate) summary: String,
    pub(crate) message: String,
    pub(crate) command: String,
    pub(crate) tried: Vec<String>,
    pub(crate) count: u64,
    pub(crate) sessions: Vec<String>,
    pub(crate) started: String,
    pub(crate) ended: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// `firing`, `resolved`, or `again` for what was told and still fires.
    pub(crate) change: String,
    pub(crate) at: String,
    pub(crate) severity: String,
    /// How many incidents it tells of.
    pub(crate) count: usize,
    pub(crate) is_storm: bool,
    /// Why it comes later than the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) late: Option<String>,
    pub(crate) incident_ids: Vec<String>,
    pub(crate) incidents: Vec<Incident>,
    /// The page with all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<String>,
}

impl Message {
    /// The message `id` about `incidents`.
    pub(crate) fn new(id: &str, change: &str, at: &str, incidents: Vec<Incident>) -> Self {
        let severities = incidents.iter().map(|one| &*one.severity);
        let severity = severities.min().unwrap_or("warning").to_owned();
        let ids = incidents.iter().take(IDS_MAX).map(|one| one.id.clone());
        Self {
            id: id.to_owned(),
            change: change.to_owned(),
            at: at.to_owned(),
            severity,
            count: incidents.len(),
            incident_ids: ids.collect(),
            incidents: incidents.into_iter().take(INCIDENTS_MAX).collect(),
            ..Self::default()
        }
    }

    /// What it is about, in a line.
    pub(crate) fn title(&self) -> String {
        let word = match &*self.change {
            "resolved" => "Resolved",
            "again" => "Still firing",
            _ if self.is_storm => "Storm",
            _ => "Firing",
        };
        let what = match (self.incidents.first(), self.count) {
            (Some(one), 1) => escape_text(&one.summary),
            (Some(one), count) => {
                format!(
                    "{count} incidents, the first: {}",
                    escape_text(&one.summary)
                )
            }
            (None, _) => "an incident".to_owned(),
        };
        format!("{word}: {what}")
    }

    /// What there is to say, line by line, as plain text without anything that acts on a terminal.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for incident in &self.incidents {
            incident.lines(self.link.as_deref(), &mut lines);
        }
        if self.count > self.incidents.len() {
            lines.push(format!("and {} more", self.count - self.incidents.len()));
        }
        if let Some(late) = &self.late {
            lines.push(format!("told late: {late}"));
        }
        if let Some(link) = &self.link {
            lines.push(format!("{link}/alerts"));
        }
        lines
    }
}

impl Incident {
    fn lines(&self, link: Option<&str>, lines: &mut Vec<String>) {
        let mut add = |name: &str, value: &str| {
            if !value.is_empty() {
                lines.push(format!("{name}{}", escape_text(value)));
            }
        };
        add("", &self.summary);
        add("  rule: ", &format!("{}, {}", self.rule, self.severity));
        add("  failed: ", &self.message);
        add("  command: ", &self.command);
        if self.count > 1 {
            add("  how often: ", &format!("{} sessions", self.count));
        }
        add("  tried: ", &self.tried.join("; "));
        add("  since: ", &self.started);
        add("  until: ", self.ended.as_deref().unwrap_or_default());
        for session in self.sessions.iter().take(1) {
            add("  look: ", &format!("recover show {session}"));
            if let Some(link) = link {
                add("  ", &format!("{link}/sessions/{session}"));
            }
        }
    }
}

/// `text` up to `chars` characters, with a mark where it was cut.
pub(crate) fn cut_to(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(chars.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}
