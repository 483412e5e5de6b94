//! Slack, Discord, Teams and ntfy.

use serde_json::{Value, json};

use crate::alerts::message::{Message, cut_to};

/// Characters of a message there, below what each takes.
const SLACK_CHARS_MAX: usize = 2_900;
const DISCORD_CHARS_MAX: usize = 1_990;
const TEAMS_CHARS_MAX: usize = 4_000;
const NTFY_CHARS_MAX: usize = 2_000;

/// What stands behind a message whose receiver cannot tell that it has it already.
const MAYBE: &str = "(may be a repeat)";

/// The lines of `message`, with `escape` around what each says, cut to `chars`.
fn text(message: &Message, maybe: bool, chars: usize, escape: &dyn Fn(&str) -> String) -> String {
    let mut text = escape(&message.title());
    if maybe {
        text.push(' ');
        text.push_str(&escape(MAYBE));
    }
    for line in message.lines() {
        let line = format!("\n{}", escape(&line));
        if text.chars().count() + line.chars().count() > chars {
            text.push_str("\n…");
            break;
        }
        text.push_str(&line);
    }
    cut_to(&text, chars)
}

/// Slack: what looks like a mention or a link is written out.
pub(super) fn slack(message: &Message, maybe: bool) -> String {
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let text = text(message, maybe, SLACK_CHARS_MAX, &escape);
    json!({
        "text": text, "mrkdwn": false, "link_names": false, "unfurl_links": false,
        "unfurl_media": false,
    })
    .to_string()
}

/// Discord: nobody is mentioned, whatever the text says, and no markup counts.
pub(super) fn discord(message: &Message, maybe: bool) -> String {
    /// Flag: no previews of links.
    const SUPPRESS_EMBEDS: u32 = 4;

    let escape = |text: &str| {
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            if "\\*_~`|>#[]()<@-".contains(character) {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        escaped
    };
    json!({
        "content": text(message, maybe, DISCORD_CHARS_MAX, &escape),
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    })
    .to_string()
}

/// Teams: a card of runs of text, in which no markup counts.
pub(super) fn teams(message: &Message, maybe: bool) -> String {
    let plain = |text: &str| text.to_owned();
    let text = text(message, maybe, TEAMS_CHARS_MAX, &plain);
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let block = |text: &str, bold: bool| {
        let weight = if bold { "bolder" } else { "default" };
        json!({
            "type": "RichTextBlock",
            "inlines": [{"type": "TextRun", "text": text, "weight": weight}],
        })
    };
    let mut blocks = vec![block(title, true)];
    blocks.extend(rest.lines().map(|line| block(line, false)));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "body": blocks,
    });
    if let Some(link) = &message.link {
        let url = format!("{link}/alerts");
        card["actions"] = json!([{"type": "Action.OpenUrl", "title": "Alerts", "url": url}]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": Value::Null,
            "content": card,
        }],
    })
    .to_string()
}

/// ntfy: plain text to a topic.
pub(super) fn ntfy(topic: &str, message: &Message, maybe: bool) -> String {
    let plain = |text: &str| text.to_owned();
    let text = text(message, maybe, NTFY_CHARS_MAX, &plain);
    let (title, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let priority = if message.severity == "critical" { 5 } else { 3 };
    let mut body = json!({
        "topic": topic, "title": title, "message": rest, "priority": priority,
        "tags": [message.change], "sequence_id": message.id,
    });
    if let Some(link) = &message.link {
        body["click"] = format!("{link}/alerts").into();
    }
    body.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::message::Incident;

    const HOSTILE: &str = "<!channel> @everyone <@U1> [x](http://e) *b* `c` \u{1b}[31m\r\nBcc: e";

    fn message() -> Message {
        let incident = Incident {
            summary: HOSTILE.to_owned(),
            message: HOSTILE.repeat(200),
            ..Incident::default()
        };
        Message {
            link: Some("https://recover.example".to_owned()),
            ..Message::new(
                "msg_1",
                "firing",
                "2026-01-01T00:00:00.000Z",
                vec![incident; 7],
            )
        }
    }

    #[test]
    fn hostile_text_is_text_in_each() {
        let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let slack = json(slack(&message(), false));
        let text = slack["text"].as_str().unwrap();
        assert!(!text.contains(['<', '>', '\u{1b}', '\r']), "{text}");
        let discord = json(discord(&message(), false));
        assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
        let text = discord["content"].as_str().unwrap();
        assert!(
            text.contains("\\@everyone") && text.contains("\\[x\\]\\("),
            "{text}"
        );
        let teams = json(teams(&message(), false));
        let blocks = &teams["attachments"][0]["content"]["body"];
        let blocks = blocks.as_array().unwrap();
        assert!(blocks.iter().all(|block| block["type"] == "RichTextBlock"));
        let ntfy = json(ntfy("t", &message(), false));
        assert!(ntfy.get("markdown").is_none());
        assert!(
            !ntfy["title"]
                .as_str()
                .unwrap()
                .contains(['\r', '\n', '\u{1b}'])
        );
    }

    #[test]
    fn each_is_short_enough_and_says_that_it_may_come_twice() {
        let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let chars = |value: &Value| value.as_str().unwrap().chars().count();
        assert!(chars(&json(slack(&message(), true))["text"]) <= SLACK_CHARS_MAX);
        let discord = json(discord(&message(), true));
        assert!(chars(&discord["content"]) <= DISCORD_CHARS_MAX);
        let short = Message::new("m", "firing", "", vec![Incident::default()]);
        for body in [
            slack(&short, true),
            teams(&short, true),
            ntfy("t", &short, true),
        ] {
            assert!(body.contains(MAYBE), "{body}");
        }
        assert!(!slack(&short, false).contains(MAYBE));
    }
}
