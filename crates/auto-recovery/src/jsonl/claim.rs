//! Being the only server over a store of files: a file in it that is locked.

use super::root::Root;
use crate::audit::Claim;
use crate::error::Result;
use crate::patience::Alone;

/// The file that a server locks.
const LOCK_NAME: &str = "serving.lock";

impl Claim for Alone {
    fn check(&mut self) -> Result<()> {
        self.still()
    }
}

/// Takes the store at `url`, and makes its directory: who serves it takes in what others send.
/// Where nobody can write, it is served all the same: of two servers there, the worst is that a
/// person hears of an alert twice.
pub(super) fn claim(root: &Root, url: &str) -> Result<Option<Box<dyn Claim>>> {
    let dir = &root.dir;
    if dir.make_dir().is_err() {
        // What is wrong is told by whoever reads, or writes.
        return Ok(None);
    }
    let path = dir.path.join(LOCK_NAME);
    let alone = Alone::take_if_possible(&path, &format!("{url} is served"))?;
    Ok(alone.map(|alone| Box::new(alone) as Box<dyn Claim>))
}
