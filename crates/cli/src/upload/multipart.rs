//! Multipart form data (RFC 7578) as the RPC takes it: one part for each entry, its path in the file name.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Content type of a file's part.
pub(super) const FILE: &str = "application/octet-stream";
/// Content type of a directory's part, which has no body.
pub(super) const DIRECTORY: &str = "application/x-directory";
/// Content type of a symbolic link's part, whose body is where it leads.
pub(super) const SYMLINK: &str = "application/symlink";

/// Permissions and time of an entry, as far as they travel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamp {
    pub(super) mode: Option<u32>,
    /// Seconds since 1970, and nanoseconds.
    pub(super) time: Option<(i64, i64)>,
}

impl Stamp {
    /// The query behind the part's name that carries them.
    fn query(self) -> String {
        let mut pairs = Vec::new();
        pairs.extend(self.mode.map(|mode| format!("mode=0{mode:o}")));
        if let Some((seconds, nanos)) = self.time {
            pairs.push(format!("mtime={seconds}"));
            pairs.extend((nanos > 0).then(|| format!("mtime-nsecs={nanos}")));
        }
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }
}

/// Writes the frames between the bodies of parts.
pub(super) struct Multipart {
    boundary: String,
    parts: usize,
}

impl Multipart {
    /// A form with a boundary that no file can know beforehand.
    pub(super) fn new() -> Self {
        // Each hasher of the standard library is keyed by the system's randomness.
        let word = || RandomState::new().build_hasher().finish();
        Self { boundary: format!("{:016x}{:016x}{:016x}", word(), word(), word()), parts: 0 }
    }

    /// The `Content-Type` of the whole body.
    pub(super) fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Ends the part before and begins the next one.
    pub(super) fn head(&mut self, name: &[u8], stamp: Stamp, content_type: &str) -> Vec<u8> {
        let line_end = if self.parts == 0 { "" } else { "\r\n" };
        self.parts += 1;
        let Self { boundary, .. } = self;
        let (name, query) = (escape(name), stamp.query());
        format!(
            "{line_end}--{boundary}\r\nContent-Disposition: form-data; name=\"file{query}\"; filename=\"{name}\"\r\n\
             Content-Type: {content_type}\r\n\r\n"
        )
        .into_bytes()
    }

    /// Ends the last part and the form.
    pub(super) fn end(&self) -> Vec<u8> {
        let line_end = if self.parts == 0 { "" } else { "\r\n" };
        format!("{line_end}--{}--\r\n", self.boundary).into_bytes()
    }
}

/// Query coding of a name, whose bytes need not be UTF-8.
fn escape(name: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(name.len());
    for byte in name {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(*byte))
            }
            b' ' => out.push('+'),
            // Writing to a string can't fail.
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_bytes_are_coded() {
        assert_eq!(escape(b"a b/\"\r\n\xff+~"), "a+b%2F%22%0D%0A%FF%2B~");
        let text = "grün/✓ x";
        assert_eq!(ipse_api::decode_query(&escape(text.as_bytes())).as_deref(), Some(text));
    }

    #[test]
    fn permissions_and_times_stand_behind_the_name() {
        let stamp = Stamp { mode: Some(0o644), time: Some((-5, 7)) };
        assert_eq!(stamp.query(), "?mode=0644&mtime=-5&mtime-nsecs=7");
        assert_eq!(Stamp::default().query(), "");
    }

    #[test]
    fn boundaries_differ() {
        assert_ne!(Multipart::new().content_type(), Multipart::new().content_type());
    }

    #[test]
    fn an_empty_form_is_only_its_end() {
        let form = Multipart::new();
        assert_eq!(form.end(), format!("--{}--\r\n", form.boundary).into_bytes());
    }
}
