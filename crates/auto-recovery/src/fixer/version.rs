//! Versions of programs, as far as their numbers go.

use std::cmp::Ordering;
use std::fmt;

/// Numbers of a version that are looked at.
const NUMBERS_MAX: usize = 4;

/// The numbers of a version. What is missing is 0, so 2 is 2.0.
#[derive(Clone, Debug)]
pub(super) struct Version(Vec<u64>);

impl Version {
    /// The first version in `text`: numbers apart by dots.
    pub(super) fn find(text: &str) -> Option<Self> {
        let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        words.find_map(|word| {
            let word = word.trim_matches('.');
            let numbers = word.split('.').take(NUMBERS_MAX).map(str::parse);
            let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
            Some(Self(numbers))
        })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = |version: &Self, at| version.0.get(at).copied().unwrap_or_default();
        (0..NUMBERS_MAX)
            .map(|number| at(self, number).cmp(&at(other, number)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_and_compared_by_number() {
        let version = |text| Version::find(text).expect("a version");
        assert_eq!(version("codex-cli 0.130.0"), version("v0.130"));
        assert!(version("2.0.9") < version("2.0.28") && version("10") > version("9.9"));
        assert_eq!(version("1.2.3-beta.4").to_string(), "1.2.3");
        assert!(Version::find("no number here.").is_none());
        assert!(Version::find("99999999999999999999999").is_none());
    }
}
