//! Names that hold what a terminal would act on.

use std::borrow::Cow;
use std::fmt::Write;

/// The name itself, or, where it holds anything that can't be printed or a backslash, with those escaped: a name
/// from a stranger can't move the cursor or colour the screen.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    if name.chars().all(|c| c != '\\' && printable(c)) {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            c if printable(c) => out.push(c),
            c => write_escape(c, &mut out),
        }
    }
    Cow::Owned(out)
}

/// Text of several lines from elsewhere: line ends and tabs stay, everything else that can't be printed is escaped.
pub(crate) fn escape_lines(text: &str) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t') || printable(c);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if stays(c) { out.push(c) } else { write_escape(c, &mut out) }
    }
    Cow::Owned(out)
}

fn write_escape(c: char, out: &mut String) {
    let code = u32::from(c);
    // Writing to a string can't fail.
    let _ = match code {
        ..0x80 => write!(out, "\\x{code:02x}"),
        0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Letters, marks, digits, signs and the plain space. Other spaces, control characters, text direction marks and
/// what Unicode leaves undefined for private use are not.
fn printable(c: char) -> bool {
    match c {
        ' ' => true,
        c if c.is_control() || c.is_whitespace() => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => false,
        '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => false,
        '\u{e0000}'.. => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay() {
        for name in ["a.txt", "grün ✓ \"x\"", "日本"] {
            assert_eq!(escape(name), name);
        }
    }

    #[test]
    fn what_a_terminal_acts_on_does_not_reach_it() {
        assert_eq!(escape("a\x1b[31m\n\\"), "a\\x1b[31m\\n\\\\");
        assert_eq!(escape_lines("a\\\x1b\n\tb"), "a\\\\x1b\n\tb");
        assert_eq!(escape("\u{202e}x\u{a0}\u{e0001}"), "\\u202ex\\u00a0\\U000e0001");
    }
}
