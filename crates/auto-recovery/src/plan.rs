//! Category to ordered strategies. Pure: knows nothing of handlers, trees or time.
//!
//! The order is the specification's. What is disabled is never tried; retry and rollback are tried
//! only where there is something to do; rollback comes after all others. Escalation is not a step:
//! it is what is left when the steps are exhausted.

use crate::failure::Category;
use crate::strategy::RecoveryStrategyType::{self, Alternative, Custom, Fix, Retry, Rollback};

/// What may be tried when a category's order calls for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// Fixes are enabled.
    pub fix: bool,
    /// Something can be tried again.
    pub retry: bool,
    /// Alternatives are enabled.
    pub alternative: bool,
    /// There is something to go back to, and going back is enabled.
    pub rollback: bool,
}

impl Available {
    fn has(self, kind: &RecoveryStrategyType) -> bool {
        match kind {
            Fix => self.fix,
            Retry => self.retry,
            Alternative => self.alternative,
            Rollback => self.rollback,
            RecoveryStrategyType::Escalate | Custom(_) => false,
        }
    }
}

/// The strategies for `category` in the specification's order, whatever is available.
pub fn order(category: Category) -> &'static [RecoveryStrategyType] {
    match category {
        Category::Transient => &[Retry, Fix],
        Category::CodeQuality => &[Fix, Alternative],
        Category::TestFailure | Category::Unknown => &[Fix, Retry, Alternative],
        Category::Dependency => &[Alternative, Fix],
    }
}

/// The strategies to try for `category`, in order and each once.
///
/// `asked` names strategies that somebody gave on purpose. Those the category's order does not have
/// come after it, in the order given: a user who asks for a retry of a lint failure gets it.
pub fn plan(
    category: Category,
    available: Available,
    asked: &[RecoveryStrategyType],
) -> Vec<RecoveryStrategyType> {
    let own = order(category);
    let mut steps: Vec<_> = own
        .iter()
        .filter(|kind| available.has(kind) || asked.contains(kind))
        .cloned()
        .collect();
    for kind in asked {
        if *kind != Rollback && !steps.contains(kind) {
            steps.push(kind.clone());
        }
    }
    if available.rollback || asked.contains(&Rollback) {
        steps.push(Rollback);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Available = Available {
        fix: true,
        retry: true,
        alternative: true,
        rollback: true,
    };

    #[test]
    fn each_category_has_the_order_of_the_specification() {
        let cases = [
            (Category::Transient, vec![Retry, Fix, Rollback]),
            (Category::CodeQuality, vec![Fix, Alternative, Rollback]),
            (
                Category::TestFailure,
                vec![Fix, Retry, Alternative, Rollback],
            ),
            (Category::Dependency, vec![Alternative, Fix, Rollback]),
            (Category::Unknown, vec![Fix, Retry, Alternative, Rollback]),
        ];
        for (category, expected) in cases {
            assert_eq!(plan(category, ALL, &[]), expected, "{category}");
        }
    }

    #[test]
    fn what_is_not_available_is_not_planned() {
        for category in Category::ALL {
            assert_eq!(plan(category, Available::default(), &[]), []);
        }
    }

    #[test]
    fn what_was_asked_for_comes_after_the_categorys_own_and_before_rollback() {
        let asked = [Retry, Custom("ask-agent".into()), Rollback, Fix];
        assert_eq!(
            plan(Category::CodeQuality, Available::default(), &asked),
            [Fix, Retry, Custom("ask-agent".into()), Rollback]
        );
    }
}
