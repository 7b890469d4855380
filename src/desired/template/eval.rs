//! Evaluates a tree.

use crate::desired::template::TemplateError;
use crate::desired::template::call::{call, is_true, print};
use crate::desired::template::data::Data;
use crate::desired::template::parse::{Base, Command, Node, Operand, Pipeline};

/// Longest result: far more names than an object may ask for.
const MAX_RESULT: usize = 65_536;

/// Steps of one evaluation, so that loops within loops end.
const MAX_STEPS: usize = 20_000;

/// What comes after a list of nodes.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    /// The next node.
    On,
    /// The end of the range around it.
    Break,
    /// The next element of the range around it.
    Continue,
}

struct Run<'a> {
    root: &'a Data,
    variables: Vec<(String, Data)>,
    out: String,
    steps: usize,
}

/// Evaluates a template on its data.
pub(super) fn run(nodes: &[Node], root: &Data) -> Result<String, TemplateError> {
    let mut run = Run { root, variables: Vec::new(), out: String::new(), steps: 0 };
    match run.all(nodes, root)? {
        Flow::On => Ok(run.out),
        Flow::Break | Flow::Continue => {
            Err(TemplateError::Syntax("break or continue outside of a range".into()))
        }
    }
}

impl Run<'_> {
    fn all(&mut self, nodes: &[Node], dot: &Data) -> Result<Flow, TemplateError> {
        let scope = self.variables.len();
        for node in nodes {
            self.steps += 1;
            if MAX_STEPS < self.steps || MAX_RESULT < self.out.len() {
                return Err(TemplateError::TooLarge);
            }
            let flow = self.one(node, dot)?;
            if flow != Flow::On {
                self.variables.truncate(scope);
                return Ok(flow);
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::On)
    }

    fn one(&mut self, node: &Node, dot: &Data) -> Result<Flow, TemplateError> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                self.out.push_str(&print(&value)?);
            }
            Node::Set(name, pipeline, new) => {
                let value = self.pipeline(pipeline, dot)?;
                self.set(name, value, *new)?;
            }
            Node::If(pipeline, body, other) => {
                let value = self.pipeline(pipeline, dot)?;
                return self.all(if is_true(&value) { body } else { other }, dot);
            }
            Node::With(pipeline, body, other) => {
                let value = self.pipeline(pipeline, dot)?;
                return if is_true(&value) { self.all(body, &value) } else { self.all(other, dot) };
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            Node::Range(variables, pipeline, body, other) => {
                let value = self.pipeline(pipeline, dot)?;
                let rows = rows(value)?;
                if rows.is_empty() {
                    return self.all(other, dot);
                }
                let scope = self.variables.len();
                for (index, element) in rows {
                    match variables.as_slice() {
                        [] => {}
                        [element_name] => self.variables.push((element_name.clone(), element.clone())),
                        [index_name, element_name, ..] => {
                            self.variables.push((index_name.clone(), index));
                            self.variables.push((element_name.clone(), element.clone()));
                        }
                    }
                    let flow = self.all(body, &element)?;
                    self.variables.truncate(scope);
                    if flow == Flow::Break {
                        break;
                    }
                }
            }
        }
        Ok(Flow::On)
    }

    fn set(&mut self, name: &str, value: Data, new: bool) -> Result<(), TemplateError> {
        if new {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => Err(TemplateError::Syntax(format!("the variable ${name} is not declared"))),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Data) -> Result<Data, TemplateError> {
        let mut last = None;
        for command in pipeline {
            last = Some(self.command(command, last, dot)?);
        }
        last.ok_or_else(|| TemplateError::Syntax("nothing to evaluate".to_owned()))
    }

    fn command(&mut self, command: &Command, last: Option<Data>, dot: &Data) -> Result<Data, TemplateError> {
        self.steps += 1;
        if MAX_STEPS < self.steps {
            return Err(TemplateError::TooLarge);
        }
        let operands = command.operands.iter().map(|operand| self.operand(operand, dot));
        let mut arguments = operands.collect::<Result<Vec<_>, _>>()?;
        match (&command.function, last) {
            (Some(function), last) => {
                arguments.extend(last);
                call(function, arguments)
            }
            (None, None) => arguments.pop().ok_or_else(|| TemplateError::Syntax("nothing".to_owned())),
            (None, Some(_)) => {
                Err(TemplateError::Unknown("a pipe into something that is no function".to_owned()))
            }
        }
    }

    fn operand(&mut self, operand: &Operand, dot: &Data) -> Result<Data, TemplateError> {
        let base = match &operand.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) if name.is_empty() => self.root.clone(),
            Base::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let missing = || TemplateError::Syntax(format!("the variable ${name} is not declared"));
                known.map(|(_, value)| value.clone()).ok_or_else(missing)?
            }
            Base::Text(text) => Data::Text(text.clone()),
            Base::Number(number) => Data::Number(*number),
            Base::Bool(value) => Data::Bool(*value),
            Base::Nil => Data::Nil,
            Base::Inner(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Call(function) => call(function, Vec::new())?,
        };
        operand.fields.iter().try_fold(base, |value, name| field(value, name))
    }
}

fn field(value: Data, name: &str) -> Result<Data, TemplateError> {
    match value {
        Data::Struct(mut fields) => {
            fields.remove(name).ok_or_else(|| TemplateError::Unknown(format!("the field {name}")))
        }
        Data::Strings(mut map) => Ok(Data::Text(map.remove(name).unwrap_or_default())),
        Data::Map(mut map) => Ok(map.remove(name).unwrap_or(Data::Nil)),
        Data::Nil | Data::Text(_) | Data::Number(_) | Data::Bool(_) | Data::List(_) => {
            Err(TemplateError::Unknown(format!("the field {name} of something without fields")))
        }
    }
}

/// Index and element of everything that can be ranged over.
fn rows(value: Data) -> Result<Vec<(Data, Data)>, TemplateError> {
    Ok(match value {
        Data::Nil => Vec::new(),
        Data::List(list) => {
            (0_i64..).zip(list).map(|(index, element)| (Data::Number(index), element)).collect()
        }
        Data::Strings(map) => {
            map.into_iter().map(|(key, value)| (Data::Text(key), Data::Text(value))).collect()
        }
        Data::Map(map) => map.into_iter().map(|(key, value)| (Data::Text(key), value)).collect(),
        Data::Text(_) | Data::Number(_) | Data::Bool(_) | Data::Struct(_) => {
            return Err(TemplateError::Unknown("a range over something that is no list".to_owned()));
        }
    })
}
