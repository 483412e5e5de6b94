//! Flags, environment and files become one set of values; each value knows its origin.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use auto_recovery::audit::Durability;
use auto_recovery::audit::sealing::SealWhen;
use auto_recovery::workspace::{Workspace, is_safe_directory};
use auto_recovery::{Error, ErrorKind, Result};

use crate::args::GlobalArgs;
use crate::output::{ColorChoice, ColorWish};
use crate::settings::environment::listed_home;
use crate::settings::untrusted::restrict;
use crate::settings::value::parse_durability;
use crate::settings::{
    Doubt, EncryptionSettings, Environment, GithubFiles, Layer, Mistakes, Origin, Project,
    RedactSettings, RemoteSettings, RetentionSettings, RunSettings, ServedSettings, Setting,
    SourceFile, Sources, StoreUrl, Trusted, Unread, Untrusted, sha256,
};

/// Every setting, resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The store of trails.
    pub(crate) store: Setting<StoreUrl>,
    /// The directory of checkpoints, outputs and budgets.
    pub(crate) state_dir: Setting<PathBuf>,
    /// The moment at which an append is acknowledged.
    pub(crate) durability: Setting<Durability>,
    /// The rules by which old trails are removed automatically.
    pub(crate) retention: RetentionSettings,
    /// What the server does besides answering.
    pub(crate) served: ServedSettings,
    /// What is masked in all that is kept and told.
    pub(crate) redact: RedactSettings,
    /// To whose keys private texts are encrypted, and what opens them.
    pub(crate) encryption: EncryptionSettings,
    /// What proves who we are to a server, and it to us.
    pub(crate) remote: RemoteSettings,
    /// Whether colours may be used where a terminal shows them.
    pub(crate) color: Setting<ColorChoice>,
    /// Settings of a run.
    pub(crate) run: RunSettings,
    /// The project's file, if there is one that counts.
    pub(crate) project: Option<Project>,
    /// The project's file, if it is not trusted.
    pub(crate) untrusted: Option<Untrusted>,
    /// Files in the place of a configuration file that do not count.
    pub(crate) unread: Vec<Unread>,
    /// The current directory.
    pub(crate) cwd: PathBuf,
    /// The workspace of the current directory.
    pub(crate) workspace: PathBuf,
    /// The user's name.
    pub(crate) user: Option<String>,
    /// The recovery that this process is part of.
    pub(crate) parent_session: Option<String>,
    /// The user who became root by `sudo`, if this is root.
    pub(crate) sudo_uid: Option<u32>,
    /// The flags that `make` hands to its jobs.
    pub(crate) makeflags: OsString,
    /// The user's home directory, which is never checkpointed.
    pub(crate) home: Option<PathBuf>,
    /// The directory of this login that is in memory.
    pub(crate) login_dir: Option<PathBuf>,
    /// The directories in which programs are looked for.
    pub(crate) search_path: Option<OsString>,
    /// The configuration files that were read.
    pub(crate) files: Vec<PathBuf>,
    /// The index of a commit under way, in a hook of git's.
    pub(crate) git_index: Option<PathBuf>,
    /// The files in which GitHub Actions collects the words of a step.
    pub(crate) github: GithubFiles,
}

impl Settings {
    /// Resolves the settings for `cwd` when `global` and `flags` were typed.
    ///
    /// # Errors
    /// If a value or a configuration file cannot be used, or no state directory can be named. Files
    /// with a mistake are left out where `mistakes` says so.
    pub(crate) fn resolve(
        global: &GlobalArgs,
        flags: Layer,
        environment: &Environment,
        cwd: PathBuf,
        mistakes: Mistakes,
    ) -> Result<Self> {
        let GlobalArgs {
            store,
            config,
            json: _,
            color,
            no_pager: _,
            quiet: _,
            verbose: _,
        } = global;
        let (home, sudo_uid) = (environment.home.as_deref(), environment.sudo_uid);
        let workspace = Workspace::find_for(&cwd, home, sudo_uid)?.root().to_owned();
        let named = config.as_deref().or(environment.config.as_deref());
        let mut layers = vec![
            with_global_flags(flags, store.as_ref(), *color)?,
            from_environment(environment)?,
        ];
        let mut sources = Sources::read(named, environment, &cwd, &workspace, mistakes)?;
        // A file that was typed is one that can be left out.
        let leave_out = mistakes == Mistakes::LeftOut && config.is_none();
        let user = of_user(&mut sources, leave_out)?;
        let state_dir = state_dir(&layers, &user, environment, &cwd)?;
        let OfProject {
            layer,
            project,
            untrusted,
            unread,
        } = of_project(&sources, &user, &state_dir.value, &workspace, mistakes)?;
        layers.extend([layer, user]);
        let mut top = Layer::default();
        layers.iter().for_each(|layer| top.lay_over(layer));
        let store = match top.store {
            Some(store) => below(&cwd, store),
            None => Setting::default(StoreUrl::Jsonl(state_dir.value.clone())),
        };
        Ok(Self {
            store,
            state_dir,
            durability: top.durability.unwrap_or(Setting::default(Durability::Sync)),
            retention: top.retention,
            served: top.served,
            redact: top.redact,
            encryption: top.encryption,
            remote: top.remote,
            color: top.color.unwrap_or(Setting::default(ColorChoice::Auto)),
            run: RunSettings::resolve(layers),
            project,
            untrusted,
            unread: sources.unread.iter().cloned().chain(unread).collect(),
            cwd,
            workspace,
            user: environment.user.clone(),
            parent_session: environment.parent_session.clone(),
            sudo_uid: environment.sudo_uid,
            makeflags: environment.makeflags.clone(),
            home: environment.home.clone(),
            login_dir: environment.xdg_runtime_dir.clone(),
            search_path: environment.search_path.clone(),
            files: sources.paths(),
            git_index: environment.git_index.clone(),
            github: environment.github.clone(),
        })
    }
}

impl Settings {
    /// When the record is sealed.
    pub(crate) fn seal_when(&self) -> SealWhen {
        self.run.seal_when.value.with(self.durability.value)
    }

    /// The store that an argument of the command line names.
    ///
    /// # Errors
    /// If its URL cannot be understood.
    pub(crate) fn store_at(
        &self,
        argument: &'static str,
        url: &OsString,
    ) -> Result<Setting<StoreUrl>> {
        let store = StoreUrl::parse(url).map_err(|reason| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("argument {argument}: {reason}"),
            )
        })?;
        let origin = Origin::Argument(argument);
        Ok(below(
            &self.cwd,
            Setting {
                value: store,
                origin,
            },
        ))
    }
}

/// The state's directory, which a project cannot set: from `stronger` layers, the `user`'s own
/// file, or the default.
fn state_dir(
    stronger: &[Layer],
    user: &Layer,
    environment: &Environment,
    cwd: &Path,
) -> Result<Setting<PathBuf>> {
    let mut layers = stronger.iter().chain([user]);
    let Setting { value, origin } = match layers.find_map(|layer| layer.state_dir.clone()) {
        Some(state_dir) => state_dir,
        None => Setting::default(default_state_dir(environment)?),
    };
    Ok(Setting {
        value: cwd.join(value),
        origin,
    })
}

/// What the user's own file says. One with a mistake is an error, unless it is to be left out: then
/// only where records are is taken from it.
fn of_user(sources: &mut Sources, leave_out: bool) -> Result<Layer> {
    let Some(file) = &sources.user else {
        return Ok(Layer::default());
    };
    match Layer::from_user_file(file) {
        Err(error) if leave_out => {
            let layer = Layer::from_broken_user_file(file);
            let unread = Unread::broken(file.path.clone(), &error);
            sources.unread.push(unread);
            Ok(layer)
        }
        layer => layer,
    }
}

/// The parts of the project's file.
#[derive(Default)]
struct OfProject {
    /// The settings in use.
    layer: Layer,
    project: Option<Project>,
    /// The unused settings, if the file is not trusted.
    untrusted: Option<Untrusted>,
    /// The reason why none is used, if the file is not trusted and cannot be understood.
    unread: Option<Unread>,
}

/// Reads the project's file among `sources`, beside the `user`'s own. If somebody else may have
/// written it, and the user trusts neither that content nor `workspace`, here or in git, only
/// settings that make a recovery stricter are left. One with a mistake is an error, unless
/// `mistakes` leaves it out.
fn of_project(
    sources: &Sources,
    user: &Layer,
    state_dir: &Path,
    workspace: &Path,
    mistakes: Mistakes,
) -> Result<OfProject> {
    let Some(file) = &sources.project else {
        return Ok(OfProject::default());
    };
    match of_project_file(file, user, state_dir, workspace) {
        Err(error) if mistakes != Mistakes::Refused => Ok(OfProject {
            unread: Some(Unread::broken(file.path.clone(), &error)),
            ..OfProject::default()
        }),
        read => read,
    }
}

fn of_project_file(
    file: &SourceFile,
    user: &Layer,
    state_dir: &Path,
    workspace: &Path,
) -> Result<OfProject> {
    let trusted = Trusted::of(state_dir);
    let is_trusted = || {
        trusted.has(workspace)
            || trusted.said_of(&file.path, &sha256(&file.text)) == Some(true)
            || is_safe_directory(workspace)
    };
    let doubt = file.doubt.as_ref().filter(|_| !is_trusted());
    let layer = Layer::from_project_file(file);
    let Some(doubt) = doubt else {
        let layer = layer?;
        refuse_raised_allowance(&layer, user)?;
        return Ok(OfProject {
            project: Some(Project::new(file, &layer)),
            layer,
            ..OfProject::default()
        });
    };
    let layer = match (layer, doubt) {
        // Otherwise anybody who can put a file there could end every run.
        (Err(error), Doubt::IsAnothers(_)) => {
            let (path, reason) = (file.path.clone(), format!("{doubt}, and {error}"));
            return Ok(OfProject {
                unread: Some(Unread {
                    path,
                    reason,
                    is_broken: false,
                }),
                ..OfProject::default()
            });
        }
        (layer, _) => layer?,
    };
    let (layer, unused) = restrict(layer, user);
    let untrusted = Untrusted {
        path: file.path.clone(),
        doubt: doubt.to_string(),
        unused,
    };
    Ok(OfProject {
        project: Some(Project::new(file, &layer)),
        layer,
        untrusted: Some(untrusted),
        unread: None,
    })
}

/// The settings in the environment.
fn from_environment(environment: &Environment) -> Result<Layer> {
    let invalid = |name: &str, reason: String| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("environment {name}: {reason}"),
        )
    };
    let store = environment
        .store
        .as_ref()
        .map(StoreUrl::parse)
        .transpose()
        .map_err(|reason| invalid("RECOVER_STORE", reason))?;
    let durability = environment
        .durability
        .as_ref()
        .map(|text| parse_durability(&text.to_string_lossy()))
        .transpose()
        .map_err(|reason| invalid("RECOVER_DURABILITY", reason))?;
    Ok(Layer {
        store: store.map(|store| from_variable("RECOVER_STORE", store)),
        state_dir: environment
            .state_dir
            .clone()
            .map(|directory| from_variable("RECOVER_STATE_DIR", directory)),
        durability: durability.map(|value| from_variable("RECOVER_DURABILITY", value)),
        color: wished(environment.color),
        remote: RemoteSettings::of_environment(environment),
        ..Layer::default()
    })
}

fn with_global_flags(
    flags: Layer,
    store: Option<&OsString>,
    color: Option<ColorChoice>,
) -> Result<Layer> {
    let store = store
        .map(StoreUrl::parse)
        .transpose()
        .map_err(|reason| Error::new(ErrorKind::InvalidInput, format!("flag --store: {reason}")))?;
    Ok(Layer {
        store: store.map(|store| Setting::flag("store", store)),
        color: color.map(|color| Setting::flag("color", color)),
        ..flags
    })
}

/// A project may lower what is allowed to run by itself, never raise it.
fn refuse_raised_allowance(project: &Layer, user: &Layer) -> Result<()> {
    use crate::settings::Tier;

    let users = user.allow.as_ref().map_or(Tier::Safe, |allow| allow.value);
    match &project.allow {
        Some(allow) if allow.value > users => Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{}: a project cannot raise `allow` from {} to {}: pass `--allow {2}`, or set it in \
                 your own config.toml",
                allow.origin,
                users.as_str(),
                allow.value.as_str()
            ),
        )),
        _ => Ok(()),
    }
}

fn default_state_dir(environment: &Environment) -> Result<PathBuf> {
    let below_home = |home: &Path| home.join(".local").join("state");
    let directory = environment
        .xdg_state_home
        .clone()
        .or_else(|| environment.home.as_deref().map(below_home));
    let directory = match directory {
        Some(directory) if is_kept_by_sudo(&directory, environment) => {
            listed_home().as_deref().map(below_home)
        }
        directory => directory,
    };
    directory
        .map(|directory| directory.join("auto-recovery"))
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "there is no home directory to keep state in: set RECOVER_STATE_DIR",
            )
        })
}

/// Whether a state in `directory` would be root's files among those of the user who became root by
/// `sudo`, which kept HOME. A state that exists is found, and refused.
fn is_kept_by_sudo(directory: &Path, environment: &Environment) -> bool {
    let Some(user) = environment.sudo_uid.filter(|user| *user != 0) else {
        return false;
    };
    let above = directory.join("auto-recovery");
    let there = above.ancestors().find_map(|dir| {
        let found = dir.symlink_metadata().ok()?;
        Some((dir != above, found.uid()))
    });
    there == Some((true, user))
}

/// What the environment says of colours.
fn wished(wish: ColorWish) -> Option<Setting<ColorChoice>> {
    match wish {
        ColorWish { refused: true, .. } => Some(from_variable("NO_COLOR", ColorChoice::Never)),
        ColorWish { forced: true, .. } => {
            Some(from_variable("CLICOLOR_FORCE", ColorChoice::Always))
        }
        _ => None,
    }
}

fn from_variable<T>(name: &'static str, value: T) -> Setting<T> {
    Setting {
        value,
        origin: Origin::Environment(name),
    }
}

fn below(cwd: &Path, store: Setting<StoreUrl>) -> Setting<StoreUrl> {
    Setting {
        value: store.value.below(cwd),
        origin: store.origin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_home_is_told_what_to_set() {
        let error = default_state_dir(&Environment::default()).expect_err("there is no home");
        let says = "there is no home directory to keep state in: set RECOVER_STATE_DIR";
        assert_eq!(error.to_string(), says);
    }
}
