//! What a command works with: the node, what was asked, the files that came along.

use std::sync::Arc;

use ipse_api::Invocation;
use ipse_base::{Base, Cid, Kind, Path, Version};
use ipse_node::{COMPATIBLE_VERSION, Node};

use crate::upload::Upload;
use crate::{Failure, LogControl};

/// What a command works with.
pub(crate) struct Context {
    pub(crate) node: Option<Node>,
    pub(crate) invocation: Invocation,
    pub(crate) upload: Option<Upload>,
    pub(crate) log: Option<Arc<dyn LogControl>>,
    pub(crate) cids: CidText,
}

impl Context {
    pub(crate) fn new(
        node: Option<&Node>,
        invocation: Invocation,
        upload: Option<Upload>,
        log: Option<Arc<dyn LogControl>>,
    ) -> Result<Self, Failure> {
        let cids = CidText::read(&invocation)?;
        let offline = invocation.bool("offline");
        let node = node.map(|node| if offline { node.offline() } else { node.clone() });
        Ok(Self { node, invocation, upload, log, cids })
    }

    /// The node.
    pub(crate) fn node(&self) -> Result<&Node, Failure> {
        self.node
            .as_ref()
            .ok_or_else(|| Failure::new(Kind::NotFound, "no IPFS repo found.\nplease run: 'ipfs init'"))
    }

    /// The node, for commands that look at its network.
    pub(crate) fn online_node(&self) -> Result<&Node, Failure> {
        let node = self.node()?;
        if node.is_online() {
            Ok(node)
        } else {
            Err(Failure::client(format!("unable to run offline: {NOT_ONLINE}")))
        }
    }

    /// The upload; the table says that it has to be there before the command runs.
    pub(crate) fn upload(&mut self) -> Result<Upload, Failure> {
        self.upload.take().ok_or_else(|| Failure::client("an upload is required"))
    }

    /// An argument that the table says has to be there.
    pub(crate) fn argument(&self, place: usize) -> Result<&str, Failure> {
        self.optional_argument(place).ok_or_else(|| Failure::client("an argument is missing"))
    }

    /// An argument that may be missing.
    pub(crate) fn optional_argument(&self, place: usize) -> Option<&str> {
        self.invocation.arguments.get(place).map(String::as_str)
    }

    /// An argument as a path.
    pub(crate) fn path(&self, place: usize) -> Result<Path, Failure> {
        Ok(self.argument(place)?.parse::<Path>()?)
    }

    /// All arguments as paths.
    pub(crate) fn paths(&self) -> Result<Vec<Path>, Failure> {
        self.invocation.arguments.iter().map(|text| Ok(text.parse::<Path>()?)).collect()
    }

    /// All arguments as the blocks that their paths end in. A bare Cid is taken as it stands: what a denylist names
    /// can still be unpinned, and who reads it is refused there.
    ///
    /// The future borrows nothing: a context with an upload in it can't be shared between threads.
    pub(crate) fn resolved(&self) -> impl Future<Output = Result<Vec<Cid>, Failure>> + Send + use<> {
        let prepared = self.node().cloned().and_then(|node| Ok((node, self.paths()?)));
        async move {
            let (node, paths) = prepared?;
            let mut cids = Vec::with_capacity(paths.len());
            for path in paths {
                cids.push(match path.cid().filter(|_| path.segments().is_empty()) {
                    Some(cid) => cid.clone(),
                    None => node.resolve_block(&path).await?,
                });
            }
            Ok(cids)
        }
    }
}

/// The refusal of what needs a network.
pub(crate) const NOT_ONLINE: &str =
    "this command must be run in online mode. Try running 'ipfs daemon' first";

/// What goes before the version in `Server` and in agent names.
pub(crate) const SERVER: &str = "kubo/";

/// The version that replies name, so that the reference node's clients work.
pub(crate) const VERSION: &str = COMPATIBLE_VERSION;

/// How Cids are printed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CidText {
    base: Option<Base>,
    upgrade: bool,
}

impl CidText {
    fn read(invocation: &Invocation) -> Result<Self, Failure> {
        let base = invocation.string("cid-base").map(|name| base_named(&name)).transpose()?;
        Ok(Self { base, upgrade: invocation.bool("upgrade-cidv0-in-output") })
    }

    /// A Cid as the caller wants to see it.
    pub(crate) fn of(self, cid: &Cid) -> String {
        let mut text = String::new();
        self.write(cid, &mut text);
        text
    }

    /// The same in place of what is in `text`, whose memory is used again.
    pub(crate) fn write(self, cid: &Cid, text: &mut String) {
        let upgraded = (self.upgrade && cid.version() == Version::V0)
            .then(|| cid.to_version(Version::V1).ok())
            .flatten();
        let cid = upgraded.as_ref().unwrap_or(cid);
        text.clear();
        cid.write_text(self.base.unwrap_or_else(|| cid.usual_base()), text);
    }
}

/// A base by its name, or by its letter.
pub(crate) fn base_named(name: &str) -> Result<Base, Failure> {
    let mut letters = name.chars();
    let found = match (letters.next(), letters.next()) {
        (Some(letter), None) => Base::from_prefix(letter),
        _ => Base::from_name(name),
    };
    found.map_err(|_| Failure::invalid(format!("unsupported multibase encoding: {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V0: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
    const V1: &str = "bafybeicg2rebjoofv4kbyovkw7af3rpiitvnl6i7ckcywaq6xjcxnc2mby";

    fn shown(query: &str) -> String {
        let invocation = Invocation::from_address("pin/ls", query).unwrap();
        CidText::read(&invocation).unwrap().of(&V0.parse().unwrap())
    }

    #[test]
    fn bases_and_upgrades() {
        assert_eq!(shown(""), V0);
        assert_eq!(shown("cid-base=base32"), V1);
        assert_eq!(shown("cid-base=b"), V1);
        assert_eq!(shown("cid-base=base58btc"), V0);
        assert_eq!(shown("upgrade-cidv0-in-output=true"), V1);
        assert!(CidText::read(&Invocation::from_address("pin/ls", "cid-base=nope").unwrap()).is_err());
    }
}
