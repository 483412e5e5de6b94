//! Alertmanager's API v2. An alert that is not told again ends by itself there, so what fires is
//! told each minute with an end that is some minutes away; labels and begin stay the same.

use std::time::Duration;

use auto_recovery::escape::escape_text;
use auto_recovery::host::timestamp;
use serde_json::{Map, Value, json};

use super::tried::{Means, Tried, of};
use crate::alerts::message::Incident;
use crate::outbound::OutboundUrl;

/// An alert that we do not tell again ends after this.
const ENDS_IN: Duration = Duration::from_secs(4 * 60);

/// Alerts of one request.
const ALERTS_MAX: usize = 200;

pub(super) fn send(
    url: &OutboundUrl,
    incidents: &[Incident],
    link: Option<&str>,
    means: &Means<'_>,
) -> Tried {
    let address = format!("{}/api/v2/alerts", url.whole().trim_end_matches('/'));
    let Ok(address) = OutboundUrl::parse(&address) else {
        return Tried::Refused("its address cannot be asked for".to_owned(), None);
    };
    let ends = timestamp(means.host.now() + ENDS_IN);
    for some in incidents.chunks(ALERTS_MAX) {
        let alerts: Vec<Value> = some.iter().map(|one| alert(one, &ends, link)).collect();
        let body = Value::Array(alerts).to_string();
        let json = [("content-type", "application/json")];
        let now = means.host.now();
        match of(means.outbound.post(&address, &json, body.as_bytes(), now)) {
            Tried::Sent => {}
            other => return other,
        }
    }
    Tried::Sent
}

fn alert(incident: &Incident, ends: &str, link: Option<&str>) -> Value {
    let mut labels = Map::new();
    // Names of labels are ours; a label without a value is none there.
    for (name, value) in &incident.labels {
        if !value.is_empty() {
            labels.insert(name.clone(), escape_text(value).into());
        }
    }
    labels.insert("alertname".to_owned(), incident.rule.clone().into());
    labels.insert("severity".to_owned(), incident.severity.clone().into());
    labels.insert("incident".to_owned(), incident.id.clone().into());
    let mut alert = json!({
        "labels": labels,
        "annotations": {
            "summary": escape_text(&incident.summary),
            "description": escape_text(&incident.message),
            "command": escape_text(&incident.command),
        },
        "startsAt": incident.started,
        "endsAt": incident.ended.as_deref().unwrap_or(ends),
    });
    if let Some(link) = link {
        alert["generatorURL"] = format!("{link}/alerts").into();
    }
    alert
}
