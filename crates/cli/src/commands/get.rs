//! `get`: files and folders to the disk.

use std::path::PathBuf;

use tokio::io::AsyncWriteExt;

use crate::answer::Answer;
use crate::error::{CliError, FileError};
use crate::extract::extract;
use crate::progress::Progress;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let path = session.invocation.arguments.first().cloned().unwrap_or_default();
    let output = session.invocation.string("output").filter(|output| !output.is_empty());
    let output = output.unwrap_or_else(|| last_name(&path));
    let mut answer = session.ask().await?;
    let archive = session.invocation.bool("archive");
    let compress = session.invocation.bool("compress");
    let shown = Progress::wanted(&session.invocation, session.console);
    let progress = Progress::new(shown, session.console, answer.length());
    if archive || compress {
        let output = archive_name(output, archive, compress);
        writeln!(session.console.out(), "Saving archive to {output}")?;
        session.console.flush()?;
        return save(&mut answer, PathBuf::from(output), &progress).await;
    }
    writeln!(session.console.out(), "Saving file(s) to {output}")?;
    session.console.flush()?;
    extract(&mut answer, PathBuf::from(output), &mut |bytes| progress.add(bytes)).await
}

/// Where to write unless told: the last name of the path. A name that leads elsewhere is none.
fn last_name(path: &str) -> String {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    match name {
        "" | "." | ".." => "output".to_owned(),
        name => name.to_owned(),
    }
}

fn archive_name(mut output: String, archive: bool, compress: bool) -> String {
    if archive && !output.ends_with(".tar") && !output.ends_with(".tar.gz") {
        output.push_str(".tar");
    }
    if compress && !output.ends_with(".gz") {
        output.push_str(".gz");
    }
    output
}

async fn save(answer: &mut Answer, path: PathBuf, progress: &Progress) -> Result<(), CliError> {
    let mut file = tokio::fs::File::create(&path).await.map_err(FileError::at("open", &path))?;
    while let Some(chunk) = answer.chunk().await? {
        file.write_all(&chunk).await.map_err(FileError::at("write", &path))?;
        progress.add(chunk.len() as u64);
    }
    Ok(file.flush().await.map_err(FileError::at("write", &path))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_outputs() {
        for (path, name) in
            [("QmX", "QmX"), ("/ipfs/QmX/a b/", "a b"), ("QmX/..", "output"), ("ipfs://QmX", "QmX")]
        {
            assert_eq!(last_name(path), name);
        }
        for (archive, compress, name) in
            [(true, false, "x.tar"), (false, true, "x.gz"), (true, true, "x.tar.gz")]
        {
            assert_eq!(archive_name("x".to_owned(), archive, compress), name);
        }
        assert_eq!(archive_name("x.tar".to_owned(), true, false), "x.tar");
    }
}
