//! The report for people as Markdown: what came of it first, then what failed, why no more was
//! tried, what was tried, and every detail.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};

use super::excerpts::{Seen, Shown};
use super::kept::{self, Excerpt, Rest};
use super::source::{Source, is_looked_into};
use super::story::Story;
use super::telling::{self, Fact, Said, first_line};
use super::text::{block, code, inline};
use crate::audit::Damage;
use crate::audit::session_id::short;
use crate::entry::RecoveryAuditEntry;
use crate::error::{Error, Result};
use crate::host::timestamp;
use crate::report::chart::Tone;
use crate::wording::long;
use crate::wording::{counted, cut};

/// How many characters of a text stand in a cell of the table.
const CELL_CHARS_MAX: usize = 80;

/// How many files are listed.
const FILES_SHOWN_MAX: usize = 50;

/// Writes the report of the session of `source` to `out` and returns what of the record could not
/// be read. Attempts are written as they are read: of however many, few are held at a time.
///
/// # Errors
/// If the store cannot be read or `out` not be written.
pub fn write_markdown(source: &Source<'_>, out: &mut dyn Write) -> Result<Vec<Damage>> {
    let Source {
        store,
        session_id,
        kept: _,
        now,
    } = *source;
    let (story, mut damage) = Story::read(store, session_id)?;
    let mut out = BufWriter::with_capacity(64 * 1024, out);
    let mut put = |text: String| {
        out.write_all(text.as_bytes())
            .map_err(|error| Error::os("write the report", error))
    };
    let last = story.last.as_ref().map_or(0, |last| last.number);
    put(summary(&story, &timestamp(now)))?;
    let mut seen = Seen::default();
    put(failed(source, &story, &mut seen))?;
    put(not_tried(&story))?;
    if last > 0 || story.statistics.total_attempts > 0 {
        put("\n## What was tried\n\n".to_owned())?;
        put("| # | Strategy | Did | Result | Took | Files | Next |\n".to_owned())?;
        put("|--:|---|---|---|--:|--:|---|\n".to_owned())?;
        store.read_trail(session_id, &mut |stored| put(row(&story, &stored.entry())))?;
    }
    put(under_way(&story))?;
    put(changed(source, &story, &mut seen))?;
    if story.statistics.total_attempts > 0 {
        put("\n## Each attempt\n".to_owned())?;
    }
    let owned = |(kind, message): (&str, &str)| (kind.to_owned(), message.to_owned());
    let mut known = story.about().map(owned);
    let of_entries = store.read_trail(session_id, &mut |stored| {
        let entry = stored.entry();
        let failure = Some((entry.error_type.clone(), entry.error_message.clone()));
        let is_known = failure == known;
        known = failure;
        let (changes, output) = match is_looked_into(entry.attempt_number, last) {
            true => kept_of(source, &story, &entry),
            false => (None, None),
        };
        let has_changes = changes.is_some();
        put(details(&story, &entry, (is_known, has_changes)))?;
        let number = Some(entry.attempt_number);
        let changes = changes.map(|changes| seen.changes(changes));
        put(shown("Its changes", changes, source, Rest::Changes(number)))?;
        let output = output.map(|output| seen.output(output));
        put(shown("Its output", output, source, Rest::Output(number)))?;
        Ok(())
    })?;
    Damage::join(&mut damage, of_entries);
    put(damage_note(&damage))?;
    out.flush()
        .map_err(|error| Error::os("write the report", error))?;
    Ok(damage)
}

fn summary(story: &Story, made_at: &str) -> String {
    let title = inline(short(&story.statistics.session_id));
    let verdict = telling::verdict(story);
    let sentence = match verdict.word.ends_with('.') {
        true => format!("{}{}", verdict.word, inline(&verdict.rest)),
        false => format!("**{}**{}", verdict.word, inline_after(&verdict.rest)),
    };
    let mut text = format!("# Recovery report: {title}\n\n{sentence}\n");
    text.push_str(&table(&telling::session_facts(story, made_at)));
    text
}

/// `rest` of a sentence, whose first character no reader takes for markup.
fn inline_after(rest: &str) -> String {
    match rest.strip_prefix(' ') {
        Some(rest) => format!(" {}", inline(rest)),
        None => inline(rest),
    }
}

/// What failed, where, and what it wrote.
fn failed(source: &Source<'_>, story: &Story, seen: &mut Seen) -> String {
    let facts = telling::failure_facts(story);
    let about = story.about();
    if facts.is_empty() && about.is_none() {
        return String::new();
    }
    let mut text = String::from("\n## What failed\n");
    if !facts.is_empty() {
        text.push_str(&table(&facts));
    }
    if let Some((error_type, message)) = about {
        text.push_str(&failure_block(error_type, message));
    }
    if let Some(detected) = story.failure() {
        if let Some(output) = seen.first_output(source, detected.output_file.as_deref()) {
            text.push_str(&excerpt(
                "What it wrote",
                &output,
                source,
                Rest::Output(None),
            ));
        }
        for then in &story.failures[1..] {
            let _ = writeln!(
                text,
                "\nThen: {}",
                inline(&telling::in_short(&then.failure))
            );
        }
    }
    text
}

fn failure_block(error_type: &str, message: &str) -> String {
    if message.is_empty() {
        return String::new();
    }
    format!("\nFailure {}:\n\n{}\n", inline(error_type), block(message))
}

/// What was not tried, and why.
fn not_tried(story: &Story) -> String {
    let told = telling::not_tried(story);
    if told.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n## What was not tried, and why\n\n");
    for one in told {
        let _ = writeln!(text, "- {}", inline(&one));
    }
    text
}

/// An attempt that has no end on record.
fn under_way(story: &Story) -> String {
    let Some(started) = story.without_end() else {
        return String::new();
    };
    format!(
        "\nAttempt {}, {}, has no end on record: it is under way, or recover died in it.\n",
        started.attempt_number,
        inline(&first_line(&started.strategy)),
    )
}

/// The changes that stayed.
fn changed(source: &Source<'_>, story: &Story, seen: &mut Seen) -> String {
    let files = &story.statistics.files_modified;
    let diff = seen.cure(source);
    let nothing_left = telling::nothing_left(story);
    if files.is_empty() && diff.is_none() && nothing_left.is_none() {
        return String::new();
    }
    let mut text = String::from("\n## What changed\n");
    if let Some(says) = nothing_left {
        let _ = writeln!(text, "\n{says}");
    }
    if let Some(diff) = diff {
        text.push_str(&excerpt(
            "What the cure changed",
            &diff,
            source,
            Rest::Changes(None),
        ));
    }
    if !files.is_empty() {
        text.push_str("\nFiles that attempts changed, also those that were undone:\n\n");
        text.push_str(&self::files(files));
    }
    text
}

fn row(story: &Story, entry: &RecoveryAuditEntry) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        entry.attempt_number,
        inline(&cell(&entry.strategy)),
        inline(&cell(&telling::did(story, entry))),
        result(entry),
        long(entry.duration_seconds),
        entry.files_modified.len(),
        inline(&cell(telling::next(entry))),
    )
}

fn cell(text: &str) -> String {
    cut(&first_line(text), CELL_CHARS_MAX)
}

fn details(
    story: &Story,
    entry: &RecoveryAuditEntry,
    (is_known_failure, has_changes): (bool, bool),
) -> String {
    let mut text = format!(
        "\n### {}. {}: {}\n\n{} · {} · {}\n",
        entry.attempt_number,
        inline(&cell(&entry.strategy)),
        result(entry),
        inline(&entry.timestamp),
        long(entry.duration_seconds),
        code(&entry.entry_id),
    );
    if !is_known_failure {
        text.push_str(&failure_block(&entry.error_type, &entry.error_message));
    }
    text.push('\n');
    for (name, said) in telling::attempt_facts(story, entry) {
        let _ = writeln!(text, "- {name}: {}", in_list(&said));
    }
    if !has_changes && !entry.files_modified.is_empty() {
        text.push_str("\nFiles:\n\n");
        text.push_str(&files(&entry.files_modified));
    }
    text
}

/// The changes and the output of an attempt, where they are kept.
fn kept_of(
    source: &Source<'_>,
    story: &Story,
    entry: &RecoveryAuditEntry,
) -> (Option<Excerpt>, Option<Excerpt>) {
    let number = entry.attempt_number;
    let changes = match entry.files_modified.is_empty() {
        true => None,
        false => kept::changes(source.kept, Some(number)),
    };
    let finished = story.finished(number);
    let file = finished.and_then(|end| end.output_file.as_deref());
    (changes, kept::output(source.kept, file))
}

fn shown(name: &str, shown: Option<Shown>, source: &Source<'_>, rest: Rest) -> String {
    match shown {
        None => String::new(),
        Some(Shown::AsBefore) => format!("\n{name}: the same as above.\n"),
        Some(Shown::Text(text)) => excerpt(name, &text, source, rest),
    }
}

/// `shown` as a block under its `name`; where it is cut, with the command that shows the `rest`.
fn excerpt(name: &str, shown: &Excerpt, source: &Source<'_>, rest: Rest) -> String {
    let (language, which) = match rest {
        Rest::Changes(_) => ("diff", "its beginning"),
        _ => ("text", "its end"),
    };
    let more = match (shown.is_cut, source.kept.command(rest)) {
        (false, _) => String::new(),
        (true, None) => format!(" ({which})"),
        (true, Some(command)) => format!(" ({which}; {} has all)", code(&command)),
    };
    let text = block(&shown.text).replacen("text\n", &format!("{language}\n"), 1);
    format!("\n{name}{more}:\n\n{text}\n")
}

fn result(entry: &RecoveryAuditEntry) -> String {
    match telling::result(entry) {
        (text, Tone::Bad | Tone::Undone) => format!("✘ {text}"),
        (text, _) => format!("✔ {text}"),
    }
}

fn table(facts: &[Fact]) -> String {
    let mut text = String::from("\n| | |\n|---|---|\n");
    for (name, said) in facts {
        let (Said::Words(value) | Said::Code(value)) = said;
        // Code in a cell ends at a bar, whatever stands before it.
        let _ = writeln!(text, "| {name} | {} |", inline(value));
    }
    text
}

fn in_list(said: &Said) -> String {
    match said {
        Said::Words(text) => inline(text),
        Said::Code(text) => code(text),
    }
}

fn damage_note(damage: &[Damage]) -> String {
    if damage.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n## Damage\n\n{} of the record could not be read, and what stood there is missing above:\n\n",
        counted(damage.len() as u64, "place")
    );
    for place in damage {
        let _ = writeln!(
            text,
            "- {}, line {}, {}: {}",
            code(&place.place),
            place.line,
            counted(place.bytes, "byte"),
            inline(&place.reason)
        );
    }
    text
}

fn files(paths: &[String]) -> String {
    let mut text = String::new();
    for path in paths.iter().take(FILES_SHOWN_MAX) {
        let _ = writeln!(text, "- {}", code(path));
    }
    if paths.len() > FILES_SHOWN_MAX {
        let _ = writeln!(text, "- … {} more", paths.len() - FILES_SHOWN_MAX);
    }
    text
}
