//! The page that lists a directory, streamed: large directories are never held whole.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use ipse_node::{ListEntry, ReadError, Stream as NodeStream};

use crate::headers::percent_encoded;
use crate::request::ContentTarget;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td{padding:.2rem .5rem;border-bottom:1px solid #8884}\
td+td{text-align:right;color:#888;white-space:nowrap}h1{font-size:1.1rem;overflow-wrap:anywhere}\
:root{color-scheme:light dark}";

/// Bytes of a page that are sent together, and up to which it is made whole before it is sent.
const PIECE_BYTES: usize = 32 * 1024;

/// The page that lists a directory.
pub(crate) enum Page {
    /// A short one.
    Whole(Bytes),
    /// A long one, a piece at a time.
    Long(BoxStream<'static, Result<Bytes, ReadError>>),
}

/// Makes the page; returns when all of it is there, or a first piece.
///
/// # Errors
/// [`ReadError`] before the end of the first piece; later ones come in the stream.
pub(crate) async fn page(target: &ContentTarget, entries: NodeStream<ListEntry>) -> Result<Page, ReadError> {
    let path = escaped(&target.path.to_string());
    let up = if target.path.segments().is_empty() {
        ""
    } else {
        "<tr><td><a href=\"../\">..</a></td><td></td></tr>\n"
    };
    let head = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{path}</title>\
         <style>{STYLE}</style></head>\n<body>\n<h1>{path}</h1>\n<table>\n{up}"
    );
    let mut rows = Rows { entries, base: target.written.clone(), over: false };
    let first = rows.piece(head).await?;
    if rows.over {
        return Ok(Page::Whole(first));
    }
    let rest = stream::unfold(rows, |mut rows| async move {
        if rows.over {
            return None;
        }
        let piece = rows.piece(String::new()).await;
        rows.over |= piece.is_err();
        Some((piece, rows))
    });
    Ok(Page::Long(stream::once(async { Ok(first) }).chain(rest).boxed()))
}

struct Rows {
    entries: NodeStream<ListEntry>,
    base: String,
    over: bool,
}

impl Rows {
    /// The next rows behind `text`, and the page's end behind the last.
    async fn piece(&mut self, mut text: String) -> Result<Bytes, ReadError> {
        while text.len() < PIECE_BYTES {
            let Some(entry) = self.entries.next().await.transpose()? else {
                text.push_str("</table>\n</body>\n</html>\n");
                self.over = true;
                break;
            };
            text.push_str(&row(&self.base, &entry));
        }
        Ok(text.into())
    }
}

fn row(base: &str, entry: &ListEntry) -> String {
    let link = escaped(&format!("{base}{}", percent_encoded(&entry.name)));
    let name = escaped(&entry.name);
    let size = size_text(entry.size);
    format!("<tr><td><a href=\"{link}\">{name}</a></td><td title=\"{}\">{size}</td></tr>\n", entry.cid)
}

/// A size with a unit that a person reads at a glance.
fn size_text(bytes: u64) -> String {
    const UNITS: &[&str] = &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Text that can stand in HTML, between tags or in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_text() {
        assert_eq!(escaped("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size_text(0), "0 B");
        assert_eq!(size_text(1023), "1023 B");
        assert_eq!(size_text(1536), "1.5 KiB");
        assert_eq!(size_text(u64::MAX), "16.0 EiB");
    }
}
