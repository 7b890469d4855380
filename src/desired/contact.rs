//! Counting the requests to the API server, and when it was last heard of.
//!
//! A watch's stream cannot show its own health: kube reconnects silently and keeps bookmarks to
//! itself. What proves that the rows are of now are a list page, every byte on a watch, and a watch
//! that the server ends in order, and all three pass the layer here. A watch that starts is no proof:
//! a server, or whatever stands before it, may take each one and never say a word on it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use jiff::Timestamp;
use kube::client::Body;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::clock::Clock;
use crate::desired::kinds::Kind;

/// Requests and times of contact of one connection. Clones share the same figures.
#[derive(Clone)]
pub struct KubeStats(Arc<Shared>);

struct Shared {
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    requests: BTreeMap<RequestKind, u64>,
    contacts: BTreeMap<(&'static str, Channel), Contact>,
}

/// Labels of a request; all of them from closed vocabularies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKind {
    /// The resource as [`Kind::resource`] names it, `log`, or `other`.
    pub resource: &'static str,
    /// `list`, `watch`, `log_stream`, ...; `other` for discovery.
    pub verb: &'static str,
    /// `2xx` to `5xx`, or `error` without an answer.
    pub status: &'static str,
}

/// A time of contact, on the wall and for measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// For showing.
    pub at: Timestamp,
    /// For measuring: a wall clock may jump.
    pub instant: Instant,
}

/// By which way the server was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// A list page came.
    List,
    /// A watch carried something, or ended in order.
    Watch,
    /// A watch started.
    Start,
    /// Anything else.
    Other,
}

/// The tower layer that feeds [`KubeStats`].
#[derive(Clone)]
pub struct CountingLayer(KubeStats);

/// The service of [`CountingLayer`].
#[derive(Clone)]
pub struct Counting<S> {
    inner: S,
    stats: KubeStats,
}

/// A response body whose frames are noticed.
pub struct Noticed<B> {
    inner: B,
    stats: KubeStats,
    resource: &'static str,
    channel: Channel,
}

/// Verbs that get a label of their own, as kube spells them.
const VERBS: [&str; 5] = ["list", "watch", "get", "log_stream", "logs"];

// === impl KubeStats ===

impl KubeStats {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { clock, counts: Mutex::default() }))
    }

    /// Requests so far, sorted by kind.
    #[must_use]
    pub fn requests(&self) -> Vec<(RequestKind, u64)> {
        let counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.requests.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    /// When the server last said how the resource stands; `None` for never.
    #[must_use]
    pub fn last_contact(&self, resource: &str) -> Option<Contact> {
        let by_list = self.last_contact_by(resource, Channel::List);
        let by_watch = self.last_contact_by(resource, Channel::Watch);
        by_list.into_iter().chain(by_watch).max_by_key(|contact| contact.instant)
    }

    /// The same by one channel.
    #[must_use]
    pub fn last_contact_by(&self, resource: &str, channel: Channel) -> Option<Contact> {
        let resource = Kind::ALL.into_iter().map(Kind::resource).find(|known| *known == resource);
        let resource = resource.unwrap_or("other");
        let counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.contacts.get(&(resource, channel)).copied()
    }

    fn count(&self, kind: RequestKind) {
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.requests.entry(kind).or_default();
        *count = count.saturating_add(1);
    }

    fn notice(&self, resource: &'static str, channel: Channel) {
        let contact = Contact { at: self.0.clock.now(), instant: Instant::now() };
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.contacts.insert((resource, channel), contact);
    }
}

impl std::fmt::Debug for KubeStats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubeStats").field("requests", &self.requests()).finish_non_exhaustive()
    }
}

/// The label of a foreign word: a hostile server must not be able to make new ones.
fn label<const N: usize>(known: &[&'static str; N], word: &str) -> &'static str {
    known.iter().copied().find(|known| *known == word).unwrap_or("other")
}

/// The plural in a request path: `/api/v1[/namespaces/x]/pods/...`, `/apis/g/v[/namespaces/x]/...`.
fn resource_of(path: &str) -> &'static str {
    let mut parts = path.trim_start_matches('/').split('/');
    let group = match parts.next() {
        Some("api") => Some(""),
        Some("apis") => parts.next(),
        _ => None,
    };
    let Some(group) = group else { return "other" };
    // The version.
    parts.next();
    let rest: Vec<&str> = parts.collect();
    match rest.as_slice() {
        ["namespaces", _, "pods", _, "log", ..] => "log",
        ["namespaces", _, plural, ..] | [plural, ..] => label_of(group, plural),
        [] => "other",
    }
}

/// The label of a resource: a hostile server must not be able to make new ones.
fn label_of(group: &str, plural: &str) -> &'static str {
    let known = Kind::ALL.into_iter().find(|kind| kind.group() == group && kind.plural() == plural);
    known.map_or("other", Kind::resource)
}

fn status_class(code: http::StatusCode) -> &'static str {
    match code.as_u16() {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}

// === impl CountingLayer ===

impl CountingLayer {
    /// Feeds the given figures.
    #[must_use]
    pub fn new(stats: KubeStats) -> Self {
        Self(stats)
    }
}

impl<S> Layer<S> for CountingLayer {
    type Service = Counting<S>;

    fn layer(&self, inner: S) -> Counting<S> {
        Counting { inner, stats: self.0.clone() }
    }
}

impl<S, B> Service<http::Request<Body>> for Counting<S>
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
{
    type Response = http::Response<Noticed<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let resource = resource_of(request.uri().path());
        // kube leaves its verb in the request; discovery carries none.
        let verb = request.extensions().get::<&'static str>().map_or("other", |verb| label(&VERBS, verb));
        let channel = match verb {
            "list" => Channel::List,
            "watch" => Channel::Watch,
            _ => Channel::Other,
        };
        let stats = self.stats.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let result = answer.await;
            let status = result.as_ref().map_or("error", |response| status_class(response.status()));
            stats.count(RequestKind { resource, verb, status });
            let response = result?;
            // A refusal proves a server, but no state of the resource.
            let good = response.status().is_success();
            match channel {
                Channel::Watch if good => stats.notice(resource, Channel::Start),
                Channel::Other if good => stats.notice(resource, channel),
                Channel::Watch | Channel::Other | Channel::List | Channel::Start => {}
            }
            let channel = if good { channel } else { Channel::Other };
            Ok(response.map(|inner| Noticed { inner, stats, resource, channel }))
        })
    }
}

// === impl Noticed ===

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Noticed<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(_))) => self.stats.notice(self.resource, self.channel),
            Poll::Ready(None) if self.channel == Channel::Watch => {
                self.stats.notice(self.resource, self.channel);
            }
            Poll::Ready(Some(Err(_)) | None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::*;

    /// What is heard while a watch is answered with these frames: of the start, and of the objects.
    async fn heard(frames: Vec<std::io::Result<Frame<Bytes>>>, ends: bool) -> (bool, bool) {
        let stats = KubeStats::new(Arc::new(crate::clock::SystemClock));
        let silence = futures::stream::pending();
        let frames = futures::stream::iter(frames);
        let frames = if ends { frames.boxed() } else { frames.chain(silence).boxed() };
        let mut body = Some(http_body_util::StreamBody::new(frames));
        let answering = tower::service_fn(move |_: http::Request<Body>| {
            std::future::ready(Ok::<_, std::io::Error>(http::Response::new(body.take().unwrap())))
        });
        let mut service = CountingLayer::new(stats.clone()).layer(answering);
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = "/apis/networking.k8s.io/v1/ingresses?watch=true".parse().unwrap();
        request.extensions_mut().insert("watch");
        let mut body = service.call(request).await.unwrap().into_body();
        let mut context = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut body).poll_frame(&mut context) {}
        let channel = |channel| stats.last_contact_by("ingresses", channel).is_some();
        (channel(Channel::Start), channel(Channel::Watch))
    }

    /// A server may take each watch and never say a word on it.
    #[tokio::test]
    async fn a_watch_tells_of_the_objects_by_what_it_carries_and_by_its_end() {
        assert_eq!(heard(Vec::new(), false).await, (true, false), "it only started");
        assert_eq!(heard(Vec::new(), true).await, (true, true), "it ended in order");
        let cut = Err(std::io::Error::other("cut"));
        assert_eq!(heard(vec![cut], true).await, (true, false), "it broke");
        let bytes = Ok(Frame::data(Bytes::from_static(b"{}")));
        assert_eq!(heard(vec![bytes], false).await, (true, true), "it carried something");
    }

    #[test]
    fn resources_of_paths() {
        let check = |path: &str, expected: &str| assert_eq!(resource_of(path), expected, "{path}");
        check("/apis/networking.k8s.io/v1/ingresses", "ingresses");
        check("/apis/apps/v1/namespaces/dns/deployments", "deployments");
        check("/api/v1/pods", "pods");
        check("/api/v1/namespaces/dns/pods/p/log", "log");
        check("/api/v1/namespaces/ingresses", "namespaces");
        check("/apis/gateway.networking.k8s.io/v1/gateways", "gateways");
        check("/apis/networking.istio.io/v1/namespaces/istio/gateways", "gateways.networking.istio.io");
        check("/apis/example.net/v1/ingresses", "other");
        check("/version", "other");
        check("/apis", "other");
    }
}
