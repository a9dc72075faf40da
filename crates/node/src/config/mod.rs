//! Config: the reference node's JSON file, read with its order and with every key it holds, known or not.
//!
//! Only this crate reads it. What a part needs is taken out by [`settings`](super::config::Settings) once, at
//! start; `null`, `{}` and a missing key all mean the default.

mod error;
mod own;
mod profile;
mod settings;

pub use error::ConfigError;
pub use own::OwnSettings;
pub use profile::{PROFILES, Profile};
pub use settings::Settings;

use serde_json::Value;

/// The configuration file as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Config(Value);

const DEFAULT: &str = include_str!("default.json");

/// Keys that no door may show.
const SECRETS: &[&str] = &["Identity.PrivKey", "API.Authorizations", "Pinning.RemoteServices"];

impl Config {
    /// The configuration of a new node, still without an identity.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`], which a test rules out.
    pub fn defaults() -> Result<Self, ConfigError> {
        Self::parse(DEFAULT.as_bytes())
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError::Malformed`] where it is not a JSON object; it names line and column.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_slice(bytes).map_err(ConfigError::Malformed)?;
        if value.is_object() { Ok(Self(value)) } else { Err(ConfigError::NotAnObject) }
    }

    /// The file's text, indented by two spaces.
    pub fn to_text(&self) -> String {
        format!("{:#}", self.0)
    }

    /// The whole value, secrets included.
    pub const fn value(&self) -> &Value {
        &self.0
    }

    /// The value without what no door may show.
    pub fn shown(&self) -> Value {
        let mut shown = self.0.clone();
        if let Some(identity) = shown.get_mut("Identity").and_then(Value::as_object_mut) {
            identity.remove("PrivKey");
        }
        if let Some(api) = shown.get_mut("API").and_then(Value::as_object_mut) {
            api.remove("Authorizations");
        }
        for service in shown
            .pointer_mut("/Pinning/RemoteServices")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flat_map(|services| services.values_mut())
        {
            if let Some(api) = service.get_mut("API").and_then(Value::as_object_mut) {
                api.remove("Key");
            }
        }
        shown
    }

    /// The value at a dotted key such as `Swarm.ConnMgr.LowWater`.
    ///
    /// # Errors
    /// [`ConfigError::NotFound`] with the part of the key that is missing, [`ConfigError::Secret`] for what no
    /// door may show.
    pub fn get(&self, key: &str) -> Result<&Value, ConfigError> {
        refuse_secrets(key)?;
        let mut value = &self.0;
        for part in key.split('.') {
            value = value.get(part).ok_or_else(|| ConfigError::NotFound(part.to_owned()))?;
        }
        Ok(value)
    }

    /// Sets the value at a dotted key; objects on the way are made.
    ///
    /// # Errors
    /// [`ConfigError::UnknownSection`] for a first part that the configuration does not have,
    /// [`ConfigError::Secret`] for the identity, [`ConfigError::WrongType`] where the node could not start with it.
    pub fn set(&mut self, key: &str, new: Value) -> Result<(), ConfigError> {
        refuse_secrets(key)?;
        if key == "Identity" || key.starts_with("Identity.") {
            return Err(ConfigError::Identity);
        }
        let section = key.split('.').next().unwrap_or_default();
        if self.0.get(section).is_none() && Self::defaults()?.0.get(section).is_none() {
            return Err(ConfigError::UnknownSection(section.to_owned()));
        }
        let mut changed = self.0.clone();
        let mut value = &mut changed;
        for part in key.split('.') {
            if part.is_empty() {
                return Err(ConfigError::NotFound(part.to_owned()));
            }
            if value.is_null() {
                *value = Value::Object(serde_json::Map::new());
            }
            let object = value.as_object_mut().ok_or_else(|| ConfigError::NotFound(part.to_owned()))?;
            value = object.entry(part).or_insert(Value::Null);
        }
        *value = new;
        let changed = Self(changed);
        Settings::read(&changed)?;
        self.0 = changed.0;
        Ok(())
    }

    /// Takes the place of this configuration and keeps this one's identity.
    ///
    /// # Errors
    /// [`ConfigError::Identity`] where the new one names another identity, [`ConfigError::WrongType`] where
    /// the node could not start with it.
    pub fn replaced_by(&self, new: Self) -> Result<Self, ConfigError> {
        let mut new = new;
        let mine = self.0.get("Identity").cloned().unwrap_or(Value::Null);
        if let Some(theirs) = new.0.pointer("/Identity/PrivKey").and_then(Value::as_str)
            && Some(theirs) != mine.get("PrivKey").and_then(Value::as_str)
        {
            return Err(ConfigError::Identity);
        }
        new.0["Identity"] = mine;
        Settings::read(&new)?;
        Ok(new)
    }

    /// Writes the identity of a new node.
    pub(crate) fn set_identity(&mut self, peer: &str, key: &str) {
        self.0["Identity"] = serde_json::json!({ "PeerID": peer, "PrivKey": key });
    }

    /// Sets without the checks of [`Config::set`]; for profiles and `init`.
    pub(crate) fn put(&mut self, pointer: &[&str], new: Value) {
        let mut value = &mut self.0;
        for part in pointer {
            if !value.is_object() {
                *value = Value::Object(serde_json::Map::new());
            }
            value = &mut value[*part];
        }
        *value = new;
    }
}

fn refuse_secrets(key: &str) -> Result<(), ConfigError> {
    let hidden = SECRETS.iter().any(|secret| key == *secret || key.starts_with(&format!("{secret}.")));
    if hidden || key == "Identity" || key == "Pinning" {
        return Err(ConfigError::Secret(key.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
