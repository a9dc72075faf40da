//! Content that is named by a seed, so that each side can make it for itself
//! and only hashes have to be compared. The Go and JavaScript peers make the
//! same.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256, digest};

use crate::Outcome;

/// What a cell transfers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    File { bytes: u64, seed: u64 },
    Directory { entries: u32, prefix: &'static str, seed: u64 },
}

/// What is compared: how much there was, and its hash. A directory's hash is
/// that of its sorted lines "name NUL sha256 newline".
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Digest {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Content {
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }

    /// What everyone who fetches it must end up with.
    pub(crate) fn digest(&self) -> Outcome<Digest> {
        match *self {
            Self::File { bytes, seed } => hash(Stream::new(seed, bytes), io::sink()),
            Self::Directory { .. } => {
                let mut lines = Lines::default();
                for (name, stream) in self.entries() {
                    lines.add(&name, &hash(stream, io::sink())?);
                }
                Ok(lines.digest())
            }
        }
    }

    /// Writes it to where a person would have it.
    pub(crate) fn write(&self, to: &Path) -> Outcome<()> {
        if let Self::File { bytes, seed } = *self {
            let mut file = io::BufWriter::with_capacity(1 << 20, std::fs::File::create(to)?);
            io::copy(&mut Stream::new(seed, bytes), &mut file)?;
            return Ok(file.flush()?);
        }
        std::fs::create_dir(to)?;
        for (name, mut stream) in self.entries() {
            io::copy(&mut stream, &mut std::fs::File::create(to.join(name))?)?;
        }
        Ok(())
    }

    /// A directory's entries; none is empty, because boxo does not serve an
    /// empty raw block.
    fn entries(&self) -> impl Iterator<Item = (String, Stream)> {
        let (count, prefix, seed) = match *self {
            Self::Directory { entries, prefix, seed } => (entries, prefix, seed),
            Self::File { .. } => (0, "", 0),
        };
        (0..count).map(move |i| {
            (format!("{prefix}{i:05}"), Stream::new(seed + u64::from(i), u64::from(1 + i % 1024)))
        })
    }
}

/// Hashes a stream on its way to somewhere.
pub(crate) fn hash(mut from: impl Read, mut to: impl Write) -> Outcome<Digest> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let n = from.read(&mut piece)?;
        if n == 0 {
            return Ok(Digest { bytes, sha256: hex(context.finish().as_ref()) });
        }
        context.update(&piece[..n]);
        to.write_all(&piece[..n])?;
        bytes += n as u64;
    }
}

/// The digest of a folder of files on disk.
pub(crate) fn hash_folder(folder: &Path) -> Outcome<Digest> {
    let mut lines = Lines::default();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| format!("{name:?} is no text"))?;
        lines.add(&name, &hash(std::fs::File::open(entry.path())?, io::sink())?);
    }
    Ok(lines.digest())
}

#[derive(Default)]
struct Lines {
    bytes: u64,
    lines: Vec<String>,
}

impl Lines {
    fn add(&mut self, name: &str, file: &Digest) {
        self.bytes += file.bytes;
        self.lines.push(format!("{name}\0{}\n", file.sha256));
    }

    fn digest(mut self) -> Digest {
        self.lines.sort_unstable();
        let sum = digest(&SHA256, self.lines.concat().as_bytes());
        Digest { bytes: self.bytes, sha256: hex(sum.as_ref()) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The first `rest` bytes of SHA-256("seed/0") || SHA-256("seed/1") || …
struct Stream {
    seed: u64,
    next: u64,
    rest: u64,
    have: [u8; 32],
    used: usize,
}

impl Stream {
    fn new(seed: u64, bytes: u64) -> Self {
        Self { seed, next: 0, rest: bytes, have: [0; 32], used: 32 }
    }

    fn refill(&mut self) {
        let text = format!("{}/{}", self.seed, self.next);
        self.have.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
        self.next += 1;
        self.used = 0;
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() && self.rest > 0 {
            if self.used == self.have.len() {
                self.refill();
            }
            let left = usize::try_from(self.rest).unwrap_or(usize::MAX);
            let take = (into.len() - filled).min(self.have.len() - self.used).min(left);
            into[filled..filled + take].copy_from_slice(&self.have[self.used..self.used + take]);
            self.used += take;
            self.rest -= take as u64;
            filled += take;
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_digests_in_order() {
        let mut all = Vec::new();
        Stream::new(7, 70).read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 70);
        assert_eq!(all[..32], *digest(&SHA256, b"7/0").as_ref());
        assert_eq!(all[64..], digest(&SHA256, b"7/2").as_ref()[..6]);
    }

    #[test]
    fn a_folder_on_disk_hashes_like_its_description() {
        let content = Content::Directory { entries: 20, prefix: "f", seed: 3 };
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("folder");
        content.write(&folder).unwrap();
        assert_eq!(hash_folder(&folder).unwrap(), content.digest().unwrap());
    }

    /// The values that the Go and JavaScript peers have for the same content.
    #[test]
    fn the_peers_make_the_same() {
        let file = Content::File { bytes: 1, seed: 7 }.digest().unwrap();
        assert_eq!(file.sha256, "68aa2e2ee5dff96e3355e6c7ee373e3d6a4e17f75f9518d843709c0c9bc3e3d4");
        let large = Content::File { bytes: 1_048_577, seed: 5 }.digest().unwrap();
        assert_eq!(large.sha256, "aaf039cfe7aced772222ef5463d1c0614481ce9fe48e741d7359c16410d113bd");
        let directory = Content::Directory { entries: 5000, prefix: "f", seed: 9 }.digest().unwrap();
        assert_eq!(directory.bytes, 2_508_260);
        assert_eq!(directory.sha256, "770aad1e6b425d0babf95c43edbf4bbb4bafa1e24835167d5a4b4dfc651fac3d");
    }
}
