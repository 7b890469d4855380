//! Making foreign text safe to keep and to show.

use std::fmt::Write as _;

use crate::limits::MAX_TEXT;

/// Cuts a text at `max` bytes, on a character boundary, and marks the cut with `...`.
#[must_use]
pub fn truncate(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let keep = max.saturating_sub(3);
    let end = (0..=keep).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// One line, printable, at most [`MAX_TEXT`] bytes: control characters become escapes.
///
/// For everything that an outsider wrote and a person will read.
#[must_use]
pub fn printable(text: &str) -> String {
    // Nearly all texts are plain already.
    if text.len() <= MAX_TEXT && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    escaped(&truncate(text, MAX_TEXT))
}

/// The same in full, for text that is worth nothing without its end.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            control if control.is_control() || is_misleading(control) => {
                // Writing to a String cannot fail.
                write!(shown, "\\u{{{:x}}}", u32::from(control)).unwrap_or_default();
            }
            plain => shown.push(plain),
        }
    }
    shown
}

/// Characters that reorder a line on a terminal or a page, break it, or cannot be seen (Unicode TR 36
/// section 2.3, UAX 9 section 2).
fn is_misleading(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_on_a_character_boundary() {
        assert_eq!(truncate("abc", 3), "abc");
        assert_eq!(truncate("abcdef", 5), "ab...");
        assert_eq!(truncate("\u{fc}\u{fc}\u{fc}\u{fc}", 6), "\u{fc}...");
    }

    #[test]
    fn shows_nothing_that_misleads() {
        assert_eq!(printable("\u{61c}\u{200b}\u{2028}\u{feff}"), "\\u{61c}\\u{200b}\\u{2028}\\u{feff}");
        assert_eq!(printable("a\nb\u{1b}[31m\u{202e}"), "a\\nb\\u{1b}[31m\\u{202e}");
    }
}
