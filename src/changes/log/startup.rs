//! What an ExternalDNS process says about itself when it starts.

use std::sync::Arc;

use crate::changes::framing;
use crate::limits::MAX_STARTUP_TEXT;
use crate::model::Version;
use crate::model::text::truncate;

/// One of the two start-up lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartupInfo {
    /// From the banner (v0.19.0 and later); `None` in the line with the options.
    pub version: Option<Version>,
    /// `{Key:Value ...}` with the Go field names of all options, one line, at most
    /// [`MAX_STARTUP_TEXT`] bytes, secrets masked by the writer; `None` in the banner.
    pub flags: Option<Arc<str>>,
}

/// Reads a line of a log as a start-up line; `None` for any other line.
#[must_use]
pub fn startup(line: &str) -> Option<StartupInfo> {
    let line = framing::read(line);
    let text = &*line.message;
    if let Some(flags) = text.strip_prefix("config: ").filter(|flags| flags.starts_with('{')) {
        let plain: String = truncate(flags, MAX_STARTUP_TEXT)
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        return Some(StartupInfo { version: None, flags: Some(plain.into()) });
    }
    if !text.starts_with("GitCommitShort=") {
        return None;
    }
    let (_, version) = text.rsplit_once("UserAgent=ExternalDNS/")?;
    Some(StartupInfo { version: version.trim().parse().ok(), flags: None })
}
