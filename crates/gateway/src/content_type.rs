//! The type of a file: by its name first, then by its first bytes.

/// Bytes that are looked at.
pub(crate) const SNIFFED_BYTES: usize = 512;

/// The content type that a file's name tells.
pub(crate) fn by_name(name: &str) -> Option<String> {
    mime_guess::from_path(name).first().map(|guess| with_charset(guess.essence_str()))
}

/// The content type that a file's first bytes tell.
pub(crate) fn by_content(beginning: &[u8]) -> String {
    if let Some(kind) = infer::get(beginning) {
        return with_charset(kind.mime_type());
    }
    if looks_like_text(beginning) {
        with_charset(html_or_plain(beginning))
    } else {
        "application/octet-stream".into()
    }
}

fn with_charset(essence: &str) -> String {
    match essence.starts_with("text/") || essence == "application/javascript" {
        true => format!("{essence}; charset=utf-8"),
        false => essence.to_owned(),
    }
}

fn html_or_plain(beginning: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(beginning).trim_start().to_ascii_lowercase();
    let html = ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| text.starts_with(tag));
    if html { "text/html" } else { "text/plain" }
}

/// UTF-8 without control characters other than white space. A character that is cut at the end is no fault.
fn looks_like_text(beginning: &[u8]) -> bool {
    let text = match std::str::from_utf8(beginning) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&beginning[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text
        .chars()
        .any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\x0c' | '\x1b'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_then_by_content() {
        for (name, bytes, want) in [
            ("a.html", &b""[..], "text/html; charset=utf-8"),
            ("a.png", b"", "image/png"),
            ("a.css", b"", "text/css; charset=utf-8"),
            ("bafy", b"\x89PNG\r\n\x1a\n", "image/png"),
            ("bafy", b"hello", "text/plain; charset=utf-8"),
            ("bafy", b"  <!DOCTYPE HTML>", "text/html; charset=utf-8"),
            ("bafy", b"\x00\x01\x02", "application/octet-stream"),
            ("bafy", "na\u{ef}ve".as_bytes(), "text/plain; charset=utf-8"),
            ("bafy", b"cut \xc3", "text/plain; charset=utf-8"),
            ("bafy", b"bad \xc3\x28", "application/octet-stream"),
        ] {
            assert_eq!(by_name(name).unwrap_or_else(|| by_content(bytes)), want, "{name} {bytes:?}");
        }
    }
}
