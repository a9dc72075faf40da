//! `config edit`: the settings in the person's own editor.

use std::process::Command;

use crate::error::CliError;
use crate::session::Session;

/// Opens the settings in `$EDITOR`.
pub(crate) fn run(session: &Session<'_>) -> Result<(), CliError> {
    let editor = std::env::var_os("EDITOR").filter(|editor| !editor.is_empty()).ok_or(CliError::NoEditor)?;
    let file = session.repository.join("config");
    if !file.exists() {
        return Err(CliError::NoRepository(session.repository.clone()));
    }
    // The shell splits what people put into the variable, such as `code --wait`.
    let status = Command::new("sh")
        .arg("-c")
        .arg("$0 \"$1\"")
        .arg(editor)
        .arg(file)
        .status()
        .map_err(CliError::System)?;
    if status.success() { Ok(()) } else { Err(CliError::Reported) }
}
