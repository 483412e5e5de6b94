//! The answer to a query as programs read it: the same object wherever it is asked for.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::query::{AggregateQuery, Aggregates};
use super::time::rfc3339;
use crate::error::{Error, ErrorKind, Result};

impl Aggregates {
    /// The sums alone or, where `query` groups, the query with them and with those of each group.
    ///
    /// # Errors
    /// If a number cannot be written as JSON.
    pub fn document(&self, query: &AggregateQuery) -> Result<Value> {
        let total = value(&self.total)?;
        if query.by.is_empty() {
            return Ok(total);
        }
        let names: Vec<_> = query.by.iter().map(|by| by.as_str()).collect();
        let groups = self.groups.iter().map(|group| {
            let mut object = Map::new();
            for (name, value) in names.iter().zip(&group.key) {
                object.insert((*name).to_owned(), json!(value));
            }
            if let Value::Object(sums) = value(&group.statistics)? {
                object.extend(sums);
            }
            Ok(Value::Object(object))
        });
        Ok(json!({
            "since": query.since_us.map(rfc3339),
            "until": query.until_us.map(rfc3339),
            "group_by": names,
            "total": total,
            "groups": groups.collect::<Result<Vec<_>>>()?,
        }))
    }
}

fn value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "write the statistics").with_source(error)
    })
}
