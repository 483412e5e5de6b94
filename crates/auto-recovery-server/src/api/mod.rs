//! The API for programs, `/api/v1`.
//!
//! Its objects are those that the command prints as JSON. `openapi.json` describes it, and a test
//! holds the two against each other.

mod actions;
mod advice;
mod alerts;
mod answer;
mod batch;
mod body_lines;
mod document;
mod export;
mod failures;
mod find;
mod ingest;
mod lines;
mod sessions;
mod stats;
mod trail;

pub(crate) use actions::{
    REASON_CHARS_MAX, clear, clear_session, hold, hold_session, read_small, release,
    release_session,
};
pub(crate) use advice::{
    Advised, advice, advice_board, advised, make_board, make_board_if_due, read_advice_query,
};
pub(crate) use alerts::{
    acknowledge, acknowledge_incident, again, alerts, end_acknowledgement, end_acknowledgement_of,
    end_silence, end_silence_of, heartbeat, make_silence, record_said, send_message_again, silence,
    silences, told,
};
pub(crate) use answer::{no_such_method, nothing};
pub(crate) use batch::batch;
#[cfg(test)]
pub(crate) use document::DOCUMENT;
pub(crate) use document::document;
pub(crate) use export::export;
pub(crate) use failures::{KindPage, failures, kind_page, read_kind_query};
pub(crate) use find::{Listed, Listing, find, find_session, read_listing, summary};
pub(crate) use ingest::ingest;
pub(crate) use lines::{journal, trail};
pub(crate) use sessions::{session, sessions};
pub(crate) use stats::{read_stats_query, stats};
pub(crate) use trail::{entries_of, journal_of, statistics_of};
