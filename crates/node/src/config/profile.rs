//! Profiles: named sets of changes to a configuration.

use serde_json::{Value, json};

use super::{Config, ConfigError};

/// A named set of changes.
pub struct Profile {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for, in a sentence.
    pub description: &'static str,
    apply: fn(&mut Config),
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every profile.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "server",
        description: "For machines with public addresses: no discovery in the local network, private address ranges neither announced nor dialled.",
        apply: server,
    },
    Profile {
        name: "local-discovery",
        description: "Undoes `server`: finds peers in the local network.",
        apply: local_discovery,
    },
    Profile {
        name: "test",
        description: "Loopback only, free ports, no discovery and no bootstrap: for tests.",
        apply: test,
    },
    Profile { name: "default-networking", description: "Undoes `test`.", apply: default_networking },
    Profile {
        name: "lowpower",
        description: "Fewer connections and no services for others.",
        apply: low_power,
    },
    Profile {
        name: "announce-off",
        description: "Announces nothing; peers find data only over existing connections.",
        apply: announce_off,
    },
    Profile { name: "announce-on", description: "Undoes `announce-off`.", apply: announce_on },
    Profile {
        name: "unixfs-v0-2015",
        description: "Imports as nodes did from 2015: version 0 CIDs, 256 KiB chunks, 174 links.",
        apply: unixfs_v0_2015,
    },
    Profile {
        name: "legacy-cid-v0",
        description: "Another name of `unixfs-v0-2015`.",
        apply: unixfs_v0_2015,
    },
    Profile {
        name: "unixfs-v1-2025",
        description: "Imports with version 1 CIDs, 1 MiB raw leaves, 1,024 links.",
        apply: unixfs_v1_2025,
    },
    Profile {
        name: "autoconf-on",
        description: "Takes bootstrap peers, resolvers and routers from the network's published list.",
        apply: autoconf_on,
    },
    Profile {
        name: "autoconf-off",
        description: "No bootstrap peers, resolvers or routers but those written in the configuration.",
        apply: autoconf_off,
    },
];

/// Address ranges that are not reachable from the public network (IANA special-purpose registries).
const PRIVATE_RANGES: &[&str] = &[
    "/ip4/10.0.0.0/ipcidr/8",
    "/ip4/100.64.0.0/ipcidr/10",
    "/ip4/127.0.0.0/ipcidr/8",
    "/ip4/169.254.0.0/ipcidr/16",
    "/ip4/172.16.0.0/ipcidr/12",
    "/ip4/192.0.0.0/ipcidr/24",
    "/ip4/192.0.2.0/ipcidr/24",
    "/ip4/192.168.0.0/ipcidr/16",
    "/ip4/198.18.0.0/ipcidr/15",
    "/ip4/198.51.100.0/ipcidr/24",
    "/ip4/203.0.113.0/ipcidr/24",
    "/ip4/240.0.0.0/ipcidr/4",
    "/ip6/::/ipcidr/3",
    "/ip6/::1/ipcidr/128",
    "/ip6/100::/ipcidr/64",
    "/ip6/2001:2::/ipcidr/48",
    "/ip6/2001:db8::/ipcidr/32",
    "/ip6/fc00::/ipcidr/7",
    "/ip6/fe80::/ipcidr/10",
];

impl Config {
    /// Applies profiles, in order, by their names joined by commas.
    ///
    /// # Errors
    /// [`ConfigError::UnknownProfile`]; nothing is changed then.
    pub fn apply_profiles(&mut self, names: &str) -> Result<(), ConfigError> {
        let mut changed = self.clone();
        for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let profile = PROFILES
                .iter()
                .find(|profile| profile.name == name)
                .ok_or_else(|| ConfigError::UnknownProfile(name.to_owned()))?;
            (profile.apply)(&mut changed);
        }
        *self = changed;
        Ok(())
    }
}

fn list_at<'a>(config: &'a Config, pointer: &str) -> Vec<&'a str> {
    let list = config.value().pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn server(config: &mut Config) {
    for pointer in ["Addresses/NoAnnounce", "Swarm/AddrFilters"] {
        let mut list = list_at(config, &format!("/{pointer}"));
        list.extend(PRIVATE_RANGES);
        let mut seen = std::collections::HashSet::new();
        list.retain(|item| seen.insert(*item));
        let value = json!(list);
        config.put(&pointer.split('/').collect::<Vec<_>>(), value);
    }
    config.put(&["Discovery", "MDNS", "Enabled"], json!(false));
    config.put(&["Swarm", "DisableNatPortMap"], json!(true));
}

fn local_discovery(config: &mut Config) {
    for pointer in ["Addresses/NoAnnounce", "Swarm/AddrFilters"] {
        let mut list = list_at(config, &format!("/{pointer}"));
        list.retain(|item| !PRIVATE_RANGES.contains(item));
        let value = json!(list);
        config.put(&pointer.split('/').collect::<Vec<_>>(), value);
    }
    config.put(&["Discovery", "MDNS", "Enabled"], json!(true));
    config.put(&["Swarm", "DisableNatPortMap"], json!(false));
}

fn test(config: &mut Config) {
    config.put(&["Addresses", "API"], json!("/ip4/127.0.0.1/tcp/0"));
    config.put(&["Addresses", "Gateway"], json!("/ip4/127.0.0.1/tcp/0"));
    config.put(&["Addresses", "Swarm"], json!(["/ip4/127.0.0.1/tcp/0"]));
    config.put(&["Swarm", "DisableNatPortMap"], json!(true));
    config.put(&["Routing"], json!({ "LoopbackAddressesOnLanDHT": true, "DelegatedRouters": [] }));
    config.put(&["Bootstrap"], json!([]));
    config.put(&["Discovery", "MDNS", "Enabled"], json!(false));
    config.put(&["AutoTLS", "Enabled"], json!(false));
    config.put(&["AutoConf", "Enabled"], json!(false));
    config.put(&["DNS", "Resolvers"], json!({}));
    config.put(&["Ipns", "DelegatedPublishers"], json!([]));
}

fn default_networking(config: &mut Config) {
    if let Ok(defaults) = Config::defaults() {
        config.put(&["Addresses"], defaults.value()["Addresses"].clone());
    }
    config.put(&["Bootstrap"], json!(["auto"]));
    config.put(&["AutoConf"], json!({}));
    config.put(&["AutoTLS"], json!({}));
    config.put(&["Swarm", "DisableNatPortMap"], json!(false));
    config.put(&["Discovery", "MDNS", "Enabled"], json!(true));
}

fn low_power(config: &mut Config) {
    config.put(&["Routing", "Type"], json!("autoclient"));
    config.put(&["AutoNAT", "ServiceMode"], json!("disabled"));
    config.put(&["Swarm", "RelayService", "Enabled"], json!(false));
    let limits = json!({ "Type": "basic", "LowWater": 20, "HighWater": 40, "GracePeriod": "1m0s" });
    config.put(&["Swarm", "ConnMgr"], limits);
}

fn announce_off(config: &mut Config) {
    config.put(&["Provide", "Enabled"], json!(false));
    config.put(&["Provide", "DHT", "Interval"], json!("0s"));
}

fn announce_on(config: &mut Config) {
    config.put(&["Provide", "Enabled"], json!(true));
    config.put(&["Provide", "DHT", "Interval"], json!("22h0m0s"));
}

fn unixfs_v0_2015(config: &mut Config) {
    import(config, json!(0), json!(false), "size-262144", 174, "links");
}

fn unixfs_v1_2025(config: &mut Config) {
    import(config, json!(1), json!(true), "size-1048576", 1024, "block");
}

fn import(config: &mut Config, version: Value, raw: Value, chunker: &str, links: u32, estimation: &str) {
    config.put(&["Import", "CidVersion"], version);
    config.put(&["Import", "UnixFSRawLeaves"], raw);
    config.put(&["Import", "UnixFSChunker"], json!(chunker));
    config.put(&["Import", "HashFunction"], json!("sha2-256"));
    config.put(&["Import", "UnixFSFileMaxLinks"], json!(links));
    config.put(&["Import", "UnixFSDirectoryMaxLinks"], json!(0));
    config.put(&["Import", "UnixFSHAMTDirectoryMaxFanout"], json!(256));
    config.put(&["Import", "UnixFSHAMTDirectorySizeThreshold"], json!("256KiB"));
    config.put(&["Import", "UnixFSHAMTDirectorySizeEstimation"], json!(estimation));
    config.put(&["Import", "UnixFSDAGLayout"], json!("balanced"));
}

fn autoconf_on(config: &mut Config) {
    config.put(&["Bootstrap"], json!(["auto"]));
    config.put(&["DNS", "Resolvers"], json!({ ".": "auto" }));
    config.put(&["Routing", "DelegatedRouters"], json!(["auto"]));
    config.put(&["Ipns", "DelegatedPublishers"], json!(["auto"]));
    config.put(&["AutoConf", "Enabled"], json!(true));
}

fn autoconf_off(config: &mut Config) {
    config.put(&["Bootstrap"], Value::Null);
    config.put(&["DNS", "Resolvers"], Value::Null);
    config.put(&["Routing", "DelegatedRouters"], Value::Null);
    config.put(&["Ipns", "DelegatedPublishers"], Value::Null);
    config.put(&["AutoConf", "Enabled"], json!(false));
}
