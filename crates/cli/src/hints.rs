//! Hints: what to do next, for errors that came over the RPC, which carries the reference node's text only.

/// What an error's text holds, and what helps.
const HINTS: &[(&str, &str)] = &[
    (
        "was not found locally (offline)",
        "start the node with `ipse daemon` and connect to a peer that has it: `ipse swarm connect ADDRESS`",
    ),
    ("online mode", "start the node with `ipse daemon`, then run this again"),
    ("daemon not running", "there is nothing to stop; `ipse daemon` starts one"),
    ("someone else has the lock", "another process uses this repository; stop it with `ipse shutdown`"),
    ("this dag node is a directory", "list it with `ipse ls CID`, or fetch it with `ipse get CID`"),
    ("does not have enough components", "write a path as /ipfs/CID/name, CID/name or ipfs://CID/name"),
    ("invalid cid", "a CID looks like bafybei… or Qm…; copy it whole, without spaces or quotes"),
    ("no link named", "`ipse ls CID` shows the names there are"),
    ("failed to parse multiaddr", "an address looks like /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…"),
    ("all dials failed", "check that the peer runs and that the address is the one its `ipse id` prints"),
    ("is not pinned", "`ipse pin ls` shows what is"),
    (
        "not pinned or pinned indirectly",
        "`ipse pin ls` shows what is, and `--type=recursive` what can be unpinned",
    ),
    ("o space left on device", FULL),
    ("no storage space", FULL),
    ("its disk takes no writes", "make it writable, then restart"),
    ("Read-only file system", "make the disk writable again; writing goes on by itself"),
    ("is not durable yet", "check the disk; what was acknowledged is kept, and writing goes on by itself"),
    (
        "the repository is full",
        "unpin what is not needed, or raise Datastore.StorageMax in the configuration and restart",
    ),
    ("car: ", "the archive is cut, damaged or none; fetch or export it again with `ipse dag export CID`"),
    ("bytes do not match", "the data is damaged; fetch or export it again"),
    ("failed to unmarshal json", "the value must be JSON; put it in single quotes, or leave out --json"),
    ("unrecognized chunker", "chunkers look like size-262144"),
    ("unrecognized hash function", "`ipse cid hashes` lists them"),
];

const FULL: &str = "free space on this disk, or collect what is not pinned with `ipse repo gc`";

/// The hint for an error's text, if there is one.
pub(crate) fn for_message(message: &str) -> Option<String> {
    HINTS.iter().find(|(part, _)| message.contains(part)).map(|(_, hint)| (*hint).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_points_to_the_daemon() {
        let hint = for_message("block was not found locally (offline): ipld: could not find QmX").unwrap();
        assert!(hint.contains("ipse daemon"));
        assert!(for_message("car: unexpected end of archive").unwrap().contains("dag export"));
        assert_eq!(for_message("something else"), None);
    }
}
