//! What a person names a passing failure of the network, where the tool has no name of its own for
//! it.

/// Types that rules give when they know no more than that something could not be reached.
const VAGUE: &[&str] = &[
    "NetworkError",
    "DatabaseUnavailable",
    "ClusterUnavailable",
    "HTTPError",
];

/// Words in a line, in lower case, and the name for them; the more telling ones first.
const CAUSES: &[(&str, &str)] = &[
    ("connection refused", "ECONNREFUSED"),
    ("econnrefused", "ECONNREFUSED"),
    ("couldn't connect to server", "ECONNREFUSED"),
    ("connection reset", "ECONNRESET"),
    ("econnreset", "ECONNRESET"),
    ("address already in use", "EADDRINUSE"),
    ("port is already allocated", "EADDRINUSE"),
    ("network is unreachable", "ENETUNREACH"),
    ("no route to host", "EHOSTUNREACH"),
    ("temporary failure in name resolution", "EAI_AGAIN"),
    ("temporary failure resolving", "EAI_AGAIN"),
    ("name or service not known", "ENOTFOUND"),
    ("no such host", "ENOTFOUND"),
    ("could not resolve host", "ENOTFOUND"),
    ("unable to resolve host", "ENOTFOUND"),
    ("could not translate host name", "ENOTFOUND"),
    ("unknown host", "ENOTFOUND"),
    ("bad address", "ENOTFOUND"),
    ("bad hostname", "ENOTFOUND"),
    ("could not resolve '", "ENOTFOUND"),
    ("429 too many requests", "HTTP429"),
    ("error 429", "HTTP429"),
    ("code: 429", "HTTP429"),
    ("toomanyrequests", "HTTP429"),
    ("500 internal server error", "HTTP500"),
    ("error 500", "HTTP500"),
    ("502 bad gateway", "HTTP502"),
    ("error 502", "HTTP502"),
    ("503 service unavailable", "HTTP503"),
    ("error 503", "HTTP503"),
    ("code: 503", "HTTP503"),
    ("504 gateway", "HTTP504"),
    ("error 504", "HTTP504"),
    ("timed out", "ETIMEDOUT"),
    ("timeout", "ETIMEDOUT"),
    ("deadline exceeded", "ETIMEDOUT"),
    ("unexpected eof", "EOF"),
    ("broken pipe", "EPIPE"),
];

/// Whether a rule that gives this type knows no more than that.
pub(super) fn is_vague(name: &str) -> bool {
    VAGUE.contains(&name)
}

/// Whether a type that a line gives says no more than that something failed.
pub(super) fn is_bare(name: &str) -> bool {
    matches!(name, "Error" | "Exception" | "RequestError")
}

/// A more precise name than `name` for what `line` says, where its words tell one.
pub(super) fn precise(name: String, line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line).to_lowercase();
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    CAUSES
        .iter()
        .find(|(cause, _)| words.contains(cause))
        .map_or(name, |(_, precise)| (*precise).to_owned())
}
