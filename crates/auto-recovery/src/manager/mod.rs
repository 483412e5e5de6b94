//! The manager: takes a failure through the strategies that suit it, and records every attempt.
//!
//! It has the only loop of the product. It decides nothing about files, processes or formats: the
//! tree, the verifier, the strategies and the audit logger are given to it. It records the intent
//! of an attempt before acting and the outcome before the next step; a record that cannot be
//! written stops the recovery.

mod anew;
mod attempt;
mod auto_recovery_manager;
mod backoff;
mod candidates;
mod confirm;
mod handler;
mod incident;
mod judged;
mod numbers;
mod observer;
mod parts;
mod record;
mod recovery;
mod replanner;
mod settings;
mod step;
mod tree;
mod tried;
mod under_way;

pub use auto_recovery_manager::AutoRecoveryManager;
pub use backoff::Backoff;
pub use incident::{Incident, Recovery};
pub use numbers::AttemptNumbers;
pub use observer::{Event, Observer};
pub use replanner::{GROUNDS_MAX, NewPlan, PlannedStrategy, Replanner};
pub use settings::{ManagerSettings, OnAuditFailure};
pub use step::RecoveryEnd;
pub use tree::{Acted, Approver, Before, ChangeUnderReview, Proof, Tree, Undone, Verified};
