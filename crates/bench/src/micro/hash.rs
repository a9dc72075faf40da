//! Naming bytes, and cutting them.

use bytes::Bytes;
use ipse_base::{Block, Codec, HashCode};
use ipse_unixfs::{FileWriter, ImportOptions};
use sha2::{Digest, Sha256};

use super::Case;
use crate::Outcome;
use crate::lab::content::Noise;

const MIB: usize = 1 << 20;
const SMALL_BYTES: usize = 64;
const SMALL_BLOCKS: usize = 4096;
const FILE_MIB: usize = 16;

pub(super) fn cases() -> Outcome<Vec<Case>> {
    let large = Bytes::from(Noise::new(1).bytes(MIB));
    let small: Vec<Bytes> =
        (0..SMALL_BLOCKS as u64).map(|i| Noise::new(i).bytes(SMALL_BYTES).into()).collect();
    let (other_large, other_small) = (large.clone(), small.clone());
    let name = |data: &Bytes| Block::hash(Codec::RAW, HashCode::SHA2_256, data.clone());
    let file = Bytes::from(Noise::new(2).bytes(FILE_MIB * MIB));
    Ok(vec![
        Case::new("block of 1 MiB named (SHA-256)", "MiB/s", move || {
            std::hint::black_box(name(&large)?);
            Ok(1.0)
        })
        .beside("sha2", move || {
            std::hint::black_box(Sha256::digest(&other_large));
            Ok(1.0)
        }),
        Case::new("blocks of 64 bytes named", "blocks/s", move || {
            for data in &small {
                std::hint::black_box(name(data)?);
            }
            Ok(SMALL_BLOCKS as f64)
        })
        .beside("sha2", move || {
            for data in &other_small {
                std::hint::black_box(Sha256::digest(data));
            }
            Ok(SMALL_BLOCKS as f64)
        }),
        Case::new("file cut into 1 MiB, named and laid out, one thread", "MiB/s", move || {
            let mut writer = FileWriter::new(ImportOptions::unixfs_v1_2025())?;
            for piece in 0..FILE_MIB {
                std::hint::black_box(writer.write(file.slice(piece * MIB..(piece + 1) * MIB))?);
            }
            std::hint::black_box(writer.finish()?);
            Ok(FILE_MIB as f64)
        }),
    ])
}
