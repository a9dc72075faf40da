//! A million pins.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::Group;
use crate::Outcome;
use crate::compare::round::Round;
use crate::compare::row::{Row, Target};
use crate::lab::limits::settle;
use crate::lab::process::memory_mib;

const FIRST: &[Target] = &[Target::AtMost(50.0)];

pub(super) const GROUP: Group = Group {
    name: "pins",
    about: "a million pinned blocks (other programs get 20,000)",
    rows: &[
        Row::rate("pins.import", "import tiny blocks from an archive", "blocks/s"),
        Row::rate("pins.add", "pin each of them", "pins/s"),
        Row::cost("pins.direct", "pin ls of 10⁶ direct pins", "s").aim(&[Target::AtMost(1.0)]),
        Row::cost("pins.first.direct", "… first line", "ms").aim(FIRST),
        Row::rate("pins.all", "pin ls --type=all", "lines/s").aim(&[Target::AtLeast(500_000.0)]),
        Row::cost("pins.first.all", "… first line", "ms").aim(FIRST),
        Row::cost("pins.growth", "memory that both lists add", "MiB").aim(&[Target::AtMost(16.0)]),
        Row::cost("pins.memory", "memory at rest with 10⁶ blocks, after a start", "MiB"),
        Row::cost("pins.killed", "start to ready after kill -9 with 10⁶ blocks", "s")
            .aim(&[Target::AtMost(1.0)]),
    ],
    limits: None,
    measure,
};

fn measure(round: &mut Round) -> Outcome<()> {
    let pins =
        if round.program().ours { round.bench.options.pins } else { round.bench.options.pins.min(20_000) };
    let car = round.bench.folder().join(format!("pins-{pins}.car"));
    let names = archive(&car, pins)?;
    let mut node = round.node("pins")?;
    let path = car.to_str().ok_or("a folder that is not UTF-8")?;
    settle();
    let ran = node.run_quietly(&["dag", "import", "--pin-roots=false", path])?;
    round.record("pins.import", pins as f64 / ran.seconds);
    std::fs::remove_file(&car)?;
    settle();
    let ran = node.feed(&["pin", "add", "--recursive=false"], names)?;
    round.record("pins.add", pins as f64 / ran.seconds);
    settle();
    let before = memory_mib(node.pid()?, "VmRSS")?;
    let (ran, direct) =
        node.with_peak(|| node.count(&["pin", "ls", "--type=direct", "--quiet", "--stream"]))?;
    // A list of fewer pins than were asked for says nothing about them.
    if pins == round.bench.options.pins {
        round.record("pins.direct", ran.seconds);
    }
    round.record("pins.first.direct", ran.first() * 1000.0);
    let (ran, all) = node.with_peak(|| node.count(&["pin", "ls", "--type=all", "--quiet", "--stream"]))?;
    round.record("pins.all", ran.lines as f64 / ran.seconds);
    round.record("pins.first.all", ran.first() * 1000.0);
    round.record("pins.growth", (direct.max(all) - before).max(0.0));
    node.kill();
    let killed = node.start()?;
    round.record("pins.killed", killed);
    node.stop()?;
    node.start()?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    round.record("pins.memory", memory_mib(node.pid()?, "VmRSS")?);
    Ok(())
}

/// Writes a CARv1 of so many raw blocks of eight bytes, and gives their names, one a line.
fn archive(path: &Path, blocks: u64) -> Outcome<Vec<u8>> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut names = Vec::new();
    for i in 0..blocks {
        let payload = i.to_be_bytes();
        let cid = raw_cid(&payload);
        if i == 0 {
            // {"roots": [cid], "version": 1} in dag-cbor; a Cid is tag 42 over a zero byte and its bytes.
            let mut header = b"\xa2eroots\x81\xd8\x2a\x58\x25\x00".to_vec();
            header.extend_from_slice(&cid);
            header.extend_from_slice(b"gversion\x01");
            out.write_all(&[header.len() as u8])?;
            out.write_all(&header)?;
        }
        out.write_all(&[(cid.len() + payload.len()) as u8])?;
        out.write_all(&cid)?;
        out.write_all(&payload)?;
        names.push(b'b');
        base32(&cid, &mut names);
        names.push(b'\n');
    }
    out.flush()?;
    Ok(names)
}

/// CIDv1, raw, SHA-256.
fn raw_cid(payload: &[u8]) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, payload);
    [&[0x01, 0x55, 0x12, 0x20], digest.as_ref()].concat()
}

fn base32(bytes: &[u8], out: &mut Vec<u8>) {
    let (mut held, mut bits) = (0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(b"abcdefghijklmnopqrstuvwxyz234567"[(held >> bits & 31) as usize]);
        }
    }
    if bits > 0 {
        out.push(b"abcdefghijklmnopqrstuvwxyz234567"[(held << (5 - bits) & 31) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_everyone() {
        let mut name = b"b".to_vec();
        base32(&raw_cid(b"hello world"), &mut name);
        let known = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
        assert_eq!(String::from_utf8(name).unwrap(), known);
    }

    #[test]
    fn the_archive_has_a_header_and_every_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.car");
        let names = archive(&path, 3).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(usize::from(bytes[0]), 58);
        assert_eq!(bytes.len(), 1 + 58 + 3 * (1 + 36 + 8));
        assert_eq!(names.split(|byte| *byte == b'\n').filter(|name| !name.is_empty()).count(), 3);
    }
}
