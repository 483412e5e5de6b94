//! TLS with certificates of one's own: what leads to them is trusted, and what does not is told.

use std::path::{Path, PathBuf};
use std::process::Command;

use auto_recovery::audit::AuditStore;
use auto_recovery_server::TlsFiles;
use tempfile::TempDir;

use crate::serving::{Serving, attempt};

/// Runs openssl with the words of `args` in `dir`.
#[expect(clippy::disallowed_methods, reason = "the test needs certificates")]
fn openssl(dir: &Path, args: &str) {
    let made = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(made.status.success(), "{args}: {made:?}");
}

/// An authority of one's own.
fn authority(dir: &Path, name: &str) -> PathBuf {
    openssl(
        dir,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} \
             -keyout {name}.key -out {name}.crt"
        ),
    );
    dir.join(format!("{name}.crt"))
}

/// What the authority keeps books in.
const BOOKS: &str = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n\
     policy=p\nunique_subject=no\n[p]\ncommonName=supplied\n";

/// A certificate of the authority `own`, for `names`, good from the year `years.0` until `years.1`.
fn certificate(dir: &Path, names: &str, years: (u32, u32)) -> TlsFiles {
    openssl(
        dir,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server \
         -keyout server.key -out server.csr",
    );
    for (file, text) in [
        ("names", &*format!("subjectAltName={names}\n")),
        ("books", BOOKS),
        ("index", ""),
        ("serial", "01\n"),
    ] {
        std::fs::write(dir.join(file), text).unwrap();
    }
    let (from, until) = years;
    openssl(
        dir,
        &format!(
            "ca -batch -config books -cert own.crt -keyfile own.key -md sha256 -in server.csr \
             -startdate {from}0102030405Z -enddate {until}0102030405Z -extfile names \
             -out server.crt -notext"
        ),
    );
    TlsFiles {
        certificate: dir.join("server.crt"),
        key: dir.join("server.key"),
    }
}

#[test]
fn a_certificate_of_an_own_authority_is_trusted_and_any_other_is_told() {
    let dir = TempDir::new().unwrap();
    let (own, other) = (authority(dir.path(), "own"), authority(dir.path(), "other"));
    const HERE: &str = "IP:127.0.0.1";
    const GOOD: (u32, u32) = (2020, 2049);
    type Case<'c> = (&'c str, (u32, u32), Option<&'c Path>, &'c str);
    let cases: [Case<'_>; 6] = [
        (HERE, GOOD, Some(&own), ""),
        (
            HERE,
            GOOD,
            Some(&other),
            "leads to none that is trusted here",
        ),
        (HERE, GOOD, None, "leads to none that is trusted here"),
        (
            HERE,
            (2020, 2021),
            Some(&own),
            "expired at 2021-01-02T03:04:05.000Z",
        ),
        (
            HERE,
            (2048, 2049),
            Some(&own),
            "is valid from 2048-01-02T03:04:05.000Z on",
        ),
        (
            "DNS:a.example",
            GOOD,
            Some(&own),
            "is for a.example and not for that name",
        ),
    ];
    for (names, years, root, expected) in cases {
        let files = certificate(dir.path(), names, years);
        let serving = Serving::with_tls(Some(files));
        let store = serving.remote_over_tls(root);
        store.append(vec![attempt("s")]).unwrap();
        let told = serving.told.lock().unwrap().clone();
        match expected {
            "" => assert_eq!((store.waiting(), told.len()), (0, 0), "{told:?}"),
            expected => {
                assert_eq!((store.waiting(), told.len()), (1, 1), "{told:?}");
                assert!(told[0].contains(expected), "{expected}: {told:?}");
                let address = serving.address_of_server();
                assert!(told[0].contains(&format!("https://{address}/")), "{told:?}");
            }
        }
    }
}
