//! A tree that is too much for a checkpoint: nobody can say then what is protected and changed.

use std::sync::{Arc, Mutex};

use auto_recovery::Result;
use auto_recovery::manager::{Acted, Before, Proof, Tree, Undone, Verified};

use super::{failure, manager, no_context, passes_at};

const TOO_MUCH: &str = "100001 files are new";

/// A tree that overflows after the strategy or after the verification, and notes what became of it.
struct Overflowing {
    acted: Acted,
    verified: Verified,
    became: Arc<Mutex<Vec<&'static str>>>,
}

impl Overflowing {
    fn note(&self, word: &'static str) {
        self.became.lock().unwrap().push(word);
    }
}

impl Tree for Overflowing {
    fn before(&mut self, _attempt_number: u64) -> Result<Before> {
        Ok(Before {
            checkpoint: Some("before".to_owned()),
            ..Before::default()
        })
    }

    fn acted(&mut self) -> Result<Acted> {
        Ok(self.acted.clone())
    }

    fn verified(&mut self) -> Result<Verified> {
        Ok(self.verified.clone())
    }

    fn is_as_verified(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn not_covered(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn leave(&mut self) {
        self.note("left");
    }

    fn undo(&mut self) -> Result<Undone> {
        self.note("undone");
        Ok(Undone::default())
    }

    fn undo_all(&mut self) -> Result<Undone> {
        self.undo()
    }

    fn accept(&mut self, _proof: Proof) -> Result<()> {
        self.note("accepted");
        Ok(())
    }
}

#[test]
fn an_attempt_after_which_nobody_can_look_through_the_tree_fails_and_is_undone() {
    let too_much = || Some(TOO_MUCH.to_owned());
    let after_acting = Acted {
        overflow: too_much(),
        ..Acted::default()
    };
    let after_verifying = Verified {
        overflow: too_much(),
        ..Verified::default()
    };
    let check = |category: &str, acted: &Acted, verified: &Verified| {
        let (mut manager, _) = manager();
        let became = Arc::default();
        manager.tree = Some(Box::new(Overflowing {
            acted: acted.clone(),
            verified: verified.clone(),
            became: Arc::clone(&became),
        }));
        let (_, passes) = passes_at(1);
        manager.retry_handler = Some(Box::new(|_, _| Ok(true)));
        manager.fix_generator = Some(Box::new(|_, _| Ok("- mended".to_owned())));
        manager.verifier = Some(Box::new(passes));
        let result = manager
            .attempt_recovery(&failure(category), &no_context())
            .unwrap();
        assert!(!result.success, "{category}: {result:?}");
        let said = format!("changed more than a checkpoint holds: {TOO_MUCH}");
        let messages = result.attempts.iter().map(|attempt| &attempt.message);
        for message in messages.take(1) {
            assert!(message.contains(&said), "{category}: {message}");
        }
        let became = became.lock().unwrap();
        let all_undone = became.iter().all(|word| *word == "undone");
        assert!(all_undone && !became.is_empty(), "{category}: {became:?}");
    };
    for category in ["code_quality", "transient"] {
        check(category, &after_acting, &Verified::default());
        check(category, &Acted::default(), &after_verifying);
    }
}
