//! The matrix: what can differ between two transfers, and which combinations
//! are run.

use super::content::Content;
use super::pairwise;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Who is on the other side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    Helia,
    Boxo,
    Ipse,
}

/// Which way the content goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    IpseFetches,
    IpseServes,
}

/// What carries the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Transport {
    Tcp,
    Quic,
}

/// How much content there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    File(u64),
    Directory(u32),
}

/// How content becomes blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) cid_version: u8,
    pub(crate) raw_leaves: bool,
    pub(crate) chunk: u64,
}

const PEERS: [(Peer, &str); 3] = [(Peer::Helia, "helia"), (Peer::Boxo, "boxo"), (Peer::Ipse, "ipse")];
const DIRECTIONS: [(Direction, &str); 2] =
    [(Direction::IpseFetches, "ipse-fetches"), (Direction::IpseServes, "ipse-serves")];
const TRANSPORTS: [(Transport, &str); 2] = [(Transport::Tcp, "tcp"), (Transport::Quic, "quic")];
const SIZES: [(Size, &str); 7] = [
    (Size::File(0), "0B"),
    (Size::File(1), "1B"),
    (Size::File(256 * KIB), "256KiB"),
    (Size::File(MIB + 1), "1MiB+1"),
    (Size::File(10 * MIB), "10MiB"),
    (Size::File(100 * MIB), "100MiB"),
    (Size::Directory(5000), "dir-of-5000"),
];
const CIDS: [(u8, &str); 2] = [(0, "cidv0"), (1, "cidv1")];
const LEAVES: [(bool, &str); 2] = [(true, "raw"), (false, "dag-pb")];
const CHUNKS: [(u64, &str); 2] = [(256 * KIB, "chunk-256KiB"), (MIB, "chunk-1MiB")];

/// How many ways a cell can differ from another.
const FACTORS: usize = 7;

/// One transfer to be tried: a place in each of the tables above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    places: [usize; FACTORS],
}

impl Cell {
    /// Every cell that can be run.
    pub(crate) fn all() -> Vec<Self> {
        let sizes = [
            PEERS.len(),
            DIRECTIONS.len(),
            TRANSPORTS.len(),
            SIZES.len(),
            CIDS.len(),
            LEAVES.len(),
            CHUNKS.len(),
        ];
        let mut places = vec![[0; FACTORS]];
        for (factor, &size) in sizes.iter().enumerate() {
            places = places
                .into_iter()
                .flat_map(|row| {
                    (0..size).map(move |value| {
                        let mut next = row;
                        next[factor] = value;
                        next
                    })
                })
                .collect();
        }
        places.into_iter().map(|places| Self { places }).filter(Self::possible).collect()
    }

    /// A choice in which every two values that can meet do meet.
    pub(crate) fn pairwise() -> Vec<Self> {
        let all = Self::all();
        let rows: Vec<[usize; FACTORS]> = all.iter().map(|cell| cell.places).collect();
        // Where two cells would do as much, the one with less to carry.
        pairwise::choose(&rows, |row| weight(all[row].size())).into_iter().map(|row| all[row]).collect()
    }

    /// The JavaScript stack has no QUIC transport.
    fn possible(&self) -> bool {
        !(self.peer() == Peer::Helia && self.transport() == Transport::Quic)
    }

    pub(crate) fn peer(&self) -> Peer {
        PEERS[self.places[0]].0
    }

    pub(crate) fn direction(&self) -> Direction {
        DIRECTIONS[self.places[1]].0
    }

    pub(crate) fn transport(&self) -> Transport {
        TRANSPORTS[self.places[2]].0
    }

    fn size(&self) -> Size {
        SIZES[self.places[3]].0
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            cid_version: CIDS[self.places[4]].0,
            raw_leaves: LEAVES[self.places[5]].0,
            chunk: CHUNKS[self.places[6]].0,
        }
    }

    /// What is transferred. No two cells share a block: each has its own seed.
    pub(crate) fn content(&self) -> Content {
        let seed = self.places.iter().fold(1, |seed, &place| seed * 10 + place as u64) * 10_000;
        match self.size() {
            Size::File(bytes) => Content::File { bytes, seed },
            Size::Directory(entries) => {
                // Five thousand short names fit into one block; long ones make
                // every implementation shard the directory.
                let prefix = if self.places[4] == 0 { "f" } else { "one-of-the-many-entries-" };
                Content::Directory { entries, prefix, seed }
            }
        }
    }

    /// The cell's name, as `--only` sees it.
    pub(crate) fn name(&self) -> String {
        let [peer, direction, transport, size, cid, leaf, chunk] = self.places;
        [
            PEERS[peer].1,
            DIRECTIONS[direction].1,
            TRANSPORTS[transport].1,
            SIZES[size].1,
            CIDS[cid].1,
            LEAVES[leaf].1,
            CHUNKS[chunk].1,
        ]
        .join("/")
    }
}

fn weight(size: Size) -> u64 {
    match size {
        Size::File(bytes) => bytes,
        // A small file costs about as much as this many bytes of a large one.
        Size::Directory(entries) => u64::from(entries) * 4 * KIB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_full_product_has_every_possible_cell_once() {
        let names: HashSet<String> = Cell::all().iter().map(Cell::name).collect();
        // Helia on one transport, the two others on both.
        assert_eq!(names.len(), (1 + 2 + 2) * 2 * 7 * 2 * 2 * 2);
        assert_eq!(names.len(), Cell::all().len());
        assert!(!names.iter().any(|name| name.starts_with("helia") && name.contains("quic")));
    }

    #[test]
    fn the_choice_is_small() {
        let choice = Cell::pairwise();
        assert!(choice.len() <= 30, "{} cells", choice.len());
        let large = choice.iter().filter(|cell| cell.size() == Size::File(100 * MIB)).count();
        assert!(large <= 4, "{large} cells of 100 MiB");
    }
}
