//! Wrapping, padding and indenting of help.

use super::INDENT;

/// Narrowest column that text is wrapped in; in a narrower one it runs on.
const COLUMN_MIN: usize = 30;

/// Text behind a head, with its lines below each other.
pub(super) fn wrap(head: &str, text: &str, width: usize) -> String {
    let offset = head.chars().count();
    let column = width.saturating_sub(offset);
    let mut out = head.to_owned();
    if column < COLUMN_MIN {
        out.push_str(text.trim());
        return out;
    }
    let mut line = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if line > 0 && line + 1 + length > column {
            out.push('\n');
            out.push_str(&" ".repeat(offset));
            line = 0;
        }
        if line > 0 {
            out.push(' ');
            line += 1;
        }
        out.push_str(word);
        line += length;
    }
    out
}

/// All lines as long as the longest.
pub(super) fn align(lines: &mut [String]) {
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    for line in lines {
        let missing = longest - line.chars().count();
        line.push_str(&" ".repeat(missing));
    }
}

/// Every line a little to the right.
pub(super) fn indent(text: &str) -> String {
    format!("{INDENT}{}", text.replace('\n', &format!("\n{INDENT}")))
}
