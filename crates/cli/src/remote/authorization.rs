//! The secret of `--api-auth` as a header, in the spellings that `API.Authorizations` has.

/// The value of the `Authorization` header for a secret: `bearer:TOKEN`, `basic:USER:PASSWORD`,
/// `basic:BASE64`, or a bare token.
pub(crate) fn authorization(secret: &str) -> String {
    let Some((kind, value)) = secret.split_once(':') else { return format!("Bearer {secret}") };
    match kind {
        "bearer" => format!("Bearer {value}"),
        "basic" if value.contains(':') => format!("Basic {}", base64(value.as_bytes())),
        "basic" => format!("Basic {value}"),
        _ => format!("Bearer {secret}"),
    }
}

fn base64(bytes: &[u8]) -> String {
    // Multibase writes the same digits behind its own letter.
    ipse_base::Base::BASE64PAD.encode_bare(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        for (secret, header) in [
            ("token", "Bearer token"),
            ("bearer:token", "Bearer token"),
            ("basic:user:pass", "Basic dXNlcjpwYXNz"),
            ("basic:dXNlcjpwYXNz", "Basic dXNlcjpwYXNz"),
        ] {
            assert_eq!(authorization(secret), header);
        }
    }
}
