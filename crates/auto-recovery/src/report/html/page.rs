//! The page as a whole: its head, its sections in order, and the room each may take.

use std::io::Write;

use super::attempts::{Attempts, Room};
use super::pieces::{self, dl, excerpt, failure_block, list, section};
use super::plots;
use crate::audit::Damage;
use crate::audit::session_id::short;
use crate::error::{Error, Result};
use crate::host::timestamp;
use crate::report::chart;
use crate::report::excerpts::Seen;
use crate::report::kept::Rest;
use crate::report::markup::escaped;
use crate::report::source::Source;
use crate::report::story::Story;
use crate::report::telling;
use crate::wording::counted;

/// Most bytes of a page. A thousand attempts have room in a table, and the last of them in full.
pub const PAGE_BYTES_MAX: usize = 1_000_000;

/// Bytes of the command in the heading and the title.
const TITLE_BYTES_MAX: usize = 600;

/// Bytes of the cure's changes, escaped: 200 lines of ordinary code are a tenth.
const CURE_BYTES_MAX: usize = 120_000;

/// Bytes that the rest of the page has left for damage and a foot.
const FOOT_BYTES: usize = 12_000;

/// Places of damage that are told; more are counted.
const DAMAGE_MAX: usize = 20;

/// The rules of a report's page, for the sheet of pages that have one in them.
pub const PAGE_STYLE: &str = include_str!("page.css");

/// The report of a session, for those who put it into a page of their own.
#[derive(Clone, Debug)]
pub struct HtmlReport {
    /// Its title, as markup.
    pub title: String,
    /// Its header, main part and footer, as markup.
    pub body: String,
}

/// Writes the report of the session of `source` to `out` as a page of at most [`PAGE_BYTES_MAX`]
/// bytes, and returns what of the record could not be read.
///
/// # Errors
/// If the store cannot be read or `out` not be written.
pub fn write_html(source: &Source<'_>, out: &mut dyn Write) -> Result<Vec<Damage>> {
    let (report, damage) = html_report(source)?;
    let page = head(&report.title) + &report.body + "</body>\n</html>\n";
    out.write_all(page.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Error::os("write the report", error))?;
    Ok(damage)
}

/// The same without the frame of a page: it is to be shown with the rules of [`PAGE_STYLE`] and of
/// [`chart::STYLE`].
///
/// # Errors
/// If the store cannot be read.
pub fn html_report(source: &Source<'_>) -> Result<(HtmlReport, Vec<Damage>)> {
    let (story, mut damage) = Story::read(source.store, source.session_id)?;
    let (attempts, of_entries) = Attempts::read(source, &story)?;
    Damage::join(&mut damage, of_entries);
    let title = title(&story);
    let mut body = header(&story, &attempts);
    body.push_str("<main>\n");
    let mut seen = Seen::default();
    body.push_str(&failed(source, &story, &mut seen));
    body.push_str(&not_tried(&story));
    let changed = changed(source, &story, &mut seen);
    let session = session(&story, &timestamp(source.now));
    let of_head = head(&title).len();
    let taken = of_head + body.len() + changed.len() + session.len() + FOOT_BYTES;
    let room = Room(PAGE_BYTES_MAX.saturating_sub(taken));
    let (tried, each) = attempts.sections(source, &story, (room, &mut seen));
    body.push_str(&tried);
    body.push_str(&changed);
    body.push_str(&each);
    body.push_str(&session);
    body.push_str(&damage_note(&damage));
    body.push_str("</main>\n");
    body.push_str(&foot(source));
    Ok((HtmlReport { title, body }, damage))
}

fn title(story: &Story) -> String {
    let verdict = telling::verdict(story);
    let title = format!(
        "{}: {}",
        verdict.word.trim_end_matches('.'),
        telling::subject(story)
    );
    escaped(&title, TITLE_BYTES_MAX)
}

fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{PAGE_STYLE}{}</style>\n</head>\n<body>\n",
        chart::STYLE,
    )
}

/// What it is about, how it ended, and when what happened.
fn header(story: &Story, attempts: &Attempts) -> String {
    let verdict = telling::verdict(story);
    format!(
        "<header>\n<p class=\"kind\">{}</p>\n<h1>{}</h1>\n\
         <p class=\"verdict {}\"><strong>{}</strong>{}</p>\n{}</header>\n",
        escaped(&kind(story), TITLE_BYTES_MAX),
        escaped(&telling::subject(story), TITLE_BYTES_MAX),
        verdict.tone.class(),
        verdict.word,
        escaped(&verdict.rest, TITLE_BYTES_MAX),
        plots::time_line(story, attempts.marks()),
    )
}

/// The line above the heading: that it is a report, the session, the host and the beginning.
fn kind(story: &Story) -> String {
    let mut parts = vec!["Recovery report", short(&story.statistics.session_id)];
    parts.extend(story.started.host.as_deref());
    parts.extend(story.statistics.session_start.as_deref());
    parts.join(" · ")
}

fn failed(source: &Source<'_>, story: &Story, seen: &mut Seen) -> String {
    let facts = telling::failure_facts(story);
    let mut text = dl(&facts);
    if let Some((error_type, message)) = story.about() {
        text.push_str(&failure_block(error_type, message));
    }
    if let Some(detected) = story.failure() {
        if let Some(output) = seen.first_output(source, detected.output_file.as_deref()) {
            let command = source.kept.command(Rest::Output(None));
            text.push_str(&excerpt("What it wrote", &output, command));
        }
        let then = story.failures[1..].iter();
        let then: Vec<_> = then.map(|one| telling::in_short(&one.failure)).collect();
        if !then.is_empty() {
            text.push_str("<p>Attempts turned it into:</p>\n");
            text.push_str(&list(&then));
        }
    }
    section("failed", "What failed", &text)
}

fn not_tried(story: &Story) -> String {
    let text = list(&telling::not_tried(story));
    section("not-tried", "What was not tried, and why", &text)
}

fn changed(source: &Source<'_>, story: &Story, seen: &mut Seen) -> String {
    let mut text = String::new();
    if let Some(diff) = seen.cure(source) {
        let command = source.kept.command(Rest::Changes(None));
        let diff = pieces::diff("What the cure changed", &diff, command, CURE_BYTES_MAX);
        text.push_str(&diff);
    }
    if let Some(says) = telling::nothing_left(story) {
        text.push_str(&format!("<p>{says}</p>\n"));
    }
    let files = &story.statistics.files_modified;
    if !files.is_empty() {
        text.push_str("<p>Files that attempts changed, also those that were undone:</p>\n");
        text.push_str(&pieces::files(files));
    }
    section("changed", "What changed", &text)
}

fn session(story: &Story, made_at: &str) -> String {
    section(
        "session",
        "The session",
        &dl(&telling::session_facts(story, made_at)),
    )
}

fn damage_note(damage: &[Damage]) -> String {
    if damage.is_empty() {
        return String::new();
    }
    let mut places: Vec<_> = damage
        .iter()
        .take(DAMAGE_MAX)
        .map(|place| {
            let bytes = counted(place.bytes, "byte");
            format!(
                "{}, line {}, {bytes}: {}",
                place.place, place.line, place.reason
            )
        })
        .collect();
    if damage.len() > DAMAGE_MAX {
        places.push(format!("… {} more", damage.len() - DAMAGE_MAX));
    }
    let text = format!(
        "<p>{} of the record could not be read, and what stood there is missing above:</p>\n{}",
        counted(damage.len() as u64, "place"),
        list(&places),
    );
    section("damage", "Damage", &text)
}

fn foot(source: &Source<'_>) -> String {
    let more = match source.kept.command(Rest::Session) {
        None => String::new(),
        Some(command) => {
            let command = escaped(&command, TITLE_BYTES_MAX);
            format!(" <code>{command}</code> shows more.")
        }
    };
    format!("<footer>\n<p>Made from the record alone.{more}</p>\n</footer>\n")
}
