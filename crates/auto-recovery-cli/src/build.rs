//! What this build of the command has: each feature of the crate brings a store or a format.

/// Defines `$name!()`: nothing if this build has the feature, and else that `$what` is missing.
macro_rules! part {
    ($name:ident, $feature:literal, $what:literal) => {
        #[cfg(feature = $feature)]
        macro_rules! $name {
            () => {
                ""
            };
        }
        #[cfg(not(feature = $feature))]
        macro_rules! $name {
            () => {
                concat!(", without ", $what)
            };
        }
    };
}

part!(parquet, "parquet", "Parquet");
part!(postgres, "postgres", "PostgreSQL");
part!(remote, "remote", "stores over servers");
part!(serve, "serve", "the server");
part!(sqlite, "sqlite", "SQLite");

/// The version, the commit where it is known, and what this build lacks.
pub(crate) const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    env!("RECOVER_COMMIT"),
    parquet!(),
    postgres!(),
    remote!(),
    serve!(),
    sqlite!()
);

/// The commands that the feature `serve` brings.
#[cfg(any(test, not(feature = "serve")))]
pub(crate) const OF_SERVER: [&str; 3] = ["serve", "alerts", "heartbeat"];

/// Says that this build has no `what`, which `feature` brings, and the way out.
#[cfg(not(all(
    feature = "parquet",
    feature = "postgres",
    feature = "remote",
    feature = "serve",
    feature = "sqlite"
)))]
pub(crate) fn lacks(what: &str, feature: &str) -> String {
    format!("this build has no {what}: install recover with its feature `{feature}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_says_what_this_build_lacks() {
        let parts = [
            (cfg!(feature = "parquet"), "Parquet"),
            (cfg!(feature = "postgres"), "PostgreSQL"),
            (cfg!(feature = "remote"), "stores over servers"),
            (cfg!(feature = "serve"), "the server"),
            (cfg!(feature = "sqlite"), "SQLite"),
        ];
        let missing = parts.iter().filter(|(has, _)| !has);
        let missing: String = missing
            .map(|(_, what)| format!(", without {what}"))
            .collect();
        let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("RECOVER_COMMIT"));
        assert_eq!(VERSION, format!("{version}{commit}{missing}"));
        let digits = commit.trim_matches([' ', '(', ')']);
        assert!(digits.is_empty() || digits.len() == 9, "{commit}");
    }
}
