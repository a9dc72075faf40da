use bytes::Bytes;

use super::*;

fn held(number: u32, length: u64) -> Held {
    Held { number, marker: Marker(0xfeed_0000_0000_beef), length }
}

fn frames() -> Vec<BackupFrame> {
    vec![
        BackupFrame::Begin(BackupBegin { peer: "12D3".into(), bytes: 7 }),
        BackupFrame::Segment(BackupSegment { number: 3, marker: Marker(1), from: 64 }),
        BackupFrame::Data(Bytes::from_static(b"records")),
        BackupFrame::Zeros(4096),
        BackupFrame::End(BackupEnd { segments: vec![held(3, 4167)], blocks: 1 }),
    ]
}

fn stream(frames: Vec<BackupFrame>) -> Vec<u8> {
    let mut out = BackupFrame::MAGIC.to_vec();
    for frame in frames {
        let (head, content) = frame.encode().unwrap();
        out.extend_from_slice(&head);
        out.extend_from_slice(&content);
    }
    out
}

fn read(bytes: &[u8], step: usize) -> Result<Vec<BackupFrame>, StreamError> {
    let mut reader = FrameReader::default();
    let mut found = Vec::new();
    for piece in bytes.chunks(step) {
        reader.push(piece);
        while let Some(frame) = reader.next()? {
            found.push(frame);
        }
    }
    reader.finish()?;
    Ok(found)
}

#[test]
fn frames_come_back_however_they_were_cut() {
    let bytes = stream(frames());
    for step in [1, 5, 13, 4096] {
        assert_eq!(read(&bytes, step).unwrap(), frames());
    }
}

#[test]
fn a_stream_that_was_cut_or_changed_is_none() {
    let bytes = stream(frames());
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length], 4096).is_err(), "{length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&bytes, 4096).is_err(), "{bit}");
    }
    let mut disorder = frames();
    disorder.swap(1, 2);
    assert!(matches!(read(&stream(disorder), 4096), Err(StreamError::Order)));
}

#[test]
fn fuzz_the_stream() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        let mut with_magic = BackupFrame::MAGIC.to_vec();
        with_magic.extend_from_slice(bytes);
        let _ = read(&with_magic, 7);
        let _ = read(bytes, 4096);
    });
}

fn manifest() -> Manifest {
    let mut manifest = Manifest::new("12D3".into(), 1_700_000_000);
    let piece = Piece::of(b"x").unwrap();
    manifest.segments.push(SegmentEntry::new(&held(2, PIECE_BYTES + 1), vec![piece.clone(), piece.clone()]));
    manifest.files.push(FileEntry { name: "config".into(), length: 1, hash: piece });
    manifest
}

#[test]
fn manifests_come_back_and_changed_ones_do_not() {
    let bytes = manifest().to_bytes().unwrap();
    assert_eq!(Manifest::parse(&bytes).unwrap(), manifest());
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::parse(&bytes).is_err(), "{bit}");
    }
}

#[test]
fn manifests_that_contradict_themselves_are_refused() {
    let refused = |change: fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        Manifest::parse(&manifest.to_bytes().unwrap()).unwrap_err()
    };
    for change in [
        (|manifest| manifest.segments[0].pieces.clear()) as fn(&mut Manifest),
        |manifest| manifest.segments.push(manifest.segments[0].clone()),
        |manifest| manifest.files.push(manifest.files[0].clone()),
    ] {
        assert!(matches!(refused(change), ManifestError::Inconsistent(_)));
    }
    assert!(matches!(refused(|manifest| manifest.format = 2), ManifestError::Newer(2)));
}

#[test]
fn fuzz_manifests() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        let _ = Manifest::parse(bytes);
        // A line with its right hash gets behind the checksum.
        let mut line: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != b'\n').collect();
        line.push(b'\n');
        let hash = Piece::of(&line).unwrap();
        line.extend_from_slice(format!("sha256:{hash}\n").as_bytes());
        if let Ok(manifest) = Manifest::parse(&line) {
            assert_eq!(Manifest::parse(&manifest.to_bytes().unwrap()).unwrap(), manifest);
        }
    });
}

#[test]
fn what_is_held_travels_as_text() {
    let segment = held(7, 1 << 30);
    assert_eq!(segment.to_string(), "7-feed00000000beef-1073741824");
    assert_eq!(segment.to_string().parse::<Held>().unwrap(), segment);
    for bad in ["", "7", "7-feed", "7-feed00000000beef", "7-feed00000000beef--1", "x-feed00000000beef-1"] {
        assert!(bad.parse::<Held>().is_err(), "{bad}");
    }
}
