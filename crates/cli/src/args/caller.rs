//! Options that only the caller acts on and that no request carries, so the api's table has no need of them.

use ipse_api::{OptionDef, OptionKind};

const fn option(names: &'static [&'static str], kind: OptionKind, help: &'static str) -> OptionDef {
    OptionDef { names, kind, default: None, help }
}

/// Taken on every command line beside [`ipse_api::GLOBAL_OPTIONS`].
pub(crate) const CALLER_OPTIONS: &[OptionDef] = &[
    option(
        &["config-file"],
        OptionKind::String,
        "Path of the configuration file, if it is not in the repository.",
    ),
    option(&["config", "c"], OptionKind::String, "Deprecated: path of the repository."),
    option(&["local", "L"], OptionKind::Bool, "Deprecated: use --offline."),
];

/// Options of the api's table that are acted on before a request is made.
pub(crate) const NEVER_SENT: &[&str] =
    &["repo-dir", "api", "api-auth", "debug", "help", "config-file", "config", "local"];
