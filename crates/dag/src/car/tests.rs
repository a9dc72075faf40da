use bytes::Bytes;
use ipse_base::limits::{BLOCK_BYTES_MAX, CAR_HEADER_BYTES_MAX};
use ipse_base::{Block, Cid, Codec, HashCode, varint};

use super::*;

fn block(data: &[u8]) -> Block {
    Block::hash_of_any_size(Codec::RAW, HashCode::SHA2_256, Bytes::copy_from_slice(data)).unwrap()
}

fn archive(roots: &[Cid], blocks: &[Block]) -> Vec<u8> {
    let mut out = header(roots);
    for block in blocks {
        out.extend(frame_prefix(block.cid(), block.data().len()));
        out.extend_from_slice(block.data());
    }
    out
}

fn version_2(inner: &[u8], padding: usize, tail: &[u8]) -> Vec<u8> {
    let mut out = b"\x0a\xa1\x67version\x02".to_vec();
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&(51 + padding as u64).to_le_bytes());
    out.extend_from_slice(&(inner.len() as u64).to_le_bytes());
    out.extend_from_slice(&0u64.to_le_bytes());
    out.extend(std::iter::repeat_n(0xaa, padding));
    out.extend_from_slice(inner);
    out.extend_from_slice(tail);
    out
}

/// Feeds an archive in pieces of the given sizes, around and around.
fn read(mut reader: CarReader, archive: &[u8], sizes: &[u8]) -> Result<Vec<CarItem>, CarError> {
    let mut archive = Bytes::copy_from_slice(archive);
    let mut items = Vec::new();
    let mut sizes = sizes.iter().cycle();
    while !archive.is_empty() {
        let size = sizes.next().map_or(archive.len(), |&size| usize::from(size) + 1).min(archive.len());
        reader.feed(archive.split_to(size));
        while let Some(item) = reader.next()? {
            items.push(item);
        }
    }
    reader.finish()?;
    Ok(items)
}

fn expected(version: u64, roots: &[Cid], blocks: &[Block]) -> Vec<CarItem> {
    let of = |block: &Block| CarItem::Block { cid: block.cid().clone(), data: block.data().clone() };
    let header = CarItem::Header { version, roots: roots.to_vec() };
    std::iter::once(header).chain(blocks.iter().map(of)).collect()
}

#[test]
fn any_split_of_an_archive_gives_the_same_items() {
    type Shape = (Vec<Vec<u8>>, Vec<u8>, u8, Vec<u8>);
    bolero::check!().with_type::<Shape>().for_each(|(contents, sizes, padding, tail)| {
        let blocks: Vec<_> = contents.iter().map(|data| block(data)).collect();
        let roots: Vec<_> = blocks.iter().take(2).map(|block| block.cid().clone()).collect();
        let one = archive(&roots, &blocks);
        assert_eq!(read(CarReader::new(), &one, sizes), Ok(expected(1, &roots, &blocks)));
        let two = version_2(&one, usize::from(*padding), tail);
        assert_eq!(read(CarReader::new(), &two, sizes), Ok(expected(2, &roots, &blocks)));
    });
}

#[test]
fn fuzz_car() {
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>, bool)>().for_each(|(bytes, sizes, begun)| {
        let _ = read(CarReader::new(), bytes, sizes);
        // Behind a good header, so that the bytes meet the reader of blocks too.
        let mut archive = if *begun { header(&[]) } else { version_2(&header(&[]), 0, &[])[..11].to_vec() };
        archive.extend_from_slice(bytes);
        let _ = read(CarReader::new(), &archive, sizes);
    });
}

#[test]
fn a_cut_archive_is_no_archive() {
    let blocks = [block(b"one"), block(b"two")];
    let whole = archive(&[blocks[0].cid().clone()], &blocks);
    let ends: Vec<_> =
        (0..whole.len()).filter(|&cut| read(CarReader::new(), &whole[..cut], &[]).is_ok()).collect();
    let section = frame_prefix(blocks[1].cid(), 3).len() + 3;
    // An archive may end behind its header and behind each block.
    assert_eq!(ends, [whole.len() - 2 * section, whole.len() - section]);
    let two = version_2(&whole, 0, &[]);
    assert!((0..two.len()).all(|cut| read(CarReader::new(), &two[..cut], &[]) == Err(CarError::Short)));
}

#[test]
fn limits_are_met_before_the_bytes_are() {
    let declared = |length: u64| {
        let mut out = Vec::new();
        varint::write(length, &mut out);
        out
    };
    let too_long = CAR_HEADER_BYTES_MAX as u64 + 1;
    assert_eq!(read(CarReader::new(), &declared(too_long), &[]), Err(CarError::HeaderTooLarge(too_long)));
    assert_eq!(read(CarReader::new(), &declared(too_long - 1), &[]), Err(CarError::Short));
    assert_eq!(
        read(CarReader::new(), &declared(u64::MAX >> 1), &[]),
        Err(CarError::HeaderTooLarge(u64::MAX >> 1))
    );
    let section = [header(&[]), declared(1 << 40)].concat();
    assert_eq!(read(CarReader::new(), &section, &[]), Err(CarError::SectionTooLarge(1 << 40)));
}

#[test]
fn blocks_have_a_limit_and_bigger_ones_are_asked_for() {
    let of = |bytes: usize| archive(&[], &[block(&vec![7; bytes])]);
    let read = |reader: CarReader, bytes: usize| read(reader, &of(bytes), &[]).is_ok();
    assert!(read(CarReader::new(), BLOCK_BYTES_MAX));
    assert!(!read(CarReader::new(), BLOCK_BYTES_MAX + 1));
    assert!(read(CarReader::new().allow_big_blocks(), 2 * BLOCK_BYTES_MAX));
    assert!(!read(CarReader::new().allow_big_blocks(), 2 * BLOCK_BYTES_MAX + 1));
}

#[test]
fn malformed_headers_are_refused_for_good() {
    let framed = |body: &[u8]| [&[body.len() as u8], body].concat();
    let fails = |bytes: &[u8]| {
        let mut reader = CarReader::new();
        reader.feed(Bytes::copy_from_slice(bytes));
        // A good header may come first.
        let error = reader.next().and_then(|_| reader.next()).unwrap_err();
        assert_eq!(reader.next(), Err(error.clone()));
        assert_eq!(reader.finish(), Err(error.clone()));
        error
    };
    assert_eq!(fails(&framed(b"\xa2\x65roots\x80\x67version\x03")), CarError::Version(3));
    assert_eq!(fails(&framed(b"\xa2\x65roots\x80\x67version\x02")), CarError::Version(2));
    assert_eq!(fails(&framed(b"\xa1\x67version\x01")), CarError::Header);
    assert_eq!(fails(&framed(b"\xa1\x65roots\x80")), CarError::Header);
    assert_eq!(fails(&framed(b"\xa2\x65roots\x81\x01\x67version\x01")), CarError::Header);
    assert_eq!(fails(&framed(b"\xa3\x65roots\x80\x67version\x01\x61x\x00")), CarError::Header);
    assert_eq!(fails(&framed(b"\x80")), CarError::Header);
    assert!(matches!(fails(&framed(b"")), CarError::Cbor(_)));
    assert!(matches!(fails(&[0x80, 0x00]), CarError::Varint(_)));
    assert!(matches!(fails(&[header(&[]), vec![0]].concat()), CarError::Cid(_)));
    let mut wrong = version_2(&header(&[]), 0, &[]);
    wrong[27] -= 1;
    assert_eq!(fails(&wrong), CarError::Layout);
}

#[test]
fn a_block_inside_one_piece_is_not_copied() {
    let whole = Bytes::from(archive(&[], &[block(b"content")]));
    let mut reader = CarReader::new();
    reader.feed(whole.clone());
    reader.next().unwrap();
    let Ok(Some(CarItem::Block { data, .. })) = reader.next() else { panic!() };
    assert!(whole.as_ptr_range().contains(&data.as_ptr()));
}
