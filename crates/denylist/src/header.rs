//! Header: what a list says of itself in front of its rules, up to a line of three dashes.
//!
//! The format takes any YAML there, of which only `version` changes anything. This reads the part of YAML that
//! lists use: `name: value` at the beginning of a line, with whatever is indented or listed below it passed over.

use crate::DenylistError;

/// The line that ends a header.
pub(crate) const END: &str = "---";

/// Whether a header's lines can be taken.
///
/// # Errors
/// [`DenylistError::Header`] for what is none, [`DenylistError::Version`] for a version other than 1.
pub(crate) fn check<'a>(lines: impl Iterator<Item = &'a str>) -> Result<(), DenylistError> {
    for line in lines {
        let nested = line.starts_with([' ', '\t', '-', '#']) || line.trim().is_empty();
        if nested {
            continue;
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| DenylistError::Header(line.trim_end().to_owned()))?;
        let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        if name.trim_end() == "version" && value != "1" {
            return Err(DenylistError::Version(value.to_owned()));
        }
    }
    Ok(())
}
