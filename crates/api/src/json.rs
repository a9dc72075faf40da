//! Shapes of JSON that Go and IPLD bring along: links, lists that may be null, whole numbers without a fraction.

use serde::{Deserialize, Serialize};

/// A Cid as IPLD writes it in JSON: `{"/":"bafy…"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkJson {
    /// The Cid as text.
    #[serde(rename = "/")]
    pub cid: String,
}

impl From<String> for LinkJson {
    fn from(cid: String) -> Self {
        Self { cid }
    }
}

/// Lists that are `null` where they are empty, and the other way round.
pub(crate) mod nullable {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        list: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer).map(Option::unwrap_or_default)
    }
}

/// Fractions that Go writes without `.0` where they are whole.
pub(crate) mod number {
    use serde::Serializer;

    /// Whole numbers below this are exact in a fraction.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.fract() == 0.0 && value.abs() < EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the exact range")]
            serializer.serialize_i64(*value as i64)
        } else {
            serializer.serialize_f64(*value)
        }
    }
}
