//! The escaper of the templates: HTML, control and bidirectional characters, length.

use std::fmt::{Result, Write};

use askama::filters::Escaper;

use crate::model::text::printable;

/// Makes text safe for an element or a quoted attribute.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Html;

// === impl Html ===

impl Escaper for Html {
    fn write_escaped_str<W: Write>(&self, mut out: W, text: &str) -> Result {
        // Most text is plain.
        if text.len() < 200
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_./:".contains(&byte))
        {
            return out.write_str(text);
        }
        for character in printable(text).chars() {
            match character {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                plain => out.write_char(plain)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        Html.write_escaped_str(&mut out, text).expect("a String takes all");
        out
    }

    #[test]
    fn escapes_text_and_attributes() {
        assert_eq!(escaped("shop.example.com"), "shop.example.com");
        assert_eq!(
            escaped("\"><script>'&'\n\u{202e}"),
            "&quot;&gt;&lt;script&gt;&#39;&amp;&#39;\\n\\u{202e}"
        );
        assert!(escaped(&"x".repeat(100_000)).len() < 3_000);
    }
}
