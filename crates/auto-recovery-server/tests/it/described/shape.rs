//! Whether a value has a shape, as much of JSON Schema as the description uses.

use serde_json::Value;

/// What of `value` is not as `schema` has it.
pub(super) fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let rules = schema.as_object()?;
    for (name, rule) in rules {
        let wrong = match name.as_str() {
            "$ref" => {
                let target = document.pointer(&rule.as_str().unwrap()[1..]).unwrap();
                misfit(document, target, value)
            }
            "anyOf" => {
                let mut all = rule.as_array().unwrap().iter();
                let fits = all.any(|one| misfit(document, one, value).is_none());
                (!fits).then(|| format!("{value} is none of {rule}"))
            }
            "type" => (!has_type(rule, value)).then(|| format!("{value} is no {rule}")),
            "enum" => {
                let fits = rule.as_array().unwrap().contains(value);
                (!fits).then(|| format!("{value} is not in {rule}"))
            }
            "required" => {
                let mut names = rule.as_array().unwrap().iter();
                let gone = names.find(|name| value.get(name.as_str().unwrap()).is_none());
                gone.filter(|_| value.is_object())
                    .map(|name| format!("{name} is not there"))
            }
            "properties" | "additionalProperties" => continue,
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                items.find_map(|item| misfit(document, rule, item))
            }
            "minItems" | "maxItems" => {
                let length = value.as_array().map(|items| items.len() as u64);
                let limit = rule.as_u64().unwrap();
                let is_wrong = length.is_some_and(|length| match name.as_str() {
                    "minItems" => length < limit,
                    _ => length > limit,
                });
                is_wrong.then(|| format!("{value} has not {name} {limit}"))
            }
            // Words, and what is asked of requests.
            _ => continue,
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, one) in value.as_object().into_iter().flatten() {
        let of = known.and_then(|known| known.get(name));
        let wrong = match (of, schema.get("additionalProperties")) {
            (Some(of), _) => misfit(document, of, one),
            (None, Some(Value::Bool(false))) => Some("nobody knows of it".to_owned()),
            (None, Some(more)) => misfit(document, more, one),
            (None, None) => None,
        };
        if let Some(wrong) = wrong {
            return Some(format!("{name}: {wrong}"));
        }
    }
    None
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("a type {other}"),
    };
    match rule {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}
