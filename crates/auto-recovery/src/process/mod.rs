//! Running commands: process groups, time limits, signals, capture.

mod interrupt;

pub use interrupt::Interrupt;
