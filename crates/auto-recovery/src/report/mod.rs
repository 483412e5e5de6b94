//! Trails as a report, for programs and for people.
