use serde_json::json;

use super::settings::bytes_of;
use super::*;

#[test]
fn defaults_are_readable_and_complete() {
    let config = Config::defaults().unwrap();
    let settings = Settings::read(&config).unwrap();
    assert_eq!(settings.swarm_addresses.len(), 4);
    assert_eq!(settings.storage_bytes_max, 10_000_000_000);
    assert!(settings.mdns);
}

#[test]
fn order_and_unknown_keys_survive() {
    let text = "{\n  \"Zebra\": {\n    \"b\": 1,\n    \"a\": 2\n  },\n  \"Addresses\": {}\n}";
    let mut config = Config::parse(text.as_bytes()).unwrap();
    config.set("Addresses.API", json!("/ip4/127.0.0.1/tcp/1")).unwrap();
    let text = config.to_text();
    assert!(text.find("Zebra").unwrap() < text.find("Addresses").unwrap());
    assert!(text.find("\"b\"").unwrap() < text.find("\"a\"").unwrap());
}

#[test]
fn null_and_empty_objects_mean_the_default() {
    for empty in [json!(null), json!({})] {
        let mut config = Config::defaults().unwrap();
        for (section, _) in config.value().clone().as_object().unwrap() {
            config.put(&[section], empty.clone());
        }
        assert!(Settings::read(&config).unwrap().mdns);
    }
}

#[test]
fn secrets_are_neither_shown_nor_set() {
    let mut config = Config::defaults().unwrap();
    config.set_identity("peer", "secret");
    config.put(&["API", "Authorizations"], json!({ "a": { "AuthSecret": "secret" } }));
    config.put(&["Pinning", "RemoteServices"], json!({ "s": { "API": { "Key": "secret" } } }));
    assert!(!config.shown().to_string().contains("secret"));
    for key in ["Identity.PrivKey", "Identity", "API.Authorizations.a", "Pinning.RemoteServices.s"] {
        assert!(matches!(config.get(key), Err(ConfigError::Secret(_))), "{key}");
        assert!(config.set(key, json!("x")).is_err(), "{key}");
    }
}

#[test]
fn what_would_keep_the_node_from_starting_is_refused() {
    let mut config = Config::defaults().unwrap();
    let before = config.clone();
    for (key, value) in [
        ("Addresses.Swarm", json!(5)),
        ("Discovery.MDNS.Enabled", json!("maybe")),
        ("Datastore.StorageMax", json!("much")),
        ("Import.CidVersion", json!(7)),
        ("Nope.Nope", json!(1)),
        ("Addresses..API", json!(1)),
    ] {
        assert!(config.set(key, value).is_err(), "{key}");
        assert_eq!(config, before);
    }
}

#[test]
fn profiles_apply_in_order_or_not_at_all() {
    let mut config = Config::defaults().unwrap();
    config.apply_profiles("test, unixfs-v1-2025").unwrap();
    let settings = Settings::read(&config).unwrap();
    assert!(!settings.mdns);
    assert_eq!(settings.import.chunk_bytes, 1 << 20);
    let before = config.clone();
    assert!(config.apply_profiles("server,nope").is_err());
    assert_eq!(config, before);
}

#[test]
fn a_replacement_keeps_the_identity() {
    let mut config = Config::defaults().unwrap();
    config.set_identity("peer", "key");
    let shown = Config::parse(config.shown().to_string().as_bytes()).unwrap();
    assert_eq!(config.replaced_by(shown).unwrap().value()["Identity"]["PrivKey"], "key");
    let mut foreign = Config::defaults().unwrap();
    foreign.set_identity("other", "other key");
    assert!(config.replaced_by(foreign).is_err());
}

#[test]
fn sizes_with_units() {
    assert_eq!(bytes_of("10GB"), Some(10_000_000_000));
    assert_eq!(bytes_of("256KiB"), Some(262_144));
    assert_eq!(bytes_of("1.5 MiB"), Some(1_572_864));
    assert_eq!(bytes_of("7"), Some(7));
    for bad in ["", "GB", "-1", "1XB", "1e9", "..", "NaN"] {
        assert_eq!(bytes_of(bad), None, "{bad}");
    }
}

#[test]
fn fuzz_config() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        if let Ok(config) = Config::parse(bytes) {
            let _ = Settings::read(&config);
            assert_eq!(Config::parse(config.to_text().as_bytes()).unwrap(), config);
        }
    });
}
