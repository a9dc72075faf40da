//! `commands`: the table itself.

use std::io;

use ipse_api::{CommandListed, Invocation, ROOT, walk};

use crate::console::Console;
use crate::error::CliError;
use crate::persona::Persona;

/// Prints every command, with `--flags` its options, too.
pub(crate) fn run(persona: Persona, invocation: &Invocation, console: &mut Console) -> Result<(), CliError> {
    if invocation.string("encoding").as_deref() == Some("json") {
        let json = serde_json::to_string(&CommandListed::from(&ROOT)).map_err(CliError::Answer)?;
        return Ok(writeln!(console.out(), "{json}")?);
    }
    let lines = lines(persona.name(), invocation.bool("flags"));
    Ok(lines.iter().try_for_each(|line| writeln!(console.out(), "{line}")).or_else(closed_is_enough)?)
}

/// A reader that has seen enough is no failure.
fn closed_is_enough(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn lines(name: &str, flags: bool) -> Vec<String> {
    let mut lines = vec![name.to_owned()];
    for (path, command) in walk() {
        let words = format!("{name} {}", path.join(" "));
        if flags {
            lines.extend(command.options.iter().map(|option| {
                let dashed =
                    |name: &&str| format!("{words} {}{name}", if name.len() == 1 { "-" } else { "--" });
                option.names.iter().map(dashed).collect::<Vec<_>>().join(" / ")
            }));
        }
        lines.push(words);
    }
    lines.sort_unstable();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_with_groups_and_flags() {
        let plain = lines("ipfs", false);
        assert_eq!(&plain[..2], ["ipfs", "ipfs add"]);
        assert!(plain.contains(&"ipfs commands completion bash".to_owned()) && plain.is_sorted());
        assert!(lines("ipfs", true).contains(&"ipfs add --recursive / ipfs add -r".to_owned()));
    }
}
