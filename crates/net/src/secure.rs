//! Secure: how a TCP connection is encrypted. Noise first: TLS as libp2p sets it up agrees on the same cipher, in
//! smaller records, and has the longer handshake. TLS is for peers that have nothing else.
//!
//! Below both lies a buffer: either reads its socket in pieces of a few KiB, each a system call.

use std::io;

use futures::future::{BoxFuture, Either};
use futures::{AsyncRead, AsyncWrite, FutureExt};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::identity::Keypair;
use libp2p::{PeerId, noise, tls};

use crate::read_ahead::ReadAhead;

const TLS: &str = "/tls/1.0.0";
const NOISE: &str = "/noise";

/// See the module.
#[derive(Clone)]
pub(crate) struct Secure {
    tls: tls::Config,
    noise: noise::Config,
}

/// An encrypted connection.
pub(crate) type Encrypted<C> = Either<tls::TlsStream<ReadAhead<C>>, noise::Output<ReadAhead<C>>>;

/// Why a connection could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecureError {
    /// TLS refuses.
    #[error(transparent)]
    Tls(#[from] tls::UpgradeError),
    /// Noise refuses.
    #[error(transparent)]
    Noise(#[from] noise::Error),
}

impl Secure {
    /// # Errors
    /// What either says of the key.
    pub(crate) fn new(key: &Keypair) -> Result<Self, io::Error> {
        let tls = tls::Config::new(key).map_err(io::Error::other)?;
        let noise = noise::Config::new(key).map_err(io::Error::other)?;
        Ok(Self { tls, noise })
    }
}

impl UpgradeInfo for Secure {
    type Info = &'static str;
    type InfoIter = [&'static str; 2];

    fn protocol_info(&self) -> Self::InfoIter {
        [NOISE, TLS]
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
                let (peer, stream) = self.tls.upgrade_inbound(io, name).await?;
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
                let (peer, stream) = self.tls.upgrade_outbound(io, name).await?;
                return Ok((peer, Either::Left(stream)));
            }
            let (peer, stream) = self.noise.upgrade_outbound(io, name).await?;
            Ok((peer, Either::Right(stream)))
        }
        .boxed()
    }
}
