//! Gateway: one request in, one response out.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body as HttpBody;
use hyper::header::{ALLOW, CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use ipse_base::Kind;
use ipse_base::limits::{GATEWAY_CONNECTIONS_MAX, GATEWAY_REQUEST_BODY_BYTES_MAX, GATEWAY_REQUESTS_MAX};
use ipse_node::Node;
use tokio::sync::Semaphore;

use crate::body::{self, Body};
use crate::content::{Found, Source};
use crate::counters::GatewayCounters;
use crate::failure::Failure;
use crate::file_body::Memory;
use crate::request::{ContentTarget, Target};
use crate::{cache, headers};

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Whether blocks that are not here are fetched from peers.
    ///
    /// Default: yes. Without it a gateway serves only what this node holds.
    pub fetch: bool,
    /// Requests served at the same time; more are answered 429 at once.
    ///
    /// Default: 4,096. Each costs some kilobytes while it waits, and 32 KiB while a slow reader holds it.
    pub requests_max: usize,
    /// Connections at the same time; further ones are told to come back (503).
    ///
    /// Default: 4,096. Each takes about 16 KiB.
    pub connections_max: usize,
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
            requests_max: GATEWAY_REQUESTS_MAX,
            connections_max: GATEWAY_CONNECTIONS_MAX,
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
    shared: Arc<Shared>,
}

struct Shared {
    node: Node,
    options: GatewayOptions,
    running: Arc<Semaphore>,
    memory: Memory,
    cache: cache::Memory,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway to what a node holds and, with [`GatewayOptions::fetch`], can fetch.
    pub fn new(node: Node, options: GatewayOptions) -> Self {
        let node = if options.fetch { node } else { node.offline() };
        let running = Arc::new(Semaphore::new(options.requests_max));
        let (memory, cache) = (Memory::default(), cache::Memory::default());
        node.register_counters(memory.counters.clone());
        let shared = Arc::new(Shared { node, options, running, memory, cache });
        let keeper = Arc::downgrade(&shared);
        shared.node.when_quiet(move || {
            if let Some(shared) = keeper.upgrade() {
                shared.cache.clear();
            }
        });
        Self { shared }
    }

    /// Answers one request. Dropping the future, or the body of its answer, cancels the work.
    pub async fn call<B: HttpBody>(&self, request: Request<B>) -> Response<Body> {
        let shared = &*self.shared;
        shared.memory.counters.requests.one();
        let response = match shared.find(&request).await {
            Ok(answer) => answer,
            Err(failure) => {
                if failure.kind() == Kind::Busy {
                    shared.memory.counters.refused.one();
                }
                shared.with_common(failure.into_response())
            }
        };
        match *request.method() {
            Method::HEAD => response.map(Body::headless),
            _ => response,
        }
    }
}

impl Gateway {
    pub(crate) fn connections_max(&self) -> usize {
        self.shared.options.connections_max
    }

    pub(crate) fn counters(&self) -> &GatewayCounters {
        &self.shared.memory.counters
    }
}

impl Shared {
    fn with_common(&self, mut response: Response<Body>) -> Response<Body> {
        headers::add_common(response.headers_mut(), &self.options.headers);
        response
    }

    async fn find<B: HttpBody>(&self, request: &Request<B>) -> Result<Response<Body>, Failure> {
        match *request.method() {
            Method::GET | Method::HEAD => {}
            Method::OPTIONS => return Ok(self.with_common(body::status(StatusCode::NO_CONTENT))),
            _ => return Err(Failure::Method),
        }
        if request.body().size_hint().exact().is_some_and(|bytes| bytes > GATEWAY_REQUEST_BODY_BYTES_MAX) {
            return Err(Failure::BodyTooLarge);
        }
        // Taken before anything is looked up, and held until the body is sent.
        let place =
            self.running.clone().try_acquire_owned().map_err(|_| Failure::Busy(self.options.requests_max))?;
        let written = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let removals = self.node.removals();
        if let Some(file) = self.cache.get(written, removals) {
            self.memory.counters.remembered.one();
            return Ok(self.source().answer(request, &file).map(|body| body.holding(place)));
        }
        let target = match Target::parse(request.uri())? {
            Target::Content(target) => target,
            Target::Redirect(location) => return Ok(self.with_common(body::redirect(&location))),
            Target::Root => {
                let text = "Ask for /ipfs/CID or /ipfs/CID/path.\n";
                return Ok(self.with_common(body::text(StatusCode::OK, text)));
            }
        };
        let answer = self.look_up(request, written, &target, removals);
        match tokio::time::timeout(self.options.first_byte_timeout, answer).await {
            Ok(answer) => answer.map(|response| response.map(|body| body.holding(place))),
            Err(_) => Err(Failure::Timeout(target.path.to_string())),
        }
    }

    /// Answers what is not remembered, up to the first byte.
    async fn look_up<B>(
        &self,
        request: &Request<B>,
        written: &str,
        target: &ContentTarget,
        removals: u64,
    ) -> Result<Response<Body>, Failure> {
        self.memory.counters.looked_up.one();
        let source = self.source();
        let file = match source.find(request, target, removals).await? {
            Found::File(file) => Arc::new(file),
            Found::Other(response) => return Ok(self.with_common(response)),
        };
        let mut response = source.answer(request, &file);
        if *request.method() == Method::GET {
            response.body_mut().begin().await?;
        }
        self.cache.insert(written, &file);
        Ok(response)
    }

    fn source(&self) -> Source<'_> {
        Source { node: &self.node, memory: &self.memory, common: &self.options.headers }
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
