//! Codes that tools publish, as tables: a line for each kind of failure, where rules are a page.
//!
//! A code is evidence in any language: the words beside it may be translated, the code is not. A
//! table gives the form of a family of codes and the meaning of each; it is read into ordinary
//! rules, one for each family and category, so that a large output is still read once for all of
//! them. Format, one key a line, a blank and the value:
//!
//! ```text
//! [nuget]                        the family; its rules are called nuget-CATEGORY
//! sign cause                     as in the rules, like source, type, except and below
//! find error NU1 | error NU5     literals; one must be in the line
//! line error (?<type>{}): .*     the line, with {} in place of the code
//! dependency NU1??? NU1605=Down  a category and its codes: ? is a digit, # are digits, * is a
//!                                digit or a capital; after = the name to give
//!
//! [exit curl]                    exit codes of programs, where no other sign is: a rule each
//! transient 7=COULDNT_CONNECT
//! ```
//!
//! A key holds for the categories below it in the family, an empty value takes it back, and the
//! first category is asked first. An unknown key is refused.

use super::rule::{Rule, Sign};
use super::text::Text;
use crate::failure::Category;

/// The built-in tables, a file a topic.
pub(super) const TABLES: &[(&str, &str)] = &[
    ("builds", include_str!("codes/builds.txt")),
    ("services", include_str!("codes/services.txt")),
    ("exits", include_str!("codes/exits.txt")),
];

/// First word of a family of exit codes.
const EXIT_FAMILY: &str = "exit ";

/// Marks of make, which exits with 2 whatever its recipe exited with.
const MAKE_FAILED: [&str; 2] = ["make: *** [", "make[1]: *** ["];

/// Adds the rules of one table to `rules`.
///
/// # Errors
/// The first line that is not understood.
pub(super) fn read(text: &'static str, rules: &mut Vec<Rule>) -> Result<(), &'static str> {
    let mut family = Family::default();
    for line in text.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            family = Family::named(name);
            continue;
        }
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        let known = match key.parse::<Category>() {
            Ok(category) => family.rules(category, value).map(|more| rules.extend(more)),
            Err(_) => family.set(key, value),
        };
        known.ok_or(line)?;
    }
    Ok(())
}

/// The rule for the codes below: without its code, and with a gap for it in the line.
struct Family {
    name: &'static str,
    rule: Rule,
    line: &'static str,
}

impl Default for Family {
    fn default() -> Self {
        Self::named("")
    }
}

impl Family {
    fn named(name: &'static str) -> Self {
        Self {
            name,
            rule: Rule::named(name),
            line: "",
        }
    }

    fn set(&mut self, key: &str, value: &'static str) -> Option<()> {
        let given = || (!value.is_empty()).then_some(value.into());
        match key {
            "sign" => self.rule.sign = Sign::named(value)?,
            "find" => self.rule.find = value.split(" | ").map(Text::from).collect(),
            "line" => self.line = value,
            "source" => self.rule.source = given(),
            "type" => self.rule.error_type = given(),
            "except" => self.rule.except = given(),
            "below" => self.rule.below = given(),
            _ => return None,
        }
        Some(())
    }

    /// The rules from one line of codes: one for all of them, or one for each exit code.
    fn rules(&self, category: Category, codes: &'static str) -> Option<Vec<Rule>> {
        let codes: Vec<Code> = codes.split(' ').map(Code::of).collect();
        match self.name.strip_prefix(EXIT_FAMILY) {
            Some(tool) => codes
                .iter()
                .map(|code| self.exit_rule(tool, category, code))
                .collect(),
            None => Some(vec![self.line_rule(category, &codes)?]),
        }
    }

    fn line_rule(&self, category: Category, codes: &[Code]) -> Option<Rule> {
        let (before, after) = self.line.split_once("{}")?;
        let patterns = codes.iter().map(Code::pattern);
        let patterns = patterns.collect::<Option<Vec<String>>>()?;
        let named = codes
            .iter()
            .filter_map(|code| Some((code.code.into(), code.name?.into())));
        Some(Rule {
            id: format!("{}-{category}", self.name).into(),
            category,
            line: Some(format!("{before}(?:{}){after}", patterns.join("|")).into()),
            names: named.collect(),
            ..self.rule.clone()
        })
    }

    fn exit_rule(&self, tool: &'static str, category: Category, code: &Code) -> Option<Rule> {
        Some(Rule {
            id: format!("exit-{tool}-{}", code.code).into(),
            category,
            sign: Sign::Exit,
            tools: match tool {
                "any" => Vec::new(),
                tool => vec![tool.into()],
            },
            without: MAKE_FAILED.map(Text::from).to_vec(),
            exit: vec![code.code.parse().ok()?],
            error_type: Some(code.name?.into()),
            ..self.rule.clone()
        })
    }
}

/// A code as a table has it, and the name to give it.
struct Code {
    code: &'static str,
    name: Option<&'static str>,
}

impl Code {
    fn of(word: &'static str) -> Self {
        match word.split_once('=') {
            Some((code, name)) => Self {
                code,
                name: Some(name),
            },
            None => Self {
                code: word,
                name: None,
            },
        }
    }

    fn pattern(&self) -> Option<String> {
        let mut pattern = String::new();
        for character in self.code.chars() {
            match character {
                '?' => pattern.push_str("[0-9]"),
                '#' => pattern.push_str("[0-9]+"),
                '*' => pattern.push_str("[0-9A-Z]"),
                'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => pattern.push(character),
                _ => return None,
            }
        }
        (!pattern.is_empty()).then_some(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::{Rule, TABLES, read};
    use crate::failure::Category;

    fn read_all(text: &'static str) -> Result<Vec<Rule>, &'static str> {
        let mut rules = Vec::new();
        read(text, &mut rules).map(|()| rules)
    }

    #[test]
    fn shipped_tables_are_understood() {
        for (name, text) in TABLES {
            let rules = read_all(text).unwrap_or_else(|line| panic!("{name}.txt: {line}"));
            assert!(!rules.is_empty(), "{name}.txt");
        }
    }

    #[test]
    fn a_line_of_codes_is_one_rule_and_an_exit_code_another() {
        let rules = read_all(
            "[a]\nsign cause\nfind error A1 | A7\nline ^error (?<type>{}): .*\nexcept no\n\
             transient A1?? A7=Seven\nexcept\ndependency A#\n\n[exit tool]\ntransient 7=Seven\n",
        )
        .unwrap();
        let ids: Vec<&str> = rules.iter().map(|rule| &*rule.id).collect();
        assert_eq!(ids, ["a-transient", "a-dependency", "exit-tool-7"]);
        let [first, second, exit] = &rules[..] else {
            panic!("three rules")
        };
        assert_eq!(
            first.line.as_deref(),
            Some("^error (?<type>(?:A1[0-9][0-9]|A7)): .*")
        );
        assert_eq!(first.names, [(Text::from("A7"), Text::from("Seven"))]);
        assert_eq!(first.except.as_deref(), Some("no"));
        assert_eq!(
            (second.category, &second.except),
            (Category::Dependency, &None)
        );
        assert_eq!(
            (&exit.tools[..], &exit.exit[..]),
            (&[Text::from("tool")][..], &[7][..])
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text| read_all(text).is_err_and(|line| text.ends_with(line));
        for text in [
            "[a]\nwhat b",
            "[a]\nsign loud",
            "[a]\ntransient A1",
            "[a]\nline {}\ntransient A.",
            "[a]\nline {}\ntransient =Name",
            "[exit tool]\ntransient seven=Seven",
            "[exit tool]\ntransient 7",
        ] {
            assert!(refused(text), "{text}");
        }
        assert_eq!(read_all("# only a remark\n"), Ok(Vec::<Rule>::new()));
    }
}
