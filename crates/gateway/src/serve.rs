//! The listener: accepts connections, hands their requests to the gateway, and cuts what stands still.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ipse_base::limits::GATEWAY_HEAD_BYTES_MAX;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use crate::Gateway;
use crate::pulse::{Clock, Felt, Pulse};

/// How long running answers may take once the gateway stops.
const GRACE: Duration = Duration::from_secs(3);
/// How often it is looked meanwhile which connections are done.
const GRACE_STEP: Duration = Duration::from_millis(20);
/// How long to wait after an error of the listener itself, such as no free descriptors.
const RETRY_AFTER: Duration = Duration::from_millis(50);
/// Threads that wait for the disk where a block is not in memory.
const BLOCKING_THREADS: usize = 16;
/// The answer where no further connection is taken.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 38\r\n\r\ntoo many connections at the same time\n";

/// Serves until `stop` is ready, then lets running answers finish for some seconds.
///
/// Connections run on threads of their own, half as many as there are processors: answering takes little beside
/// what the system does for it, and a thread on each processor would only take turns with that (measured on two
/// processors: half the requests, and nine times the time at the 99th percentile).
pub async fn serve(listener: TcpListener, gateway: Gateway, stop: impl Future<Output = ()> + Send) {
    let (threads, listener) = match Threads::start(listener) {
        Ok(started) => started,
        Err(error) => {
            tracing::error!(%error, "the gateway could not start its threads");
            return;
        }
    };
    let (stopping, stopped) = oneshot::channel::<()>();
    let mut served = threads.spawn(async move {
        match TcpListener::from_std(listener) {
            Ok(listener) => accept(listener, gateway, stopped).await,
            Err(error) => tracing::error!(%error, "the gateway could not listen"),
        }
    });
    tokio::select! {
        () = stop => {}
        _ = &mut served => return,
    }
    // Dropping the sender is the signal.
    drop(stopping);
    let _ = served.await;
}

/// The threads that connections run on. Dropped, they end.
struct Threads(Option<Runtime>);

impl Threads {
    fn start(listener: TcpListener) -> io::Result<(Self, std::net::TcpListener)> {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads((processors / 2).max(1))
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("ipse-gateway")
            .enable_all()
            .build()?;
        Ok((Self(Some(runtime)), listener.into_std()?))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        match &self.0 {
            Some(runtime) => runtime.spawn(task),
            None => tokio::spawn(task),
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for threads is not allowed here, and nothing they do has to be finished.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, gateway: Gateway, mut stop: oneshot::Receiver<()>) {
    let mut connections = Connections::default();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connections.begin(stream, &gateway),
                Err(error) => {
                    tracing::warn!(%error, "the gateway could not accept a connection");
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            },
            Some(ended) = connections.tasks.join_next_with_id() => connections.end(ended),
            // Without connections there is nothing to look at, and the processor may sleep.
            _ = second.tick(), if !connections.open.is_empty() => {
                connections.clock.tick();
                let cut = connections.cut(Pulse::is_over);
                gateway.counters().cut.add(cut);
            }
        }
    }
    drop(listener);
    connections.finish().await;
}

/// The connections that are open.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: HashMap<Id, (Arc<Pulse>, AbortHandle)>,
    clock: Clock,
}

impl Connections {
    fn begin(&mut self, stream: TcpStream, gateway: &Gateway) {
        if self.open.len() >= gateway.connections_max() {
            gateway.counters().refused.one();
            // No task for it: what fits into the socket's buffer is sent, and nobody waits.
            let _ = stream.try_write(FULL);
            return;
        }
        // A failure to set the option costs some latency and nothing else.
        let _ = stream.set_nodelay(true);
        let pulse = Arc::new(Pulse::new(self.clock.clone()));
        let task = self.tasks.spawn(connection(stream, gateway.clone(), Arc::clone(&pulse)));
        self.open.insert(task.id(), (pulse, task));
    }

    fn end(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.open.remove(&id);
    }

    /// Closes the connections for which this holds. They are forgotten when their task has ended.
    fn cut(&self, holds: impl Fn(&Pulse) -> bool) -> u64 {
        let over = self.open.values().filter(|(pulse, _)| holds(pulse));
        over.map(|(_, task)| task.abort()).count() as u64
    }

    /// Closes each connection as soon as its answer is sent, and all of them when the time is over.
    async fn finish(mut self) {
        let end = Instant::now() + GRACE;
        while !self.open.is_empty() && Instant::now() < end {
            self.cut(Pulse::is_idle);
            let step = tokio::time::timeout(GRACE_STEP, self.tasks.join_next_with_id()).await;
            if let Ok(Some(ended)) = step {
                self.end(ended);
            }
        }
        self.tasks.shutdown().await;
    }
}

async fn connection(stream: TcpStream, gateway: Gateway, pulse: Arc<Pulse>) {
    let felt = Felt::new(stream, Arc::clone(&pulse));
    let service = service_fn(move |request| {
        pulse.asked();
        let (gateway, pulse) = (gateway.clone(), Arc::clone(&pulse));
        async move { Ok::<_, Infallible>(gateway.call(request).await.map(|body| body.over(pulse))) }
    });
    let served = http1::Builder::new()
        .max_buf_size(GATEWAY_HEAD_BYTES_MAX)
        // The pulse bounds the time for the head, without a timer for each.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(felt), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a gateway connection ended early");
    }
}
