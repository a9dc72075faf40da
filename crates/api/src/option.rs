//! Options: their definitions, their values, and how text becomes a value.

use crate::InvocationError;

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// A switch; `--name` alone means true.
    Bool,
    /// Text.
    String,
    /// A number of 32 bits.
    Int,
    /// A number of 64 bits.
    Int64,
    /// A number of 32 bits that is never negative.
    Uint,
    /// A number with a fraction.
    Float,
    /// Text that may be given more than once.
    Strings,
}

impl OptionKind {
    /// The kind's name, as error texts and help show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::String => "string",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint => "uint",
            Self::Float => "float64",
            Self::Strings => "array",
        }
    }
}

/// One option of a command.
#[derive(Debug, Clone, Copy)]
pub struct OptionDef {
    /// Its names; the first is the one that requests carry, names of one character are short options.
    pub names: &'static [&'static str],
    /// What it takes.
    pub kind: OptionKind,
    /// The value it has where it is not given, as text.
    pub default: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// Of [`OptionKind::Bool`].
    Bool(bool),
    /// Of [`OptionKind::String`].
    String(String),
    /// Of all kinds of whole numbers.
    Int(i64),
    /// Of [`OptionKind::Float`].
    Float(f64),
    /// Of [`OptionKind::Strings`].
    Strings(Vec<String>),
}

impl OptionDef {
    const fn new(names: &'static [&'static str], kind: OptionKind, help: &'static str) -> Self {
        Self { names, kind, default: None, help }
    }

    pub(crate) const fn bool(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(names, OptionKind::Bool, help)
    }

    pub(crate) const fn string(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(names, OptionKind::String, help)
    }

    pub(crate) const fn int(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(names, OptionKind::Int, help)
    }

    pub(crate) const fn int64(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(names, OptionKind::Int64, help)
    }

    pub(crate) const fn uint(names: &'static [&'static str], help: &'static str) -> Self {
        Self::new(names, OptionKind::Uint, help)
    }

    pub(crate) const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }

    /// The name that requests carry.
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// Its long name, if it has one.
    pub fn long(&self) -> Option<&'static str> {
        self.names.iter().copied().find(|name| name.len() > 1)
    }

    /// Its short name, if it has one.
    pub fn short(&self) -> Option<char> {
        self.names.iter().find(|name| name.len() == 1).and_then(|name| name.chars().next())
    }

    /// Reads a value of this option's kind.
    ///
    /// # Errors
    /// [`InvocationError::Value`] where the text is not of that kind.
    pub fn parse(&self, text: &str) -> Result<OptionValue, InvocationError> {
        let value = match self.kind {
            OptionKind::Bool => parse_bool(text).map(OptionValue::Bool),
            OptionKind::String => Some(OptionValue::String(text.to_owned())),
            OptionKind::Strings => Some(OptionValue::Strings(vec![text.to_owned()])),
            OptionKind::Int => parse_int(text).filter(|n| i32::try_from(*n).is_ok()).map(OptionValue::Int),
            OptionKind::Int64 => parse_int(text).map(OptionValue::Int),
            OptionKind::Uint => parse_int(text).filter(|n| u32::try_from(*n).is_ok()).map(OptionValue::Int),
            OptionKind::Float => text.parse().ok().map(OptionValue::Float),
        };
        value.ok_or_else(|| InvocationError::Value {
            option: self.name(),
            kind: self.kind.as_str(),
            value: text.to_owned(),
        })
    }
}

impl OptionValue {
    /// The value as requests carry it; a list gives one text for each item.
    pub fn to_texts(&self) -> Vec<String> {
        match self {
            Self::Bool(value) => vec![value.to_string()],
            Self::String(value) => vec![value.clone()],
            Self::Int(value) => vec![value.to_string()],
            Self::Float(value) => vec![value.to_string()],
            Self::Strings(values) => values.clone(),
        }
    }
}

/// The spellings of truth that Go's clients send; the empty text of a bare `?flag` is true.
fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "" | "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A whole number in decimal, hexadecimal (`0x`), binary (`0b`) or octal (`0o` or a leading zero).
fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..)?)
    } else {
        (10, lower.as_str())
    };
    // A second sign behind the first one is no number.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_base() {
        for (text, value) in [("0", 0), ("-7", -7), ("0x1F", 31), ("0644", 420), ("0b101", 5), ("+3", 3)] {
            assert_eq!(parse_int(text), Some(value), "{text}");
        }
        for text in ["", "-", "--3", "0x", "08", "1e3", "99999999999999999999", "+-1"] {
            assert_eq!(parse_int(text), None, "{text}");
        }
        assert_eq!(parse_int("-9223372036854775808"), Some(i64::MIN));
    }

    #[test]
    fn a_bare_switch_is_true() {
        assert_eq!(parse_bool(""), Some(true));
        assert_eq!(parse_bool("F"), Some(false));
        assert_eq!(parse_bool("maybe"), None);
    }

    #[test]
    fn refusals_read_as_the_reference_node_writes_them() {
        let offset = OptionDef::int64(&["offset", "o"], "");
        assert_eq!(
            offset.parse("abc").unwrap_err().to_string(),
            r#"could not convert value "abc" to type "int64" (for option "-offset")"#
        );
        assert_eq!(
            offset.parse("").unwrap_err().to_string(),
            r#"could not convert empty value to type "int64" (for option "-offset")"#
        );
    }

    #[test]
    fn hostile_text_never_panics() {
        bolero::check!().with_type::<String>().for_each(|text| {
            for kind in
                [OptionKind::Bool, OptionKind::Int, OptionKind::Int64, OptionKind::Uint, OptionKind::Float]
            {
                let _ = OptionDef::new(&["x"], kind, "").parse(text);
            }
        });
    }
}
