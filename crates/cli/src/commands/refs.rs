//! `refs`, `refs local` and `repo ls`: one reference a line.

use ipse_api::Reference;

use super::each_line;
use crate::answer::value;
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let mut answer = session.ask().await?;
    each_line(&mut answer, session.console, |line, out| {
        let reference: Reference<'_> = value(line)?;
        if !reference.err.is_empty() {
            let message = reference.err.into_owned();
            return Err(CliError::Node { message, hint: None, client: false });
        }
        out.write_all(reference.r#ref.as_bytes())?;
        Ok(out.write_all(b"\n")?)
    })
    .await
}
