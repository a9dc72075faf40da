//! `cid`: what Cids say, and their other spellings.

mod format;
mod lists;

pub(super) use lists::{bases, codecs, hashes};

use futures::StreamExt;
use ipse_api::{CidFormatted, CidInspected, InspectedBase, InspectedCode, InspectedHash, Invocation};
use ipse_base::{Base, Cid, Codec, Version};

use super::block::codec_named;
use crate::Failure;
use crate::context::{Context, base_named};
use crate::reply::Reply;
use format::Format;

/// How Cids are converted before they are printed.
struct Conversion {
    codec: Option<Codec>,
    version: Option<Version>,
    base: Option<Base>,
}

impl Conversion {
    fn read(invocation: &Invocation) -> Result<Self, Failure> {
        let given = |name| invocation.string(name).filter(|text| !text.is_empty());
        let base = given("b");
        let codec = given("mc").map(|name| codec_named(&name)).transpose()?;
        let version = match given("v").as_deref() {
            None => base.as_ref().map(|_| Version::V1),
            Some("1") => Some(Version::V1),
            Some("0") if codec.is_some_and(|codec| codec != Codec::DAG_PB) => {
                return Err(Failure::invalid("cannot convert to CIDv0 with any codec other than dag-pb"));
            }
            Some("0") if base.as_deref().is_some_and(|name| name != "base58btc") => {
                let text = "cannot convert to CIDv0 with any multibase other than the implicit base58btc";
                return Err(Failure::invalid(text));
            }
            Some("0") => Some(Version::V0),
            Some(other) => return Err(Failure::invalid(format!("invalid cid version: {other:?}"))),
        };
        let base = base.map(|name| base_named(&name)).transpose()?;
        Ok(Self { codec, version, base })
    }

    /// The converted Cid and the base to print it in, or why there is none.
    fn apply(&self, text: &str) -> Result<(Cid, Base), String> {
        let (mut cid, base) = Cid::parse_with_base(text).map_err(|error| error.to_string())?;
        if let Some(codec) = self.codec.filter(|codec| *codec != cid.codec()) {
            cid = Cid::v1(codec, cid.hash().clone());
        }
        if let Some(version) = self.version {
            let converted = cid.to_version(version);
            cid = converted.map_err(|_| "can't convert non-dag-pb nodes to cidv0".to_owned())?;
        }
        let own = if cid.version() == Version::V0 { Base::BASE58BTC } else { base };
        Ok((cid, self.base.unwrap_or(own)))
    }
}

fn formatted(context: &Context, conversion: &Conversion, format: &Format) -> Reply {
    let each = context.invocation.arguments.iter().map(|text| {
        let (formatted, error_msg) = match conversion.apply(text) {
            Ok((cid, base)) => (format.print(&cid, base), String::new()),
            Err(error) => (String::new(), error),
        };
        CidFormatted { cid_str: text.clone(), formatted, error_msg }
    });
    Reply::values(futures::stream::iter(each.collect::<Vec<_>>()).map(Ok))
}

pub(super) async fn format(context: Context) -> Result<Reply, Failure> {
    let format = Format::parse(&context.invocation.string("f").unwrap_or_default())?;
    let conversion = Conversion::read(&context.invocation)?;
    Ok(formatted(&context, &conversion, &format))
}

pub(super) async fn base32(context: Context) -> Result<Reply, Failure> {
    let conversion = Conversion { codec: None, version: Some(Version::V1), base: Some(Base::BASE32) };
    Ok(formatted(&context, &conversion, &Format::parse("%s")?))
}

pub(super) async fn inspect(context: Context) -> Result<Reply, Failure> {
    let text = context.argument(0)?;
    Reply::value(&match Cid::parse_with_base(text) {
        Ok((cid, base)) => inspected(text, &cid, base),
        Err(error) => CidInspected {
            cid: text.to_owned(),
            error_msg: format!("invalid CID: {error}"),
            ..CidInspected::default()
        },
    })
}

fn inspected(text: &str, cid: &Cid, base: Base) -> CidInspected {
    let other = |version| cid.to_version(version).map(|cid| cid.to_string()).unwrap_or_default();
    let hash = cid.hash();
    CidInspected {
        cid: text.to_owned(),
        version: u8::from(cid.version() == Version::V1),
        multibase: InspectedBase { prefix: base.prefix().to_string(), name: base.name().to_owned() },
        multicodec: InspectedCode { code: cid.codec().0, name: name_or(cid.codec().name()) },
        multihash: InspectedHash {
            code: hash.code().0,
            name: name_or(hash.code().name()),
            length: hash.digest().len(),
            digest: hash.digest().iter().map(|byte| format!("{byte:02x}")).collect(),
        },
        cid_v0: other(Version::V0),
        cid_v1: other(Version::V1),
        error_msg: String::new(),
    }
}

fn name_or(name: Option<&str>) -> String {
    name.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V0: &str = "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o";
    const RAW: &str = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4";

    fn convert(query: &str, cid: &str) -> Result<String, String> {
        let invocation = Invocation::from_address("cid/format", query).unwrap();
        let conversion = Conversion::read(&invocation).map_err(|failure| failure.message)?;
        conversion.apply(cid).map(|(cid, base)| cid.to_base(base))
    }

    #[test]
    fn conversions_are_those_of_the_reference_node() {
        assert_eq!(convert("", V0).unwrap(), V0);
        assert_eq!(convert("v=1", V0).unwrap(), "zdj7WaCPMsy3FP2whSwpFXHjDEaTVmjnddYSn5W2Gdn4aEZFj");
        assert_eq!(
            convert("b=base32", V0).unwrap(),
            "bafybeicg2rebjoofv4kbyovkw7af3rpiitvnl6i7ckcywaq6xjcxnc2mby"
        );
        for (query, cid, text) in [
            ("v=0", RAW, "can't convert non-dag-pb nodes to cidv0"),
            ("v=3", V0, "invalid cid version: \"3\""),
            ("v=0&mc=raw", V0, "cannot convert to CIDv0 with any codec other than dag-pb"),
            ("b=foo", V0, "unsupported multibase encoding: foo"),
            ("mc=foo", V0, "unknown multicodec: \"foo\""),
        ] {
            assert_eq!(convert(query, cid).unwrap_err(), text);
        }
    }
}
