//! From the text of a template to its pieces.

use crate::desired::template::TemplateError;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Text outside of braces.
    Text(String),
    /// The words between a pair of braces.
    Action(Vec<Token>),
}

/// A word between braces.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `.`, `.A`, without what follows.
    Field(String),
    /// `$`, `$x`.
    Variable(String),
    /// A function or a keyword.
    Word(String),
    /// A string in either kind of quotes.
    Text(String),
    /// A whole number.
    Number(i64),
    /// `(`.
    Open,
    /// `)`, and whether a field follows at once.
    Close,
    /// `|`.
    Pipe,
    /// `,`.
    Comma,
    /// `:=`.
    Declare,
    /// `=`.
    Assign,
    /// A blank: it separates `.A .B` from `.A.B`.
    Blank,
}

/// Longest template. Command lines are far shorter.
const MAX_TEMPLATE: usize = 16_384;

/// Splits a template.
pub(super) fn lex(text: &str) -> Result<Vec<Piece>, TemplateError> {
    if MAX_TEMPLATE < text.len() {
        return Err(TemplateError::TooLarge);
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    loop {
        let (before, inside) = match rest.split_once("{{") {
            Some((before, inside)) => (before, Some(inside)),
            None => (rest, None),
        };
        let mut before = if trim_next { before.trim_start() } else { before };
        let Some(inside) = inside else {
            pieces.push(Piece::Text(before.to_owned()));
            return Ok(pieces);
        };
        let trimmed = inside.strip_prefix('-').filter(|more| more.starts_with(char::is_whitespace));
        if trimmed.is_some() {
            before = before.trim_end();
        }
        pieces.push(Piece::Text(before.to_owned()));
        let (tokens, after, trim) = action(trimmed.unwrap_or(inside))?;
        if !tokens.is_empty() {
            pieces.push(Piece::Action(tokens));
        }
        (rest, trim_next) = (after, trim);
    }
}

/// The words up to the closing braces, what follows them, and whether blanks after them go.
fn action(text: &str) -> Result<(Vec<Token>, &str, bool), TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    if let Some(comment) = rest.trim_start().strip_prefix("/*") {
        let (_, after) = comment.split_once("*/").ok_or_else(|| syntax("a comment has no end"))?;
        rest = after;
    }
    loop {
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((tokens, after, false));
        }
        if let Some(after) = rest.trim_start().strip_prefix("-}}") {
            return Ok((tokens, after, true));
        }
        let (token, after) = token(rest)?;
        if token != Token::Blank || !matches!(tokens.last(), None | Some(Token::Blank)) {
            tokens.push(token);
        }
        rest = after;
    }
}

fn token(text: &str) -> Result<(Token, &str), TemplateError> {
    let first = text.chars().next().ok_or_else(|| syntax("braces are not closed"))?;
    let after = |token: Token| Ok((token, text.get(first.len_utf8()..).unwrap_or_default()));
    match first {
        '(' => after(Token::Open),
        ')' => after(Token::Close),
        '|' => after(Token::Pipe),
        ',' => after(Token::Comma),
        '=' => after(Token::Assign),
        ':' => match text.strip_prefix(":=") {
            Some(rest) => Ok((Token::Declare, rest)),
            None => Err(syntax("a lone colon")),
        },
        '"' => quoted(text.get(1..).unwrap_or_default()),
        '`' => {
            let inside = text.get(1..).unwrap_or_default();
            let (raw, rest) = inside.split_once('`').ok_or_else(|| syntax("a string has no end"))?;
            Ok((Token::Text(raw.to_owned()), rest))
        }
        '.' => Ok(word(text.get(1..).unwrap_or_default(), Token::Field)),
        '$' => Ok(word(text.get(1..).unwrap_or_default(), Token::Variable)),
        _ if first.is_whitespace() => {
            let rest = text.trim_start();
            Ok((Token::Blank, rest))
        }
        _ if first.is_ascii_digit() || first == '-' => number(text),
        _ if first.is_alphabetic() || first == '_' => Ok(word(text, Token::Word)),
        _ => Err(syntax("a character that has no place in a template")),
    }
}

fn word(text: &str, make: fn(String) -> Token) -> (Token, &str) {
    let end = text.find(|one: char| !one.is_alphanumeric() && one != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (make(name.to_owned()), rest)
}

fn number(text: &str) -> Result<(Token, &str), TemplateError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let length = digits.find(|one: char| !one.is_ascii_digit()).unwrap_or(digits.len());
    let (number, rest) =
        text.split_at_checked(length + text.len() - digits.len()).ok_or_else(|| syntax("no whole number"))?;
    if rest.starts_with(|one: char| one.is_alphanumeric() || one == '.') {
        return Err(TemplateError::Unknown("only whole numbers".to_owned()));
    }
    let value = number.parse().map_err(|_not_whole: std::num::ParseIntError| syntax("no whole number"))?;
    Ok((Token::Number(value), rest))
}

fn quoted(text: &str) -> Result<(Token, &str), TemplateError> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, one)) = characters.next() {
        match one {
            '"' => return Ok((Token::Text(value), text.get(index + 1..).unwrap_or_default())),
            '\\' => match characters.next().map(|(_, escaped)| escaped) {
                Some(plain @ ('"' | '\\')) => value.push(plain),
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(_) | None => return Err(TemplateError::Unknown("an escape in a string".to_owned())),
            },
            '\n' => break,
            _ => value.push(one),
        }
    }
    Err(syntax("a string has no end"))
}

pub(super) fn syntax(text: &str) -> TemplateError {
    TemplateError::Syntax(text.to_owned())
}
