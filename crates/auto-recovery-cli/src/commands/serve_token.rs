//! `recover serve token`: who may ask a server, also while it runs.

use auto_recovery::Result;
use auto_recovery_server::{Scope, Tokens};
use serde::Serialize;

use crate::args::{ScopeArgs, TokenArgs, TokenCommand};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{Column, Table};

/// A token as JSON.
#[derive(Serialize)]
struct TokenLine<'t> {
    name: &'t str,
    scope: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'t str>,
}

/// Makes, lists or removes tokens of the server over the store of `context`.
///
/// # Errors
/// If that cannot be done.
pub(super) fn token(context: &Context, args: TokenArgs) -> Result<Exit> {
    let state_dir = &context.settings.state_dir.value;
    let url = context.store()?.url();
    let tokens = Tokens::open(state_dir, &url, context.host.clone())?;
    match args.what {
        TokenCommand::Add { scope, name } => add(context, &tokens, &scope, name.as_deref()),
        TokenCommand::List => list(context, &tokens),
        TokenCommand::Remove { name } => {
            tokens.remove(&name)?;
            context
                .printer
                .note(format_args!("token {name:?} opens nothing any more"));
            Ok(Exit::OK)
        }
    }
}

fn add(context: &Context, tokens: &Tokens, scope: &ScopeArgs, name: Option<&str>) -> Result<Exit> {
    let ScopeArgs {
        read: _,
        write,
        admin,
    } = scope;
    let scope = match (admin, write) {
        (true, _) => Scope::Admin,
        (_, true) => Scope::Write,
        _ => Scope::Read,
    };
    let (name, token) = tokens.add(name, scope)?;
    let printer = &context.printer;
    if printer.json {
        let line = TokenLine {
            name: &name,
            scope: Some(scope.as_str()),
            token: Some(&token),
        };
        printer.json(&line)?;
        return Ok(Exit::OK);
    }
    printer.text(&format!("{token}\n"))?;
    printer.note(format_args!(
        "token {name:?} with the scope {scope}: nobody is told it again"
    ));
    Ok(Exit::OK)
}

fn list(context: &Context, tokens: &Tokens) -> Result<Exit> {
    let printer = &context.printer;
    let tokens = tokens.list()?;
    let scope = |scope: Option<Scope>| scope.map(Scope::as_str);
    if printer.json {
        let lines = tokens.iter().map(|one| TokenLine {
            name: &one.name,
            scope: scope(one.scope),
            token: None,
        });
        printer.json_lines(&lines.collect::<Vec<_>>())?;
        return Ok(Exit::OK);
    }
    let columns = [Column::flexible("NAME", 10), Column::whole("SCOPE")];
    let mut table = Table::new(&columns, printer.columns);
    for one in &tokens {
        table.row([&*one.name, scope(one.scope).unwrap_or("unknown")]);
    }
    match tokens.is_empty() {
        true => printer.note("there is no token yet"),
        false => printer.long_text(&table.render())?,
    }
    Ok(Exit::OK)
}
