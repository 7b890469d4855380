//! HTML that is escaped by construction: text can only get in through [`Html::text`].

use crate::model::text::printable;

/// A growing page. Literals of the program go in as they are, everything else escaped.
#[derive(Debug, Default)]
pub(crate) struct Html(String);

// === impl Html ===

impl Html {
    /// Markup: only literals of the program can be `'static` here.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text or the value of a quoted attribute, on one line, bounded.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for character in printable(text).chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                plain => self.0.push(plain),
            }
        }
        self
    }

    /// Text of several lines, for `<pre>`: line ends stay, everything else as in [`Self::text`].
    pub(crate) fn lines(&mut self, text: &str) -> &mut Self {
        for line in text.lines() {
            self.text(line).raw("\n");
        }
        self
    }

    /// `<tag>text</tag>`.
    pub(crate) fn element(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_text_and_attributes() {
        let mut html = Html::default();
        html.raw("<a title=\"").text("\"><script>'&'\n\u{202e}").raw("\">");
        assert_eq!(html.finish(), "<a title=\"&quot;&gt;&lt;script&gt;&#39;&amp;&#39;\\n\\u{202e}\">");
        let mut html = Html::default();
        html.lines("a\n<b>\n");
        assert_eq!(html.finish(), "a\n&lt;b&gt;\n");
    }
}
