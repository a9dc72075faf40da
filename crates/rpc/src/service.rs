//! The service: a request in, a response out, whatever it came through.
//!
//! Path: guards → the table (what is asked) → a command → framing. The listener and a command line without a
//! daemon go the same way, so both see the same replies.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Body;
use hyper::header::{
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION,
    SERVER as SERVER_HEADER, TE, TRAILER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use ipse_api::{Invocation, InvocationError, parse_duration};
use ipse_node::Node;
use tokio::time::Instant;

use crate::context::{Context, SERVER, VERSION};
use crate::guard::{Origins, is_authorized, is_browser, version_mismatch};
use crate::local::{self, Handover};
use crate::reply::{BoxError, Lines, Reply, with_deadline};
use crate::upload::{BodyRead, Upload};
use crate::walks::{Walk, Walks, is_walk};
use crate::{Failure, ReplyBody, ServiceOptions, commands, multipart, webui};

/// Where commands are.
const API: &str = "/api/v0";
/// Headers that pages may read and send.
const EXPOSED: &str = "X-Stream-Output, X-Chunked-Output, X-Content-Length";
/// The encodings that the reference node knows; only the first is spoken here.
const ENCODINGS: [&str; 5] = ["json", "text", "textnl", "xml", "protobuf"];

/// The RPC of one node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    node: Option<Node>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: ServiceOptions,
    origins: Origins,
    reply_headers: HeaderMap,
    walks: Walks,
}

impl Service {
    /// The RPC of a node.
    pub fn new(node: Node, options: ServiceOptions) -> Self {
        Self { node: Some(node), ..Self::without_node(options) }
    }

    /// An RPC for commands that need no repository; the others fail, saying so.
    pub fn without_node(options: ServiceOptions) -> Self {
        let origins = options.origins();
        let mut reply_headers = options.reply_headers();
        reply_headers
            .extend(HeaderValue::from_str(&format!("{SERVER}{VERSION}")).map(|value| (SERVER_HEADER, value)));
        Self {
            node: None,
            shared: Arc::new(Shared { options, origins, reply_headers, walks: Walks::default() }),
        }
    }

    /// Answers one request. Dropping the future, or the response's body, stops the command.
    pub async fn call<B>(&self, request: Request<B>) -> Response<ReplyBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match request.uri().path().strip_prefix(API) {
            Some(below) if below.starts_with('/') => self.guarded(request).await,
            Some("") => {
                let mut response = text(StatusCode::TEMPORARY_REDIRECT, "");
                response.headers_mut().insert(LOCATION, HeaderValue::from_static("/api/v0/"));
                response
            }
            _ => page(request.method(), request.uri().path()),
        }
    }

    async fn guarded<B>(&self, request: Request<B>) -> Response<ReplyBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let shared = &self.shared;
        let path = request.uri().path();
        let below = path.get(API.len() + 1..).unwrap_or_default().to_owned();
        if below.split('/').next() != Some("version")
            && let Some(refusal) = version_mismatch(request.headers(), VERSION)
        {
            return text(StatusCode::BAD_REQUEST, &refusal);
        }
        if !is_authorized(&shared.options.authorizations, request.headers(), path) {
            return text(
                StatusCode::FORBIDDEN,
                "RPC access denied: show a token that API.Authorizations in the configuration allows this path.",
            );
        }
        if request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            let mut response = empty(StatusCode::NO_CONTENT);
            shared.origins.preflight(request.headers(), response.headers_mut());
            return response;
        }
        let mut answer = HeaderMap::new();
        shared.origins.answer(request.headers(), &mut answer);
        let mut response = match *request.method() {
            Method::POST if !shared.origins.allow(request.headers()) || is_browser(request.headers()) => {
                text(StatusCode::FORBIDDEN, "403 - Forbidden")
            }
            Method::POST => self.command(&below, request).await,
            Method::OPTIONS => allow_header(empty(StatusCode::NO_CONTENT)),
            _ => allow_header(text(StatusCode::METHOD_NOT_ALLOWED, "405 - Method Not Allowed")),
        };
        response.headers_mut().extend(answer);
        response
    }

    /// Reads what is asked, and runs it.
    async fn command<B>(&self, path: &str, request: Request<B>) -> Response<ReplyBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = content_type.and_then(multipart::boundary);
        let handover = request.extensions().get::<Handover>().cloned();
        let handover = handover.filter(|_| path == "add" && local::asks(request.headers()));
        let has_files = boundary.is_some() || handover.is_some();
        let mut invocation = match read(path, request.uri().query().unwrap_or_default(), has_files) {
            Ok(invocation) => invocation,
            Err(refusal) => return *refusal,
        };
        let deadline = match invocation.string("timeout").as_deref().map(parse_duration) {
            None => None,
            Some(Some(timeout)) => Some(Instant::now() + timeout.min(FOREVER)),
            // The reference node says nothing at all here, and clients know it that way.
            Some(None) => return empty(StatusCode::OK),
        };
        if let Some(handover) = handover {
            return self.hand_over(&handover, invocation, deadline, request);
        }
        let trailers = takes_trailers(request.headers());
        let body_read = BodyRead::new(request.body().is_end_stream());
        let body = UnsyncBoxBody::new(request.into_body().map_err(Into::into));
        let mut upload = boundary.map(|boundary| Upload::new(body, &boundary, body_read.clone()));
        if let Some(upload) = &mut upload
            && invocation.arguments_come_in_body()
        {
            match upload.lines().await {
                Ok(lines) => invocation.arguments.extend(lines),
                Err(failure) => return refused(&failure),
            }
        }
        let mut response = self.answer(invocation, upload, deadline, trailers).await;
        let headers = response.headers_mut();
        headers.extend(self.shared.reply_headers.clone());
        headers.insert("access-control-allow-headers", HeaderValue::from_static(EXPOSED));
        headers.insert("access-control-expose-headers", HeaderValue::from_static(EXPOSED));
        if !body_read.get() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Agrees to go on in frames, and leaves the command to whoever does.
    fn hand_over<B>(
        &self,
        handover: &Handover,
        invocation: Invocation,
        deadline: Option<Instant>,
        mut request: Request<B>,
    ) -> Response<ReplyBody> {
        let service = self.clone();
        let upgrade = hyper::upgrade::on(&mut request);
        let work = async move {
            // A client that left meanwhile has asked for nothing.
            let Ok(upgraded) = upgrade.await else { return };
            let answer = |entries| async move {
                service.answer(invocation, Some(Upload::Local(entries)), deadline, true).await
            };
            local::carry_on(upgraded, answer).await;
        };
        handover.set(work.boxed());
        local::agreed()
    }

    /// Carries a command out.
    async fn answer(
        &self,
        invocation: Invocation,
        upload: Option<Upload>,
        deadline: Option<Instant>,
        trailers: bool,
    ) -> Response<ReplyBody> {
        let encoding_is_json = invocation.given("encoding").is_none()
            || invocation.string("encoding").as_deref() == Some("json");
        // Taken before anything is read for it, and held until the reply is sent.
        let place = if is_walk(&invocation.path) { self.shared.walks.enter().await } else { None };
        match self.run(invocation, upload, deadline).await {
            Ok(Started::Value(_) | Started::Values(_) | Started::Document(_)) if !encoding_is_json => text(
                StatusCode::BAD_REQUEST,
                "replies are written as JSON only: leave out encoding, or ask for json",
            ),
            Ok(started) => started.into_response(trailers, place),
            Err(failure) => refused(&failure),
        }
    }

    /// Runs a command up to its first output, so that a failure before that still has a status of its own.
    async fn run(
        &self,
        invocation: Invocation,
        upload: Option<Upload>,
        deadline: Option<Instant>,
    ) -> Result<Started, Failure> {
        let path = invocation.path.clone();
        let context = Context::new(self.node.as_ref(), invocation, upload, self.shared.options.log.clone())?;
        let work = async move {
            let reply = match commands::handler(&path) {
                Some(handler) => handler(context).await?,
                // A group by itself does nothing, successfully.
                None => Reply::nothing(),
            };
            Started::new(reply, deadline).await
        };
        match deadline {
            Some(deadline) => {
                tokio::time::timeout_at(deadline, work).await.unwrap_or_else(|_| Err(Failure::timeout()))
            }
            None => work.await,
        }
    }
}

/// The longest timeout; longer ones would overflow the clock.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The status page; it needs no guard, since it shows nothing by itself and asks the RPC like any other page.
fn page(method: &Method, path: &str) -> Response<ReplyBody> {
    let reads = method == Method::GET || method == Method::HEAD;
    if reads && path == "/webui" {
        let mut response = empty(StatusCode::FOUND);
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/webui/"));
        return response;
    }
    match webui::asset(path) {
        Some(asset) if reads => {
            let mut response =
                with_type(ReplyBody::full(asset.bytes), HeaderValue::from_static(asset.content_type));
            response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            response
        }
        _ => text(StatusCode::NOT_FOUND, "404 page not found"),
    }
}

/// Checks an address against the table.
fn read(path: &str, query: &str, has_files: bool) -> Result<Invocation, Box<Response<ReplyBody>>> {
    let refused = |error: InvocationError| {
        let unknown = error == InvocationError::UnknownCommand;
        let status = if unknown { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Box::new(text(status, &error.to_string()))
    };
    let invocation = Invocation::from_address(path, query).map_err(refused)?;
    invocation.check_arguments(has_files).map_err(refused)?;
    if let Some(encoding) = invocation.string("encoding").filter(|name| !ENCODINGS.contains(&name.as_str())) {
        return Err(Box::new(text(StatusCode::BAD_REQUEST, &format!("invalid encoding: {encoding}"))));
    }
    Ok(invocation)
}

/// A reply whose first output is there.
enum Started {
    Value(Vec<u8>),
    Values(BoxStream<'static, Result<Bytes, Failure>>),
    Document(BoxStream<'static, Result<Bytes, Failure>>),
    Bytes {
        stream: BoxStream<'static, Result<Bytes, Failure>>,
        content_type: &'static str,
        length: Option<u64>,
    },
}

impl Started {
    async fn new(reply: Reply, deadline: Option<Instant>) -> Result<Self, Failure> {
        match reply {
            Reply::Value(json) => Ok(Self::Value(json)),
            Reply::Values(source) => Ok(Self::Values(begin(Lines::new(source), deadline).await?)),
            Reply::Document(source) => Ok(Self::Document(begin(Lines::new(source), deadline).await?)),
            Reply::Bytes(bytes) => Ok(Self::Bytes {
                stream: begin(bytes.stream, deadline).await?,
                content_type: bytes.content_type,
                length: bytes.length,
            }),
        }
    }

    fn into_response(self, trailers: bool, place: Option<Walk>) -> Response<ReplyBody> {
        let json = HeaderValue::from_static("application/json");
        let one = HeaderValue::from_static("1");
        let (mut response, length) = match self {
            Self::Value(value) => return with_type(ReplyBody::full(value), json),
            Self::Values(stream) => {
                let mut response = with_type(ReplyBody::stream(stream, trailers, place), json);
                response.headers_mut().insert("x-chunked-output", one);
                (response, None)
            }
            Self::Document(stream) => (with_type(ReplyBody::stream(stream, trailers, place), json), None),
            Self::Bytes { stream, content_type, length } => {
                let content_type = HeaderValue::from_static(content_type);
                let mut response = with_type(ReplyBody::stream(stream, trailers, place), content_type);
                response.headers_mut().insert("x-stream-output", one);
                (response, length)
            }
        };
        response.headers_mut().insert(TRAILER, HeaderValue::from_static("X-Stream-Error"));
        if let Some(length) = length {
            response.headers_mut().insert("x-content-length", length.into());
        }
        response
    }
}

/// Waits for a stream's first chunk and puts it back in front.
async fn begin<S>(
    stream: S,
    deadline: Option<Instant>,
) -> Result<BoxStream<'static, Result<Bytes, Failure>>, Failure>
where
    S: Stream<Item = Result<Bytes, Failure>> + Send + Unpin + 'static,
{
    let mut stream = match deadline {
        Some(deadline) => with_deadline(stream, deadline).boxed(),
        None => stream.boxed(),
    };
    match stream.next().await.transpose()? {
        Some(first) => Ok(futures::stream::iter([Ok(first)]).chain(stream).boxed()),
        None => Ok(futures::stream::empty().boxed()),
    }
}

/// Whether a caller asks for trailers.
fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|item| item.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("trailers"))
}

fn refused(failure: &Failure) -> Response<ReplyBody> {
    let mut json = serde_json::to_vec(&failure.reply()).unwrap_or_default();
    json.push(b'\n');
    let mut response = with_type(ReplyBody::full(json), HeaderValue::from_static("application/json"));
    *response.status_mut() = failure.status;
    // A command line that runs the command in its own process finds the hint here; no wire carries extensions.
    if let Some(hint) = &failure.hint {
        response.extensions_mut().insert(Hint(hint.clone()));
    }
    response
}

/// What the person at the keyboard should do next: an extension of responses to callers in the same process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint(pub String);

fn with_type(body: ReplyBody, content_type: HeaderValue) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::full(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn text(status: StatusCode, message: &str) -> Response<ReplyBody> {
    let body = ReplyBody::full(format!("{message}\n"));
    let mut response = with_type(body, HeaderValue::from_static("text/plain; charset=utf-8"));
    *response.status_mut() = status;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn allow_header(mut response: Response<ReplyBody>) -> Response<ReplyBody> {
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    response
}
