//! A GET of JSON from a server on loopback: all that the demo asks of HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long one request may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Largest answer that is read, bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// The connection failed.
    #[error("get {path} from {address}")]
    Connection {
        /// The server.
        address: SocketAddr,
        /// What was asked for.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took too long.
    #[error("get {path} from {address}: no answer in time")]
    Late {
        /// The server.
        address: SocketAddr,
        /// What was asked for.
        path: String,
    },
    /// Another status than 200, or no JSON.
    #[error("get {path} from {address}: the answer is not the expected one ({status})")]
    Answer {
        /// The server.
        address: SocketAddr,
        /// What was asked for.
        path: String,
        /// The status line's number; empty when there was none.
        status: String,
    },
}

/// Asks for a JSON document.
///
/// # Errors
///
/// When the server does not answer in time with status 200 and JSON.
pub async fn get(address: SocketAddr, path: &str) -> Result<Value, GetError> {
    let answer = match timeout(WITHIN, exchange(address, path)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(source)) => return Err(GetError::Connection { address, path: path.to_owned(), source }),
        Err(_late) => return Err(GetError::Late { address, path: path.to_owned() }),
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    match serde_json::from_str(body) {
        Ok(value) if status == "200" => Ok(value),
        _ => Err(GetError::Answer {
            address,
            path: path.to_owned(),
            status: status.chars().take(3).filter(char::is_ascii_digit).collect(),
        }),
    }
}

/// HTTP/1.0, so that the answer comes unchunked and ends with the connection.
async fn exchange(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).await?;
    Ok(answer)
}
