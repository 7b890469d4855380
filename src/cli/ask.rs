//! One request to a server, as plain as HTTP allows: bounded, with a deadline, no redirect followed.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::uri::{Authority, Scheme, Uri};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Largest body that is taken, in bytes: the report of some hundred thousand hosts.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// How long a server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A server and how to talk to it.
#[derive(Clone)]
pub(super) struct Asker {
    host: String,
    port: u16,
    /// What is put before each path; for a server behind a proxy that shares its name with others.
    prefix: String,
    authority: HeaderValue,
    /// `None` for plain HTTP.
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    authorization: Option<HeaderValue>,
    /// Largest body that is taken, in bytes.
    most: usize,
}

/// What a server answers.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Who is asking.
pub(super) enum Login<'a> {
    /// Nobody in particular.
    Nobody,
    /// Whoever holds this token.
    Token(&'a str),
    /// A user with a password, a colon between them.
    User(&'a str),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there, or not in time.
    #[error("connect")]
    Connect(#[source] io::Error),
    /// The other end is not who it should be, or speaks no TLS.
    #[error("agree on TLS; an authority of your own is named by --server-ca-file")]
    Tls(#[source] io::Error),
    /// The connection broke, or what came is no HTTP.
    #[error("exchange HTTP")]
    Http(#[source] hyper::Error),
    /// A request that cannot be written down.
    #[error("write the request")]
    Request(#[source] http::Error),
    /// The answer does not end.
    #[error("the answer is larger than {} MiB", MAX_BODY / 1024 / 1024)]
    TooLarge,
    /// It took too long.
    #[error("no whole answer within {} s", .0.as_secs())]
    Late(Duration),
}

// === impl Asker ===

impl Asker {
    /// Understands the address of a server; `None` for what is none. `tls` is asked for only where
    /// the address wants it.
    pub(super) fn new<E>(
        url: &str,
        tls: impl FnOnce() -> Result<Arc<ClientConfig>, E>,
        login: &Login<'_>,
    ) -> Result<Option<Self>, E> {
        let Some((is_secure, authority, prefix)) = parts(url) else { return Ok(None) };
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        // An IPv6 address stands in brackets.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (Ok(name), Ok(shown)) =
            (ServerName::try_from(host.clone()), HeaderValue::from_str(authority.as_str()))
        else {
            return Ok(None);
        };
        let tls = if is_secure { Some((name, tls()?)) } else { None };
        Ok(Some(Self {
            host,
            port,
            prefix,
            authority: shown,
            tls,
            authorization: login.header(),
            most: MAX_BODY,
        }))
    }

    /// Gets one path.
    pub(super) async fn get(&self, path: &str, within: Duration) -> Result<Answer, AskError> {
        timeout(within, self.exchange(path)).await.map_err(|_elapsed| AskError::Late(within))?
    }

    async fn exchange(&self, path: &str) -> Result<Answer, AskError> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(CONNECT_WITHIN, connecting).await {
            Ok(stream) => stream.map_err(AskError::Connect)?,
            Err(_elapsed) => return Err(AskError::Connect(io::ErrorKind::TimedOut.into())),
        };
        match &self.tls {
            None => self.over(stream, path).await,
            Some((name, config)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await.map_err(AskError::Tls)?;
                self.over(stream, path).await
            }
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        path: &str,
    ) -> Result<Answer, AskError> {
        let mut request = Request::get(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .header(header::USER_AGENT, concat!("dns-drift/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(AskError::Request)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(AskError::Http)?;
        let most = self.most;
        let mut exchange = pin!(async move {
            let answer = sender.send_request(request).await.map_err(AskError::Http)?;
            let (head, mut body) = answer.into_parts();
            let mut whole = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(part) = frame.map_err(AskError::Http)?.into_data() else { continue };
                if most < whole.len().saturating_add(part.len()) {
                    return Err(AskError::TooLarge);
                }
                whole.extend_from_slice(&part);
            }
            Ok(Answer { status: head.status, headers: head.headers, body: whole })
        });
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            // What has come until then is still to be read.
            ended = connection => { ended.map_err(AskError::Http)?; exchange.await }
        }
    }
}

/// True for TLS, the server, and what stands before each path.
fn parts(url: &str) -> Option<(bool, Authority, String)> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    let scheme = parts.scheme?;
    let is_secure = scheme == Scheme::HTTPS;
    let authority = parts.authority?;
    if !is_secure && scheme != Scheme::HTTP || authority.as_str().contains('@') || authority.host().is_empty()
    {
        return None;
    }
    let path = parts.path_and_query.filter(|path| path.query().is_none());
    Some((is_secure, authority, path?.path().trim_end_matches('/').to_owned()))
}

// === impl Login ===

impl Login<'_> {
    fn header(&self) -> Option<HeaderValue> {
        let text = match self {
            Self::Nobody => return None,
            Self::Token(token) => format!("Bearer {token}"),
            Self::User(login) => format!("Basic {}", BASE64_STANDARD.encode(login)),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

// === impl AskError ===

impl AskError {
    /// True if the server may be there a moment later.
    pub(super) const fn is_unreachable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Http(_) | Self::Late(_) => true,
            Self::Tls(_) | Self::Request(_) | Self::TooLarge => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[test]
    fn addresses_of_servers() {
        let check = |url: &str, expected: Option<(bool, &str, &str)>| {
            let found = parts(url);
            let found = found.as_ref().map(|(tls, name, prefix)| (*tls, name.as_str(), prefix.as_str()));
            assert_eq!(found, expected, "{url}");
        };
        check("http://dns-drift.dns:9853", Some((false, "dns-drift.dns:9853", "")));
        check("https://tools.example.com/dns-drift/", Some((true, "tools.example.com", "/dns-drift")));
        check("http://[::1]:9853/", Some((false, "[::1]:9853", "")));
        for url in
            ["", "dns-drift:9853", "ftp://host", "http://me:secret@host", "http://", "http://h/?a=b", "/x"]
        {
            check(url, None);
        }
    }

    /// A server that sends this and then nothing, and the end of its connection never.
    async fn silent_after(answer: &'static str) -> (Asker, tokio::task::JoinSet<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.write_all(answer.as_bytes()).await.expect("sent");
            std::future::pending::<()>().await;
        });
        let no_tls = || Err::<Arc<ClientConfig>, ()>(());
        let asker = Asker::new(&url, no_tls, &Login::Nobody).expect("no TLS").expect("an address");
        (asker, tasks)
    }

    #[tokio::test]
    async fn an_answer_is_bounded_in_time_and_size() {
        const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        const ENDLESS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
        let (asker, _server) = silent_after(WHOLE).await;
        let answer = asker.get("/", Duration::from_secs(30)).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b"hello"[..]));
        let (slow, _server) = silent_after(ENDLESS).await;
        let late = slow.get("/", Duration::from_millis(100)).await.err().expect("no answer");
        assert!(matches!(late, AskError::Late(_)), "{late}");
        let (silent, _server) = silent_after("").await;
        assert!(matches!(silent.get("/", Duration::from_millis(100)).await, Err(AskError::Late(_))));
        let (mut greedy, _server) = silent_after(ENDLESS).await;
        greedy.most = 4;
        let large = greedy.get("/", Duration::from_secs(30)).await.err().expect("too large");
        assert!(matches!(large, AskError::TooLarge), "{large}");
        let (broken, _server) = silent_after("220 smtp.example.com\r\n\r\n").await;
        assert!(matches!(broken.get("/", Duration::from_secs(30)).await, Err(AskError::Http(_))));
    }

    #[test]
    fn a_secret_that_is_no_header_is_not_sent() {
        assert!(Login::Token("a\nb").header().is_none());
        let basic = Login::User("me:secret").header().expect("a header");
        assert_eq!(basic.to_str().expect("text"), "Basic bWU6c2VjcmV0");
        assert!(basic.is_sensitive());
    }
}
