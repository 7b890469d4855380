//! Style, script and icon: part of the program, under names that change with their content.

use std::fmt::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");

/// Whoever has it, has it for ever: another content has another name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Where the files are.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
    /// Changes with any of them.
    pub(super) build: String,
}

/// The files of this program.
pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: format!("style-{}.css", digest(&[STYLE])),
    script: format!("page-{}.js", digest(&[SCRIPT])),
    icon: format!("icon-{}.svg", digest(&[ICON])),
    build: digest(&[STYLE, SCRIPT, ICON, env!("CARGO_PKG_VERSION")]),
});

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().iter().take(6).fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// Serves one of the files; a page of an older program may ask for one that is gone.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let (content_type, body) = if name == ASSETS.style {
        ("text/css; charset=utf-8", STYLE)
    } else if name == ASSETS.script {
        ("text/javascript; charset=utf-8", SCRIPT)
    } else if name == ASSETS.icon {
        ("image/svg+xml", ICON)
    } else {
        return (StatusCode::NOT_FOUND, "this program has no such file\n").into_response();
    };
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, FOR_EVER)], body).into_response()
}
