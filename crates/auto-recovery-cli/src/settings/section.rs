//! Reading tables of a configuration file key by key.
//!
//! Every complaint names the file and the line. What was asked for is remembered, so a key that
//! nobody asked for is an error that can name the nearest one that exists.

use std::ops::Range;
use std::time::Duration;

use auto_recovery::wording::nearest;
use auto_recovery::{Error, ErrorKind, Result};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::settings::{Origin, Setting, SourceFile, StrategyCommand, parse_duration, parse_limit};

/// A table of a file that is being read.
pub(crate) struct Section<'d> {
    file: &'d SourceFile,
    /// How the file names this table; empty for the whole file.
    name: String,
    /// Where in the file its name stands.
    start: usize,
    table: &'d DeTable<'d>,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The whole of `file`, whose parsed text is `table`.
    pub(crate) fn root(file: &'d SourceFile, table: &'d DeTable<'d>) -> Self {
        Self {
            file,
            name: String::new(),
            start: 0,
            table,
            asked: Vec::new(),
        }
    }

    /// The text at `key`.
    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<Setting<String>>> {
        self.parsed(key, |text| Ok::<_, String>(text.to_owned()))
    }

    /// The text at `key`, as `parse` understands it.
    pub(crate) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<Setting<T>>> {
        self.value(key, |value| match value {
            DeValue::String(text) => parse(text).map_err(|error| error.to_string()),
            _ => Err("must be a text in quotes".to_owned()),
        })
    }

    /// The duration at `key`.
    pub(crate) fn duration(&mut self, key: &'static str) -> Result<Option<Setting<Duration>>> {
        self.value(key, |value| match value {
            DeValue::String(text) => parse_duration(text),
            DeValue::Integer(number) => parse_duration(number.as_str()),
            _ => Err("must be a duration in quotes, like \"5m30s\"".to_owned()),
        })
    }

    /// The duration at `key`, of at most `max`.
    #[cfg(feature = "serve")]
    pub(crate) fn duration_up_to(
        &mut self,
        key: &'static str,
        max: Duration,
    ) -> Result<Option<Setting<Duration>>> {
        const DAY_S: u64 = 24 * 60 * 60;

        match self.duration(key)? {
            Some(found) if found.value > max => {
                let most = match max.as_secs() {
                    seconds if seconds < DAY_S => format!("{}h", seconds / 3600),
                    seconds => format!("{}d", seconds / DAY_S),
                };
                Err(self.refuse(&format!("has a `{key}` over {most}, the most there is")))
            }
            found => Ok(found),
        }
    }

    /// The limit at `key`: a duration, and not none at all.
    pub(crate) fn limit(&mut self, key: &'static str) -> Result<Option<Setting<Duration>>> {
        self.value(key, |value| match value {
            DeValue::String(text) => parse_limit(text),
            DeValue::Integer(number) => parse_limit(number.as_str()),
            _ => Err("must be a duration in quotes, like \"5m30s\"".to_owned()),
        })
    }

    /// The truth value at `key`.
    pub(crate) fn flag(&mut self, key: &'static str) -> Result<Option<Setting<bool>>> {
        self.value(key, |value| match value {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err("must be true or false".to_owned()),
        })
    }

    /// The whole number at `key`, at least `min`.
    pub(crate) fn number(&mut self, key: &'static str, min: u32) -> Result<Option<Setting<u32>>> {
        self.value(key, |value| {
            integer(value)
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number >= min)
                .ok_or_else(|| format!("must be a whole number from {min} to {}", u32::MAX))
        })
    }

    /// The list of texts at `key`.
    pub(crate) fn texts(&mut self, key: &'static str) -> Result<Option<Setting<Vec<String>>>> {
        self.value(key, |value| {
            texts(value).ok_or_else(|| "must be a list of texts, like [\"a\", \"b\"]".to_owned())
        })
    }

    /// The list of whole numbers at `key`.
    pub(crate) fn parsed_texts<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<Setting<Vec<T>>>> {
        let Some(Setting { value, origin }) = self.texts(key)? else {
            return Ok(None);
        };
        let parsed = value.iter().map(|text| {
            parse(text).map_err(|error| self.refuse(&format!("`{key}` has `{text}`: {error}")))
        });
        let value = parsed.collect::<Result<Vec<_>>>()?;
        Ok(Some(Setting { value, origin }))
    }

    pub(crate) fn numbers(&mut self, key: &'static str) -> Result<Option<Setting<Vec<i64>>>> {
        self.value(key, |value| {
            match value {
                DeValue::Array(items) => items.iter().map(|item| integer(item.get_ref())).collect(),
                _ => None,
            }
            .ok_or_else(|| "must be a list of whole numbers, like [1, 2]".to_owned())
        })
    }

    /// The command at `key`: a text runs under `sh -c`, a list of texts runs directly.
    pub(crate) fn command(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Setting<StrategyCommand>>> {
        self.value(key, command)
    }

    /// The commands at `key`: one as [`Section::command`] takes it, or a list with lists in it,
    /// each item one command.
    pub(crate) fn commands(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Setting<Vec<StrategyCommand>>>> {
        self.value(key, |value| match value {
            DeValue::Array(items)
                if items
                    .iter()
                    .any(|item| matches!(item.get_ref(), DeValue::Array(_))) =>
            {
                items.iter().map(|item| command(item.get_ref())).collect()
            }
            one => command(one).map(|one| vec![one]),
        })
    }

    /// The table at `key`.
    pub(crate) fn table(&mut self, key: &'static str) -> Result<Option<Section<'d>>> {
        self.asked.push(key);
        let Some((span, value)) = self.find(key) else {
            return Ok(None);
        };
        let DeValue::Table(table) = value else {
            return Err(self.complaint(&span, &format!("`{key}` must be a table: [{key}]")));
        };
        Ok(Some(Section {
            file: self.file,
            name: self.full(key),
            start: span.start,
            table,
            asked: Vec::new(),
        }))
    }

    /// The tables below `key`, each with its own name, in the order of the file.
    pub(crate) fn tables(&mut self, key: &'static str) -> Result<Vec<(String, Section<'d>)>> {
        self.asked.push(key);
        let Some((span, value)) = self.find(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Table(tables) = value else {
            return Err(self.complaint(
                &span,
                &format!("`{key}` must be a table, like [{key}.NAME]"),
            ));
        };
        let mut sections = Vec::new();
        for (name, value) in tables {
            let DeValue::Table(table) = value.get_ref() else {
                let full = self.full(key);
                return Err(self.complaint(
                    &name.span(),
                    &format!(
                        "`{full}.{}` must be a table, like [{full}.NAME]",
                        name.get_ref()
                    ),
                ));
            };
            let section = Section {
                file: self.file,
                name: format!("{}.{}", self.full(key), name.get_ref()),
                start: name.span().start,
                table,
                asked: Vec::new(),
            };
            sections.push((name.get_ref().clone().into_owned(), section));
        }
        sections.sort_by_key(|(_, section)| section.start);
        Ok(sections)
    }

    /// Refuses this whole table because of `reason`.
    pub(crate) fn refuse(&self, reason: &str) -> Error {
        complaint(self.file, self.start, &format!("[{}] {reason}", self.name))
    }

    /// Where `key` stands, if this table has it.
    pub(crate) fn offset_of(&self, key: &str) -> Option<usize> {
        self.find(key).map(|(span, _)| span.start)
    }

    /// Where this table stands.
    pub(crate) fn origin(&self) -> Origin {
        self.origin_at(self.start)
    }

    /// Refuses a key that nobody asked for.
    pub(crate) fn finish(&self) -> Result<()> {
        let unknown = self
            .table
            .iter()
            .filter(|(key, _)| !self.asked.contains(&key.get_ref().as_ref()))
            .min_by_key(|(key, _)| key.span().start);
        let Some((key, _)) = unknown else {
            return Ok(());
        };
        let hint = match nearest(key.get_ref(), self.asked.iter().copied()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => known_keys(&self.asked),
        };
        let place = match self.name.as_str() {
            "" => String::new(),
            name => format!(" in [{name}]"),
        };
        Err(self.complaint(
            &key.span(),
            &format!("unknown key {}{place}: {hint}", shown_key(key.get_ref())),
        ))
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'d>) -> Result<T, String>,
    ) -> Result<Option<Setting<T>>> {
        self.asked.push(key);
        let Some((span, value)) = self.find(key) else {
            return Ok(None);
        };
        let value = read(value)
            .map_err(|reason| self.complaint(&span, &format!("`{}`: {reason}", self.full(key))))?;
        Ok(Some(Setting {
            value,
            origin: self.origin_at(span.start),
        }))
    }

    fn origin_at(&self, offset: usize) -> Origin {
        Origin::File {
            path: self.file.path.clone(),
            line: line_of(&self.file.text, offset),
        }
    }

    fn find(&self, key: &str) -> Option<(Range<usize>, &'d DeValue<'d>)> {
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((name.span(), Spanned::get_ref(value)))
    }

    fn full(&self, key: &str) -> String {
        match self.name.as_str() {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        }
    }

    fn complaint(&self, span: &Range<usize>, reason: &str) -> Error {
        complaint(self.file, span.start, reason)
    }
}

/// What the keys of a table are, as many as a line of a terminal or two take.
fn known_keys(keys: &[&str]) -> String {
    /// Characters of all of them together.
    const CHARS_MAX: usize = 90;

    let all = keys.join(", ");
    if all.len() <= CHARS_MAX {
        return format!("known here are {all}");
    }
    let mut shown = String::new();
    for key in keys {
        if shown.len() + key.len() + 2 > CHARS_MAX {
            break;
        }
        shown.push_str(key);
        shown.push_str(", ");
    }
    format!("known here are {shown}… (`recover config` prints all)")
}

/// An unknown key as it is shown: what was written for a key and is none, as a URL with a password
/// in it, is not repeated.
fn shown_key(key: &str) -> String {
    let is_of_key = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match key.bytes().all(is_of_key) {
        true => format!("`{key}`"),
        false => "in quotes".to_owned(),
    }
}

/// An error about what `file` says at the byte `offset`.
pub(crate) fn complaint(file: &SourceFile, offset: usize, reason: &str) -> Error {
    let line = line_of(&file.text, offset);
    let reason = one_line(reason);
    Error::new(
        ErrorKind::InvalidInput,
        format!("{}:{line}: {reason}", file.path.display()),
    )
}

/// `reason` in one line. What is said of a pattern repeats it and points at a place in it; its last
/// line says what is wrong.
pub(crate) fn one_line(reason: &str) -> String {
    let Some((first, rest)) = reason.split_once('\n') else {
        return reason.to_owned();
    };
    let before = match first.strip_suffix("regex parse error:") {
        Some(before) => format!("{before}no regular expression: "),
        None => format!("{first}: "),
    };
    let last = rest.lines().rfind(|line| !line.trim().is_empty());
    let last = last.unwrap_or_default().trim();
    before + last.strip_prefix("error: ").unwrap_or(last)
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let DeValue::Array(items) = value else {
        return None;
    };
    items
        .iter()
        .map(|item| match item.get_ref() {
            DeValue::String(text) => Some(text.clone().into_owned()),
            _ => None,
        })
        .collect()
}

fn command(value: &DeValue<'_>) -> Result<StrategyCommand, String> {
    let command = match value {
        DeValue::String(text) => Some(StrategyCommand::of_text(text.clone().into_owned())),
        other => texts(other).map(StrategyCommand::Argv),
    };
    if let Some(StrategyCommand::Argv(words)) = &command
        && let Some(program) = words.first()
        && program.trim().contains(char::is_whitespace)
        && !program.contains('/')
    {
        let spaced: Vec<&str> = program.split_whitespace().collect();
        return Err(format!(
            "starts no program: a list of texts is one program and its arguments, {spaced:?}; \
             several commands are a list of lists, [[\"sh\", \"-c\", {program:?}], …]"
        ));
    }
    match command {
        Some(StrategyCommand::Shell(text)) if text.trim().is_empty() => None,
        Some(StrategyCommand::Argv(words)) if words.first().is_none_or(String::is_empty) => None,
        command => command,
    }
    .ok_or_else(|| {
        "must be a command: \"text for sh -c\", or [\"program\", \"argument\"]".to_owned()
    })
}

/// The line of `text`, from 1, that the byte `offset` stands in.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(offset)
        .filter(|byte| **byte == b'\n')
        .count()
}
