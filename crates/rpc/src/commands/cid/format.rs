//! Formats: text with `%` in it, as `cid format` takes it.

use ipse_base::{Base, Cid, Version};

use crate::Failure;

/// A format that holds only known marks.
#[derive(Debug)]
pub(super) struct Format(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(char),
    Mark(char),
}

/// All marks.
const MARKS: &str = "bBvVcChHLmMdDsSP";

impl Format {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        if !text.contains('%') {
            return Err(Failure::invalid(format!("invalid format string: {text:?}")));
        }
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '%' => match characters.next() {
                    Some('%') => Piece::Text('%'),
                    Some(mark) if MARKS.contains(mark) => Piece::Mark(mark),
                    Some(other) => {
                        let text = format!("unrecognized specifier in format string: %{other}");
                        return Err(Failure::invalid(text));
                    }
                    None => return Err(Failure::invalid("premature end of format string")),
                },
                other => Piece::Text(other),
            });
        }
        Ok(Self(pieces))
    }

    pub(super) fn print(&self, cid: &Cid, base: Base) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(character) => out.push(*character),
                Piece::Mark(mark) => out.push_str(&value(*mark, cid, base)),
            }
        }
        out
    }
}

fn value(mark: char, cid: &Cid, base: Base) -> String {
    let version = u8::from(cid.version() == Version::V1);
    let hash = cid.hash();
    match mark {
        'b' => base.name().to_owned(),
        'B' => base.prefix().to_string(),
        'v' => format!("cidv{version}"),
        'V' => version.to_string(),
        'c' => codec(cid),
        'C' => cid.codec().0.to_string(),
        'h' => function(cid),
        'H' => hash.code().0.to_string(),
        'L' => hash.digest().len().to_string(),
        'm' => base.encode(&hash.to_bytes()),
        'M' => base.encode_bare(&hash.to_bytes()),
        'd' => base.encode(hash.digest()),
        'D' => base.encode_bare(hash.digest()),
        's' => cid.to_base(base),
        // A version 0 Cid wears no letter that could be left out.
        'S' if cid.version() == Version::V0 => cid.to_base(base),
        'S' => base.encode_bare(&cid.to_bytes()),
        _ => format!("cidv{version}-{}-{}-{}", codec(cid), function(cid), hash.digest().len()),
    }
}

fn codec(cid: &Cid) -> String {
    cid.codec().name().map_or_else(|| format!("codec-{}", cid.codec().0), str::to_owned)
}

fn function(cid: &Cid) -> String {
    let code = cid.hash().code();
    code.name().map_or_else(|| format!("hash-{}", code.0), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_prints_what_the_reference_node_prints() {
        let cid: Cid = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4".parse().unwrap();
        let format = Format::parse("%b-%B-%v-%V-%c-%C-%h-%H-%L-%m-%M-%d-%D-%s-%S-%P-%%").unwrap();
        let expected = "base32-b-cidv1-1-raw-85-sha2-256-18-32-\
            bciqksseqj4xq6r43r6azo2klgamewdjo2ha42kq6yd5yluuzugjkiry-\
            ciqksseqj4xq6r43r6azo2klgamewdjo2ha42kq6yd5yluuzugjkiry-\
            bvfejatzpb5dzxd4bs5uuwmayjmgs5uobzuvb5qh3qxjjtimsurdq-\
            vfejatzpb5dzxd4bs5uuwmayjmgs5uobzuvb5qh3qxjjtimsurdq-\
            bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4-\
            afkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4-cidv1-raw-sha2-256-32-%";
        assert_eq!(format.print(&cid, Base::BASE32), expected);
    }

    #[test]
    fn unknown_marks_are_refused() {
        assert_eq!(Format::parse("%q").unwrap_err().message, "unrecognized specifier in format string: %q");
        assert_eq!(Format::parse("x").unwrap_err().message, "invalid format string: \"x\"");
        assert!(Format::parse("%s%").is_err());
    }
}
