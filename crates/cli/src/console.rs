//! Console: the one place where this program prints.
//!
//! Standard output is buffered and flushed whenever a result is complete, so that a reader of a pipe sees each
//! line as soon as there is one and bulk output still leaves in large writes.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;

use crate::text::escape_lines;

/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 64 * 1024;

/// Standard output and standard error.
pub(crate) struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    err_is_terminal: bool,
}

impl Console {
    /// The process's own streams.
    pub(crate) fn standard() -> Self {
        let out = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        Self {
            out: match out {
                // The descriptor itself: the standard library's handle would search every chunk for line ends.
                Ok(file) => Box::new(BufWriter::with_capacity(BUFFER_BYTES, file)),
                Err(_) => Box::new(io::stdout()),
            },
            err: Box::new(io::stderr()),
            err_is_terminal: io::stderr().is_terminal(),
        }
    }

    /// Where results go.
    pub(crate) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Writes results out; called whenever there may be a wait before the next one.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Prints one line on standard error, after what was printed before it on standard output.
    /// A standard error that is closed has no reader to tell about it.
    pub(crate) fn note(&mut self, line: &str) {
        let _ = self.out.flush();
        let _ = writeln!(self.err, "{}", escape_lines(line));
    }

    /// Reports entries that are left out while something else goes on, from any thread.
    pub(crate) fn reporter() -> Box<dyn Fn(&str) + Send> {
        Box::new(|text| {
            let _ = writeln!(io::stderr(), "Error: {}", escape_lines(text));
        })
    }

    /// Whether a person watches standard error.
    pub(crate) const fn err_is_terminal(&self) -> bool {
        self.err_is_terminal
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub(crate) fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A console whose streams can be read back: itself, output, errors.
    pub(crate) fn captured() -> (Console, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let console =
            Console { out: Box::new(out.clone()), err: Box::new(err.clone()), err_is_terminal: false };
        (console, out, err)
    }
}
