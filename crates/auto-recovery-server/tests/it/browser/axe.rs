//! axe-core in a page: what of it some people could not use.

use std::sync::OnceLock;

use serde_json::json;

use super::driver::{Browser, of_npm};

/// Runs axe, and tells each rule that is broken with the first element that breaks it.
const ASK: &str = "
    const answer = arguments[arguments.length - 1];
    const rules = arguments[0] ? {runOnly: arguments[0]} : {};
    axe.run(document, {resultTypes: ['violations'], ...rules}).then(
        (found) => answer(found.violations.map((one) =>
            `${one.id}: ${one.help}: ${one.nodes[0].html} (${one.nodes.length} times)`)),
        (error) => answer([String(error)]));
";

/// What axe finds in the page that is open, by all of its rules or by those named.
pub(super) fn findings(browser: &Browser, rules: Option<&[&str]>) -> Vec<String> {
    static AXE: OnceLock<String> = OnceLock::new();
    let axe = AXE.get_or_init(|| of_npm("axe-core/axe.min.js"));
    browser.run(axe, &[]);
    let found = browser.wait_for(ASK, &[json!(rules)]);
    serde_json::from_value(found).unwrap()
}
