//! What `recover config` shows of servers: the one that is started here, and the one whose store is
//! used.

use std::path::PathBuf;

use serde_json::json;

use crate::commands::config_row::{Row, optional_row};
use crate::settings::{AlertSettings, OtlpSettings, RemoteSettings, ServedSettings};

/// What a server does besides answering.
pub(super) fn push_served(rows: &mut Vec<Row>, served: &ServedSettings) {
    push_alerts(rows, &served.alerts);
    push_otlp(rows, &served.otlp);
}

#[cfg(not(feature = "serve"))]
fn push_alerts(_rows: &mut Vec<Row>, _alerts: &AlertSettings) {}

/// Rules and destinations by their names: addresses may be secrets.
#[cfg(feature = "serve")]
fn push_alerts(rows: &mut Vec<Row>, alerts: &AlertSettings) {
    for rule in &alerts.rules {
        rows.push(Row {
            key: format!("alert.{}", rule.value.name),
            value: json!(rule.value.check.as_str()),
            origin: rule.origin.to_string(),
        });
    }
    for one in &alerts.destinations {
        let (name, kind) = one.value.shown();
        rows.push(Row {
            key: format!("notify.{name}"),
            value: json!(kind),
            origin: one.origin.to_string(),
        });
    }
}

/// Shown is what names no secret: headers and the path of an address may.
fn push_otlp(rows: &mut Vec<Row>, otlp: &OtlpSettings) {
    let OtlpSettings {
        endpoint,
        headers_file,
        ca_file,
    } = otlp;
    if endpoint.is_some() {
        rows.push(optional_row("otlp.endpoint", endpoint, |url| {
            json!(url.split_once("://").map_or("…", |(_, rest)| {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                host.rsplit('@').next().unwrap_or_default()
            }))
        }));
    }
    for (key, file) in [
        ("otlp.headers_file", headers_file),
        ("otlp.ca_file", ca_file),
    ] {
        if file.is_some() {
            rows.push(optional_row(key, file, |path| {
                json!(path.display().to_string())
            }));
        }
    }
}

pub(super) fn push_remote(rows: &mut Vec<Row>, remote: &RemoteSettings) {
    let RemoteSettings {
        token,
        token_file,
        certificates,
    } = remote;
    if token.is_some() {
        rows.push(optional_row("remote.token", token, |token| {
            // Its length tells whether it was copied whole.
            json!(format!("*** ({} characters)", token.expose().len()))
        }));
    }
    let show = |path: &PathBuf| json!(path.display().to_string());
    if token_file.is_some() {
        rows.push(optional_row("remote.token_file", token_file, show));
    }
    if certificates.is_some() {
        rows.push(optional_row("remote.certificates", certificates, show));
    }
}
