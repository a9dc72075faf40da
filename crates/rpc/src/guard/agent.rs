//! What the caller's program says of itself.

use hyper::HeaderMap;
use hyper::header::{ORIGIN, REFERER, USER_AGENT};

/// Whether a browser calls without saying for which page. Electron programs are no pages.
pub(crate) fn is_browser(headers: &HeaderMap) -> bool {
    let agent = text(headers);
    agent.starts_with("Mozilla")
        && !agent.contains("Electron")
        && !headers.contains_key(ORIGIN)
        && !headers.contains_key(REFERER)
}

/// The refusal of a reference node's command line of another version than `version`; it would misread replies.
pub(crate) fn version_mismatch(headers: &HeaderMap, version: &str) -> Option<String> {
    let agent = text(headers);
    let ours = format!("/kubo/{version}/");
    let reference = agent.contains("/kubo/") || agent.contains("/go-ipfs/");
    (reference && agent != ours).then(|| format!("api version mismatch ({ours} != {agent})"))
}

fn text(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(agent: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(USER_AGENT, agent.parse().unwrap())])
    }

    #[test]
    fn browsers_without_a_page() {
        assert!(is_browser(&headers("Mozilla/5.0 (X11)")));
        assert!(!is_browser(&headers("Mozilla/5.0 Electron/9")));
        assert!(!is_browser(&headers("curl/8")));
        let mut page = headers("Mozilla/5.0");
        page.insert(ORIGIN, "http://x".parse().unwrap());
        assert!(!is_browser(&page));
    }

    #[test]
    fn command_lines_of_other_versions() {
        assert_eq!(
            version_mismatch(&headers("/kubo/0.30.0/"), "0.44.0").as_deref(),
            Some("api version mismatch (/kubo/0.44.0/ != /kubo/0.30.0/)")
        );
        assert!(version_mismatch(&headers("/go-ipfs/0.4.0/"), "0.44.0").is_some());
        assert_eq!(version_mismatch(&headers("/kubo/0.44.0/"), "0.44.0"), None);
        assert_eq!(version_mismatch(&headers("kubo-client"), "0.44.0"), None);
    }
}
