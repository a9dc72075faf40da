//! Reader: makes a [`Denylist`] of the lines of lists.

use ipse_base::limits::{
    DENYLIST_HEADER_BYTES_MAX, DENYLIST_LINE_BYTES_MAX, DENYLIST_REFUSED_MAX, DENYLIST_RULES_MAX,
};

use crate::item::Item;
use crate::{Denylist, DenylistError, header};

/// A rule that can't be read: the line, counted from 1, and why.
pub type Refused = (u32, DenylistError);

/// Takes lists in the order of their names, each with [`Reader::begin`], its lines, and [`Reader::end`].
#[derive(Debug, Default)]
pub struct Reader {
    list: Denylist,
    /// Lines of all lists so far, and of those before the running one.
    lines: u32,
    before: u32,
    /// Lines that may be a header, and their bytes: nobody knows before its end is seen.
    header: Option<(Vec<(u32, String)>, usize)>,
    refused: Vec<Refused>,
}

impl Reader {
    /// Begins with a list; `name` is what it is called where a rule is told.
    pub fn begin(&mut self, name: &str) {
        self.before = self.lines;
        self.header = Some((Vec::new(), 0));
        self.list.begin(name, self.lines);
    }

    /// Takes the next line of the list, with or without its end. A rule that can't be read is passed over, and told
    /// by [`Reader::end`].
    ///
    /// # Errors
    /// [`DenylistError`] where the list as a whole can't be taken: a header that can't be read, too many lines.
    pub fn line(&mut self, line: &[u8]) -> Result<(), DenylistError> {
        if self.lines >= DENYLIST_RULES_MAX {
            return Err(DenylistError::TooMany);
        }
        let at = self.lines;
        self.lines += 1;
        let text = match std::str::from_utf8(line) {
            _ if line.len() > DENYLIST_LINE_BYTES_MAX => return self.refuse(at, DenylistError::LineTooLong),
            Err(_) => return self.refuse(at, DenylistError::NotUtf8),
            Ok(text) => text.trim_end_matches(['\n', '\r']),
        };
        match &mut self.header {
            Some((lines, _)) if text == header::END => {
                let lines = std::mem::take(lines);
                self.header = None;
                header::check(lines.iter().map(|(_, line)| line.as_str()))
            }
            Some((lines, bytes)) => {
                lines.push((at, text.to_owned()));
                *bytes += text.len() + 1;
                match *bytes > DENYLIST_HEADER_BYTES_MAX {
                    true => self.take_as_rules(),
                    false => Ok(()),
                }
            }
            None => self.rule(text, at),
        }
    }

    /// Ends the list. Returns what was passed over, in the order of the lines.
    ///
    /// # Errors
    /// As [`Reader::line`].
    pub fn end(&mut self) -> Result<Vec<Refused>, DenylistError> {
        self.take_as_rules()?;
        let mut refused = std::mem::take(&mut self.refused);
        refused.sort_by_key(|(line, _)| *line);
        Ok(refused)
    }

    /// What was read.
    pub fn finish(self) -> Denylist {
        self.list
    }

    /// The list has no header: what was held for one are its first rules.
    fn take_as_rules(&mut self) -> Result<(), DenylistError> {
        let lines = self.header.take().map(|(lines, _)| lines).unwrap_or_default();
        lines.into_iter().try_for_each(|(at, line)| self.rule(&line, at))
    }

    fn rule(&mut self, line: &str, at: u32) -> Result<(), DenylistError> {
        match Item::parse(line) {
            Ok(Some(item)) => self.list.insert(item, at),
            Ok(None) => {}
            Err(error) => return self.refuse(at, error),
        }
        Ok(())
    }

    /// Notes a line that is passed over. A file of nothing but those is no list.
    fn refuse(&mut self, at: u32, error: DenylistError) -> Result<(), DenylistError> {
        if self.refused.len() >= DENYLIST_REFUSED_MAX {
            return Err(error);
        }
        self.refused.push((at - self.before + 1, error));
        Ok(())
    }
}
