//! The form of a dag-pb node in the data model (DAG-PB specification, "logical format"): what `dag get` prints of
//! a file or directory, and what `dag put --store-codec=dag-pb` reads.

use bytes::Bytes;

use crate::{FormError, Ipld, PbLink, PbNode};

impl From<&PbNode> for Ipld {
    fn from(node: &PbNode) -> Self {
        let data = node.data.as_ref().map(|data| ("Data".into(), Self::Bytes(data[..].into())));
        let links = Self::List(node.links.iter().map(of_link).collect());
        Self::Map(data.into_iter().chain([("Links".into(), links)]).collect())
    }
}

fn of_link(link: &PbLink) -> Ipld {
    let mut entries = vec![("Hash".into(), Ipld::Link(Box::new(link.cid.clone())))];
    if link.name.is_some() {
        entries.push(("Name".into(), Ipld::Text(link.name_lossy().into())));
    }
    if let Some(tsize) = link.tsize {
        // The reference codec holds sizes as signed numbers, so the upper half of them prints as negative.
        let signed = if tsize >> 63 == 0 { Ipld::Unsigned(tsize) } else { Ipld::Negative(!tsize) };
        entries.push(("Tsize".into(), signed));
    }
    Ipld::Map(entries.into())
}

impl TryFrom<&Ipld> for PbNode {
    type Error = FormError;

    fn try_from(node: &Ipld) -> Result<Self, FormError> {
        let Ipld::Map(entries) = node else { return Err(FormError::Pb("node must be a map")) };
        let (mut data, mut links) = (None, None);
        for (key, value) in entries {
            match (&**key, value) {
                ("Data", Ipld::Bytes(bytes)) => data = Some(Bytes::copy_from_slice(bytes)),
                ("Data", _) => return Err(FormError::Pb("Data must be bytes")),
                ("Links", Ipld::List(list)) => {
                    links = Some(list.iter().map(to_link).collect::<Result<_, _>>()?)
                }
                ("Links", _) => return Err(FormError::Pb("Links must be a list")),
                _ => return Err(FormError::Pb("extraneous properties")),
            }
        }
        Ok(Self { data, links: links.ok_or(FormError::Pb("Links must be a list"))? })
    }
}

fn to_link(link: &Ipld) -> Result<PbLink, FormError> {
    let Ipld::Map(entries) = link else { return Err(FormError::Pb("bad link")) };
    let (mut cid, mut name, mut tsize) = (None, None, None);
    for (key, value) in entries {
        match (&**key, value) {
            ("Hash", Ipld::Link(hash)) => cid = Some((**hash).clone()),
            ("Hash", _) => return Err(FormError::Pb("link Hash must be a CID")),
            ("Name", Ipld::Text(text)) => name = Some(Bytes::copy_from_slice(text.as_bytes())),
            ("Name", _) => return Err(FormError::Pb("link Name must be a string")),
            ("Tsize", Ipld::Unsigned(size)) if size >> 63 == 0 => tsize = Some(*size),
            ("Tsize", Ipld::Negative(_)) => return Err(FormError::Pb("link Tsize cannot be negative")),
            ("Tsize", _) => return Err(FormError::Pb("link Tsize must be an integer")),
            _ => return Err(FormError::Pb("extraneous properties on link")),
        }
    }
    Ok(PbLink { cid: cid.ok_or(FormError::Pb("link must have a Hash"))?, name, tsize })
}
