//! `tour`: three nodes on this machine that show what the program does.

use crate::{Command, OptionDef};

pub(crate) const TOUR: Command = Command::new("tour", "Show three nodes at work on this machine.")
    .help(
        "Starts three nodes on loopback in a temporary folder, adds a folder to one and fetches it with the \
         others. The second one is killed in the middle of the transfer, started again, and fetches only what \
         is missing. Everything is verified, and nothing is left behind.",
    )
    .options(&[OptionDef::uint(&["mib"], "About how much content to make, in MiB.").default("256")])
    .local_only()
    .without_repository();
