//! Where a command runs, seen from where another does. Says only which folders to go into and up
//! to; whether they are there is the caller's to find out.

use std::path::{Component, Path, PathBuf};

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Into this folder.
    Into(String),
    /// Up to the nearest folder that has one of these.
    UpTo(&'static [&'static str]),
}

/// Where a command runs, as the way there from where another does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(Vec<Step>);

impl Place {
    /// Whether it is where the other command runs.
    pub fn is_here(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder, for a command that runs in `start`. `has` says whether there is something at a
    /// path; the way up ends at `top`.
    pub fn find(&self, start: &Path, top: &Path, has: &dyn Fn(&Path) -> bool) -> PathBuf {
        let mut at = start.to_owned();
        for step in &self.0 {
            at = match step {
                Step::Into(folder) => without_dots(&at.join(folder)),
                Step::UpTo(signs) => {
                    let is_it = |folder: &&Path| signs.iter().any(|sign| has(&folder.join(sign)));
                    let mut up = at.ancestors().take_while(|folder| folder.starts_with(top));
                    up.find(is_it).unwrap_or(&at).to_owned()
                }
            };
        }
        at
    }

    /// This place, and from there into `folder`.
    pub(crate) fn into_folder(mut self, folder: &str) -> Self {
        if folder.starts_with('/') {
            self.0.clear();
        }
        if folder != "." {
            self.0.push(Step::Into(folder.to_owned()));
        }
        self
    }

    /// This place, and from there up to the nearest folder that has one of `signs`.
    pub(crate) fn up_to(mut self, signs: &'static [&'static str]) -> Self {
        if !signs.is_empty() {
            self.0.push(Step::UpTo(signs));
        }
        self
    }

    /// The one folder that it leads into, if that is all.
    pub(crate) fn as_folder(&self) -> Option<String> {
        match &self.0[..] {
            [] => None,
            steps => steps
                .iter()
                .map(|step| match step {
                    Step::Into(folder) => Some(folder.as_str()),
                    Step::UpTo(_) => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(|folders| folders.join("/")),
        }
    }

    /// This place, and from there on to `other`.
    pub(crate) fn then(mut self, other: &Self) -> Self {
        if let Some(Step::Into(folder)) = other.0.first()
            && folder.starts_with('/')
        {
            self.0.clear();
        }
        self.0.extend(other.0.iter().cloned());
        self
    }
}

/// `path` with each `..` taking away what stands before it, as `cd` does.
pub(crate) fn without_dots(path: &Path) -> PathBuf {
    let mut made = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                made.pop();
            }
            Component::CurDir => {}
            other => made.push(other),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_into_folders_and_up_to_what_is_there() {
        let has = |path: &Path| path == Path::new("/top/web/package.json");
        let package: &'static [&'static str] = &["package.json"];
        let here = Place::default();
        let cases = [
            (here.clone(), "/top/web/src"),
            (here.clone().into_folder("a/../b"), "/top/web/src/b"),
            (here.clone().into_folder("../../api"), "/top/api"),
            (
                here.clone().into_folder("/top/x").into_folder("."),
                "/top/x",
            ),
            (here.clone().up_to(package), "/top/web"),
            (here.clone().up_to(&["justfile"]), "/top/web/src"),
            (
                here.clone().up_to(package).then(&here.into_folder("lib")),
                "/top/web/lib",
            ),
        ];
        for (place, expected) in cases {
            let found = place.find(Path::new("/top/web/src"), Path::new("/top"), &has);
            assert_eq!(found, Path::new(expected), "{place:?}");
        }
    }
}
