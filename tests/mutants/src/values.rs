//! What a function of a type could return without doing its work.

use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// Enough for a pair of options.
const MOST: usize = 6;

/// Expressions of a type. Whether they compile is for the compiler to say.
pub fn values(of: &Type) -> Vec<String> {
    let mut values = match of {
        Type::Path(path) => path.path.segments.last().map(named).unwrap_or_default(),
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(_) => words(&["&[]"]),
            elem if is_str(elem) => words(&["\"\"", "\"xyzzy\""]),
            _ => words(&["Box::leak(Box::default())"]),
        },
        Type::Tuple(tuple) => tuple.elems.iter().fold(words(&[""]), |done, elem| {
            let values = values(elem);
            done.iter().flat_map(|head| values.iter().map(move |value| format!("{head}{value}, "))).collect()
        }),
        Type::Paren(inner) => return self::values(&inner.elem),
        _ => Vec::new(),
    };
    if matches!(of, Type::Tuple(_)) {
        values = values.into_iter().map(|inner| format!("({inner})")).collect();
    }
    values.truncate(MOST);
    values
}

fn named(segment: &PathSegment) -> Vec<String> {
    let inner = first_type(segment).map(values).unwrap_or_default();
    let wrapped = |word: &str| inner.iter().map(|value| format!("{word}({value})")).collect::<Vec<_>>();
    match segment.ident.to_string().as_str() {
        "bool" => words(&["true", "false"]),
        "u8" | "u16" | "u32" | "u64" | "usize" | "i32" | "i64" | "isize" => words(&["0", "1"]),
        "String" => words(&["String::new()", "\"xyzzy\".to_owned()"]),
        "Option" => [words(&["None"]), wrapped("Some")].concat(),
        "Result" => wrapped("Ok"),
        "Vec" => {
            let one = inner.first().map(|value| format!("vec![{value}]"));
            words(&["Vec::new()"]).into_iter().chain(one).collect()
        }
        "Cow" => words(&["std::borrow::Cow::Owned(Default::default())"]),
        _ => words(&["Default::default()"]),
    }
}

fn is_str(of: &Type) -> bool {
    matches!(of, Type::Path(path) if path.path.is_ident("str"))
}

fn first_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    })
}

fn words(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_values() {
        let check = |of: &str, expected: &[&str]| {
            assert_eq!(values(&syn::parse_str(of).expect("a type")), expected, "{of}");
        };
        check("bool", &["true", "false"]);
        check("Option<bool>", &["None", "Some(true)", "Some(false)"]);
        check("Vec<u8>", &["Vec::new()", "vec![0]"]);
        check(
            "(bool, &str)",
            &["(true, \"\", )", "(true, \"xyzzy\", )", "(false, \"\", )", "(false, \"xyzzy\", )"],
        );
        check("BTreeSet<String>", &["Default::default()"]);
        check("Result<(), Error>", &["Ok(())"]);
        check("impl Iterator<Item = u8>", &[]);
    }
}
