//! The error that the RPC answers with.

use serde::{Deserialize, Serialize};

/// What sort of failure an error reply reports, as a number on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ErrorCode {
    /// Anything that has no code of its own.
    #[default]
    Normal,
    /// The request is at fault.
    Client,
    /// The server is at fault.
    Implementation,
    /// Too many requests; try again later.
    RateLimited,
    /// Not allowed.
    Forbidden,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The code of a number; unknown ones are [`ErrorCode::Normal`].
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Client,
            2 => Self::Implementation,
            3 => Self::RateLimited,
            4 => Self::Forbidden,
            _ => Self::Normal,
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.number())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_number)
    }
}

/// An error reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorReply {
    /// The error's text.
    pub message: String,
    /// What sort of failure it is.
    pub code: ErrorCode,
    /// Always `error`.
    pub r#type: String,
}

impl ErrorReply {
    /// A reply with its text and code.
    pub fn new(message: impl Into<String>, code: ErrorCode) -> Self {
        Self { message: message.into(), code, r#type: "error".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_as_the_reference_node_writes_it() {
        let text = r#"{"Message":"x","Code":1,"Type":"error"}"#;
        let reply = ErrorReply::new("x", ErrorCode::Client);
        assert_eq!(serde_json::to_string(&reply).unwrap(), text);
        assert_eq!(serde_json::from_str::<ErrorReply>(text).unwrap(), reply);
    }
}
