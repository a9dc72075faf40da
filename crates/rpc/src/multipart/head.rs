//! A part's header: what it is, how it is called, what mode and time it had.

use ipse_api::{decode_query, parse_query};

use super::MultipartError;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartKind {
    /// A file; its content follows.
    File,
    /// A directory; it has no content.
    Directory,
    /// A symbolic link; its content is where it points.
    Symlink,
}

/// What a part's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartHead {
    /// What it is.
    pub(crate) kind: PartKind,
    /// Its path: relative, clean, its names joined by `/`; empty where it has none.
    pub(crate) path: String,
    /// Permission bits.
    pub(crate) mode: Option<u32>,
    /// Seconds since 1970 and nanoseconds.
    pub(crate) mtime: Option<(i64, u32)>,
}

impl PartHead {
    /// Reads the lines of a header.
    pub(super) fn read(lines: &[String]) -> Result<Self, MultipartError> {
        let mut kind = PartKind::File;
        let mut path = String::new();
        let (mut mode, mut mtime) = (None, None);
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(|| MultipartError::Header(line.clone()))?;
            if name.eq_ignore_ascii_case("content-type") {
                kind = match value.split(';').next().unwrap_or_default().trim() {
                    "application/x-directory" => PartKind::Directory,
                    "application/symlink" => PartKind::Symlink,
                    _ => PartKind::File,
                };
            } else if name.eq_ignore_ascii_case("content-disposition") {
                for (key, value) in parameters(value) {
                    match key.as_str() {
                        "filename" => path = clean_path(&value)?,
                        "name" => (mode, mtime) = metadata(&value),
                        _ => {}
                    }
                }
            }
        }
        Ok(Self { kind, path, mode, mtime })
    }
}

/// The boundary that a request's content type names; `None` where it is no upload.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, _) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, boundary) = parameters(content_type).into_iter().find(|(key, _)| key == "boundary")?;
    // RFC 2046 bounds it; one with a line end in it would break the framing.
    ((1..=70).contains(&boundary.len()) && !boundary.contains(['\r', '\n'])).then_some(boundary)
}

/// The parameters behind a header's value: `; key=value; key="quoted value"`. Keys in lower case.
fn parameters(value: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let Some((_, mut rest)) = value.split_once(';') else { return found };
    while let Some((key, tail)) = rest.split_once('=') {
        let key = key.trim_matches([' ', '\t', ';']).to_ascii_lowercase();
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, tail) = tail.split_once(';').unwrap_or((tail, ""));
                (value.trim().to_owned(), tail)
            }
        };
        found.push((key, value));
        rest = tail;
    }
    found
}

/// The text up to the closing quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return (out, text.get(place + 1..).unwrap_or_default()),
            '\\' => match characters.next() {
                // Only these two are ever escaped; a backslash before anything else is itself.
                Some((_, escaped @ ('"' | '\\'))) => out.push(escaped),
                Some((_, other)) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            other => out.push(other),
        }
    }
    (out, "")
}

/// Undoes the query coding of a file name and checks it.
fn clean_path(encoded: &str) -> Result<String, MultipartError> {
    let refused = || MultipartError::Name(encoded.to_owned());
    let path = decode_query(encoded).ok_or_else(refused)?;
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => return Err(refused()),
            _ if name.contains('\0') => return Err(refused()),
            _ => names.push(name),
        }
    }
    Ok(names.join("/"))
}

/// Mode and time in the form name: `file?mode=0644&mtime=1700000000&mtime-nsecs=5`.
fn metadata(name: &str) -> (Option<u32>, Option<(i64, u32)>) {
    let Some((_, query)) = name.split_once('?') else { return (None, None) };
    let (mut mode, mut seconds, mut nanoseconds) = (None, None, 0);
    for (key, value) in parse_query(query) {
        match key.as_str() {
            "mode" => mode = u32::from_str_radix(&value, 8).ok().map(|mode| mode & 0o7777),
            "mtime" => seconds = value.parse().ok(),
            "mtime-nsecs" => nanoseconds = value.parse().ok().filter(|n| *n < 1_000_000_000).unwrap_or(0),
            _ => {}
        }
    }
    (mode, seconds.map(|seconds| (seconds, nanoseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &[&str]) -> Result<PartHead, MultipartError> {
        PartHead::read(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_kinds_and_metadata() {
        let read = head(&[
            r#"Content-Disposition: form-data; name="file?mode=0755&mtime=-5&mtime-nsecs=7"; filename="a%2Fb+c%25""#,
            "content-type: application/symlink",
            "Abspath-Encoded: %2Fetc%2Fpasswd",
        ])
        .unwrap();
        assert_eq!((read.kind, read.path.as_str()), (PartKind::Symlink, "a/b c%"));
        assert_eq!((read.mode, read.mtime), (Some(0o755), Some((-5, 7))));
        let plain = head(&["Content-Disposition: form-data; filename=x.txt; name=file"]).unwrap();
        assert_eq!(plain, PartHead { kind: PartKind::File, path: "x.txt".into(), mode: None, mtime: None });
        let quoted = head(&[r#"Content-Disposition: form-data; filename="a\"b\\c\d""#]).unwrap();
        assert_eq!(quoted.path, r#"a"b\c\d"#);
    }

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for name in ["..", "a/../b", "%2e%2e/x", "a%00b", "%ff", "%zz"] {
            let line = format!("Content-Disposition: form-data; filename=\"{name}\"");
            assert!(matches!(head(&[&line]), Err(MultipartError::Name(_))), "{name}");
        }
        let absolute = head(&["Content-Disposition: form-data; filename=\"/a//./b\""]).unwrap();
        assert_eq!(absolute.path, "a/b");
    }

    #[test]
    fn boundaries() {
        assert_eq!(boundary("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
        assert_eq!(boundary("Multipart/Form-Data; charset=x; boundary=\"a b\"").as_deref(), Some("a b"));
        for none in [
            "",
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=x",
        ] {
            assert_eq!(boundary(none), None, "{none}");
        }
    }

    #[test]
    fn hostile_headers_never_panic() {
        bolero::check!().with_type::<Vec<String>>().for_each(|lines| {
            let lines: Vec<_> = lines.iter().map(|line| format!("Content-Disposition:{line}")).collect();
            if let Ok(head) = PartHead::read(&lines) {
                assert!(head.path.split('/').all(|name| name != ".." && !name.contains('\0')));
            }
            let _ = lines.first().map(|line| boundary(line));
        });
    }
}
