//! Collects what was tried, and writes what the next command is told of it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::checkpoint::{DiffSink, ProtectGlob};
use crate::error::{Error, Result};
use crate::host::new_id;
use crate::manager::Event;
use crate::mutex;
use crate::redaction::Redactor;
use crate::run::helpers::told::briefing::{
    Briefing, Failed, Output, Patch, SinceGood, TRIES_MAX, Try, VERSION, bounded, paths, text,
    words,
};
use crate::run::helpers::told::prompt::{PATCH_HEAD_BYTES, prompt};
use crate::run::runner::Runner;
use crate::run::state::masked_output::PatchMasking;
use crate::run::state::outputs::Outputs;
use crate::run::state::vault::SEALED_SUFFIX;
use crate::run::tree::guarded::GuardedTree;
use crate::strategy::Call;
use crate::workspace::Workspace;

/// The variables that name the files.
const CONTEXT_VARIABLE: &str = "RECOVER_CONTEXT_JSON";
const PROMPT_VARIABLE: &str = "RECOVER_PROMPT";
/// What changed since the tree was good; to an approval command, the change that waits.
const DIFF_VARIABLE: &str = "RECOVER_DIFF";

/// The largest patch that is written to be read: 1 MiB, which is more than anybody reads.
const PATCH_BYTES_MAX: usize = 1 << 20;

/// What the commands of one recovery are told. Shared by all that run one.
#[derive(Clone)]
pub(in crate::run) struct Told(Arc<Teller>);

struct Teller {
    runner: Arc<Runner>,
    tree: Option<GuardedTree>,
    workspace: String,
    /// Globs from the root of the workspace.
    protected: Vec<String>,
    seen: Mutex<Seen>,
}

/// What there is to tell.
#[derive(Default)]
struct Seen {
    tries: VecDeque<Seeing>,
    left_out: u64,
    /// The tree for which what changed since a good one was told, and that.
    since_good: Option<(String, Option<SinceGood>)>,
}

/// A try, and the checkpoints between which its changes lie while no patch was made of them.
struct Seeing {
    told: Try,
    span: Option<(String, String)>,
}

/// The files that were written.
pub(in crate::run) struct Files {
    context: PathBuf,
    prompt: PathBuf,
    diff: Option<PathBuf>,
}

impl Told {
    /// Tells of the recovery of `runner` in `workspace`, whose `tree` may be guarded, and in which
    /// `guarded` files are protected though nobody said so.
    pub(in crate::run) fn new(
        runner: &Arc<Runner>,
        tree: Option<&GuardedTree>,
        workspace: &Workspace,
        guarded: &[ProtectGlob],
    ) -> Self {
        let root = workspace.root();
        let protected = runner.request.tree.protect.iter().chain(guarded);
        let globs = protected.flat_map(|glob| glob.from_root(root));
        // The root of the tree is where agents think they are; `/` is another one to them.
        let globs = globs.map(|glob| glob.trim_start_matches('/').to_owned());
        Self(Arc::new(Teller {
            runner: runner.clone(),
            tree: tree.cloned(),
            workspace: root.display().to_string(),
            protected: paths(&globs.collect::<Vec<_>>()),
            seen: Mutex::default(),
        }))
    }

    /// Remembers what came of an attempt.
    pub(in crate::run) fn note(&self, event: &Event<'_>) {
        let Event::Tried {
            attempt_number,
            strategy,
            action,
            verdict,
            failure,
            files_modified,
            undone,
            is_ground,
            span,
            output_file,
            ..
        } = event
        else {
            return;
        };
        let told = Try {
            attempt_number: *attempt_number,
            strategy: strategy.to_string(),
            action: text(action),
            files_modified: paths(files_modified),
            patch: None,
            failed_with: failure.map(Failed::of),
            verdict: text(verdict),
            undone: *undone,
            kept: *is_ground,
            // Nobody here can open an encrypted one.
            output: output_file
                .filter(|file| !file.ends_with(SEALED_SUFFIX))
                .map(str::to_owned),
        };
        let span = span.filter(|_| !files_modified.is_empty());
        let span = span.map(|(before, after)| (before.to_owned(), after.to_owned()));
        let mut seen = mutex::lock(&self.0.seen);
        seen.tries.push_back(Seeing { told, span });
        if seen.tries.len() > TRIES_MAX {
            seen.tries.pop_front();
            seen.left_out += 1;
        }
    }

    /// Writes what a command is told that `call` asks to do `action`.
    ///
    /// # Errors
    /// If it cannot be written: a command that is told half of it would do harm in good faith.
    pub(in crate::run) fn tell(&self, call: &Call<'_>, action: &str) -> Result<Option<Files>> {
        let Some(outputs) = self.0.runner.outputs() else {
            return Ok(None);
        };
        let mut briefing = self.briefing(call, action, &outputs);
        let runner = &self.0.runner;
        if !runner.request.masking.real_for_fixers {
            briefing.redact(&runner.redactor);
        }
        let context = outputs.of_run("context", "json");
        outputs.write_afresh(&context, |out| {
            let written = serde_json::to_writer(out, &briefing);
            written.map_err(|error| Error::os("write what a command is told", error.into()))
        })?;
        // Seventy bits of it are random, and whoever wrote what the prompt holds never saw them.
        let random = new_id("");
        // Agents send it to those who run their model.
        briefing.argv = runner.redactor.redact_words(&briefing.argv);
        let text = prompt(&briefing, &context.display().to_string(), &random[1..]);
        let text = runner.redactor.redact_text(&text);
        let page = outputs.of_run("prompt", "md");
        outputs.write_afresh(&page, |out| {
            let written = out.write_all(text.as_bytes());
            written.map_err(|error| Error::io("write", &page, error))
        })?;
        let since = briefing.changed_since_good;
        Ok(Some(Files {
            context,
            prompt: page,
            diff: since.map(|since| since.patch.path),
        }))
    }

    fn briefing(&self, call: &Call<'_>, action: &str, outputs: &Outputs) -> Briefing {
        let teller = &*self.0;
        let runner = &teller.runner;
        let request = &runner.request;
        let mut seen = mutex::lock(&teller.seen);
        let patches = Patches {
            outputs,
            redactor: &runner.redactor,
            are_real: request.masking.real_for_fixers,
        };
        seen.make_patches(teller.tree.as_ref(), &patches);
        let facing = runner.facing();
        let now = runner.host.monotonic();
        let left = runner.deadline().map(|end| end.saturating_sub(now));
        Briefing {
            version: VERSION,
            session_id: call.session_id.map(str::to_owned),
            argv: words(request.words()),
            cwd: request.command.cwd.display().to_string(),
            workspace: teller.workspace.clone(),
            strategy: call.strategy.to_string(),
            action: text(action),
            attempt: call.strategy_attempt,
            of: call.max_attempts,
            attempt_number: call.attempt_number,
            time_left_seconds: left.map(|left| left.as_secs_f64()),
            protected: teller.protected.clone(),
            allow: request.tries.allow.as_str().to_owned(),
            category: call.category,
            rule: facing
                .as_ref()
                .map(|facing| text(&facing.rule))
                .unwrap_or_default(),
            failure: bounded(&runner.for_helpers(call.failure)),
            exit_code: facing.as_ref().map(|facing| facing.exit.shell_code()),
            timed_out: facing.as_ref().is_some_and(|facing| facing.timed_out),
            output: Output {
                path: outputs.failure_log(),
                bytes: facing.as_ref().map_or(0, |facing| facing.output_bytes),
                excerpt: facing.map(|facing| facing.excerpt).unwrap_or_default(),
            },
            changed_since_good: seen.since_good(teller.tree.as_ref(), &patches),
            attempts: seen.tries.iter().map(|one| one.told.clone()).collect(),
            attempts_left_out: seen.left_out,
        }
    }
}

impl Files {
    /// The variables that name them.
    pub(in crate::run) fn variables(self) -> Vec<(OsString, OsString)> {
        let diff = self.diff.unwrap_or_default();
        vec![
            (CONTEXT_VARIABLE.into(), self.context.into_os_string()),
            (PROMPT_VARIABLE.into(), self.prompt.into_os_string()),
            (DIFF_VARIABLE.into(), diff.into_os_string()),
        ]
    }

    /// The variables of a command that judges the change in `diff`: it mends nothing, and is given
    /// no prompt to.
    pub(in crate::run) fn variables_for_review(self, diff: PathBuf) -> Vec<(OsString, OsString)> {
        vec![
            (CONTEXT_VARIABLE.into(), self.context.into_os_string()),
            (DIFF_VARIABLE.into(), diff.into_os_string()),
        ]
    }

    /// The file with the prompt.
    pub(in crate::run) fn prompt(&self) -> &Path {
        &self.prompt
    }
}

impl Seen {
    /// Makes the patches that are wanted now. One that cannot be made is not told: the record has
    /// its checkpoints all the same.
    fn make_patches(&mut self, tree: Option<&GuardedTree>, patches: &Patches<'_>) {
        let Some(tree) = tree else { return };
        for one in &mut self.tries {
            let Some((before, after)) = one.span.take() else {
                continue;
            };
            let name = format!("try-{:03}", one.told.attempt_number);
            one.told.patch = patches.keep(&name, |sink| tree.patch_between(&before, &after, sink));
        }
    }

    /// What changed since the tree was last good, made anew where the tree changed since.
    fn since_good(
        &mut self,
        tree: Option<&GuardedTree>,
        patches: &Patches<'_>,
    ) -> Option<SinceGood> {
        let tree = tree?;
        let now = tree.now();
        if let Some((of, told)) = &self.since_good
            && *of == now
        {
            return told.clone();
        }
        let told = tree.last_good().ok().flatten().and_then(|mark| {
            let good = mark.checkpoint.clone();
            let patch = patches.keep("since-good", |sink| tree.patch_between(&good, &now, sink))?;
            Some(SinceGood {
                checkpoint: mark.checkpoint,
                at: mark.at,
                patch,
            })
        });
        self.since_good = Some((now, told.clone()));
        told
    }
}

/// Where patches are kept for those who are told of them, and what is masked in them.
struct Patches<'a> {
    outputs: &'a Outputs,
    redactor: &'a Arc<Redactor>,
    /// Whether their files are as they are. What a prompt has of them is masked always.
    are_real: bool,
}

impl Patches<'_> {
    /// Keeps what `make` gives in the file `name`, [`PATCH_BYTES_MAX`] at most.
    fn keep(
        &self,
        name: &str,
        make: impl FnOnce(&mut DiffSink<'_>) -> Result<()>,
    ) -> Option<Patch> {
        let path = self.outputs.of_run(name, "patch");
        let mut head = Vec::new();
        let (mut bytes, mut cut) = (0, false);
        let written = self.outputs.write_afresh(&path, |out| {
            let mut masking = PatchMasking::new(self.redactor);
            let mut take = |piece: &[u8]| -> io::Result<ControlFlow<()>> {
                let room = PATCH_BYTES_MAX - bytes;
                cut |= piece.len() > room;
                let piece = &piece[..piece.len().min(room)];
                out.write_all(piece)?;
                bytes += piece.len();
                Ok(match cut {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            };
            let mut keep_head = |masked: &[u8]| {
                let wanted = PATCH_HEAD_BYTES.saturating_sub(head.len());
                head.extend_from_slice(&masked[..masked.len().min(wanted)]);
            };
            let mut sink = |piece: &[u8]| {
                let masked = masking.take(Some(piece));
                keep_head(&masked);
                take(if self.are_real { piece } else { &masked })
            };
            make(&mut sink)?;
            let rest = masking.take(None);
            keep_head(&rest);
            if !self.are_real {
                let taken = take(&rest);
                taken
                    .map_err(|error| Error::io("write", &path, error))
                    .map(drop)?;
            }
            Ok(())
        });
        written.ok()?;
        Some(Patch {
            path,
            bytes: bytes as u64,
            cut,
            head,
        })
    }
}
