//! Advice as programs read it: the same object wherever it is asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::plan::{Advice, AdviceStatus, StepFacts};

/// `advice` as JSON; `back` has the days after which what it leaves out is tried again, where they
/// are known.
pub fn document(advice: &Advice, back: &BTreeMap<String, u32>) -> Value {
    let step = |step: &StepFacts| {
        json!({
            "step": step.step,
            "here": step.here,
            "others": step.others,
            "chance": step.chance,
            "low": step.low,
            "high": step.high,
            "seconds": step.seconds,
        })
    };
    let left_out = advice.left_out.iter().map(|one| {
        let mut value = json!({"step": one.step, "why": one.why});
        if let Some(days) = back.get(&one.step) {
            value["back_in_days"] = json!(days);
        }
        value
    });
    json!({
        "status": advice.status.as_str(),
        "why": advice.why,
        "day": advice.day,
        "class": advice.class,
        "shipped": advice.shipped,
        "order": advice.order,
        "left_out": left_out.collect::<Vec<_>>(),
        "steps": advice.steps.iter().map(step).collect::<Vec<_>>(),
        "expected": {
            "shipped": advice.expected.shipped,
            "order": advice.expected.order,
            "sure": advice.expected.sure,
        },
    })
}

/// `advice` where learning is off: the counts stay, the order is the shipped one.
pub fn as_if_off(advice: Advice) -> Advice {
    Advice {
        status: AdviceStatus::Off,
        why: "learning is off".to_owned(),
        order: advice.shipped.clone(),
        left_out: Vec::new(),
        ..advice
    }
}
