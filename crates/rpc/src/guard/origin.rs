//! Web pages: which ones may call, and the headers that tell their browsers so (the Fetch standard's CORS).

use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue,
    ORIGIN, REFERER, VARY,
};

/// The extension that browsers run next to a node, in its two builds.
const COMPANION: [&str; 2] = [
    "chrome-extension://nibjojkomfdiaoajekhjakgkdhaomnch",
    "chrome-extension://hjoieblefckbooibpepigmacodalfndh",
];

/// Headers that a page may send.
const HEADERS: [&str; 4] = ["origin", "accept", "content-type", "x-requested-with"];

/// The pages that may call.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    allowed: Vec<String>,
    methods: Vec<String>,
    credentials: bool,
}

impl Origins {
    /// Pages of this machine at `port`, the browser extension, and those that the configuration adds.
    pub(crate) fn new(
        added: Vec<String>,
        methods: Vec<String>,
        credentials: bool,
        port: Option<u16>,
    ) -> Self {
        let mut allowed = added;
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            for scheme in ["http", "https"] {
                allowed.extend(port.map(|port| format!("{scheme}://{host}:{port}")));
            }
        }
        allowed.extend(COMPANION.map(str::to_owned));
        let methods = if methods.is_empty() { vec!["POST".to_owned()] } else { methods };
        Self { allowed, methods, credentials }
    }

    fn contains(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| {
            allowed == "*" || allowed.eq_ignore_ascii_case(origin) || matches_star(allowed, origin)
        })
    }

    /// Whether a request comes from no page, or from one that may call.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("\0"));
        let origin = text(ORIGIN).is_none_or(|origin| origin.is_empty() || self.contains(origin));
        let referer = text(REFERER).is_none_or(|page| page.is_empty() || self.contains(&origin_of(page)));
        origin && referer
    }

    /// The headers that tell a browser that its page may read the answer.
    pub(crate) fn answer(&self, request: &HeaderMap, response: &mut HeaderMap) {
        response.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = request.get(ORIGIN) else { return };
        if origin.to_str().is_ok_and(|text| self.contains(text)) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.allow_origin(origin));
            self.allow_credentials(response);
        }
    }

    /// The headers that answer the question of a browser whether its page may call.
    pub(crate) fn preflight(&self, request: &HeaderMap, response: &mut HeaderMap) {
        response.insert(
            VARY,
            HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        );
        let Some(origin) = request.get(ORIGIN) else { return };
        let text =
            |name| request.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let method = text(ACCESS_CONTROL_REQUEST_METHOD).to_ascii_uppercase();
        let asked = text(ACCESS_CONTROL_REQUEST_HEADERS);
        let mut wanted = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
        let headers_fit = wanted.all(|name| HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)));
        let may_call =
            origin.to_str().is_ok_and(|text| self.contains(text)) && self.methods.contains(&method);
        if !may_call || !headers_fit {
            return;
        }
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, self.allow_origin(origin));
        response
            .extend(HeaderValue::from_str(&method).ok().map(|method| (ACCESS_CONTROL_ALLOW_METHODS, method)));
        if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| !asked.is_empty()) {
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        self.allow_credentials(response);
    }

    fn allow_origin(&self, origin: &HeaderValue) -> HeaderValue {
        // With credentials, browsers refuse the star.
        if !self.credentials && self.allowed.iter().any(|allowed| allowed == "*") {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        }
    }

    fn allow_credentials(&self, response: &mut HeaderMap) {
        if self.credentials {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

/// Whether an entry with one star in it, such as `https://*.example.org`, covers an origin.
fn matches_star(allowed: &str, origin: &str) -> bool {
    allowed.split_once('*').is_some_and(|(start, end)| {
        origin.len() >= start.len() + end.len() && origin.starts_with(start) && origin.ends_with(end)
    })
}

/// The scheme and authority of a page's address.
fn origin_of(page: &str) -> String {
    let Some((scheme, rest)) = page.split_once("://") else { return page.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A name before `@` is no part of the origin, however much it looks like one.
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins() -> Origins {
        Origins::new(vec!["https://*.example.org".into()], Vec::new(), false, Some(5001))
    }

    fn headers<const N: usize>(pairs: [(hyper::header::HeaderName, &'static str); N]) -> HeaderMap {
        pairs.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn foreign_pages_are_refused() {
        assert!(origins().allow(&HeaderMap::new()));
        for good in ["http://localhost:5001", "https://[::1]:5001", "https://a.example.org", COMPANION[0]] {
            assert!(origins().allow(&headers([(ORIGIN, good)])), "{good}");
        }
        for bad in [
            "http://evil",
            "http://localhost:5002",
            "null",
            "http://localhost:5001.evil",
            "https://example.org.evil",
        ] {
            assert!(!origins().allow(&headers([(ORIGIN, bad)])), "{bad}");
        }
    }

    #[test]
    fn the_page_is_read_from_its_address() {
        assert!(origins().allow(&headers([(REFERER, "http://localhost:5001/webui?x")])));
        for bad in ["http://evil/http://localhost:5001", "http://localhost:5001@evil/", "nonsense"] {
            assert!(!origins().allow(&headers([(REFERER, bad)])), "{bad}");
        }
    }

    #[test]
    fn preflights_answer_only_pages_that_may_call() {
        let ask = |origin, method| {
            let mut answer = HeaderMap::new();
            let request = headers([(ORIGIN, origin), (ACCESS_CONTROL_REQUEST_METHOD, method)]);
            origins().preflight(&request, &mut answer);
            answer
        };
        let answer = ask("http://localhost:5001", "POST");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "http://localhost:5001");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "POST");
        assert!(!ask("http://evil", "POST").contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert!(!ask("http://localhost:5001", "GET").contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
