//! Which strategies are tried against a failure, and in which order: decided here and nowhere else.
//!
//! Pure: knows nothing of handlers, trees or time. Callers gather the candidates, a planner chooses
//! among them, and the manager carries the plan out. Escalation is not a step: it is what is left
//! when the steps are exhausted.

mod advice;
mod candidate;
mod order;
mod planner;

pub use advice::{Advice, AdviceStatus, Expected, LeftOut, PlannedUnit, StepFacts};
pub use candidate::Candidate;
pub use order::{CategoryOrder, GivenOrder};
pub use planner::{Case, Chosen, Plan, Planner};
