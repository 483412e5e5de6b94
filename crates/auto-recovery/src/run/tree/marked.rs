//! Outside of runs: the good trees of a workspace, the way back to one of them, and whether
//! checkpoints can be taken here at all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::{JournalEvent, Restored, is_piece};
use crate::checkpoint::{
    self, AskedBy, GoodTree, ReplacedTree, Unfinished, Wanted, check_checkpoint, good_trees_of,
    replaced_trees,
};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::run::state::rooms::problems;
use crate::run::tree::trees::{Place, TreePreview, TreeRestored};
use crate::workspace::Workspace;

/// Digits that a piece of an id has at least.
const PIECE_CHARS_MIN: usize = 5;

/// Digits of the shortest id that git gives.
const ID_CHARS_MIN: usize = 40;

/// What checkpoints need, as it is here.
#[derive(Debug)]
pub struct Health {
    /// What of the state no run could use, in words.
    pub state: Vec<String>,
    /// What git says of its version.
    pub git: Result<String>,
    /// The root of the workspace, if it may be checkpointed.
    pub workspace: Result<PathBuf>,
    /// The session that died here and left the tree half-way.
    pub died: Result<Option<String>>,
}

/// The checkpoint that a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCheckpoint {
    /// Its id.
    pub checkpoint: String,
    /// What else the name could have meant, in words, if anything.
    pub instead_of: Option<String>,
}

/// The checkpoint that `named` means in `workspace`; see [`Place::named_checkpoint`].
pub(in crate::run) fn named_checkpoint(
    state_dir: &Path,
    workspace: &Workspace,
    named: &str,
    host: &Arc<dyn Host>,
) -> Result<Option<NamedCheckpoint>> {
    let mut trees = good_trees_of(state_dir, workspace)?;
    trees.reverse();
    let is_hex = named.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_id = trees.iter().any(|one| one.checkpoint == named)
        || (is_hex
            && named.len() >= ID_CHARS_MIN
            && check_checkpoint(state_dir, workspace, named, host).is_ok());
    let labelled = trees
        .iter()
        .filter(|one| one.label.as_deref() == Some(named));
    let labelled: BTreeSet<_> = labelled.map(|one| &one.checkpoint).collect();
    if is_id {
        let is_label = labelled.iter().any(|one| *one != named);
        let says = "that is the id of one checkpoint and the label of another: the id counts";
        return Ok(Some(NamedCheckpoint {
            checkpoint: named.to_owned(),
            instead_of: is_label.then(|| says.to_owned()),
        }));
    }
    let mut newest_first = trees.iter();
    if let Some(tree) = newest_first.find(|one| one.label.as_deref() == Some(named)) {
        let count = labelled.len();
        let says = format!("{count} checkpoints have that label: the newest counts");
        return Ok(Some(NamedCheckpoint {
            checkpoint: tree.checkpoint.clone(),
            instead_of: (count > 1).then_some(says),
        }));
    }
    if !is_hex || named.len() < PIECE_CHARS_MIN {
        return Ok(None);
    }
    let ids = trees.iter().map(|one| one.checkpoint.as_str());
    let ids: BTreeSet<_> = ids.filter(|id| id.starts_with(named)).collect();
    if ids.len() > 1 {
        let ids: Vec<_> = ids.into_iter().collect();
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("checkpoint {named} may be {}", ids.join(" or ")),
        ));
    }
    Ok(ids.first().map(|id| NamedCheckpoint {
        checkpoint: (*id).to_owned(),
        instead_of: None,
    }))
}

impl Place {
    /// What checkpoints of the workspace that `cwd` lies in need, as it is.
    pub fn health(&self, cwd: &Path) -> Health {
        let checkpointable = || {
            let workspace = self.workspace(cwd)?;
            workspace.checkpointable()?;
            Ok(workspace.root().to_owned())
        };
        Health {
            state: problems(&self.state_dir),
            git: checkpoint::git_version(&self.host),
            workspace: checkpointable(),
            died: self.died(cwd),
        }
    }

    /// The session that died in the workspace that `cwd` lies in; one that still works did not.
    fn died(&self, cwd: &Path) -> Result<Option<String>> {
        let workspace = self.workspace(cwd)?;
        let Some(unfinished) = Unfinished::find(&self.state_dir, &workspace)? else {
            return Ok(None);
        };
        let is_over = self.claim(&workspace).is_ok();
        Ok(is_over.then(|| unfinished.run().session_id.clone()))
    }

    /// The good trees of the workspace that `cwd` lies in, newest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn good_trees(&self, cwd: &Path) -> Result<Vec<GoodTree>> {
        let mut trees = good_trees_of(&self.state_dir, &self.workspace(cwd)?)?;
        trees.reverse();
        Ok(trees)
    }

    /// The checkpoint that `named` means in the workspace that `cwd` lies in: by its id; by its
    /// label, the newest of that name; by a piece that only one good tree begins with. `None` if
    /// there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a piece means several; if they cannot be read.
    pub fn named_checkpoint(&self, cwd: &Path, named: &str) -> Result<Option<NamedCheckpoint>> {
        let workspace = self.workspace(cwd)?;
        named_checkpoint(&self.state_dir, &workspace, named, &self.host)
    }

    /// What restores replaced whose ids have `piece` in them, the newest first.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn replaced(&self, piece: &str) -> Result<Vec<ReplacedTree>> {
        if !is_piece(piece) {
            return Ok(Vec::new());
        }
        let mut found = replaced_trees(&self.state_dir)?;
        found.retain(|one| one.id.contains(piece));
        Ok(found)
    }

    /// Puts the whole tree that `cwd` lies in back to `checkpoint`, and keeps what that replaces.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such checkpoint; if a recovery works here.
    pub fn restore_checkpoint(&self, cwd: &Path, checkpoint: &str) -> Result<TreeRestored> {
        let workspace = self.workspace(cwd)?;
        check_checkpoint(&self.state_dir, &workspace, checkpoint, &self.host)?;
        let _lock = self.claim(&workspace)?;
        self.end_processes(&workspace)?;
        let store = self.open(&workspace)?;
        let wanted = Wanted::Tree(store.load(checkpoint)?);
        let died = Unfinished::find(&self.state_dir, &workspace)?;
        let by = AskedBy::Person {
            died: died.as_ref(),
        };
        let put = checkpoint::put_back(&self.state_dir, &store, &wanted, by)?;
        if let Some(replaced) = &put.taken_back_by {
            let event = Restored {
                attempt_number: None,
                checkpoint: checkpoint.to_owned(),
                replaced: replaced.clone(),
                paths: put.restored.len() as u64,
            };
            self.store.record(None, JournalEvent::Restored(event))?;
        }
        Ok(TreeRestored {
            root: workspace.root().to_owned(),
            checkpoint: checkpoint.to_owned(),
            put,
            left_behind: Vec::new(),
            earlier: None,
            others: Vec::new(),
        })
    }

    /// What [`Place::restore_checkpoint`] would do. Nothing is changed.
    ///
    /// # Errors
    /// As [`Place::restore_checkpoint`], but that a recovery may be at work.
    pub fn preview_checkpoint(&self, cwd: &Path, checkpoint: &str) -> Result<TreePreview> {
        let workspace = self.workspace(cwd)?;
        check_checkpoint(&self.state_dir, &workspace, checkpoint, &self.host)?;
        let store = self.open(&workspace)?;
        let wanted = Wanted::Tree(store.load(checkpoint)?);
        Ok(TreePreview {
            root: workspace.root().to_owned(),
            checkpoint: checkpoint.to_owned(),
            preview: checkpoint::preview(&store, &wanted)?,
            left_behind: Vec::new(),
            others: Vec::new(),
        })
    }
}
