//! What is said where nothing is tried: why, and what would help.

use crate::failure::Category;
use crate::run::advice::{Advice, Words};

/// Why nothing at all is tried against a failure of `category`.
pub(super) fn nothing_known(category: Category, nested: bool, words: Words) -> String {
    match category {
        _ if nested => (words.advice)(
            "this runs inside a recovery, where only what is asked for is tried",
            &Advice::GiveAnything,
        ),
        Category::Unknown => (words.advice)(
            "no recipe knows this failure, and what is unknown is not retried blindly",
            &Advice::GiveAnything,
        ),
        _ => (words.advice)(
            &format!("no recipe mends this {category} failure"),
            &Advice::GiveCommand,
        ),
    }
}

/// What somebody can do about a lasting failure of the type `kind`.
pub(super) fn remedy(kind: &str) -> &'static str {
    match kind {
        "InvalidApiKey" => "set a key that is valid, or log in",
        "PromptTooLong" => "give it less to read",
        "TurnLimit" | "BudgetExhausted" => "raise its limit",
        _ => "remove the cause",
    }
}
