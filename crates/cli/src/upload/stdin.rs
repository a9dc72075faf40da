//! Standard input in place of arguments.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

/// Most bytes of arguments that are read from standard input.
const LINES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The line for people who wonder why nothing happens: only where a terminal, or another device, is the input.
pub(crate) fn announce() -> Option<&'static str> {
    let input = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let kind = input.and_then(|input| input.metadata()).ok()?.file_type();
    kind.is_char_device().then_some("ipfs: Reading from /dev/stdin; send Ctrl-d to stop.")
}

/// The lines of standard input without their ends; empty ones are left out.
pub(crate) fn lines() -> io::Result<Vec<String>> {
    let mut text = String::new();
    let read = io::stdin().lock().take(LINES_BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > LINES_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many arguments on standard input"));
    }
    Ok(text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
