//! What the machine can do at all, so that a figure can be told as a share of it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;

/// Writes dirty pages out, so that nobody pays for the step before.
pub(crate) fn settle() {
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(200));
}

/// MiB/s of SHA-256 over pieces of 256 KiB on so many threads at once.
pub(crate) fn sha256_mib_s(threads: usize) -> f64 {
    const PIECES: usize = 1024;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let piece = vec![0x5a_u8; 256 << 10];
                for _ in 0..PIECES {
                    std::hint::black_box(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &piece));
                }
            });
        }
    });
    (threads * PIECES) as f64 / 4.0 / start.elapsed().as_secs_f64()
}

/// MiB/s at which one file of so many MiB is written and made durable.
pub(crate) fn disk_mib_s(folder: &Path, mebibytes: u64) -> Outcome<f64> {
    settle();
    let path = folder.join("disk-limit");
    let buffer = super::content::Noise::new(7).bytes(4 << 20);
    let start = Instant::now();
    let mut file = File::create(&path)?;
    for _ in 0..mebibytes.div_ceil(4) {
        file.write_all(&buffer)?;
    }
    file.sync_data()?;
    let rate = (mebibytes.div_ceil(4) * 4) as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}
