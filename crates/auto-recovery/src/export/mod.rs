//! Trails as JSON, CSV and JSONL.
