//! Keeping blocks: our log and its index, beside the index's engine with the bytes as values.

use std::sync::Arc;

use ipse_base::{Block, Cid, Codec, HashCode};
use ipse_store::{Repo, Store, StoreOptions};
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};
use tempfile::TempDir;

use super::Case;
use crate::Outcome;
use crate::lab::content::Noise;

const BATCH: u64 = 1024;
const BYTES: usize = 4096;
/// Blocks that are read from.
const THERE: u64 = 32 * BATCH;
const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("blocks");

fn batch(first: u64) -> Outcome<Vec<Block>> {
    let block = |i: u64| {
        let mut data = vec![0; BYTES];
        data[..8].copy_from_slice(&i.to_be_bytes());
        Ok(Block::hash(Codec::RAW, HashCode::SHA2_256, data.into())?)
    };
    (first..first + BATCH).map(block).collect()
}

struct Ours {
    store: Store,
    _folder: TempDir,
}

impl Ours {
    fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let repo = Repo::init(&folder.path().join("repository"), b"{}", b"{}")?;
        Ok(Self { store: Store::open_in(repo, StoreOptions::new(|_, _| Ok(Vec::new())))?, _folder: folder })
    }

    fn put(&self, blocks: &[Block]) -> Outcome<()> {
        self.store.put_blocks(blocks)?;
        Ok(self.store.commit_blocks()?)
    }

    fn get(&self, name: &Cid) -> Outcome<Block> {
        Ok(self.store.get(name)?.ok_or("a block is lost")?)
    }
}

struct Raw {
    database: Database,
    _folder: TempDir,
}

impl Raw {
    fn new() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        Ok(Self { database: Database::create(folder.path().join("blocks"))?, _folder: folder })
    }

    fn put(&self, blocks: &[Block]) -> Outcome<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for block in blocks {
                table.insert(&block.cid().hash().to_bytes()[..], &block.data()[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn table(&self) -> Outcome<ReadOnlyTable<&'static [u8], &'static [u8]>> {
        Ok(self.database.begin_read()?.open_table(TABLE)?)
    }
}

pub(super) fn cases() -> Outcome<Vec<Case>> {
    let (ours, raw) = (Ours::new()?, Raw::new()?);
    let (mut first, mut other_first) = (0, 0);
    let put = Case::new("1,024 blocks of 4 KiB put, durable (hashing counted)", "blocks/s", move || {
        ours.put(&batch(first)?)?;
        first += BATCH;
        Ok(BATCH as f64)
    })
    .beside("redb", move || {
        raw.put(&batch(other_first)?)?;
        other_first += BATCH;
        Ok(BATCH as f64)
    });
    let (ours, raw) = (Ours::new()?, Raw::new()?);
    let mut names = Vec::new();
    for first in (0..THERE).step_by(BATCH as usize) {
        let blocks = batch(first)?;
        ours.put(&blocks)?;
        raw.put(&blocks)?;
        names.extend(blocks.iter().map(|block| block.cid().clone()));
    }
    ours.store.checkpoint()?;
    let names: Arc<[_]> = names.into();
    let (other_names, mut noise, mut other_noise) = (Arc::clone(&names), Noise::new(1), Noise::new(1));
    let get = Case::new("blocks of 4 KiB read, checked (redb: not checked)", "blocks/s", move || {
        for _ in 0..BATCH {
            let name = &names[noise.next() as usize % names.len()];
            std::hint::black_box(ours.get(name)?);
        }
        Ok(BATCH as f64)
    })
    .beside("redb", move || {
        let table = raw.table()?;
        for _ in 0..BATCH {
            let name = &other_names[other_noise.next() as usize % other_names.len()];
            let found = table.get(&name.hash().to_bytes()[..])?.ok_or("a block is lost")?;
            std::hint::black_box(found.value().to_vec());
        }
        Ok(BATCH as f64)
    });
    Ok(vec![put, get])
}
