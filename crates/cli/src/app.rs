//! App: from the command line to the exit status.

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ipse_api::{Place, parse_duration};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::filter::LevelFilter;

use crate::args::{ArgumentError, CommandLine, HelpSize, Inputs, gather, parse};
use crate::commands;
use crate::console::Console;
use crate::error::CliError;
use crate::help::help;
use crate::logging;
use crate::persona::Persona;
use crate::session::Session;
use crate::upload::{announce_stdin, stdin_lines};

/// Forms of output that `--encoding` takes.
const ENCODINGS: [&str; 4] = ["", "text", "textnl", "json"];
/// Threads that may wait for the disk at the same time in a daemon.
const BLOCKING_THREADS: usize = 32;

/// Runs the command that `words` names; the first word is the program's own name.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let persona = Persona::of(words.first().map(OsString::as_os_str));
    let mut console = Console::standard();
    let outcome = carry_out(persona, words.get(1..).unwrap_or_default(), &mut console);
    let outcome = outcome.and_then(|()| Ok(console.flush()?));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(persona, &error, &mut console);
            ExitCode::FAILURE
        }
    }
}

/// Prints an error: its text first, as the reference node has it, and what to do next on a line of its own.
fn tell(persona: Persona, error: &CliError, console: &mut Console) {
    match error {
        CliError::Reported => return,
        // Nobody reads on: there is no one to tell.
        CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
        _ => console.note(&format!("Error: {error}")),
    }
    if persona == Persona::Ipse
        && let Some(hint) = error.hint()
    {
        console.note(&format!("Hint: {hint}"));
    }
}

fn carry_out(persona: Persona, words: &[OsString], console: &mut Console) -> Result<(), CliError> {
    let line = parse(words)?;
    let command = line.invocation.command;
    let page = |size| help(persona, &line.invocation.path, command, size);
    if let Some(size) = line.help {
        return Ok(console.out().write_all(page(size).as_bytes())?);
    }
    let inputs = match gather(&line.invocation, line.positional.clone()) {
        Ok(inputs) => inputs,
        Err(error) => {
            tell(persona, &error.into(), console);
            console.note(&format!("\n{}", page(HelpSize::Short).trim_end_matches('\n')));
            return Err(CliError::Reported);
        }
    };
    if !command.runs {
        return Ok(console.out().write_all(page(HelpSize::Short).as_bytes())?);
    }
    if command.place == Place::LocalOnly && line.local_string("api").is_some() && command.name != "daemon" {
        return Err(CliError::LocalOnly);
    }
    let timeout = timeout(&line)?;
    let encoding = line.invocation.string("encoding").unwrap_or_default();
    if !ENCODINGS.contains(&encoding.as_str()) {
        return Err(CliError::Encoding(encoding));
    }
    match line.invocation.path.as_slice() {
        ["version"] if line.local_string("api").is_none() => {
            commands::version::local(persona, &line.invocation, console)
        }
        ["commands"] if line.local_string("api").is_none() => {
            commands::list::run(persona, &line.invocation, console)
        }
        ["commands", "completion", shell] => commands::completion::run(persona, shell, console),
        ["tour"] if persona == Persona::Ipse => {
            let mib = line.invocation.int("mib").and_then(|mib| u64::try_from(mib).ok());
            Ok(crate::tour::run(mib.unwrap_or_default(), console.out())?)
        }
        ["daemon"] => daemon(persona, console, &line, inputs),
        _ => client(persona, console, &line, inputs, timeout),
    }
}

fn timeout(line: &CommandLine) -> Result<Option<Duration>, ArgumentError> {
    let Some(text) = line.invocation.string("timeout") else { return Ok(None) };
    parse_duration(&text).map(Some).ok_or(ArgumentError::Duration(text))
}

/// A node that stays: all processors.
fn daemon(
    persona: Persona,
    console: &mut Console,
    line: &CommandLine,
    inputs: Inputs,
) -> Result<(), CliError> {
    let log = Arc::new(logging::start(line.local_bool("debug"), LevelFilter::ERROR));
    let mut session = Session::new(persona, console, line, inputs, log);
    ipse_node::bound_heaps();
    let runtime = Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(CliError::System)?;
    let outcome = runtime.block_on(commands::daemon::run(&mut session));
    leave(runtime);
    outcome
}

/// A command that ends by itself: one thread.
fn client(
    persona: Persona,
    console: &mut Console,
    line: &CommandLine,
    mut inputs: Inputs,
    timeout: Option<Duration>,
) -> Result<(), CliError> {
    let log = Arc::new(logging::start(line.local_bool("debug"), LevelFilter::ERROR));
    if let Some(name) = inputs.strings_from_stdin {
        if let Some(text) = announce_stdin() {
            console.note(text);
        }
        inputs.strings.extend(stdin_lines().map_err(CliError::System)?);
        if inputs.strings.is_empty() {
            return Err(ArgumentError::Missing(name).into());
        }
    }
    let words = line.invocation.path.join(" ");
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CliError::System)?;
    let outcome = runtime.block_on(async {
        let mut session = Session::new(persona, console, line, inputs, log);
        let outcome = within(timeout, one(&mut session)).await;
        let closed = session.close().await;
        outcome.and(closed)
    });
    leave(runtime);
    match outcome {
        Err(error) if error.is_client_error() => {
            tell(persona, &error, console);
            let name = persona.name();
            console.note(&format!("Use '{name} {words} --help' for information about this command"));
            Err(CliError::Reported)
        }
        other => other,
    }
}

async fn one(session: &mut Session<'_>) -> Result<(), CliError> {
    match session.invocation.path.as_slice() {
        ["init"] => commands::init::run(session).await,
        ["config", "edit"] => commands::edit::run(session),
        ["backup"] => commands::backup::backup(session).await,
        ["restore"] => commands::backup::restore(session),
        _ => commands::run(session).await,
    }
}

async fn within(
    timeout: Option<Duration>,
    work: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.unwrap_or(Err(CliError::Timeout)),
        None => work.await,
    }
}

/// Ends a runtime without waiting for threads that read standard input or a slow disk.
fn leave(runtime: Runtime) {
    runtime.shutdown_background();
}
