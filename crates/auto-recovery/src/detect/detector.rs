//! Asks the rules, in order, about one observation.

use std::cell::OnceCell;

use memchr::memchr_iter;
use regex::bytes::Regex;

use super::edges::{ends, last_filled, last_line, starts_near_the_ends};
use super::found::{Command, Found, Hit, Place, Within, bounded, shown};
use super::line::{is_aside, line_at, only_warns, starts_above, starts_below, undecorated};
use super::naming;
use super::nearby;
use super::observation::Observation;
use super::retry_after;
use super::rule::{Rule, Sign};
use super::rules::{Prepared, Rules};
use super::scan::Scanned;
use super::text::Text;
use super::tools::Tools;
use super::whose::is_packages;
use super::words;
use crate::command_line::Announcements;
use crate::failure::{Category, Failure};

/// Lines above a headline that are searched for a reason.
const REASON_LINES_ABOVE: usize = 10;

/// Lines below a headline that are searched for its reason.
const REASON_LINES_BELOW: usize = 12;

/// Reports of one command that were let pass.
const SETTLED_MAX: usize = 8;

/// What stands for a rule where none knows the failure.
pub const NO_RULE: &str = "none";

/// The rules' error type for a missing file.
const MISSING_FILE: &str = "MissingFile";

/// The reading of a command's end and output.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// The failure, in words for a person.
    pub failure: Failure,
    /// Its category.
    pub category: Category,
    /// The id of the rule that decided, `none` if none did.
    pub rule: String,
}

/// A detection, and the line of the output that decided it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The detection.
    pub detection: Detection,
    /// The deciding line; none if only the end decided.
    pub line: Option<TellingLine>,
    /// The deciding words, the most telling first, if no rule knew the failure.
    pub words: Vec<String>,
}

/// A line of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TellingLine {
    /// Set if it is in the standard error.
    pub is_stderr: bool,
    /// Its number in that stream, from 1.
    pub number: usize,
    /// The line, without mere decoration.
    pub text: String,
}

/// Detects the failure in `observation`. The same input gives the same answer.
///
/// Output is read once, whatever its size; patterns are tried on a bounded number of lines.
pub fn detect(observation: &Observation<'_>, rules: &Rules) -> Detection {
    explain(observation, rules).detection
}

/// The same, with the line that decided.
pub fn explain(observation: &Observation<'_>, rules: &Rules) -> Explained {
    let mut explained = decide(observation, rules);
    let detection = &mut explained.detection;
    if detection.category == Category::Transient {
        let streams = [observation.stderr, observation.stdout];
        retry_after::note(&mut detection.failure, streams);
    }
    explained
}

fn decide(observation: &Observation<'_>, rules: &Rules) -> Explained {
    let tools = Tools::of(observation.argv);
    let streams =
        [observation.stderr, observation.stdout].map(|stream| rules.literals.scan(stream));
    let mut case = Case {
        observation,
        tools: &tools,
        streams: &streams,
        announced: OnceCell::new(),
        ending: OnceCell::new(),
        settled: [0; 2],
    };
    let answer = case.first_that_ended_it(rules);
    let by_words = match &answer {
        Some(answer) if !answer.says_little => None,
        _ => case.judge_by_words(),
    };
    let Some(answer) = by_words.or(answer) else {
        return Explained {
            detection: case.unexplained(),
            line: None,
            words: Vec::new(),
        };
    };
    let answer = case.later_than_recovered(&answer, rules).unwrap_or(answer);
    let answer = case.reason_of(&answer, rules).unwrap_or(answer);
    Explained {
        words: answer.words,
        line: answer.place.map(|place| case.telling_line(place)),
        detection: answer.detection,
    }
}

/// One observation, as the rules see it. Standard error comes first: tools report there.
pub(super) struct Case<'a> {
    pub(super) observation: &'a Observation<'a>,
    pub(super) tools: &'a Tools,
    pub(super) streams: &'a [Scanned<'a>; 2],
    /// Programs that a task runner says it ran, the last first.
    announced: OnceCell<Vec<String>>,
    /// Programs of a shell's text whose failure it ends with, and those whose failure it passes.
    pub(super) ending: OnceCell<Option<[Vec<String>; 2]>>,
    /// Where in each stream that begins which can have ended the command.
    settled: [usize; 2],
}

/// A rule's answer, and the line it is for.
pub(super) struct Answer {
    pub(super) detection: Detection,
    sign: Sign,
    pub(super) is_users: bool,
    /// Set if it says no more than that something failed.
    says_little: bool,
    pub(super) place: Option<Place>,
    words: Vec<String>,
}

impl Case<'_> {
    /// The first rule's answer that is not settled.
    fn first_that_ended_it(&mut self, rules: &Rules) -> Option<Answer> {
        for _ in 0..SETTLED_MAX {
            let own = rules.ordered.iter();
            let mut own = own.filter(|prepared| prepared.rule.beats.is_empty());
            let (prepared, answer) =
                own.find_map(|prepared| Some((prepared, self.ask(prepared, None)?)))?;
            let Some(end) = self.end_of_settled(prepared, &answer, rules) else {
                return Some(answer);
            };
            self.settled[end.stream] = end.start;
        }
        None
    }

    /// The rule's answer, for a line within `within` if that is given.
    pub(super) fn ask(&self, prepared: &Prepared, within: Option<&Within>) -> Option<Answer> {
        if !self.holds(prepared) {
            return None;
        }
        let mut found = Found::default();
        let mut is_packages_code = false;
        let hit = match prepared.line() {
            Some(line) => {
                let (hit, is_packages) = self.own_hit(prepared, line, within)?;
                is_packages_code = is_packages;
                let captures = line.captures(hit.line)?;
                found.take(&captures);
                Some(hit)
            }
            None => None,
        };
        match &hit {
            Some(hit) => found.look_around(hit, prepared),
            None if prepared.rule.finds_by_exit() => {
                (found.file, found.line_number) = self.last_place().unzip();
            }
            None => {}
        }
        let is_finding = prepared.rule.category == Category::CodeQuality && !prepared.is_users;
        is_packages_code |= is_finding && found.file.as_deref().is_some_and(is_packages);
        if let Some(hit) = hit.as_ref().filter(|_| !is_packages_code) {
            let tool = &self.source(&prepared.rule);
            let argv = self.observation.argv;
            found.look_nearby(hit, &prepared.rule, Command { argv, tool });
        }
        let mut detection = self.detection(&prepared.rule, hit.as_ref(), found);
        if is_packages_code {
            detection.category = Category::Dependency;
        }
        Some(Answer {
            detection,
            sign: prepared.rule.sign,
            is_users: prepared.is_users,
            says_little: prepared.rule.says_little() && !prepared.is_users,
            place: hit.map(|hit| hit.place),
            words: Vec::new(),
        })
    }

    /// The answer from the words of the output, where no rule knows it. The way a process was ended
    /// says more than any word.
    fn judge_by_words(&self) -> Option<Answer> {
        let observation = self.observation;
        if observation.timed_out || observation.effective_signal().is_some() {
            return None;
        }
        let judged = words::judge([0, 1].map(|stream| self.unsettled(stream)))?;
        let (stream, start) = judged.line;
        let start = self.settled[stream] + start;
        let text = self.streams[stream].text.as_ref();
        let line = undecorated(line_at(text, start));
        let place = Place { stream, start };
        let hit = Hit { text, place, line };
        let rule = words::as_rule(judged.category);
        let mut found = Found::default();
        let tool = &self.source(&rule);
        let argv = observation.argv;
        found.look_nearby(&hit, &rule, Command { argv, tool });
        Some(Answer {
            detection: self.detection(&rule, Some(&hit), found),
            sign: Sign::Words,
            is_users: false,
            says_little: false,
            place: Some(place),
            words: judged.words,
        })
    }

    /// The failure below a transient one that the output says was overcome: tried again with
    /// success, or done without. Only then does a later line tell more than the network's.
    fn later_than_recovered(&self, answer: &Answer, rules: &Rules) -> Option<Answer> {
        let place = answer.place?;
        let passing = answer.detection.category == Category::Transient;
        if !passing || answer.is_users || answer.sign == Sign::Outcome {
            return None;
        }
        if self.any(&rules.gave_up) || self.any(&rules.chained) {
            return None;
        }
        let done_without = self.any(&rules.done_without);
        if !done_without && !self.any(&rules.tried_again) {
            return None;
        }
        let tells = |prepared: &&Prepared| {
            let rule = &prepared.rule;
            // A failed download looks like a missing dependency.
            !matches!(rule.category, Category::Transient | Category::Dependency)
                && rule.beats.is_empty()
                && !matches!(rule.sign, Sign::Outcome | Sign::Words | Sign::Exit)
                && rule.line.is_some()
        };
        let later = rules
            .ordered
            .iter()
            .filter(tells)
            .find_map(|prepared| self.ask(prepared, Some(&place.below())))?;
        // A missing file can follow from one too, unless the program says that it continued
        // without.
        let may_follow = later.detection.failure.error_type == MISSING_FILE;
        (done_without || !may_follow).then_some(later)
    }

    /// The reason in a line near a headline, if it is of another kind: a lock that could not be
    /// taken since permission was denied, a package not found since the server was down.
    fn reason_of(&self, answer: &Answer, rules: &Rules) -> Option<Answer> {
        if answer.is_users || answer.sign == Sign::Outcome {
            return None;
        }
        // A failure known by its exit code alone may be explained by any of the last lines.
        let near = match answer.place {
            Some(place) => vec![self.around(place)],
            None => [0, 1].map(|stream| self.last_lines(stream)).to_vec(),
        };
        let headline = &answer.detection;
        let mut reason = rules
            .ordered
            .iter()
            .filter(|prepared| prepared.rule.beats.contains(&headline.category))
            .find_map(|prepared| near.iter().find_map(|near| self.ask(prepared, Some(near))))?;
        let failure = &mut reason.detection.failure;
        if failure.file_path.is_none() {
            failure.file_path.clone_from(&headline.failure.file_path);
            failure.line_number = headline.failure.line_number;
        }
        Some(reason)
    }

    /// The lines around a headline that may hold its reason.
    fn around(&self, place: Place) -> Within {
        let text = self.streams[place.stream].text.as_ref();
        let first = starts_above(text, place.start).take(REASON_LINES_ABOVE);
        let last = starts_below(text, place.start).take(REASON_LINES_BELOW);
        Within {
            stream: place.stream,
            starts: first.last().unwrap_or(place.start)..last.last().unwrap_or(place.start) + 1,
        }
    }

    /// The same number of lines at the end of a stream.
    fn last_lines(&self, stream: usize) -> Within {
        let text = self.streams[stream].text.as_ref();
        let lines = REASON_LINES_ABOVE + REASON_LINES_BELOW;
        let first = starts_above(text, text.len()).take(lines).last();
        Within {
            stream,
            starts: first.unwrap_or(0)..usize::MAX,
        }
    }

    /// Whether the output has one of the literals anywhere.
    fn any(&self, literals: &[usize]) -> bool {
        literals
            .iter()
            .any(|&literal| self.streams.iter().any(|stream| stream.has(literal)))
    }

    /// Whether all conditions of the rule but its line hold.
    fn holds(&self, prepared: &Prepared) -> bool {
        let rule = &prepared.rule;
        let observation = self.observation;
        let one_of = |allowed: &[i32], actual: Option<i32>| {
            allowed.is_empty() || actual.is_some_and(|actual| allowed.contains(&actual))
        };
        (rule.line.is_none() || prepared.find.is_empty() || self.any(&prepared.find))
            && (prepared.with.is_empty() || self.any(&prepared.with))
            && !self.any(&prepared.without)
            && rule
                .timed_out
                .is_none_or(|wanted| wanted == observation.timed_out)
            && rule
                .silent
                .is_none_or(|wanted| wanted == observation.is_silent())
            && one_of(&rule.exit, observation.exit_code)
            && one_of(&rule.signal, observation.effective_signal())
            && (rule.tools.is_empty()
                || self.runs(rule)
                || self.announced_of(&rule.tools).is_some())
    }

    /// The last program of `wanted` that a task runner says it ran.
    fn announced_of(&self, wanted: &[Text]) -> Option<&str> {
        let argv = self.observation.argv;
        let announced = self.announced.get_or_init(|| {
            let is_runner = Announcements::may_come_from(argv);
            let texts = self.streams.iter().map(|stream| ends(&stream.text));
            let said = texts.map(|text| match is_runner {
                true => Announcements::of(argv, &text),
                false => Announcements::traced(argv, &text),
            });
            let commands = said.flat_map(|said| said.last_first());
            let tools = commands.map(|argv| Tools::of(&argv).names().to_vec());
            tools.flat_map(|names| names.into_iter().rev()).collect()
        });
        let mut announced = announced.iter().map(String::as_str);
        announced.find(|program| wanted.iter().any(|one| one == program))
    }

    /// The tool that reported the finding of `rule`: the one that the line proves, else the rule's
    /// own if a task runner ran it, else the one that the command runs.
    fn source(&self, rule: &Rule) -> String {
        let of_runner = || match rule.tools.is_empty() || self.tools.any_of(&rule.tools) {
            true => None,
            false => self.announced_of(&rule.tools),
        };
        let known = rule.source.as_deref().or_else(of_runner);
        known.unwrap_or_else(|| self.tools.main()).to_owned()
    }

    /// The line that the rule means, and whether all such lines are in packages' code: among a
    /// compiler's or a linter's findings the project's own comes first.
    fn own_hit(
        &self,
        prepared: &Prepared,
        pattern: &Regex,
        within: Option<&Within>,
    ) -> Option<(Hit<'_>, bool)> {
        let mut hits = self.hits(prepared, pattern, within);
        let first = hits.next()?;
        let rule = &prepared.rule;
        let may_be_packages = rule.category == Category::CodeQuality && !prepared.is_users;
        let is_packages = |hit: &Hit<'_>| {
            let line = prepared.under_line(hit).unwrap_or(hit.line);
            let captures = [Some(pattern), prepared.under()]
                .into_iter()
                .flatten()
                .find_map(|pattern| pattern.captures(line));
            let file = captures.as_ref().and_then(|captures| captures.name("file"));
            file.is_some_and(|file| is_packages(&shown(file.as_bytes())))
        };
        if !may_be_packages || !is_packages(&first) {
            return Some((first, false));
        }
        match hits.find(|hit| !is_packages(hit)) {
            Some(own) => Some((own, false)),
            None => Some((first, true)),
        }
    }

    /// The lines that the rule may mean: standard error's before standard output's.
    pub(super) fn hits<'s, 'p>(
        &'s self,
        prepared: &'p Prepared,
        pattern: &'p Regex,
        within: Option<&Within>,
    ) -> impl Iterator<Item = Hit<'s>> {
        let within = within.cloned();
        let places = self
            .streams
            .iter()
            .enumerate()
            .flat_map(|(stream, scanned)| {
                let mut starts = if prepared.find.is_empty() {
                    starts_near_the_ends(&scanned.text)
                } else {
                    scanned.lines_with(&prepared.find)
                };
                if prepared.rule.last {
                    starts.reverse();
                }
                starts.into_iter().map(move |start| Place { stream, start })
            });
        let settled = self.settled;
        places
            .filter(move |place| place.start >= settled[place.stream])
            .filter(move |place| within.as_ref().is_none_or(|within| within.has(*place)))
            .filter_map(move |place| self.hit(prepared, pattern, place))
    }

    /// The line at `place`, if the rule means it.
    fn hit(&self, prepared: &Prepared, pattern: &Regex, place: Place) -> Option<Hit<'_>> {
        let text = self.streams[place.stream].text.as_ref();
        let line = undecorated(line_at(text, place.start));
        let hit = Hit { text, place, line };
        let excepted = |line: &[u8]| {
            prepared
                .except()
                .is_some_and(|except| except.is_match(line))
        };
        let meant =
            pattern.is_match(line) && !excepted(line) && !(prepared.skips_asides && is_aside(line));
        if !meant {
            return None;
        }
        if prepared.under().is_some() {
            let above = prepared.under_line(&hit)?;
            // What only warned may well be why something else failed, if it passes by itself.
            let passes = prepared.rule.category == Category::Transient;
            if excepted(above) || (only_warns(above) && !passes) {
                return None;
            }
        }
        Some(hit)
    }

    fn detection(&self, rule: &Rule, hit: Option<&Hit<'_>>, found: Found) -> Detection {
        let passing = hit.filter(|_| rule.category == Category::Transient);
        let error_type = found
            .error_type
            .map(|captured| renamed(captured, rule))
            .map(|name| match passing {
                Some(hit) if name.contains(' ') || naming::is_bare(&name) => {
                    naming::precise(name, hit.line)
                }
                _ => name,
            })
            .or_else(|| {
                let vague = rule.error_type.clone()?.into_owned();
                Some(match passing {
                    Some(hit) if naming::is_vague(&vague) => naming::precise(vague, hit.line),
                    _ => vague,
                })
            })
            .unwrap_or_else(|| self.exit_name());
        let message = found
            .message
            .or_else(|| rule.message.clone().map(Text::into_owned))
            .or_else(|| hit.map(|hit| shown(hit.line)))
            .unwrap_or_else(|| self.last_words());
        let failure = Failure {
            stack_trace: found.stack_trace,
            file_path: found.file,
            line_number: found.line_number,
            ..Failure::new(error_type, bounded(message), self.source(rule))
        };
        Detection {
            failure,
            category: rule.category,
            rule: rule.id.clone().into_owned(),
        }
    }

    fn telling_line(&self, place: Place) -> TellingLine {
        let text = self.streams[place.stream].text.as_ref();
        TellingLine {
            is_stderr: place.stream == 0,
            number: 1 + memchr_iter(b'\n', &text[..place.start]).count(),
            text: shown(undecorated(line_at(text, place.start))),
        }
    }

    fn unexplained(&self) -> Detection {
        let place = self.last_place();
        let failure = Failure::new(
            self.exit_name(),
            bounded(self.last_words()),
            self.tools.main(),
        );
        Detection {
            failure: Failure {
                line_number: place.as_ref().map(|(_, line)| *line),
                file_path: place.map(|(file, _)| file),
                ..failure
            },
            category: Category::Unknown,
            rule: NO_RULE.to_owned(),
        }
    }

    /// The first place that the last lines name, standard error's before standard output's.
    fn last_place(&self) -> Option<(String, u64)> {
        let mut streams = [0, 1].map(|stream| self.unsettled(stream)).into_iter();
        streams.find_map(|text| nearby::place(text, last_filled(text)?.start, nearby::Reach::Last))
    }

    /// What is left of a stream below what is settled.
    fn unsettled(&self, stream: usize) -> &[u8] {
        let text = self.streams[stream].text.as_ref();
        &text[self.settled[stream]..]
    }

    fn exit_name(&self) -> String {
        match (self.observation.signal, self.observation.exit_code) {
            (Some(signal), _) => format!("signal {signal}"),
            (None, Some(code)) => format!("exit {code}"),
            (None, None) => "unknown".to_owned(),
        }
    }

    /// The last line that is not blank, which a person reads first.
    fn last_words(&self) -> String {
        [0, 1]
            .into_iter()
            .find_map(|stream| last_line(self.unsettled(stream)))
            .or_else(|| {
                self.streams
                    .iter()
                    .find_map(|stream| last_line(&stream.text))
            })
            .unwrap_or_else(|| format!("ended with {} and said nothing", self.exit_name()))
    }
}

/// The file and the type in the line of `text` at `start`, if the rule means that line.
pub(super) fn named_at(prepared: &Prepared, text: &[u8], start: usize) -> Option<(String, String)> {
    let line = undecorated(line_at(text, start));
    let captures = prepared.line()?.captures(line)?;
    let excepted = prepared.except();
    if excepted.is_some_and(|except| except.is_match(line))
        || (prepared.skips_asides && is_aside(line))
    {
        return None;
    }
    let mut found = Found::default();
    found.take(&captures);
    let place = Place { stream: 0, start };
    found.look_around(&Hit { text, place, line }, prepared);
    let own = found.error_type.map(|name| renamed(name, &prepared.rule));
    let kind = own.or_else(|| prepared.rule.error_type.clone().map(Text::into_owned));
    Some((found.file?, kind.unwrap_or_default()))
}

/// The name of a type as it was captured, under `rule`.
fn renamed(captured: String, rule: &Rule) -> String {
    // A lint has dashes in a flag, and underscores everywhere else.
    if matches!(rule.source.as_deref(), Some("rustc" | "clippy")) {
        return captured.replace('-', "_");
    }
    let mut names = rule.names.iter();
    names
        .find(|(from, _)| *from == captured)
        .map_or(captured, |(_, to)| to.clone().into_owned())
}
