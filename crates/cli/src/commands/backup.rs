//! `backup` and `restore`: the repository into a folder, and a repository from one.

use std::path::PathBuf;

use ipse_api::{BackupDone, BackupFrame, FrameReader, Invocation, Manifest};
use ipse_node::Node;

use crate::backup::{Folder, FolderError, Item, Update, read_all};
use crate::error::CliError;
use crate::progress::Progress;
use crate::session::Session;
use crate::text::size;

/// The folder that was named.
fn folder(session: &Session<'_>) -> PathBuf {
    PathBuf::from(session.invocation.arguments.first().cloned().unwrap_or_default())
}

pub(crate) async fn backup(session: &mut Session<'_>) -> Result<(), CliError> {
    let path = folder(session);
    let json = session.wants_json();
    if !Node::is_initialized(&session.repository) {
        return Err(CliError::NoRepository(session.repository.clone()));
    }
    // Read before anything is asked: without them there is no backup.
    let peer = Node::small_files(&session.repository).map_err(CliError::inner)?.peer;
    let folder = Folder::create(&path).map_err(CliError::inner)?;
    let mut update = Update::begin(folder, &peer).map_err(CliError::inner)?;
    session.invocation = Invocation::from_address("repo/backup", "").map_err(CliError::inner)?;
    session.invocation.arguments = update.have().iter().map(ToString::to_string).collect();
    let mut answer = session.ask().await?;
    let mut progress = Progress::new(false, session.console, None);
    let mut reader = FrameReader::default();
    let mut end = None;
    while let Some(chunk) = answer.chunk().await? {
        reader.push(&chunk);
        while let Some(frame) = reader.next().map_err(CliError::inner)? {
            if let BackupFrame::Begin(begin) = &frame {
                check_peer(&begin.peer, &peer, session)?;
                let shown = session.console.err_is_terminal();
                progress = Progress::new(shown, session.console, Some(begin.bytes));
            }
            end = update.frame(frame).map_err(CliError::inner)?.or(end);
            progress.set(update.copied());
        }
    }
    reader.finish().map_err(CliError::inner)?;
    drop(progress);
    let copied = update.copied();
    // Once more, for a configuration that was changed meanwhile.
    let small = Node::small_files(&session.repository).map_err(CliError::inner)?.files;
    let manifest = update.commit(peer, end.unwrap_or_default(), small).map_err(CliError::inner)?;
    let done = done(&manifest, copied);
    if json {
        return show_json(session, &done);
    }
    let out = session.console.out();
    writeln!(
        out,
        "backed up {} to {}: {} blocks, {} in {} segments, {} of it new",
        done.peer,
        path.display(),
        done.blocks,
        size(done.bytes),
        done.segments,
        size(done.copied)
    )?;
    writeln!(out, "it holds the node's private key: keep it as safe as the node itself")?;
    Ok(())
}

fn check_peer(daemon: &str, peer: &str, session: &Session<'_>) -> Result<(), CliError> {
    if daemon == peer {
        return Ok(());
    }
    let (daemon, peer) = (daemon.to_owned(), peer.to_owned());
    Err(CliError::inner(FolderError::Mismatch { daemon, peer, path: session.repository.clone() }))
}

pub(crate) fn restore(session: &mut Session<'_>) -> Result<(), CliError> {
    let path = folder(session);
    let folder = Folder::open(&path);
    let manifest = folder.manifest().map_err(CliError::inner)?;
    let manifest = manifest.ok_or_else(|| CliError::inner(FolderError::Empty(path.clone())))?;
    let verify = session.invocation.bool("verify");
    let shown = session.console.err_is_terminal();
    let progress = Progress::new(shown, session.console, Some(manifest.segment_bytes()));
    if verify {
        read_all(&folder, &manifest, &mut |item| {
            if let Item::Bytes(bytes) = item {
                progress.add(bytes.len() as u64);
            }
            Ok(())
        })?;
    } else {
        let mut restore = Node::restore(&session.repository).map_err(CliError::inner)?;
        read_all(&folder, &manifest, &mut |item| {
            match item {
                Item::File(name, bytes) => restore.file(name, bytes),
                Item::Segment(number) => restore.segment(number),
                Item::Bytes(bytes) => {
                    progress.add(bytes.len() as u64);
                    restore.bytes(bytes)
                }
            }
            .map_err(CliError::inner)
        })?;
        restore.finish().map_err(CliError::inner)?;
    }
    drop(progress);
    let done = done(&manifest, if verify { 0 } else { manifest.segment_bytes() });
    if session.wants_json() {
        return show_json(session, &done);
    }
    let (verb, place) = match verify {
        true => ("the backup is whole:", path),
        false => ("restored into", session.repository.clone()),
    };
    let sums = format!("{} blocks, {} in {} segments", done.blocks, size(done.bytes), done.segments);
    writeln!(session.console.out(), "{verb} {}: {}, {sums}", place.display(), done.peer)?;
    Ok(())
}

fn done(manifest: &Manifest, copied: u64) -> BackupDone {
    BackupDone {
        peer: manifest.peer.clone(),
        blocks: manifest.blocks,
        segments: manifest.segments.len() as u64,
        bytes: manifest.segment_bytes(),
        copied,
    }
}

fn show_json(session: &mut Session<'_>, done: &BackupDone) -> Result<(), CliError> {
    let line = serde_json::to_string(done).map_err(CliError::Answer)?;
    Ok(writeln!(session.console.out(), "{line}")?)
}
