//! Standard input in place of arguments.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

/// Most bytes of arguments that are read from standard input, all of which are held: 17 million CIDs.
const LINES_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The line for people who wonder why nothing happens: only where a terminal, or another device, is the input.
pub(crate) fn announce() -> Option<&'static str> {
    let input = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let kind = input.and_then(|input| input.metadata()).ok()?.file_type();
    kind.is_char_device().then_some("ipfs: Reading from /dev/stdin; send Ctrl-d to stop.")
}

/// The lines of standard input without their ends; empty ones are left out.
pub(crate) fn lines() -> io::Result<Vec<String>> {
    let mut input = io::stdin().lock().take(LINES_BYTES_MAX + 1);
    let (mut lines, mut line) = (Vec::new(), String::new());
    while input.read_line(&mut line)? > 0 {
        let text = line.trim_end();
        lines.extend((!text.is_empty()).then(|| text.to_owned()));
        line.clear();
    }
    if input.limit() == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "more than 1 GiB of arguments on standard input; give them in parts",
        ));
    }
    Ok(lines)
}
