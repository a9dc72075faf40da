//! TLS as libp2p has it, with AES first for connections that we open.
//!
//! libp2p's own configuration names ChaCha20 first, and whoever accepts follows the one who dials. Where the
//! processor has instructions for AES it encrypts several times as fast. Certificates are libp2p's: made and
//! checked by it, and what a peer is called follows from the one that it shows.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures::io::BufWriter;
use futures::{AsyncRead, AsyncWrite};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p::tls::{certificate, make_client_config, make_server_config};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, PeerIncompatible, ServerConfig, SignatureScheme};

/// What is gathered into one write: a frame of the multiplexer with its header. Without it every header would
/// become a record and a system call of its own.
const GATHERED_BYTES: usize = 63 * 1024;

/// Not at once: a node that starts should first answer.
const WARM_UP_AFTER: Duration = Duration::from_millis(200);

/// How certificates may be signed: what libp2p checks.
const SIGNATURES: [SignatureScheme; 9] = [
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

/// An encrypted connection.
pub(crate) type Encrypted<C> = BufWriter<TlsStream<C>>;

/// See the module.
#[derive(Clone)]
pub(crate) struct Tls {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// Why a connection could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The handshake failed.
    #[error("handshake: {0}")]
    Handshake(#[from] io::Error),
    /// The peer shows no certificate, or more than one.
    #[error("the peer does not show one certificate")]
    Certificates,
    /// Its certificate is none of libp2p's.
    #[error(transparent)]
    Certificate(#[from] certificate::ParseError),
}

impl Tls {
    /// # Errors
    /// Where no certificate can be made for the key.
    pub(crate) fn new(key: &Keypair) -> io::Result<Self> {
        let server = make_server_config(key).map_err(io::Error::other)?;
        let theirs = make_client_config(key, None).map_err(io::Error::other)?;
        let provider =
            CryptoProvider { cipher_suites: cipher_suites(), ..theirs.crypto_provider().as_ref().clone() };
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier))
            .with_client_cert_resolver(theirs.client_auth_cert_resolver);
        client.alpn_protocols = theirs.alpn_protocols;
        // All peers have the same name here, so one's ticket would be shown to another.
        client.resumption = Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }

    pub(crate) async fn accept<C>(self, io: C) -> Result<(PeerId, Encrypted<C>), TlsError>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsAcceptor::from(self.server).accept(io).await?;
        finish(stream.into())
    }

    pub(crate) async fn connect<C>(self, io: C) -> Result<(PeerId, Encrypted<C>), TlsError>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        // The specification wants no server name to be sent; none is for an address.
        let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        let stream = TlsConnector::from(self.client).connect(name, io).await?;
        finish(stream.into())
    }
}

fn finish<C>(stream: TlsStream<C>) -> Result<(PeerId, Encrypted<C>), TlsError>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let peer = match stream.get_ref().1.peer_certificates() {
        Some([certificate]) => certificate::parse(certificate)?.peer_id(),
        _ => return Err(TlsError::Certificates),
    };
    Ok((peer, BufWriter::with_capacity(GATHERED_BYTES, stream)))
}

/// Does what the library otherwise does before its first random number: gathering entropy from the processor's
/// jitter takes 40 ms of processor time once, and would hold up the first connection.
pub(crate) async fn warm_up() {
    tokio::time::sleep(WARM_UP_AFTER).await;
    let gathered = tokio::task::spawn_blocking(|| aws_lc_rs::rand::fill(&mut [0])).await;
    if !matches!(gathered, Ok(Ok(()))) {
        tracing::warn!("no random numbers for TLS");
    }
}

/// The ciphers of TLS 1.3, the fastest of this processor first.
fn cipher_suites() -> Vec<rustls::SupportedCipherSuite> {
    let aes = [TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384];
    let chacha = [TLS13_CHACHA20_POLY1305_SHA256];
    if aes_is_fast() { [&aes[..], &chacha].concat() } else { [&chacha[..], &aes].concat() }
}

/// Whether the processor has instructions for AES in Galois counter mode.
#[cfg(target_arch = "x86_64")]
pub(crate) fn aes_is_fast() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

/// Whether the processor has instructions for AES in Galois counter mode.
#[cfg(target_arch = "aarch64")]
pub(crate) fn aes_is_fast() -> bool {
    std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull")
}

/// Whether the processor has instructions for AES in Galois counter mode.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) const fn aes_is_fast() -> bool {
    false
}

/// Takes the certificates that libp2p takes.
#[derive(Debug)]
struct Verifier;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !others.is_empty() {
            return Err(rustls::Error::General("libp2p allows one certificate".into()));
        }
        certificate::parse(certificate)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // Only TLS 1.3 is offered.
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate::parse(certificate)?.verify_signature(signed.scheme, message, signed.signature())?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURES.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use futures::{AsyncReadExt, AsyncWriteExt};
    use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
    use libp2p::tcp::tokio::TcpStream;
    use rustls::sign::{CertifiedKey, SingleCertAndKey};

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dialed, accepted) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        (TcpStream(dialed.unwrap()), TcpStream(accepted.unwrap().0))
    }

    fn keys() -> [Keypair; 2] {
        [Keypair::generate_ed25519(), Keypair::generate_secp256k1()]
    }

    #[tokio::test]
    async fn two_ends_know_each_other_and_the_fastest_cipher_is_agreed_on() {
        let ([ours, theirs], (dialed, accepted)) = (keys(), pair().await);
        let (client, server) = (Tls::new(&ours).unwrap(), Tls::new(&theirs).unwrap());
        let (client, server) = tokio::join!(client.connect(dialed), server.accept(accepted));
        let ((server_id, mut client), (client_id, mut server)) = (client.unwrap(), server.unwrap());
        assert_eq!((server_id, client_id), (theirs.public().to_peer_id(), ours.public().to_peer_id()));
        let cipher = client.get_ref().get_ref().1.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(cipher, cipher_suites()[0].suite());
        // More than is gathered, and an end that is no multiple of anything.
        let sent: Vec<u8> = (0..200_003u32).map(|number| number as u8).collect();
        let write = async {
            for piece in sent.chunks(70_001) {
                client.write_all(&piece[..12]).await.unwrap();
                client.write_all(&piece[12..]).await.unwrap();
            }
            client.flush().await.unwrap();
        };
        let mut read = vec![0; sent.len()];
        let (_, result) = tokio::join!(write, server.read_exact(&mut read));
        result.unwrap();
        assert_eq!(read, sent);
    }

    #[tokio::test]
    async fn it_is_the_tls_that_libp2p_speaks_at_either_end() {
        let [ours, theirs] = keys();
        let libp2p = || libp2p::tls::Config::new(&theirs).unwrap();
        let (dialed, accepted) = pair().await;
        let connect = Tls::new(&ours).unwrap().connect(dialed);
        let (mine, other) = tokio::join!(connect, libp2p().upgrade_inbound(accepted, "/tls/1.0.0"));
        assert_eq!(mine.unwrap().0, theirs.public().to_peer_id());
        assert_eq!(other.unwrap().0, ours.public().to_peer_id());
        let (dialed, accepted) = pair().await;
        let accept = Tls::new(&ours).unwrap().accept(accepted);
        let (mine, other) = tokio::join!(accept, libp2p().upgrade_outbound(dialed, "/tls/1.0.0"));
        assert_eq!(mine.unwrap().0, theirs.public().to_peer_id());
        assert_eq!(other.unwrap().0, ours.public().to_peer_id());
    }

    #[tokio::test]
    async fn whoever_shows_a_certificate_without_its_key_is_refused() {
        let ([ours, theirs], (dialed, accepted)) = (keys(), pair().await);
        let mut server = make_server_config(&theirs).unwrap();
        let (shown, _) = certificate::generate(&theirs).unwrap();
        let (_, other) = certificate::generate(&theirs).unwrap();
        let signing = server.crypto_provider().key_provider.load_private_key(other).unwrap();
        let pair = SingleCertAndKey::from(CertifiedKey::new(vec![shown], signing));
        server.cert_resolver = Arc::new(pair);
        let accept = TlsAcceptor::from(Arc::new(server)).accept(accepted);
        let (mine, _) = tokio::join!(Tls::new(&ours).unwrap().connect(dialed), accept);
        assert!(matches!(mine, Err(TlsError::Handshake(_))));
    }
}
