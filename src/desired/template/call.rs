//! The functions of templates: Go's own and those of ExternalDNS.

use std::cmp::Ordering;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::desired::template::TemplateError;
use crate::desired::template::data::Data;

/// Calls a function.
pub(super) fn call(function: &str, arguments: Vec<Data>) -> Result<Data, TemplateError> {
    match function {
        "and" => Ok(first(arguments, |one| !is_true(one))),
        "or" => Ok(first(arguments, is_true)),
        "not" | "len" | "trim" | "toLower" | "isIPv4" | "isIPv6" | "fromJson" => of_one(function, arguments),
        "eq" => equal_any(&arguments),
        "ne" => Ok(Data::Bool(compare(&arguments)? != Ordering::Equal)),
        "lt" => Ok(Data::Bool(compare(&arguments)?.is_lt())),
        "le" => Ok(Data::Bool(compare(&arguments)?.is_le())),
        "gt" => Ok(Data::Bool(compare(&arguments)?.is_gt())),
        "ge" => Ok(Data::Bool(compare(&arguments)?.is_ge())),
        "index" => index(arguments),
        "print" => joined(&arguments).map(Data::Text),
        "printf" => formatted(&arguments).map(Data::Text),
        "contains" | "trimPrefix" | "trimSuffix" | "hasKey" => of_two(function, &arguments),
        "replace" => replace(&arguments),
        _ => Err(TemplateError::Unknown(format!("the function {function}"))),
    }
}

/// Go's truth: everything but the zero value of its type.
pub(super) fn is_true(value: &Data) -> bool {
    match value {
        Data::Nil => false,
        Data::Text(text) => !text.is_empty(),
        Data::Number(number) => *number != 0,
        Data::Bool(value) => *value,
        Data::List(list) => !list.is_empty(),
        Data::Strings(map) => !map.is_empty(),
        Data::Map(map) => !map.is_empty(),
        Data::Struct(_) => true,
    }
}

/// As Go prints a value.
pub(super) fn print(value: &Data) -> Result<String, TemplateError> {
    Ok(match value {
        Data::Nil => "<no value>".to_owned(),
        Data::Text(text) => text.clone(),
        Data::Number(number) => number.to_string(),
        Data::Bool(value) => value.to_string(),
        Data::List(list) => {
            let rows = list.iter().map(print).collect::<Result<Vec<_>, _>>()?;
            format!("[{}]", rows.join(" "))
        }
        Data::Strings(map) => {
            let rows: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            format!("map[{}]", rows.join(" "))
        }
        Data::Map(map) => {
            let row = |(key, value): (&String, &Data)| print(value).map(|value| format!("{key}:{value}"));
            let rows = map.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            format!("map[{}]", rows.join(" "))
        }
        Data::Struct(_) => return Err(TemplateError::Unknown("the text of a whole struct".to_owned())),
    })
}

/// The first argument that decides, else the last.
fn first(arguments: Vec<Data>, decides: impl Fn(&Data) -> bool) -> Data {
    let mut last = Data::Nil;
    for argument in arguments {
        let found = decides(&argument);
        last = argument;
        if found {
            break;
        }
    }
    last
}

fn of_one(function: &str, arguments: Vec<Data>) -> Result<Data, TemplateError> {
    let [value] = <[Data; 1]>::try_from(arguments).map_err(|_other_count| bad(function))?;
    Ok(match (function, value) {
        ("not", value) => Data::Bool(!is_true(&value)),
        ("len", value) => Data::Number(length(&value).ok_or_else(|| bad(function))?),
        ("trim", Data::Text(text)) => Data::Text(text.trim().to_owned()),
        ("toLower", Data::Text(text)) => Data::Text(text.to_lowercase()),
        ("isIPv4", Data::Text(text)) => Data::Bool(text.parse::<Ipv4Addr>().is_ok()),
        ("isIPv6", Data::Text(text)) => Data::Bool(text.parse::<Ipv6Addr>().is_ok()),
        ("fromJson", Data::Text(text)) => serde_json::from_str(&text).map_or(Data::Nil, from_json),
        _ => return Err(bad(function)),
    })
}

fn length(value: &Data) -> Option<i64> {
    let length = match value {
        Data::Text(text) => text.len(),
        Data::List(list) => list.len(),
        Data::Strings(map) => map.len(),
        Data::Map(map) => map.len(),
        Data::Nil | Data::Number(_) | Data::Bool(_) | Data::Struct(_) => return None,
    };
    i64::try_from(length).ok()
}

fn from_json(value: Value) -> Data {
    match value {
        Value::Null => Data::Nil,
        Value::Bool(value) => Data::Bool(value),
        Value::Number(number) => number.as_i64().map_or_else(|| Data::Text(number.to_string()), Data::Number),
        Value::String(text) => Data::Text(text),
        Value::Array(list) => Data::List(list.into_iter().map(from_json).collect()),
        Value::Object(map) => {
            Data::Map(map.into_iter().map(|(key, value)| (key, from_json(value))).collect())
        }
    }
}

fn compare(arguments: &[Data]) -> Result<Ordering, TemplateError> {
    match arguments {
        [Data::Text(left), Data::Text(right)] => Ok(left.cmp(right)),
        [Data::Number(left), Data::Number(right)] => Ok(left.cmp(right)),
        [Data::Bool(left), Data::Bool(right)] => Ok(left.cmp(right)),
        _ => Err(bad("a comparison")),
    }
}

/// `eq` takes one value and several to compare it with.
fn equal_any(arguments: &[Data]) -> Result<Data, TemplateError> {
    let (left, others) = arguments.split_first().ok_or_else(|| bad("eq"))?;
    if others.is_empty() {
        return Err(bad("eq"));
    }
    for other in others {
        if compare(&[left.clone(), other.clone()])? == Ordering::Equal {
            return Ok(Data::Bool(true));
        }
    }
    Ok(Data::Bool(false))
}

fn index(arguments: Vec<Data>) -> Result<Data, TemplateError> {
    let mut rest = arguments.into_iter();
    let base = rest.next().ok_or_else(|| bad("index"))?;
    rest.try_fold(base, |value, key| match (value, key) {
        (Data::Strings(mut map), Data::Text(key)) => Ok(Data::Text(map.remove(&key).unwrap_or_default())),
        (Data::Map(mut map), Data::Text(key)) => Ok(map.remove(&key).unwrap_or(Data::Nil)),
        (Data::List(list), Data::Number(place)) => {
            let element = usize::try_from(place).ok().and_then(|place| list.into_iter().nth(place));
            element.ok_or_else(|| TemplateError::Unknown("an index beyond the end of a list".to_owned()))
        }
        _ => Err(bad("index")),
    })
}

fn of_two(function: &str, arguments: &[Data]) -> Result<Data, TemplateError> {
    Ok(match (function, arguments) {
        ("contains", [Data::Text(text), Data::Text(part)]) => Data::Bool(text.contains(part.as_str())),
        ("trimPrefix", [Data::Text(text), Data::Text(part)]) => {
            Data::Text(text.strip_prefix(part.as_str()).unwrap_or(text).to_owned())
        }
        ("trimSuffix", [Data::Text(text), Data::Text(part)]) => {
            Data::Text(text.strip_suffix(part.as_str()).unwrap_or(text).to_owned())
        }
        ("hasKey", [Data::Strings(map), Data::Text(key)]) => Data::Bool(map.contains_key(key)),
        ("hasKey", [Data::Map(map), Data::Text(key)]) => Data::Bool(map.contains_key(key)),
        _ => return Err(bad(function)),
    })
}

fn replace(arguments: &[Data]) -> Result<Data, TemplateError> {
    match arguments {
        [Data::Text(old), Data::Text(new), Data::Text(text)] if !old.is_empty() => {
            Ok(Data::Text(text.replace(old.as_str(), new)))
        }
        _ => Err(bad("replace")),
    }
}

/// Blanks stand only between two arguments that are no strings.
fn joined(arguments: &[Data]) -> Result<String, TemplateError> {
    let mut out = String::new();
    let mut last_is_text = true;
    for argument in arguments {
        let is_text = matches!(argument, Data::Text(_));
        if !is_text && !last_is_text {
            out.push(' ');
        }
        out.push_str(&print(argument)?);
        last_is_text = is_text;
    }
    Ok(out)
}

fn formatted(arguments: &[Data]) -> Result<String, TemplateError> {
    let Some((Data::Text(format), values)) = arguments.split_first() else { return Err(bad("printf")) };
    let mut values = values.iter();
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(one) = characters.next() {
        if one != '%' {
            out.push(one);
            continue;
        }
        match characters.next() {
            Some('%') => out.push('%'),
            Some(verb @ ('s' | 'v' | 'd')) => {
                let value = values.next().ok_or_else(|| bad("printf"))?;
                if (verb == 'd') != matches!(value, Data::Number(_)) && verb != 'v' {
                    return Err(bad("printf"));
                }
                out.push_str(&print(value)?);
            }
            Some(_) | None => return Err(bad("printf")),
        }
    }
    if values.next().is_some() { Err(bad("printf")) } else { Ok(out) }
}

fn bad(function: &str) -> TemplateError {
    TemplateError::Unknown(format!("{function} with such arguments"))
}
