//! Our own settings, in `ipse.json` beside the reference node's `config`: its tools rewrite that file and would drop
//! what they don't know.

use serde_json::Value;

use super::ConfigError;

/// What `ipse.json` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnSettings {
    /// `Scrub.IntervalDays`: days within which every block is read and hashed again, to find damage while a peer
    /// still has what it took. 0: never. Default 30. It costs one reading of the whole repository in that time,
    /// with the lowest priority; shorten it on disks that you don't trust.
    pub scrub_days: u32,
}

impl Default for OwnSettings {
    fn default() -> Self {
        Self { scrub_days: 30 }
    }
}

impl OwnSettings {
    /// Reads the file's bytes. Unknown keys are left alone.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_slice(bytes).map_err(ConfigError::OwnMalformed)?;
        let mut settings = Self::default();
        if let Some(days) = value.pointer("/Scrub/IntervalDays").filter(|days| !days.is_null()) {
            let wrong = || ConfigError::WrongType {
                key: "Scrub.IntervalDays",
                expected: "a number of days, 0 for never",
                found: days.to_string(),
            };
            let days = days.as_u64().and_then(|days| u32::try_from(days).ok());
            settings.scrub_days = days.filter(|days| *days <= 36_500).ok_or_else(wrong)?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use ipse_base::ErrorKind;

    use super::*;

    #[test]
    fn defaults_and_refusals() {
        for text in ["{}", r#"{"Scrub":null}"#, r#"{"Scrub":{"IntervalDays":null}}"#, r#"{"Other":1}"#] {
            assert_eq!(OwnSettings::parse(text.as_bytes()).unwrap(), OwnSettings::default(), "{text}");
        }
        let off = OwnSettings::parse(br#"{"Scrub":{"IntervalDays":0}}"#).unwrap();
        assert_eq!(off.scrub_days, 0);
        for text in ["", "[", r#"{"Scrub":{"IntervalDays":-1}}"#, r#"{"Scrub":{"IntervalDays":"30"}}"#] {
            let error = OwnSettings::parse(text.as_bytes()).unwrap_err();
            assert!(error.hint().is_some_and(|hint| hint.contains("ipse.json")), "{text}: {error}");
        }
    }
}
