//! A tree that cannot be looked at, and that cannot be put back either.

use auto_recovery::manager::{Acted, Before, Proof, Tree, Undone, Verified};
use auto_recovery::{Error, ErrorKind, Result};

use super::{failure, manager, no_context};

/// A tree that answers no question, and that is not put back for another reason, if any.
struct Lost {
    undo: &'static str,
}

fn failed<T>(why: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Io, why))
}

impl Tree for Lost {
    fn before(&mut self, _attempt_number: u64) -> Result<Before> {
        failed("the disk is gone")
    }

    fn acted(&mut self) -> Result<Acted> {
        Ok(Acted::default())
    }

    fn verified(&mut self) -> Result<Verified> {
        Ok(Verified::default())
    }

    fn is_as_verified(&mut self) -> Result<bool> {
        Ok(true)
    }

    fn not_covered(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn leave(&mut self) {}

    fn undo(&mut self) -> Result<Undone> {
        self.undo_all()
    }

    fn undo_all(&mut self) -> Result<Undone> {
        failed(self.undo)
    }

    fn accept(&mut self, _proof: Proof) -> Result<()> {
        Ok(())
    }
}

#[test]
fn one_reason_is_told_once_and_two_are_told() {
    for undo in ["the disk is gone", "the disk is full"] {
        let (mut manager, _) = manager();
        manager.tree = Some(Box::new(Lost { undo }));
        manager.fix_generator = Some(Box::new(|_, _| Ok("- mended".to_owned())));
        let error = manager
            .attempt_recovery(&failure("code_quality"), &no_context())
            .expect_err("nothing can be tried");
        let told = error.chain();
        assert!(told.contains("the tree was not put back"), "{told}");
        for why in ["the disk is gone", undo] {
            assert_eq!(told.matches(why).count(), 1, "{told}");
        }
    }
}
