//! The pages in a real browser: Chromium, driven by its own driver.
//!
//! A browser takes a second to start and each page some tenths, so these tests are the slowest of
//! this crate; `--skip browser::` leaves them out.

mod alerts;
mod axe;
mod choices;
mod driver;
mod live;
mod pages;
mod pictures;
