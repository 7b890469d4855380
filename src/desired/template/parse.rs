//! From pieces to a tree.

use std::iter::Peekable;
use std::vec::IntoIter;

use crate::desired::template::TemplateError;
use crate::desired::template::lex::{Piece, Token, syntax};

/// One node of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Text as it is.
    Text(String),
    /// Prints a value.
    Print(Pipeline),
    /// Gives a variable a value; `true` where it is a new one.
    Set(String, Pipeline, bool),
    /// One of two branches.
    If(Pipeline, Vec<Self>, Vec<Self>),
    /// The same with the value as the dot.
    With(Pipeline, Vec<Self>, Vec<Self>),
    /// Leaves the range.
    Break,
    /// Goes on with the next element of the range.
    Continue,
    /// Once for each element, with variables for the index and the element.
    Range(Vec<String>, Pipeline, Vec<Self>, Vec<Self>),
}

/// Commands, each with the result of the one before as its last argument.
pub(super) type Pipeline = Vec<Command>;

/// A function with its arguments, or one operand alone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    /// The function; `None` for an operand alone.
    pub(super) function: Option<String>,
    /// Operands.
    pub(super) operands: Vec<Operand>,
}

/// Something with a value, and the fields that are taken of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand {
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
}

/// Where an operand begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Text(String),
    Number(i64),
    Bool(bool),
    Nil,
    Inner(Pipeline),
    /// A function without arguments in the place of an operand.
    Call(String),
}

type Pieces = Peekable<IntoIter<Piece>>;
type Tokens = Peekable<IntoIter<Token>>;

/// How deep blocks and parentheses may nest.
const MAX_DEPTH: usize = 50;

/// What ended a list of nodes.
enum End {
    Text,
    Block,
    Else(Tokens),
}

/// Parses the pieces of a template.
pub(super) fn parse(pieces: Vec<Piece>) -> Result<Vec<Node>, TemplateError> {
    let mut pieces = pieces.into_iter().peekable();
    match list(&mut pieces, 0)? {
        (nodes, End::Text) => Ok(nodes),
        (_, End::Block | End::Else(_)) => Err(syntax("an end or else without a beginning")),
    }
}

fn list(pieces: &mut Pieces, depth: usize) -> Result<(Vec<Node>, End), TemplateError> {
    if MAX_DEPTH < depth {
        return Err(TemplateError::TooLarge);
    }
    let mut nodes = Vec::new();
    while let Some(piece) = pieces.next() {
        let tokens = match piece {
            Piece::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Piece::Action(tokens) => tokens,
        };
        let mut tokens = tokens.into_iter().peekable();
        let keyword = match tokens.peek() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        match keyword.as_str() {
            "end" => return Ok((nodes, End::Block)),
            "else" => {
                tokens.next();
                skip_blank(&mut tokens);
                return Ok((nodes, End::Else(tokens)));
            }
            "if" | "with" | "range" => {
                tokens.next();
                nodes.push(block(&keyword, tokens, pieces, depth)?);
            }
            "break" | "continue" => {
                tokens.next();
                skip_blank(&mut tokens);
                if tokens.peek().is_some() {
                    return Err(syntax("words after break or continue"));
                }
                nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
            }
            "template" | "define" | "block" => {
                return Err(TemplateError::Unknown(format!("{{{{{keyword}}}}}")));
            }
            _ => nodes.push(simple(tokens)?),
        }
    }
    Ok((nodes, End::Text))
}

fn block(keyword: &str, mut head: Tokens, pieces: &mut Pieces, depth: usize) -> Result<Node, TemplateError> {
    let variables = if keyword == "range" { declared(&mut head)? } else { Vec::new() };
    let pipeline = whole(head)?;
    let (body, end) = list(pieces, depth + 1)?;
    let other = match end {
        End::Block => Vec::new(),
        End::Text => return Err(syntax("a block has no end")),
        End::Else(mut tokens) => match tokens.peek() {
            Some(Token::Word(word)) if word == "if" || word == "with" => {
                let word = word.clone();
                tokens.next();
                if MAX_DEPTH < depth {
                    return Err(TemplateError::TooLarge);
                }
                vec![block(&word, tokens, pieces, depth + 1)?]
            }
            Some(_) => return Err(syntax("words after else")),
            None => match list(pieces, depth + 1)? {
                (other, End::Block) => other,
                (_, End::Text | End::Else(_)) => return Err(syntax("a block has no end")),
            },
        },
    };
    Ok(match keyword {
        "if" => Node::If(pipeline, body, other),
        "with" => Node::With(pipeline, body, other),
        _ => Node::Range(variables, pipeline, body, other),
    })
}

/// `$i, $v :=` before the pipeline of a range.
fn declared(head: &mut Tokens) -> Result<Vec<String>, TemplateError> {
    let all: Vec<Token> = head.clone().collect();
    if !all.contains(&Token::Declare) {
        return Ok(Vec::new());
    }
    let mut variables = Vec::new();
    for token in head.by_ref() {
        if token == Token::Declare {
            return Ok(variables);
        }
        if let Token::Variable(name) = token {
            variables.push(name);
        } else if !matches!(token, Token::Blank | Token::Comma) {
            break;
        }
        if 2 < variables.len() {
            break;
        }
    }
    Err(syntax("the variables of a range"))
}

/// A pipeline, or a variable that gets one.
fn simple(mut tokens: Tokens) -> Result<Node, TemplateError> {
    let mut ahead = tokens.clone();
    skip_blank(&mut ahead);
    if let Some(Token::Variable(name)) = ahead.next() {
        skip_blank(&mut ahead);
        match ahead.next() {
            Some(Token::Declare) => return Ok(Node::Set(name, whole(ahead)?, true)),
            Some(Token::Assign) => return Ok(Node::Set(name, whole(ahead)?, false)),
            _ => {}
        }
    }
    skip_blank(&mut tokens);
    Ok(Node::Print(whole(tokens)?))
}

fn whole(mut tokens: Tokens) -> Result<Pipeline, TemplateError> {
    let pipeline = pipeline(&mut tokens, 0)?;
    match tokens.next() {
        None => Ok(pipeline),
        Some(_) => Err(syntax("a word that does not belong there")),
    }
}

fn pipeline(tokens: &mut Tokens, depth: usize) -> Result<Pipeline, TemplateError> {
    if MAX_DEPTH < depth {
        return Err(TemplateError::TooLarge);
    }
    let mut commands = vec![command(tokens, depth)?];
    while tokens.next_if_eq(&Token::Pipe).is_some() {
        commands.push(command(tokens, depth)?);
    }
    Ok(commands)
}

fn command(tokens: &mut Tokens, depth: usize) -> Result<Command, TemplateError> {
    skip_blank(tokens);
    let function = match tokens.peek() {
        Some(Token::Word(word)) if !matches!(word.as_str(), "true" | "false" | "nil") => Some(word.clone()),
        _ => None,
    };
    if function.is_some() {
        tokens.next();
    }
    let mut operands = Vec::new();
    loop {
        skip_blank(tokens);
        match tokens.peek() {
            None | Some(Token::Pipe | Token::Close) => break,
            Some(_) => operands.push(operand(tokens, depth)?),
        }
    }
    match (&function, operands.len()) {
        (None, 0) => Err(syntax("nothing to evaluate")),
        (None, 2..) => Err(TemplateError::Unknown("a method with arguments".to_owned())),
        _ => Ok(Command { function, operands }),
    }
}

fn operand(tokens: &mut Tokens, depth: usize) -> Result<Operand, TemplateError> {
    let mut fields = Vec::new();
    let base = match tokens.next() {
        Some(Token::Field(name)) => {
            fields.extend(Some(name).filter(|name| !name.is_empty()));
            Base::Dot
        }
        Some(Token::Variable(name)) => Base::Variable(name),
        Some(Token::Text(text)) => Base::Text(text),
        Some(Token::Number(number)) => Base::Number(number),
        Some(Token::Word(word)) => match word.as_str() {
            "true" => Base::Bool(true),
            "false" => Base::Bool(false),
            "nil" => Base::Nil,
            _ => Base::Call(word),
        },
        Some(Token::Open) => {
            let inner = pipeline(tokens, depth + 1)?;
            if tokens.next() != Some(Token::Close) {
                return Err(syntax("a parenthesis is not closed"));
            }
            Base::Inner(inner)
        }
        _ => return Err(syntax("an operand is missing")),
    };
    while let Some(Token::Field(name)) = tokens.next_if(|token| matches!(token, Token::Field(_))) {
        fields.push(name);
    }
    Ok(Operand { base, fields })
}

fn skip_blank(tokens: &mut Tokens) {
    while tokens.next_if_eq(&Token::Blank).is_some() {}
}
