//! Pages: values that come by the hundred, written without a stop for each.

use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::LineSource;
use crate::Failure;

/// Writes one value, or leaves it out; for nothing, what goes behind the last one.
type Write<T> = Box<dyn FnMut(Option<T>, &mut BytesMut) -> Result<(), Failure> + Send>;

/// Values in pages as lines, or as the parts of one document.
pub(crate) struct Pages<T> {
    pages: BoxStream<'static, Result<Vec<T>, Failure>>,
    page: std::vec::IntoIter<T>,
    write: Write<T>,
    over: bool,
}

impl<T> Pages<T> {
    pub(crate) fn new(
        pages: BoxStream<'static, Result<Vec<T>, Failure>>,
        write: impl FnMut(Option<T>, &mut BytesMut) -> Result<(), Failure> + Send + 'static,
    ) -> Self {
        Self { pages, page: Vec::new().into_iter(), write: Box::new(write), over: false }
    }
}

impl<T: Send> LineSource for Pages<T> {
    fn poll_line(
        &mut self,
        context: &mut Context<'_>,
        out: &mut BytesMut,
    ) -> Poll<Option<Result<(), Failure>>> {
        let before = out.len();
        while !self.over {
            let next = self.page.next();
            if next.is_none() {
                match ready!(self.pages.poll_next_unpin(context)) {
                    Some(Ok(page)) => {
                        self.page = page.into_iter();
                        continue;
                    }
                    Some(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                    None => self.over = true,
                }
            }
            if let Err(failure) = (self.write)(next, out) {
                return Poll::Ready(Some(Err(failure)));
            }
            if out.len() > before {
                return Poll::Ready(Some(Ok(())));
            }
        }
        Poll::Ready(None)
    }
}
