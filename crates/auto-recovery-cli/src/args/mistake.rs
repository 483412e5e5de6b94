//! What was typed and cannot be understood.

use std::ffi::OsString;

use clap::Error;
use clap::error::{ContextKind, ContextValue};

/// What stands for a word that may have a password in it.
const HIDDEN: &str = "…";

/// Takes out of `error` the tip to take an option for the command: nobody means that.
pub(crate) fn without_wrong_tip(mut error: Error) -> Error {
    let is_right = |tip: &str| !tip.contains("to pass");
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let tips: Vec<_> = tips
            .into_iter()
            .filter(|tip| is_right(&tip.to_string()))
            .collect();
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    error
}

/// `text`, which repeats some of `args`, without those that may be the URL of a database, also one
/// that was mistyped: there may be a password in it.
pub(crate) fn without_store_urls(text: String, args: &[OsString]) -> String {
    let values = args.iter().filter_map(|arg| arg.to_str());
    let mut urls: Vec<&str> = values
        .flat_map(|arg| [Some(arg), arg.split_once('=').map(|(_, value)| value)])
        .flatten()
        .filter(|word| may_be_store_url(word))
        .collect();
    // The longest first: one may stand in another.
    urls.sort_by_key(|url| std::cmp::Reverse(url.len()));
    urls.into_iter()
        .fold(text, |text, url| text.replace(url, HIDDEN))
}

fn may_be_store_url(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let has = |part| lower.contains(part);
    has("pass") || (has("@") && has(":")) || (has("postgre") && has(":"))
}
