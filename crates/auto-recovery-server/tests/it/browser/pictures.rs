//! Pictures of pages for the guide. `PAGES=write` takes them; otherwise those that are there are
//! looked at.

use std::path::{Path, PathBuf};

use auto_recovery::host::{Host as _, SystemHost};

use super::driver::{Browser, DESK, Look, TELEPHONE};
use crate::machine::{Kind, Machine};
use crate::past;

/// Each picture, with the page that it is of and the look.
const PICTURES: [(&str, &str, Look); 4] = [
    (
        "overview",
        "/",
        Look {
            width: 1280,
            height: 600,
            ..DESK
        },
    ),
    (
        "failures",
        "/failures",
        Look {
            width: 1280,
            height: 430,
            is_dark: true,
            ..DESK
        },
    ),
    (
        "session",
        "",
        Look {
            width: 1280,
            height: 860,
            ..DESK
        },
    ),
    (
        "telephone",
        "/sessions",
        Look {
            is_dark: true,
            ..TELEPHONE
        },
    ),
];

/// Bytes of a picture.
const BYTES_MAX: usize = 80 * 1024;

fn guide() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide")
}

fn file(name: &str) -> PathBuf {
    guide().join("serve").join(format!("{name}.png"))
}

#[test]
fn the_guide_shows_the_pages() {
    let page = std::fs::read_to_string(guide().join("serve.md")).unwrap();
    if is_to_write() {
        take();
    }
    for (name, ..) in PICTURES {
        let picture = std::fs::read(file(name)).unwrap();
        assert!(picture.starts_with(b"\x89PNG"), "{name}");
        assert!(
            picture.len() <= BYTES_MAX,
            "{name}: {} bytes",
            picture.len()
        );
        assert!(page.contains(&format!("](serve/{name}.png)")), "{name}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment what to write"
)]
fn is_to_write() -> bool {
    std::env::var("PAGES").is_ok_and(|pages| pages == "write")
}

fn take() {
    let machine = Machine::new(Kind::Sqlite);
    past::fill(&*machine.store(), 240, (28, SystemHost::new().now()));
    let server = machine.start();
    let newest = server.get("/api/v1/sessions?limit=1").json()["items"][0]["session_id"].clone();
    let newest = format!("/sessions/{}", newest.as_str().unwrap());
    let browser = Browser::of(&server);
    std::fs::create_dir_all(guide().join("serve")).unwrap();
    for (name, path, look) in PICTURES {
        browser.look(look);
        browser.open(if path.is_empty() { &newest } else { path });
        std::fs::write(file(name), browser.picture()).unwrap();
    }
}
