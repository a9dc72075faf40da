//! Tokens: who holds one may call the paths that it names.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ipse_base::Base;

/// Secrets are compared without stopping at the first difference, so that time tells nothing of them.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// One entry of `API.Authorizations`.
#[derive(Clone)]
pub struct Authorization {
    /// The value of the `Authorization` header that it takes.
    header: String,
    /// Starts of the paths that it opens.
    allowed_paths: Vec<String>,
}

impl std::fmt::Debug for Authorization {
    /// Without the secret, so that no log ever shows it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization").field("allowed_paths", &self.allowed_paths).finish_non_exhaustive()
    }
}

impl Authorization {
    /// An entry as the configuration writes it. A secret is `bearer:TOKEN`, `basic:USER:PASSWORD`,
    /// `basic:BASE64`, or just a bearer token. `None` for one that is empty or of another kind.
    pub fn new(secret: &str, allowed_paths: Vec<String>) -> Option<Self> {
        let header = match secret.split_once(':') {
            _ if secret.is_empty() => return None,
            None => format!("Bearer {secret}"),
            Some(("bearer", token)) => format!("Bearer {token}"),
            Some(("basic", login)) if login.contains(':') => {
                format!("Basic {}", Base::BASE64PAD.encode_bare(login.as_bytes()))
            }
            Some(("basic", encoded)) => format!("Basic {encoded}"),
            Some(_) => return None,
        };
        Some(Self { header, allowed_paths })
    }

    fn opens(&self, path: &str) -> bool {
        path == "/api/v0/version"
            || self.allowed_paths.iter().any(|allowed| path.starts_with(allowed.as_str()))
    }
}

/// Whether a request's token opens `path`. Without entries, everybody may call everything.
pub(crate) fn is_authorized(authorizations: &[Authorization], headers: &HeaderMap, path: &str) -> bool {
    let given = headers.get(AUTHORIZATION).map(hyper::header::HeaderValue::as_bytes).unwrap_or_default();
    authorizations.is_empty()
        || authorizations.iter().any(|entry| same(entry.header.as_bytes(), given) && entry.opens(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(secret: &str, given: &str, path: &str) -> bool {
        let entry = Authorization::new(secret, vec!["/api/v0/pin".into()]).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, given.parse().unwrap())]);
        is_authorized(&[entry], &headers, path)
    }

    #[test]
    fn every_spelling_of_a_secret() {
        for (secret, given) in [
            ("bearer:t", "Bearer t"),
            ("t", "Bearer t"),
            ("basic:u:p", "Basic dTpw"),
            ("basic:dTpw", "Basic dTpw"),
        ] {
            assert!(allowed(secret, given, "/api/v0/pin/ls"), "{secret}");
            assert!(allowed(secret, given, "/api/v0/version"), "{secret}");
            assert!(!allowed(secret, given, "/api/v0/add"), "{secret}");
            assert!(!allowed(secret, "Bearer x", "/api/v0/pin/ls"), "{secret}");
        }
        assert!(Authorization::new("", vec![]).is_none());
        assert!(Authorization::new("digest:x", vec![]).is_none());
        assert!(is_authorized(&[], &HeaderMap::new(), "/api/v0/add"));
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let entry = Authorization::new("bearer:hush", vec![]).unwrap();
        assert!(!format!("{entry:?}").contains("hush"));
    }
}
