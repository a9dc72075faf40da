//! One ping over a stream of its own: 32 random bytes there and back (libp2p ping specification). Answers to the
//! pings of others come from libp2p's behaviour.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use ipse_base::PeerId;
use libp2p::Stream;

use crate::error::PeerError;
use crate::link::PingReply;

/// How long an answer may take, as in the reference node.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
const PING_BYTES: usize = 32;

/// Pings once and tells the time that it took.
pub(crate) async fn once(stream: Stream, peer: PeerId, reply: PingReply) {
    let taken = match tokio::time::timeout(PING_TIMEOUT, exchange(stream, &peer)).await {
        Ok(taken) => taken,
        Err(_) => Err(PeerError::Timeout(peer)),
    };
    // Whoever asked may have left.
    let _ = reply.send(taken);
}

async fn exchange(mut stream: Stream, peer: &PeerId) -> Result<Duration, PeerError> {
    let lost = |_| PeerError::NotConnected(peer.clone());
    let sent = payload();
    let start = Instant::now();
    stream.write_all(&sent).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let mut received = [0; PING_BYTES];
    stream.read_exact(&mut received).await.map_err(lost)?;
    let taken = start.elapsed();
    // The answer is complete; how the stream ends does not matter.
    let _ = stream.close().await;
    if received == sent { Ok(taken) } else { Err(PeerError::WrongAnswer(peer.clone())) }
}

/// Bytes that no earlier ping had. They only have to differ, so the randomness of a fresh hasher is enough.
fn payload() -> [u8; PING_BYTES] {
    use std::hash::{BuildHasher, RandomState};
    let mut out = [0; PING_BYTES];
    for (index, chunk) in out.chunks_mut(8).enumerate() {
        chunk.copy_from_slice(&RandomState::new().hash_one(index).to_ne_bytes());
    }
    out
}
