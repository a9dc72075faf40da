//! Builder: puts a node together from what a codec reads, without recursion.

use super::Ipld;
use crate::DecodeError;

enum Open {
    List(Vec<Ipld>),
    Map { entries: Vec<(Box<str>, Ipld)>, key: Option<Box<str>> },
}

/// Takes keys, values and ends in the order in which they stand in a block.
///
/// The reader that feeds it sees to it that they are well-formed: a key before each value of a map, as many ends
/// as beginnings.
#[derive(Default)]
pub(crate) struct Builder {
    open: Vec<Open>,
    root: Option<Ipld>,
}

impl Builder {
    /// Maps and lists that are begun and not ended.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether the innermost that is begun is a map.
    pub(crate) fn in_map(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { .. }))
    }

    pub(crate) fn begin_list(&mut self) {
        self.open.push(Open::List(Vec::new()));
    }

    pub(crate) fn begin_map(&mut self) {
        self.open.push(Open::Map { entries: Vec::new(), key: None });
    }

    pub(crate) fn key(&mut self, name: &str) {
        if let Some(Open::Map { key, .. }) = self.open.last_mut() {
            *key = Some(name.into());
        }
    }

    pub(crate) fn value(&mut self, value: Ipld) {
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(values)) => values.push(value),
            Some(Open::Map { entries, key }) => entries.extend(key.take().map(|key| (key, value))),
        }
    }

    /// Ends the innermost map or list and gives it back, for the caller to put in its place with
    /// [`Builder::value`].
    pub(crate) fn end(&mut self) -> Result<Ipld, DecodeError> {
        match self.open.pop() {
            Some(Open::List(values)) => Ok(Ipld::List(values.into())),
            Some(Open::Map { entries, .. }) => match repeated(&entries) {
                Some(key) => Err(DecodeError::RepeatedKey(key.into())),
                None => Ok(Ipld::Map(entries.into())),
            },
            None => Ok(Ipld::Null),
        }
    }

    /// The whole node, once everything was ended.
    pub(crate) fn finish(self) -> Option<Ipld> {
        self.root.filter(|_| self.open.is_empty())
    }
}

/// A key that stands twice. Sorted references rather than a set: the usual map is small and sorted already.
fn repeated(entries: &[(Box<str>, Ipld)]) -> Option<&str> {
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
