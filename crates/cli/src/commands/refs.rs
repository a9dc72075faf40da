//! `refs`, `refs local` and `repo ls`: one reference a line.

use ipse_api::Reference;

use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    while let Some(reference) = answer.item::<Reference>().await? {
        if !reference.err.is_empty() {
            return Err(CliError::Node { message: reference.err, hint: None, client: false });
        }
        writeln!(session.console.out(), "{}", reference.r#ref)?;
        if !answer.has_line() {
            session.console.flush()?;
        }
    }
    Ok(())
}
