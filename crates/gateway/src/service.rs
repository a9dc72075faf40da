//! Gateway: one request in, one response out.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ALLOW, CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use ipse_node::Node;
use tokio::sync::Semaphore;

use crate::body::{self, Body};
use crate::failure::Failure;
use crate::request::Target;
use crate::{content, headers};

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Whether blocks that are not here are fetched from peers.
    ///
    /// Default: yes. Without it a gateway serves only what this node holds.
    pub fetch: bool,
    /// Requests served at the same time; more are answered 429 at once.
    ///
    /// Default: 4,096. Each costs some kilobytes while it waits, and up to 32 MiB while a slow reader holds it.
    pub requests_max: usize,
    /// How long the first byte may take.
    ///
    /// Default: 30 s. After it the answer is 504 and says what was waited for.
    pub first_byte_timeout: Duration,
    /// Extra headers of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            fetch: true,
            requests_max: 4096,
            first_byte_timeout: Duration::from_secs(30),
            headers: Vec::new(),
        }
    }
}

impl GatewayOptions {
    /// What the configuration says of the gateway. Headers that HTTP does not allow are left out.
    pub fn from_settings(settings: &ipse_node::Settings) -> Self {
        let mut options = Self { fetch: settings.gateway_fetches, ..Self::default() };
        for (name, values) in &settings.gateway_headers {
            let Ok(name) = HeaderName::try_from(name.as_str()) else { continue };
            let values = values.iter().filter_map(|value| HeaderValue::try_from(value.as_str()).ok());
            options.headers.extend(values.map(|value| (name.clone(), value)));
        }
        options
    }
}

/// The gateway of one node. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    node: Node,
    options: Arc<GatewayOptions>,
    running: Arc<Semaphore>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway to what a node holds and, with [`GatewayOptions::fetch`], can fetch.
    pub fn new(node: Node, options: GatewayOptions) -> Self {
        let node = if options.fetch { node } else { node.offline() };
        let running = Arc::new(Semaphore::new(options.requests_max));
        Self { node, options: Arc::new(options), running }
    }

    /// Answers one request. Dropping the future, or the body of its answer, cancels the work.
    pub async fn call<B>(&self, request: Request<B>) -> Response<Body> {
        let mut response = match self.answer(&request).await {
            Ok(response) => response,
            Err(failure) => failure.into_response(),
        };
        headers::add_common(response.headers_mut(), &self.options.headers);
        if request.method() == Method::HEAD {
            *response.body_mut() = body::empty();
        }
        response
    }

    async fn answer<B>(&self, request: &Request<B>) -> Result<Response<Body>, Failure> {
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(body::status(StatusCode::NO_CONTENT)),
            _ => return Err(Failure::Method),
        }
        let target = Target::parse(request.uri())?;
        let target = match target {
            Target::Content(target) => target,
            Target::Redirect(location) => return Ok(body::redirect(&location)),
            Target::Root => return Ok(body::text(StatusCode::OK, "Ask for /ipfs/CID or /ipfs/CID/path.\n")),
        };
        let permit = self.running.clone().try_acquire_owned().map_err(|_| Failure::Busy)?;
        let answer = content::serve(&self.node, request, &target);
        match tokio::time::timeout(self.options.first_byte_timeout, answer).await {
            Ok(answer) => answer.map(|response| response.map(|inner| body::holding(inner, permit))),
            Err(_) => Err(Failure::Timeout(target.path.to_string())),
        }
    }
}

/// The answer to a method that the gateway does not know.
pub(crate) fn method_not_allowed() -> Response<Body> {
    let mut response =
        body::text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed: use GET, HEAD or OPTIONS\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    debug_assert!(response.headers().contains_key(CONTENT_LENGTH));
    response
}
