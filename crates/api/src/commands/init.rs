//! `init`: a new repository.

use crate::{Argument, Command, OptionDef};

pub(crate) const INIT: Command = Command::new("init", "Make a repository with a new identity.")
    .arguments(&[Argument::optional("default-config", "File with settings to start from.")])
    .options(&[
        OptionDef::string(&["algorithm", "a"], "Kind of the identity's key.").default("ed25519"),
        OptionDef::bool(&["empty-repo", "e"], "Add nothing to the new repository.").default("true"),
        OptionDef::string(&["profile", "p"], "Profiles to apply, with commas between them."),
    ])
    .local_only()
    .without_repository();
