//! Printing an error with its causes, once each.

use std::error::Error;
use std::fmt;

/// Shows an error and its sources on one line, joined by `: `.
///
/// Libraries disagree whether an error's own text already includes its source; a cause whose
/// text ends the part before it is left out.
pub struct ErrorChain<'a>(pub &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !shown.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("timed out")]
    struct Inner;

    #[derive(Debug, thiserror::Error)]
    #[error("service error: {0}")]
    struct Recursing(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("list hosted zones")]
    struct Outer(#[source] Recursing);

    #[test]
    fn each_cause_once() {
        assert_eq!(
            ErrorChain(&Outer(Recursing(Inner))).to_string(),
            "list hosted zones: service error: timed out"
        );
    }
}
