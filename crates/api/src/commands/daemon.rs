//! `daemon` and `shutdown`: a node that stays.

use crate::{Command, OptionDef};

pub(crate) const DAEMON: Command = Command::new("daemon", "Run a node that others can reach.")
    .options(&[
        OptionDef::bool(&["init"], "Make a repository first, if there is none."),
        OptionDef::string(&["init-profile"], "Profiles for the new repository, with commas between them."),
        OptionDef::bool(&["enable-gc"], "Collect garbage from time to time."),
        OptionDef::string(&["agent-version-suffix"], "Text to add to the agent version that peers see."),
    ])
    .local_only()
    .without_repository();

pub(crate) const SHUTDOWN: Command = Command::new("shutdown", "Stop the daemon.").daemon_only();
