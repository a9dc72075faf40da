//! Settings: what the node's parts take from the configuration, typed and with defaults filled in.

use std::time::Duration;

use serde_json::Value;

use ipse_base::{HashCode, Version};
use ipse_unixfs::{Chunker, ImportOptions, SizeEstimation};

use super::{Config, ConfigError};

/// What the configuration says, typed. Addresses are multiaddrs as text; the parts that use them parse them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The private key, in the base64 of its protobuf form.
    pub private_key: String,
    /// Where to listen for peers.
    pub swarm_addresses: Vec<String>,
    /// Where the RPC listens.
    pub api_addresses: Vec<String>,
    /// Where the gateway listens.
    pub gateway_addresses: Vec<String>,
    /// Whether peers in the local network are found by mDNS.
    pub mdns: bool,
    /// Whether blocks are served to peers.
    pub bitswap_server: bool,
    /// How files become Dags when a command does not say.
    pub import: ImportOptions,
    /// Most bytes the repository should take.
    pub storage_bytes_max: u64,
    /// Percentage of that at which automatic collection begins.
    pub collect_percent: u64,
    /// Time between two looks of automatic collection.
    pub collect_period: Duration,
    /// Extra headers of the RPC's answers.
    pub api_headers: Vec<(String, Vec<String>)>,
    /// Extra headers of the gateway's answers.
    pub gateway_headers: Vec<(String, Vec<String>)>,
    /// Who may call which part of the RPC: name, secret, allowed path prefixes. Empty: everybody local.
    pub authorizations: Vec<(String, String, Vec<String>)>,
    /// Whether the gateway may fetch what is not here.
    pub gateway_fetches: bool,
    /// Peers to keep a connection with: identity and addresses.
    pub peering: Vec<(String, Vec<String>)>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError::WrongType`] with the key, what it should be and what it is.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        let value = config.value();
        Ok(Self {
            private_key: string(value, "Identity.PrivKey")?.unwrap_or_default(),
            swarm_addresses: strings(value, "Addresses.Swarm")?,
            api_addresses: strings(value, "Addresses.API")?,
            gateway_addresses: strings(value, "Addresses.Gateway")?,
            mdns: flag(value, "Discovery.MDNS.Enabled")?.unwrap_or(true),
            bitswap_server: flag(value, "Bitswap.ServerEnabled")?.unwrap_or(true),
            import: import(value)?,
            storage_bytes_max: match string(value, "Datastore.StorageMax")? {
                Some(text) => bytes_of(&text).ok_or_else(|| {
                    wrong("Datastore.StorageMax", "a size such as \"10GB\"", &Value::from(text))
                })?,
                None => 10_000_000_000,
            },
            collect_percent: number(value, "Datastore.StorageGCWatermark")?.unwrap_or(90),
            collect_period: match string(value, "Datastore.GCPeriod")? {
                Some(text) => duration_of(&text).filter(|period| !period.is_zero()).ok_or_else(|| {
                    wrong("Datastore.GCPeriod", "a duration such as \"1h\"", &Value::from(text))
                })?,
                None => Duration::from_secs(3600),
            },
            api_headers: headers(value, "API.HTTPHeaders")?,
            gateway_headers: headers(value, "Gateway.HTTPHeaders")?,
            authorizations: authorizations(value)?,
            gateway_fetches: !flag(value, "Gateway.NoFetch")?.unwrap_or(false),
            peering: peering(value)?,
        })
    }
}

fn wrong(key: &'static str, expected: &'static str, found: &Value) -> ConfigError {
    ConfigError::WrongType { key, expected, found: found.to_string() }
}

/// The value at a dotted key; `null`, `{}` and nothing are all nothing.
fn at<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let found = key.split('.').try_fold(value, |value, part| value.get(part))?;
    let empty = found.is_null() || found.as_object().is_some_and(serde_json::Map::is_empty);
    (!empty).then_some(found)
}

fn string(value: &Value, key: &'static str) -> Result<Option<String>, ConfigError> {
    match at(value, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(wrong(key, "a string", other)),
    }
}

fn flag(value: &Value, key: &'static str) -> Result<Option<bool>, ConfigError> {
    match at(value, key) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(other) => Err(wrong(key, "true, false or null", other)),
    }
}

fn number(value: &Value, key: &'static str) -> Result<Option<u64>, ConfigError> {
    match at(value, key) {
        None => Ok(None),
        Some(found) => found.as_u64().map(Some).ok_or_else(|| wrong(key, "a number from 0", found)),
    }
}

/// One string or a list of them.
fn strings(value: &Value, key: &'static str) -> Result<Vec<String>, ConfigError> {
    let Some(found) = at(value, key) else { return Ok(Vec::new()) };
    let each =
        |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| wrong(key, "a list of strings", item));
    match found {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(items) => items.iter().map(each).collect(),
        other => Err(wrong(key, "a string or a list of strings", other)),
    }
}

fn headers(value: &Value, key: &'static str) -> Result<Vec<(String, Vec<String>)>, ConfigError> {
    let Some(found) = at(value, key) else { return Ok(Vec::new()) };
    let object = found.as_object().ok_or_else(|| wrong(key, "an object of lists of strings", found))?;
    object
        .iter()
        .map(|(name, values)| {
            let values = match values {
                Value::String(text) => Some(vec![text.clone()]),
                Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
                Value::Null => Some(Vec::new()),
                _ => None,
            };
            values.map(|values| (name.clone(), values)).ok_or_else(|| wrong(key, "lists of strings", found))
        })
        .collect()
}

fn authorizations(value: &Value) -> Result<Vec<(String, String, Vec<String>)>, ConfigError> {
    const KEY: &str = "API.Authorizations";
    let Some(found) = at(value, KEY) else { return Ok(Vec::new()) };
    let malformed = || wrong(KEY, "an object of {AuthSecret, AllowedPaths}", &Value::from("(hidden)"));
    let object = found.as_object().ok_or_else(malformed)?;
    object
        .iter()
        .map(|(name, entry)| {
            let secret = entry.get("AuthSecret").and_then(Value::as_str).ok_or_else(malformed)?;
            let paths = entry.get("AllowedPaths").and_then(Value::as_array).ok_or_else(malformed)?;
            let paths = paths.iter().map(|path| path.as_str().map(str::to_owned).ok_or_else(malformed));
            Ok((name.clone(), secret.to_owned(), paths.collect::<Result<_, _>>()?))
        })
        .collect()
}

fn peering(value: &Value) -> Result<Vec<(String, Vec<String>)>, ConfigError> {
    const KEY: &str = "Peering.Peers";
    let Some(found) = at(value, KEY) else { return Ok(Vec::new()) };
    let malformed = || wrong(KEY, "a list of {ID, Addrs}", found);
    let peers = found.as_array().ok_or_else(malformed)?;
    peers
        .iter()
        .map(|peer| {
            let id = peer.get("ID").and_then(Value::as_str).ok_or_else(malformed)?;
            let addresses = match peer.get("Addrs") {
                None | Some(Value::Null) => Vec::new(),
                Some(list) => list
                    .as_array()
                    .and_then(|list| list.iter().map(|text| text.as_str().map(str::to_owned)).collect())
                    .ok_or_else(malformed)?,
            };
            Ok((id.to_owned(), addresses))
        })
        .collect()
}

fn import(value: &Value) -> Result<ImportOptions, ConfigError> {
    let mut options = ImportOptions::unixfs_v0_2015();
    if let Some(version) = number(value, "Import.CidVersion")? {
        options.cid_version = match version {
            0 => Version::V0,
            1 => Version::V1,
            _ => return Err(wrong("Import.CidVersion", "0 or 1", &Value::from(version))),
        };
        options.raw_leaves = version == 1;
    }
    if let Some(raw) = flag(value, "Import.UnixFSRawLeaves")? {
        options.raw_leaves = raw;
    }
    if let Some(text) = string(value, "Import.UnixFSChunker")? {
        let Ok(Chunker::Size(bytes)) = Chunker::parse(&text) else {
            return Err(wrong(
                "Import.UnixFSChunker",
                "a chunker such as \"size-1048576\"",
                &Value::from(text),
            ));
        };
        options.chunk_bytes = bytes;
    }
    if let Some(name) = string(value, "Import.HashFunction")? {
        options.hash = HashCode::from_name(&name).filter(|hash| hash.is_computable()).ok_or_else(|| {
            wrong("Import.HashFunction", "a hash function such as \"sha2-256\"", &Value::from(name))
        })?;
    }
    if let Some(links) = number(value, "Import.UnixFSFileMaxLinks")? {
        options.file_links_max = links as usize;
    }
    if let Some(links) = number(value, "Import.UnixFSDirectoryMaxLinks")? {
        options.directory_links_max = links as usize;
    }
    if let Some(fanout) = number(value, "Import.UnixFSHAMTDirectoryMaxFanout")? {
        options.hamt_fanout = fanout;
    }
    if let Some(text) = string(value, "Import.UnixFSHAMTDirectorySizeThreshold")? {
        options.hamt_threshold_bytes = bytes_of(&text).ok_or_else(|| {
            wrong("Import.UnixFSHAMTDirectorySizeThreshold", "a size such as \"256KiB\"", &Value::from(text))
        })?;
    }
    if let Some(text) = string(value, "Import.UnixFSHAMTDirectorySizeEstimation")? {
        options.size_estimation = match text.as_str() {
            "links" => SizeEstimation::Links,
            "block" => SizeEstimation::Block,
            "disabled" => SizeEstimation::Disabled,
            _ => {
                return Err(wrong(
                    "Import.UnixFSHAMTDirectorySizeEstimation",
                    "links, block or disabled",
                    &Value::from(text),
                ));
            }
        };
    }
    Ok(options)
}

/// A size with its unit: decimal (kB, MB, GB, TB) or binary (KiB, MiB, GiB, TiB), or plain bytes.
pub(crate) fn bytes_of(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" | "ki" => 1 << 10,
        "mib" | "mi" => 1 << 20,
        "gib" | "gi" => 1 << 30,
        "tib" | "ti" => 1 << 40,
        _ => return None,
    };
    let bytes = number * unit as f64;
    (bytes.is_finite() && bytes >= 0.0).then_some(bytes as u64)
}

/// A duration as the reference node writes it: numbers with the units h, m and s, one behind the other.
fn duration_of(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = match rest.as_bytes()[end] {
            b'h' => 3600.0,
            b'm' => 60.0,
            b's' => 1.0,
            _ => return None,
        };
        seconds += number * unit;
        rest = &rest[end + 1..];
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod duration_tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_reference_node_writes_them() {
        assert_eq!(duration_of("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(duration_of("1h30m0.5s"), Some(Duration::from_millis(5_400_500)));
        for wrong in ["1", "h", "1d", "1hm", "-1h", "1e9h", "1.5.2s"] {
            assert_eq!(duration_of(wrong), None, "{wrong}");
        }
    }
}
