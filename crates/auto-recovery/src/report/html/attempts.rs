//! The attempts of a session: each has a row, and in full those that there is room for, the cures
//! and the last ones first.

use super::pieces::{diff, dl, excerpt, failure_block, files, no_room, section};
use super::plots::{self, Mark};
use crate::audit::{AttemptStarted, Damage};
use crate::entry::RecoveryAuditEntry;
use crate::error::Result;
use crate::report::chart::Tone;
use crate::report::excerpts::{Seen, Shown};
use crate::report::kept::{self, Excerpt, Rest};
use crate::report::markup::escaped;
use crate::report::source::{Source, is_looked_into};
use crate::report::story::Story;
use crate::report::telling;
use crate::statistics::instant;
use crate::wording::counted;
use crate::wording::long;

/// Attempts that the page has, the last ones; more are counted.
const ATTEMPTS_MAX: usize = 1_000;

/// Bytes of a cell's text, escaped: in a table of few rows, and in one of more, where a thousand
/// rows take a third of the page.
const CELL_BYTES: usize = 400;
const CELL_BYTES_OF_MANY: usize = 80;
const FEW: usize = 100;

/// Bytes kept for changes and outputs before the last attempts have their texts.
const EXCERPTS_ROOM: usize = 150_000;

/// Bytes of one attempt's changes, escaped.
const DIFF_BYTES_MAX: usize = 30_000;

/// Bytes that are left.
pub(super) struct Room(pub(super) usize);

impl Room {
    fn take(&mut self, bytes: usize, keep: usize) -> bool {
        let fits = bytes.saturating_add(keep) <= self.0;
        if fits {
            self.0 -= bytes;
        }
        fits
    }
}

/// The last attempts of a session, rendered.
pub(super) struct Attempts {
    told: Vec<Told>,
    marks: Vec<Mark>,
    /// Attempts before them.
    earlier: u64,
}

/// One attempt.
struct Told {
    number: u64,
    /// Its id in the page: numbers may repeat.
    id: String,
    cells: String,
    heading: String,
    text: String,
    success: bool,
    /// The list of its files, which its changes say as well.
    files: String,
    output_file: Option<String>,
    /// Its changes and its output, once they were looked for.
    changes: Option<Excerpt>,
    output: Option<Excerpt>,
    is_in_full: bool,
}

impl Attempts {
    /// Reads the last attempts of `source`, and what of the record could not be read.
    pub(super) fn read(source: &Source<'_>, story: &Story) -> Result<(Self, Vec<Damage>)> {
        let mut attempts = Self {
            told: Vec::new(),
            marks: Vec::new(),
            earlier: 0,
        };
        let total = story.statistics.total_attempts;
        let is_many = total > FEW as u64;
        let owned = |(kind, message): (&str, &str)| (kind.to_owned(), message.to_owned());
        let mut known = story.about().map(owned);
        let damage = source
            .store
            .read_last(source.session_id, ATTEMPTS_MAX, &mut |stored| {
                let entry = stored.entry();
                let failure = Some((entry.error_type.clone(), entry.error_message.clone()));
                let is_known = failure == known;
                known = failure;
                let id = format!("attempt-{}", attempts.told.len() + 1);
                attempts.marks.push(mark(&entry));
                attempts
                    .told
                    .push(told(story, &entry, id, (is_known, is_many)));
                Ok(())
            })?;
        attempts.earlier = total.saturating_sub(attempts.told.len() as u64);
        Ok((attempts, damage))
    }

    pub(super) fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The section of rows and the section of texts, in at most `room`.
    pub(super) fn sections(
        mut self,
        source: &Source<'_>,
        story: &Story,
        (mut room, seen): (Room, &mut Seen),
    ) -> (String, String) {
        let head = self.rows(source, story);
        // Until it is decided which have a text, each row is as long as it may become.
        let links: usize = self.told.iter().map(|one| one.id.len() + LINK_BYTES).sum();
        room.take(head.len() + links, 0);
        self.choose(source, story, &mut room);
        let rows = self.rows(source, story);
        let mut text = String::new();
        let untold = self.told.iter().filter(|one| !one.is_in_full).count();
        if untold > 0 {
            let untold = counted(untold as u64, "attempt");
            let said = format!("The page has no room for {untold} more than in the table above");
            let command = source.kept.command(Rest::AnyAttempt);
            text.push_str(&no_room(&said, command, "shows attempt N"));
        }
        for one in self.told.iter().filter(|one| one.is_in_full) {
            text.push_str(&one.article(source, seen));
        }
        (
            section("tried", "What was tried", &rows),
            section("each", "Each attempt", &text),
        )
    }

    /// Decides which have a text, and which show what is kept of them.
    fn choose(&mut self, source: &Source<'_>, story: &Story, room: &mut Room) {
        let last = story.last.as_ref().map_or(0, |last| last.number);
        let order = self.order();
        let is_roomy = self.told.iter().map(Told::bytes).sum::<usize>() + EXCERPTS_ROOM <= room.0;
        let keep = if is_roomy { 0 } else { EXCERPTS_ROOM };
        for &index in &order {
            let one = &mut self.told[index];
            one.is_in_full = room.take(one.bytes(), keep);
        }
        for index in order {
            let one = &mut self.told[index];
            if one.is_in_full && is_looked_into(one.number, last) {
                one.look(source);
                let bytes = one.changes(source, &mut Seen::default()).len();
                one.changes.take_if(|_| !room.take(bytes, 0));
                let bytes = one.output(source, &mut Seen::default()).len();
                one.output.take_if(|_| !room.take(bytes, 0));
            }
        }
    }

    /// The attempts by how much they matter: cures, then from the last to the first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.told.len()).rev().collect();
        order.sort_by_key(|index| !self.told[*index].success);
        order
    }

    fn rows(&self, source: &Source<'_>, story: &Story) -> String {
        let mut text = String::new();
        if self.earlier > 0 {
            let said = format!("{} before these", counted(self.earlier, "attempt"));
            let command = source.kept.command(Rest::Attempts);
            text.push_str(&no_room(&said, command, "lists all"));
        }
        if !self.told.is_empty() {
            text.push_str(TABLE_HEAD);
            for one in &self.told {
                text.push_str(&one.row());
            }
            text.push_str("</tbody>\n</table>\n</section>\n");
        }
        if let Some(started) = story.without_end() {
            text.push_str(&under_way(started));
        }
        text.push_str(&plots::plots(&self.marks));
        text
    }
}

/// Bytes of a link around a number, without its target.
const LINK_BYTES: usize = 16;

const TABLE_HEAD: &str = "<section class=\"wide\" aria-label=\"Table of attempts\" tabindex=\"0\">\n\
    <table>\n<thead><tr><th scope=\"col\" class=\"number\">#</th><th scope=\"col\">Strategy</th>\
    <th scope=\"col\">Did</th><th scope=\"col\">Result</th>\
    <th scope=\"col\" class=\"number\">Took</th><th scope=\"col\" class=\"number\">Files</th>\
    <th scope=\"col\">Next</th></tr></thead>\n<tbody>\n";

impl Told {
    fn bytes(&self) -> usize {
        self.heading.len() + self.text.len() + self.files.len() + self.id.len() * 2 + 100
    }

    fn row(&self) -> String {
        let number = match self.is_in_full {
            true => format!("<a href=\"#{}\">{}</a>", self.id, self.number),
            false => self.number.to_string(),
        };
        format!(
            "<tr><th scope=\"row\" class=\"number\">{number}</th>{}</tr>\n",
            self.cells
        )
    }

    fn article(&self, source: &Source<'_>, seen: &mut Seen) -> String {
        let Self {
            id, heading, text, ..
        } = self;
        let files = match self.changes {
            Some(_) => "",
            None => &self.files,
        };
        let changes = self.changes(source, seen);
        let output = self.output(source, seen);
        format!(
            "<article aria-labelledby=\"{id}\">\n<h3 id=\"{id}\">{heading}</h3>\n\
             {text}{files}{changes}{output}</article>\n"
        )
    }

    /// Reads what is kept of it.
    fn look(&mut self, source: &Source<'_>) {
        if !self.files.is_empty() {
            self.changes = kept::changes(source.kept, Some(self.number));
        }
        self.output = kept::output(source.kept, self.output_file.as_deref());
    }

    fn changes(&self, source: &Source<'_>, seen: &mut Seen) -> String {
        let command = || source.kept.command(Rest::Changes(Some(self.number)));
        match self.changes.clone().map(|changes| seen.changes(changes)) {
            None => String::new(),
            Some(Shown::AsBefore) => as_before("Its changes"),
            Some(Shown::Text(text)) => diff("Its changes", &text, command(), DIFF_BYTES_MAX),
        }
    }

    fn output(&self, source: &Source<'_>, seen: &mut Seen) -> String {
        let command = || source.kept.command(Rest::Output(Some(self.number)));
        match self.output.clone().map(|output| seen.output(output)) {
            None => String::new(),
            Some(Shown::AsBefore) => as_before("Its output"),
            Some(Shown::Text(text)) => excerpt("Its output", &text, command()),
        }
    }
}

fn as_before(name: &str) -> String {
    format!("<p class=\"when\">{name}: the same as above.</p>\n")
}

fn mark(entry: &RecoveryAuditEntry) -> Mark {
    let (result, tone) = telling::result(entry);
    Mark {
        number: entry.attempt_number,
        strategy: telling::first_line(&entry.strategy),
        ended_us: instant(&entry.timestamp),
        seconds: entry.duration_seconds,
        result,
        tone,
    }
}

fn told(
    story: &Story,
    entry: &RecoveryAuditEntry,
    id: String,
    (is_known_failure, is_many): (bool, bool),
) -> Told {
    let number = entry.attempt_number;
    let mut text = format!(
        "<p class=\"when\"><time>{}</time> · {} · <code>{}</code></p>\n",
        escaped(&entry.timestamp, CELL_BYTES),
        long(entry.duration_seconds),
        escaped(&entry.entry_id, CELL_BYTES),
    );
    if !is_known_failure {
        text.push_str(&failure_block(&entry.error_type, &entry.error_message));
    }
    text.push_str(&dl(&telling::attempt_facts(story, entry)));
    let files = match entry.files_modified.is_empty() {
        true => String::new(),
        false => format!("<p>Files:</p>\n{}", files(&entry.files_modified)),
    };
    let finished = story.finished(number);
    Told {
        number,
        id,
        cells: cells(story, entry, is_many),
        heading: format!(
            "{number}. {}: {}",
            escaped(&telling::first_line(&entry.strategy), CELL_BYTES),
            result(entry)
        ),
        text,
        success: entry.success,
        files,
        output_file: finished.and_then(|end| end.output_file.clone()),
        changes: None,
        output: None,
        is_in_full: false,
    }
}

fn cells(story: &Story, entry: &RecoveryAuditEntry, is_many: bool) -> String {
    let bytes_max = match is_many {
        true => CELL_BYTES_OF_MANY,
        false => CELL_BYTES,
    };
    let cell = |text: &str| escaped(&telling::first_line(text), bytes_max);
    format!(
        "<td>{}</td><td><code>{}</code></td><td>{}</td><td class=\"number\">{}</td>\
         <td class=\"number\">{}</td><td>{}</td>",
        cell(&entry.strategy),
        cell(&telling::did(story, entry)),
        result(entry),
        long(entry.duration_seconds),
        entry.files_modified.len(),
        cell(telling::next(entry)),
    )
}

fn result(entry: &RecoveryAuditEntry) -> String {
    let (text, tone) = telling::result(entry);
    let sign = match tone {
        Tone::Bad | Tone::Undone => '✘',
        _ => '✔',
    };
    format!("<span class=\"{}\">{sign} {text}</span>", tone.class())
}

/// An attempt that has no end on record.
fn under_way(started: &AttemptStarted) -> String {
    format!(
        "<p>Attempt {}, {}, has no end on record: it is under way, or recover died in it.</p>\n",
        started.attempt_number,
        escaped(&telling::first_line(&started.strategy), CELL_BYTES),
    )
}
