//! One door to the codecs: a block's bytes into a node and back, by the code in its Cid.

use bytes::Bytes;
use ipse_base::Codec;

use crate::json::{self, Dialect};
use crate::{DecodeError, FormError, Ipld, PbNode, cbor};

/// Reads a block's bytes into a node of the data model.
///
/// # Errors
/// [`DecodeError::UnknownCodec`] for a codec that can't be looked into, the codec's error for malformed bytes.
pub fn decode(codec: Codec, data: &Bytes) -> Result<Ipld, DecodeError> {
    match codec {
        Codec::RAW | Codec::LIBP2P_KEY => Ok(Ipld::Bytes(data[..].into())),
        Codec::DAG_PB => Ok(Ipld::from(&PbNode::decode(data)?)),
        Codec::DAG_CBOR | Codec::CBOR => cbor::decode(data),
        Codec::DAG_JSON => json::decode(data, Dialect::Dag),
        Codec::JSON => json::decode(data, Dialect::Plain),
        other => Err(DecodeError::UnknownCodec(other)),
    }
}

/// Writes a node as a block's canonical bytes. The links of a dag-pb node are put in order.
///
/// # Errors
/// [`DecodeError::UnknownCodec`], and [`DecodeError::Form`] where the codec can't express the node.
pub fn encode(codec: Codec, node: &Ipld) -> Result<Bytes, DecodeError> {
    Ok(match codec {
        Codec::RAW | Codec::LIBP2P_KEY => match node {
            Ipld::Bytes(bytes) => Bytes::copy_from_slice(bytes),
            _ => return Err(FormError::NotBytes.into()),
        },
        Codec::DAG_PB => {
            let mut node = PbNode::try_from(node)?;
            node.sort_links();
            node.encode()
        }
        Codec::DAG_CBOR | Codec::CBOR => cbor::encode(node)?.into(),
        Codec::DAG_JSON => json::encode(node, Dialect::Dag)?.into(),
        Codec::JSON => json::encode(node, Dialect::Plain)?.into(),
        other => return Err(DecodeError::UnknownCodec(other)),
    })
}

/// A block's bytes in another codec.
///
/// # Errors
/// As [`decode`] and [`encode`].
pub fn transcode(from: Codec, to: Codec, data: &Bytes) -> Result<Bytes, DecodeError> {
    encode(to, &decode(from, data)?)
}

/// A block's bytes as DAG-JSON, the form in which people see nodes.
///
/// # Errors
/// As [`decode`].
pub fn to_dag_json(codec: Codec, data: &Bytes) -> Result<Vec<u8>, DecodeError> {
    Ok(json::encode(&decode(codec, data)?, Dialect::Dag)?)
}

/// A block's bytes from DAG-JSON.
///
/// # Errors
/// [`DecodeError::Json`] for malformed text, else as [`encode`].
pub fn from_dag_json(codec: Codec, text: &[u8]) -> Result<Bytes, DecodeError> {
    encode(codec, &json::decode(text, Dialect::Dag)?)
}
