//! The lists: bases, codecs, hash functions.

use ipse_api::CodeName;
use ipse_base::{Base, Codec, HashCode};

use crate::Failure;
use crate::context::Context;
use crate::reply::Reply;

/// Codes of the multicodec table end below this one, as far as Cids use them.
const CODES_END: u64 = 0x1_0000;

pub(crate) async fn bases(_: Context) -> Result<Reply, Failure> {
    let named = Base::ALL.iter().map(|base| code_name(u64::from(u32::from(base.prefix())), base.name()));
    Reply::value(&named.collect::<Vec<_>>())
}

pub(crate) async fn codecs(context: Context) -> Result<Reply, Failure> {
    const SUPPORTED: [Codec; 4] = [Codec::RAW, Codec::DAG_PB, Codec::DAG_CBOR, Codec::DAG_JSON];
    let supported = context.invocation.bool("supported");
    let codecs = (0..CODES_END).map(Codec).filter(|codec| !supported || SUPPORTED.contains(codec));
    Reply::value(&codecs.filter_map(|codec| Some(code_name(codec.0, codec.name()?))).collect::<Vec<_>>())
}

pub(crate) async fn hashes(context: Context) -> Result<Reply, Failure> {
    let supported = context.invocation.bool("supported");
    let hashes = (0..CODES_END).map(HashCode).filter(|hash| !supported || hash.is_computable());
    Reply::value(&hashes.filter_map(|hash| Some(code_name(hash.0, hash.name()?))).collect::<Vec<_>>())
}

fn code_name(code: u64, name: &str) -> CodeName {
    CodeName { code, name: name.to_owned() }
}
