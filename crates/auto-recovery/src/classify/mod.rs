//! Failure to category: rules that say why.
