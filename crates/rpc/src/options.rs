//! How the door behaves: what the configuration and the program decide.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::HeaderMap;
use ipse_node::Settings;

use crate::Failure;
use crate::guard::{Authorization, Origins};

/// The log of the running program, as `log level` and `log ls` change and list it.
pub trait LogControl: Send + Sync {
    /// The parts that log.
    fn parts(&self) -> Vec<String>;

    /// The level of one part, or of each with `all`; the rest's under its own name.
    fn levels(&self, part: &str) -> Option<BTreeMap<String, String>>;

    /// Sets the level of a part; of every one with `all`.
    ///
    /// # Errors
    /// The refusal's text, for a part or level that is not there.
    fn set(&self, part: &str, level: &str) -> Result<(), String>;
}

/// How the door behaves.
#[derive(Clone, Default)]
pub struct ServiceOptions {
    /// The port that the door listens on. Pages of this machine at that port may call.
    ///
    /// Default: none, so that only the browser extension's pages may.
    pub port: Option<u16>,
    /// Headers of all replies to commands, by name. Those whose names start with `Access-Control-Allow-` say
    /// which pages may call and are not sent as they stand.
    ///
    /// Default: none. Change it to let pages of other hosts call.
    pub headers: Vec<(String, Vec<String>)>,
    /// Tokens and what they open.
    ///
    /// Default: none, and then nobody needs one. Change it where the port is open to others.
    pub authorizations: Vec<Authorization>,
    /// The program's log.
    ///
    /// Default: none; `log` commands then say that it can't be changed.
    pub log: Option<Arc<dyn LogControl>>,
}

impl std::fmt::Debug for ServiceOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceOptions")
            .field("port", &self.port)
            .field("headers", &self.headers)
            .field("authorizations", &self.authorizations)
            .field("log", &self.log.is_some())
            .finish()
    }
}

impl ServiceOptions {
    /// What a node's configuration says about the door that listens on `port`.
    ///
    /// # Errors
    /// [`Failure`] where a token is of no kind that can be checked: leaving it out would open what it guards.
    pub fn from_settings(settings: &Settings, port: Option<u16>) -> Result<Self, Failure> {
        let authorizations = settings.authorizations.iter().map(|(name, secret, paths)| {
            Authorization::new(secret, paths.clone()).ok_or_else(|| {
                Failure::invalid(format!("API.Authorizations.{name}: AuthSecret is not bearer or basic"))
            })
        });
        Ok(Self {
            port,
            headers: settings.api_headers.clone(),
            authorizations: authorizations.collect::<Result<_, _>>()?,
            ..Self::default()
        })
    }

    /// The pages that may call.
    pub(crate) fn origins(&self) -> Origins {
        let values = |wanted: &str| {
            let found = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.flat_map(|(_, values)| values.iter().cloned()).collect::<Vec<_>>()
        };
        let credentials =
            values("Access-Control-Allow-Credentials").iter().any(|v| v.eq_ignore_ascii_case("true"));
        let methods =
            values("Access-Control-Allow-Methods").iter().map(|method| method.to_ascii_uppercase()).collect();
        Origins::new(values("Access-Control-Allow-Origin"), methods, credentials, self.port)
    }

    /// The headers that go out as they stand. Names and values that HTTP can't carry are left out.
    pub(crate) fn reply_headers(&self) -> HeaderMap {
        const ELSEWHERE: [&str; 3] = [
            "access-control-allow-origin",
            "access-control-allow-methods",
            "access-control-allow-credentials",
        ];
        let mut map = HeaderMap::new();
        for (name, values) in &self.headers {
            let Ok(name) = name.parse::<hyper::header::HeaderName>() else { continue };
            if !ELSEWHERE.contains(&name.as_str()) {
                values.iter().filter_map(|value| value.parse().ok()).for_each(|value| {
                    map.append(name.clone(), value);
                });
            }
        }
        map
    }
}
