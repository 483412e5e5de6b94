//! `recover completions`: shell completions and manual pages, from the same source as the help.

use std::fs;
use std::path::Path;

use auto_recovery::{Error, Result};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{Cli, Generate};
use crate::exit::Exit;
use crate::output::{Escapes, Printer, stdout_error};

/// The name of the binary.
const NAME: &str = "recover";

/// Writes completions or manual pages to stdout, or below `directory` under the names that shells
/// and `man` look for.
pub(crate) fn completions(
    what: Generate,
    directory: Option<&Path>,
    printer: &Printer,
) -> Result<Exit> {
    match directory.filter(|directory| *directory != Path::new("-")) {
        None => printer.data(Escapes::Text, |out| {
            out.write_all(&to_stdout(what)?).map_err(stdout_error)
        })?,
        Some(directory) => {
            fs::create_dir_all(directory)
                .map_err(|error| Error::io("create directory", directory, error))?;
            for file in files(what)? {
                let path = directory.join(file.name);
                fs::write(&path, file.content).map_err(|error| Error::io("write", &path, error))?;
                printer.note(format_args!("wrote {}", path.display()));
            }
        }
    }
    Ok(Exit::OK)
}

struct Generated {
    name: String,
    content: Vec<u8>,
}

fn to_stdout(what: Generate) -> Result<Vec<u8>> {
    match what.shell() {
        Some(shell) => Ok(complete(shell)),
        None => page(&Cli::command().name(NAME)),
    }
}

fn files(what: Generate) -> Result<Vec<Generated>> {
    match what.shell() {
        Some(shell) => Ok(vec![Generated {
            name: clap_complete::Generator::file_name(&shell, NAME),
            content: complete(shell),
        }]),
        None => pages(),
    }
}

fn complete(shell: clap_complete::Shell) -> Vec<u8> {
    let mut content = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut content);
    content
}

/// `recover.1` and a page `recover-COMMAND.1` for each command.
fn pages() -> Result<Vec<Generated>> {
    let mut root = Cli::command();
    root.build();
    let mut pages = vec![Generated {
        name: format!("{NAME}.1"),
        content: page(&root)?,
    }];
    for command in root
        .get_subcommands()
        .filter(|command| command.get_name() != "help")
    {
        let name = format!("{NAME}-{}.1", command.get_name());
        pages.push(Generated {
            name,
            content: page(command)?,
        });
    }
    Ok(pages)
}

fn page(command: &Command) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    Man::new(command.clone())
        .render(&mut content)
        .map_err(|error| Error::os("write a manual page", error))?;
    Ok(content)
}
