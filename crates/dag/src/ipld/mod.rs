//! Ipld: a node of the IPLD data model, whatever codec it came in. What `dag get` prints and `dag put` reads goes
//! through here; files never do, their codec has its own type ([`PbNode`](crate::PbNode)).
//!
//! A value is 24 bytes, so that the worst block (a list of two million nulls) takes a bounded multiple of itself.

mod builder;
pub(crate) use builder::Builder;

use ipse_base::Cid;

use crate::Link;

/// A node of the IPLD data model.
#[derive(Debug, Clone, PartialEq)]
pub enum Ipld {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// An integer from zero up.
    Unsigned(u64),
    /// The negative integer −1 − n.
    Negative(u64),
    /// A finite number with a fraction.
    Float(f64),
    /// Text.
    Text(Box<str>),
    /// Bytes.
    Bytes(Box<[u8]>),
    /// Values in order.
    List(Box<[Ipld]>),
    /// Values by key, in the order in which they stand in the block; no key twice.
    Map(Box<[(Box<str>, Ipld)]>),
    /// A link to another block.
    Link(Box<Cid>),
}

impl Ipld {
    /// The value below a path segment: a map's key, or a list's index in decimal.
    pub fn get(&self, segment: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(key, _)| &**key == segment).map(|(_, value)| value),
            Self::List(values) => values.get(index(segment)?),
            _ => None,
        }
    }

    /// As [`Ipld::get`], keeping only what is below.
    pub fn into_below(self, segment: &str) -> Option<Self> {
        match self {
            Self::Map(entries) => {
                entries.into_iter().find(|(key, _)| &**key == segment).map(|(_, value)| value)
            }
            Self::List(values) => values.into_iter().nth(index(segment)?),
            _ => None,
        }
    }

    /// Every link inside, in the order in which they stand.
    pub fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        let mut open = vec![(String::new(), self)];
        while let Some((name, node)) = open.pop() {
            match node {
                Self::Link(cid) => links.push(Link { cid: (**cid).clone(), name, tsize: None }),
                // Pushed backwards, so that the first comes out first.
                Self::List(values) => {
                    open.extend(
                        values.iter().enumerate().rev().filter(holds_links).map(|(i, v)| (i.to_string(), v)),
                    );
                }
                Self::Map(entries) => open.extend(entries.iter().rev().map(|(key, v)| (key.to_string(), v))),
                _ => {}
            }
        }
        links
    }
}

/// Whether a list's value is worth a look; spares naming each of a million numbers.
fn holds_links((_, value): &(usize, &Ipld)) -> bool {
    matches!(value, Ipld::Link(_) | Ipld::List(_) | Ipld::Map(_))
}

/// A list's index in its one spelling: decimal, no sign, no leading zero.
fn index(segment: &str) -> Option<usize> {
    let canonical = segment == "0" || !segment.starts_with(['0', '+']);
    segment.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_small() {
        assert_eq!(size_of::<Ipld>(), 24);
    }

    #[test]
    fn segments_lead_into_maps_and_lists() {
        let node = Ipld::Map([("a".into(), Ipld::List([Ipld::Null, Ipld::Bool(true)].into()))].into());
        assert_eq!(node.get("a").unwrap().get("1"), Some(&Ipld::Bool(true)));
        assert_eq!(node.clone().into_below("a").unwrap().into_below("0"), Some(Ipld::Null));
        for wrong in ["2", "01", "+1", "-1", "", "x"] {
            assert_eq!(node.get("a").unwrap().get(wrong), None, "{wrong}");
        }
        assert_eq!(node.get("b"), None);
        assert_eq!(Ipld::Null.get("a"), None);
    }

    #[test]
    fn links_come_in_order_with_the_key_they_stand_under() {
        let cid: Cid = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4".parse().unwrap();
        let link = || Ipld::Link(Box::new(cid.clone()));
        let map = Ipld::Map([("deep".into(), link())].into());
        let list = Ipld::List([Ipld::Null, link(), map].into());
        let node =
            Ipld::Map([("first".into(), link()), ("list".into(), list), ("last".into(), link())].into());
        let names: Vec<_> = node.links().into_iter().map(|link| link.name).collect();
        assert_eq!(names, ["first", "1", "deep", "last"]);
    }
}
