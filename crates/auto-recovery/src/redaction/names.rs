//! Names of variables whose values are secret, and of files whose contents are.

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

/// Beginnings of the names of files that hold secrets.
const FILE_BEGINNINGS: &[&[u8]] = &[b".env", b"id_ecdsa", b"id_ed25519"];

/// Ends of such names.
const FILE_ENDS: &[&[u8]] = &[
    b".pem",
    b".key",
    b".p12",
    b".pfx",
    b".jks",
    b".keystore",
    b".kdbx",
];

/// Such names, whole.
const FILES: &[&[u8]] = &[
    b"id_rsa",
    b"id_dsa",
    b".netrc",
    b"_netrc",
    b".npmrc",
    b".pypirc",
    b".pgpass",
    b".git-credentials",
    b".htpasswd",
    b"credentials",
    b"credentials.json",
    b"credentials.toml",
];

/// Ends of names of files that show where secrets belong, or are the half that may be seen.
const HARMLESS_FILE_ENDS: &[&[u8]] = &[
    b".example",
    b".sample",
    b".template",
    b".dist",
    b".defaults",
    b".pub",
];

/// Whether `name`, of a file without its directory, says that its content is secret. Letters count
/// in either case.
pub fn is_secret_file_name(name: &[u8]) -> bool {
    let is = |part: Option<&[u8]>, with: &[u8]| part.is_some_and(|p| p.eq_ignore_ascii_case(with));
    let begins = |with: &&[u8]| is(name.get(..with.len()), with);
    let ends = |with: &&[u8]| {
        let at = name.len().checked_sub(with.len());
        is(at.map(|at| &name[at..]), with)
    };
    let begins_so = FILE_BEGINNINGS.iter().any(begins) && !HARMLESS_FILE_ENDS.iter().any(ends);
    begins_so
        || FILE_ENDS.iter().any(ends)
        || FILES.iter().any(|file| name.eq_ignore_ascii_case(file))
}

#[cfg(test)]
mod tests {
    use super::{is_secret_file_name, is_secret_name};

    #[test]
    fn names_say_whether_what_a_file_holds_is_secret() {
        for name in [
            ".env",
            ".env.local",
            ".env.production.local",
            ".envrc",
            ".ENV",
            "server.pem",
            "Server.Key",
            "keys.p12",
            "keys.pfx",
            "app.jks",
            "debug.keystore",
            "passwords.kdbx",
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ecdsa_sk",
            "id_ed25519",
            "id_ed25519_work",
            ".netrc",
            "_netrc",
            ".npmrc",
            ".pypirc",
            ".pgpass",
            ".git-credentials",
            ".htpasswd",
            "credentials",
            "credentials.json",
            "credentials.toml",
        ] {
            assert!(is_secret_file_name(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            "env",
            ".env.example",
            ".env.production.sample",
            ".env.template",
            ".env.dist",
            ".env.defaults",
            "id_rsa.pub",
            "id_ecdsa.pub",
            "id_ed25519_work.pub",
            "credentials.py",
            "credentials.rs",
            "my_credentials",
            "key",
            "keys.rs",
            "monkey",
            "pem.md",
            "netrc",
        ] {
            assert!(!is_secret_file_name(name.as_bytes()), "{name}");
        }
        assert!(is_secret_file_name(b"\xff.pem"));
    }

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
