//! Secure: how a TCP connection is encrypted. TLS first where the processor has instructions for AES, which TLS can
//! agree on ([`crate::tls`]): Noise as libp2p has it knows ChaCha20 alone, and on a fast path that cipher is a
//! fifth of all the work. On other processors Noise first, since it has the larger records and the shorter
//! handshake.
//!
//! Below both lies a buffer: either reads its socket in pieces of a few KiB, each a system call.

use std::io;

use futures::future::{BoxFuture, Either};
use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise};

use crate::read_ahead::ReadAhead;
use crate::tls::{self, Tls, TlsError};

const TLS: &str = "/tls/1.0.0";
const NOISE: &str = "/noise";

/// See the module.
#[derive(Clone)]
pub(crate) struct Secure {
    tls: Tls,
    noise: noise::Config,
}

/// An encrypted connection.
pub(crate) type Encrypted<C> = Either<tls::Encrypted<ReadAhead<C>>, noise::Output<ReadAhead<C>>>;

/// Why a connection could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecureError {
    /// TLS refuses.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Noise refuses.
    #[error(transparent)]
    Noise(#[from] noise::Error),
}

impl Secure {
    /// # Errors
    /// What either says of the key.
    pub(crate) fn new(key: &Keypair) -> Result<Self, io::Error> {
        let tls = Tls::new(key)?;
        let noise = noise::Config::new(key).map_err(io::Error::other)?;
        Ok(Self { tls, noise })
    }
}

impl UpgradeInfo for Secure {
    type Info = &'static str;
    type InfoIter = [&'static str; 2];

    fn protocol_info(&self) -> Self::InfoIter {
        if tls::aes_is_fast() { [TLS, NOISE] } else { [NOISE, TLS] }
    }
}

impl<C> InboundConnectionUpgrade<C> for Secure
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = (PeerId, Encrypted<C>);
    type Error = SecureError;
    type Future = BoxFuture<'static, Result<Self::Output, SecureError>>;

    fn upgrade_inbound(self, io: C, name: Self::Info) -> Self::Future {
        let io = ReadAhead::new(io);
        async move {
            if name == TLS {
                let (peer, stream) = self.tls.accept(io).await?;
                return Ok((peer, Either::Left(stream)));
            }
            let (peer, stream) = self.noise.upgrade_inbound(io, name).await?;
            Ok((peer, Either::Right(stream)))
        }
        .boxed()
    }
}

impl<C> OutboundConnectionUpgrade<C> for Secure
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = (PeerId, Encrypted<C>);
    type Error = SecureError;
    type Future = BoxFuture<'static, Result<Self::Output, SecureError>>;

    fn upgrade_outbound(self, io: C, name: Self::Info) -> Self::Future {
        let io = ReadAhead::new(io);
        async move {
            if name == TLS {
                let (peer, stream) = self.tls.connect(io).await?;
                return Ok((peer, Either::Left(stream)));
            }
            let (peer, stream) = self.noise.upgrade_outbound(io, name).await?;
            Ok((peer, Either::Right(stream)))
        }
        .boxed()
    }
}
