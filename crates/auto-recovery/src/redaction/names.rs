//! Names of variables whose values are secret.

/// Pieces of such names.
const PIECES: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSW",
    "PASSPHRASE",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "CREDENTIAL",
    "CONNECTION_STRING",
    "DATABASE_URL",
    "MYSQL_PWD",
];

/// Ends of such names.
const ENDS: &[&str] = &["_KEY", "_KEYS", "_DSN", "_PASS", "_AUTH", "_PWD"];

/// Ends of names whose values say something about a secret, and are none.
const HARMLESS_ENDS: &[&str] = &[
    "_FILE",
    "_PATH",
    "_DIR",
    "_ID",
    "_NAME",
    "_TYPE",
    "_TTL",
    "_COUNT",
    "_LIMIT",
    "_SOCK",
    "PUBLIC_KEY",
    "GPG_KEY",
    "_VERSION",
];

/// Whether `name`, of a variable of the environment, says that its value is secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let is_harmless = HARMLESS_ENDS.iter().any(|end| name.ends_with(end)) || name == "OLDPWD";
    !is_harmless
        && (PIECES.iter().any(|piece| name.contains(piece))
            || ENDS.iter().any(|end| name.ends_with(end))
            || matches!(name.as_str(), "KEY" | "PASS"))
}

#[cfg(test)]
mod tests {
    use super::is_secret_name;

    #[test]
    fn names_say_whether_their_value_is_secret() {
        for name in [
            "GITHUB_TOKEN",
            "npm_config_token",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORDS",
            "PGPASSWORD",
            "DATABASE_URL",
            "SIGNING_KEY",
            "SENTRY_DSN",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PWD",
            "OLDPWD",
            "SSH_AUTH_SOCK",
            "PATH",
            "TOKEN_FILE",
            "AWS_ACCESS_KEY_ID",
            "GPG_KEY",
            "KEYBOARD",
            "HOME",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
