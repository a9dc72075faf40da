//! Answer: the node's reply to one command, as chunks, lines or values.
//!
//! Invariant: an answer that ends early is an error. A failure after the first byte comes as the trailer
//! `X-Stream-Error` or as a broken connection, and both end up as an `Err` here.

use std::sync::LazyLock;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Response, StatusCode};
use ipse_api::{ErrorCode, ErrorReply};
use ipse_rpc::Hint;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::CliError;

/// The body of an answer, from wherever it comes.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, CliError>;

/// Largest single value of an answer. A list of all pins is one value, so this is generous.
const VALUE_BYTES_MAX: usize = 1 << 30;
/// Longest error text that is read.
const ERROR_BYTES_MAX: usize = 1 << 20;
const STREAM_ERROR: &str = "x-stream-error";

/// An answer that has begun well.
pub(crate) struct Answer {
    body: AnswerBody,
    length: Option<u64>,
    held: BytesMut,
    /// How much of `held` was searched for a line's end.
    searched: usize,
    over: bool,
}

impl Answer {
    /// Takes the head of an answer.
    ///
    /// # Errors
    /// [`CliError::Node`] where the answer is an error.
    pub(crate) async fn new(response: Response<AnswerBody>) -> Result<Self, CliError> {
        let (head, body) = response.into_parts();
        let length = head.headers.get("x-content-length").and_then(|value| value.to_str().ok()?.parse().ok());
        let mut answer = Self { body, length, held: BytesMut::new(), searched: 0, over: false };
        if head.status.as_u16() < 400 {
            return Ok(answer);
        }
        let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let failure = answer.failure(head.status, kind).await;
        // A node in this process says what to do next beside its answer.
        Err(match (failure, head.extensions.get::<Hint>()) {
            (CliError::Node { message, client, .. }, Some(Hint(hint))) => {
                CliError::Node { message, hint: Some(hint.clone()), client }
            }
            (failure, _) => failure,
        })
    }

    async fn failure(&mut self, status: StatusCode, kind: &str) -> CliError {
        let mut text = Vec::new();
        loop {
            match self.chunk().await {
                Ok(Some(chunk)) if text.len() < ERROR_BYTES_MAX => text.extend_from_slice(&chunk),
                Ok(_) => break,
                Err(error) => return error,
            }
        }
        let client = matches!(status, StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND);
        match kind {
            _ if status == StatusCode::NOT_FOUND => {
                CliError::Node { message: "Command not found.".to_owned(), hint: None, client }
            }
            "application/json" => match serde_json::from_slice::<ErrorReply>(&text) {
                Ok(reply) => node_error(reply),
                Err(error) => CliError::Answer(error),
            },
            "text/plain" => {
                let message = String::from_utf8_lossy(&text).trim_end().to_owned();
                CliError::Node { message, hint: None, client }
            }
            other => CliError::AnswerType(other.to_owned()),
        }
    }

    /// Bytes to come, where the node knows.
    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes as they come.
    ///
    /// # Errors
    /// [`CliError`] where the answer breaks off, at the place where it does.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, CliError> {
        if !self.held.is_empty() {
            self.searched = 0;
            return Ok(Some(self.held.split().freeze()));
        }
        while !self.over {
            match self.body.frame().await {
                None => self.over = true,
                Some(frame) => match frame?.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Ok(Some(data)),
                    Err(other) => {
                        if let Ok(trailers) = other.into_trailers() {
                            check_trailers(&trailers)?;
                        }
                    }
                },
            }
        }
        Ok(None)
    }

    /// The next line without its end; the last one may have none.
    ///
    /// # Errors
    /// As [`Answer::chunk`], and [`CliError::AnswerTooLarge`].
    pub(crate) async fn line(&mut self) -> Result<Option<Bytes>, CliError> {
        loop {
            let unsearched = self.held.get(self.searched..).unwrap_or_default();
            if let Some(place) = memchr::memchr(b'\n', unsearched) {
                let line = self.held.split_to(self.searched + place).freeze();
                self.held.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.held.len();
            if self.searched > VALUE_BYTES_MAX {
                return Err(CliError::AnswerTooLarge(VALUE_BYTES_MAX));
            }
            let held = std::mem::take(&mut self.held);
            let next = self.chunk().await;
            self.held = held;
            match next? {
                Some(chunk) => self.held.extend_from_slice(&chunk),
                None if self.held.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(self.held.split().freeze()));
                }
            }
        }
    }

    /// As many lines as are here, with their ends; the last one of all may have none.
    ///
    /// # Errors
    /// As [`Answer::line`].
    pub(crate) async fn lines(&mut self) -> Result<Option<Bytes>, CliError> {
        let mut held = std::mem::take(&mut self.held);
        self.searched = 0;
        loop {
            let Some(mut chunk) = self.chunk().await? else {
                return Ok((!held.is_empty()).then(|| held.freeze()));
            };
            let Some(last) = memchr::memrchr(b'\n', &chunk) else {
                held.extend_from_slice(&chunk);
                if held.len() > VALUE_BYTES_MAX {
                    return Err(CliError::AnswerTooLarge(VALUE_BYTES_MAX));
                }
                continue;
            };
            let rest = chunk.split_off(last + 1);
            self.held.extend_from_slice(&rest);
            if held.is_empty() {
                return Ok(Some(chunk));
            }
            held.extend_from_slice(&chunk);
            return Ok(Some(held.freeze()));
        }
    }

    /// Whether the next line is here already, so that asking for it will not wait.
    pub(crate) fn has_line(&self) -> bool {
        memchr::memchr(b'\n', self.held.get(self.searched..).unwrap_or_default()).is_some()
    }

    /// The next value.
    ///
    /// # Errors
    /// As [`Answer::line`]; [`CliError::Node`] where the value is an error, [`CliError::Answer`] where it is not
    /// what the command's contract says.
    pub(crate) async fn item<T: DeserializeOwned>(&mut self) -> Result<Option<T>, CliError> {
        while let Some(line) = self.line().await? {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return value(&line).map(Some);
        }
        Ok(None)
    }

    /// The only value.
    ///
    /// # Errors
    /// As [`Answer::item`]; an answer without a value is cut short.
    pub(crate) async fn only<T: DeserializeOwned>(&mut self) -> Result<T, CliError> {
        match self.item().await? {
            Some(value) => Ok(value),
            None => serde_json::from_slice(&[]).map_err(CliError::Answer),
        }
    }
}

fn check_trailers(trailers: &HeaderMap) -> Result<(), CliError> {
    match trailers.get(STREAM_ERROR) {
        None => Ok(()),
        Some(text) => {
            let message = String::from_utf8_lossy(text.as_bytes()).into_owned();
            Err(CliError::Node { message, hint: None, client: false })
        }
    }
}

/// The value of a line.
///
/// # Errors
/// [`CliError::Node`] where it is an error, [`CliError::Answer`] where it is not what the contract says.
pub(crate) fn value<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, CliError> {
    match error_value(line) {
        Some(error) => Err(error),
        None => serde_json::from_slice(line).map_err(CliError::Answer),
    }
}

/// A value in the middle of an answer that is an error.
pub(crate) fn error_value(line: &[u8]) -> Option<CliError> {
    const MARK: &[u8] = br#""Type":"error""#;
    static MARKS: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));
    MARKS.find(line)?;
    let reply: ErrorReply = serde_json::from_slice(line).ok()?;
    (reply.r#type == "error" && !reply.message.is_empty()).then(|| node_error(reply))
}

fn node_error(reply: ErrorReply) -> CliError {
    CliError::Node { client: reply.code == ErrorCode::Client, message: reply.message, hint: None }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;

    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// An answer of these frames.
    pub(crate) fn response(status: u16, kind: &str, frames: Vec<Frame<Bytes>>) -> Response<AnswerBody> {
        let frames = futures::stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
        let body = StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync();
        Response::builder().status(status).header(CONTENT_TYPE, kind).body(body).unwrap()
    }

    pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn data(text: &'static str) -> Frame<Bytes> {
        Frame::data(Bytes::from_static(text.as_bytes()))
    }

    fn failed(text: &'static str) -> Frame<Bytes> {
        let mut trailers = HeaderMap::new();
        trailers.insert(STREAM_ERROR, text.parse().unwrap());
        Frame::trailers(trailers)
    }

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        wait(async {
            let frames = vec![data("{\"a\":"), data("1}\n{\"a\":2"), data("}\n\n{\"a\":3}")];
            let mut answer = Answer::new(response(200, "application/json", frames)).await.unwrap();
            for expected in 1..=3 {
                let value: serde_json::Value = answer.item().await.unwrap().unwrap();
                assert_eq!(value["a"], expected);
            }
            assert!(answer.item::<serde_json::Value>().await.unwrap().is_none());
        });
    }

    #[test]
    fn lines_come_by_the_chunk() {
        wait(async {
            let frames = vec![data("a"), data("b\nc\nd"), data("\n"), data("e\nf\n"), data("g")];
            let mut answer = Answer::new(response(200, "application/json", frames)).await.unwrap();
            for expected in ["ab\nc\n", "d\n", "e\nf\n", "g"] {
                assert_eq!(answer.lines().await.unwrap().unwrap(), expected);
            }
            assert!(answer.lines().await.unwrap().is_none());
        });
    }

    #[test]
    fn a_trailer_is_an_error_behind_the_data() {
        wait(async {
            let mut answer =
                Answer::new(response(200, "text/plain", vec![data("abc"), failed("broke")])).await.unwrap();
            assert_eq!(answer.chunk().await.unwrap().unwrap(), "abc");
            assert_eq!(answer.chunk().await.unwrap_err().to_string(), "broke");
        });
    }

    #[test]
    fn an_error_in_the_middle_of_values() {
        wait(async {
            let frames =
                vec![data("{\"Name\":\"x\"}\n{\"Message\":\"stop\",\"Code\":0,\"Type\":\"error\"}\n")];
            let mut answer = Answer::new(response(200, "application/json", frames)).await.unwrap();
            assert!(answer.item::<serde_json::Value>().await.unwrap().is_some());
            assert_eq!(answer.item::<serde_json::Value>().await.unwrap_err().to_string(), "stop");
        });
    }

    #[test]
    fn error_replies_in_all_shapes() {
        wait(async {
            let json =
                response(500, "application/json", vec![data(r#"{"Message":"m","Code":1,"Type":"error"}"#)]);
            let error = Answer::new(json).await.err().unwrap();
            assert!(error.to_string() == "m" && error.is_client_error());
            let text = response(403, "text/plain; charset=utf-8", vec![data("403 - Forbidden")]);
            assert_eq!(Answer::new(text).await.err().unwrap().to_string(), "403 - Forbidden");
            let missing = response(404, "text/plain", vec![data("404 page not found")]);
            assert_eq!(Answer::new(missing).await.err().unwrap().to_string(), "Command not found.");
            let other = response(502, "text/html", vec![data("<html>")]);
            assert_eq!(
                Answer::new(other).await.err().unwrap().to_string(),
                "unknown error content type: text/html"
            );
        });
    }

    #[test]
    fn hostile_answers_never_panic() {
        bolero::check!().with_type::<Vec<Vec<u8>>>().for_each(|chunks| {
            let frames = chunks.iter().map(|chunk| Frame::data(Bytes::from(chunk.clone()))).collect();
            wait(async {
                let mut answer = Answer::new(response(200, "application/json", frames)).await.unwrap();
                while let Ok(Some(_)) = answer.item::<serde_json::Value>().await {}
            });
        });
    }
}
