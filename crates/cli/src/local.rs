//! Local: a node in this process, asked in the same way as a daemon.
//!
//! It holds the repository's lock from [`Local::open`] to [`Local::close`] and never goes online.

use std::path::Path;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{Request, Response};
use ipse_node::{Node, OpenOptions};
use ipse_rpc::{Service, ServiceOptions};

use crate::answer::AnswerBody;
use crate::denylists;
use crate::error::CliError;
use crate::logging::Log;
use crate::upload::UploadBody;

/// A node in this process, or none for commands that need none.
pub(crate) struct Local {
    service: Service,
    node: Option<Node>,
}

impl Local {
    /// For commands that work without a repository.
    pub(crate) fn without_repository(log: Arc<Log>) -> Self {
        Self { service: Service::without_node(options(log)), node: None }
    }

    /// Opens the repository.
    pub(crate) async fn open(root: &Path, log: Arc<Log>) -> Result<Self, CliError> {
        if !Node::is_initialized(root) {
            return Err(CliError::NoRepository(root.to_owned()));
        }
        let opening = OpenOptions { denylists: denylists::of(root), ..OpenOptions::default() };
        let node = Node::open(root, opening).await.map_err(CliError::inner)?;
        Ok(Self { service: Service::new(node.clone(), options(log)), node: Some(node) })
    }

    /// Carries out a request.
    pub(crate) async fn call(&self, request: Request<UploadBody>) -> Result<Response<AnswerBody>, CliError> {
        let response = self.service.call(request).await;
        Ok(response.map(|body| body.map_err(|error| CliError::InProcess(error.to_string())).boxed_unsync()))
    }

    /// Makes everything durable and lets go of the lock.
    pub(crate) async fn close(self) -> Result<(), CliError> {
        match self.node {
            Some(node) => node.shutdown().await.map_err(CliError::inner),
            None => Ok(()),
        }
    }
}

fn options(log: Arc<Log>) -> ServiceOptions {
    ServiceOptions { log: Some(log), ..ServiceOptions::default() }
}
