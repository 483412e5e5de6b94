//! Outside of runs: the good trees of a workspace, the way back to one of them, and whether
//! checkpoints can be taken here at all.

use std::path::{Path, PathBuf};

use crate::audit::{JournalEvent, Restored};
use crate::checkpoint::{
    self, AskedBy, GoodTree, Unfinished, Wanted, check_checkpoint, good_trees_of,
};
use crate::error::{Error, ErrorKind, Result};
use crate::run::tree::trees::{Place, TreePreview, TreeRestored};

/// Digits that a piece of an id has at least.
const PIECE_CHARS_MIN: usize = 5;

/// What checkpoints need, as it is here.
#[derive(Debug)]
pub struct Health {
    /// What git says of its version.
    pub git: Result<String>,
    /// The root of the workspace, if it may be checkpointed.
    pub workspace: Result<PathBuf>,
    /// The session that died here and left the tree half-way.
    pub died: Result<Option<String>>,
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

    /// The id of the checkpoint that `named` means in the workspace that `cwd` lies in: by its
    /// label, the newest of that name; by its id, or a piece that only one good tree begins with.
    /// `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if a piece means several; if they cannot be read.
    pub fn named_checkpoint(&self, cwd: &Path, named: &str) -> Result<Option<String>> {
        let trees = self.good_trees(cwd)?;
        let by_label = trees.iter().find(|one| one.label.as_deref() == Some(named));
        if let Some(tree) = by_label {
            return Ok(Some(tree.checkpoint.clone()));
        }
        let is_piece = named.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_piece || named.len() < PIECE_CHARS_MIN {
            return Ok(None);
        }
        let mut ids: Vec<_> = trees.iter().map(|one| one.checkpoint.as_str()).collect();
        ids.retain(|id| id.starts_with(named));
        ids.sort_unstable();
        ids.dedup();
        match ids[..] {
            [id] => Ok(Some(id.to_owned())),
            [] => {
                let workspace = self.workspace(cwd)?;
                let known = check_checkpoint(&self.state_dir, &workspace, named, &self.host);
                Ok(known.is_ok().then(|| named.to_owned()))
            }
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("checkpoint {named} may be {}", ids.join(" or ")),
            )),
        }
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
