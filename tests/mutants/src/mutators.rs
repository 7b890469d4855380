//! Which changes a source text can suffer, and how each is put behind its switch.
//!
//! The changes are those of cargo-mutants, and three more: the closure of a filter or a question lets
//! everything through, an iterator that is returned yields nothing, and `matches!` says the opposite.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::{Context, Result};
use proc_macro2::Span;
use serde::{Deserialize, Serialize};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, ExprMatch, ExprMethodCall, ExprUnary, ImplItemConst,
    ImplItemFn, ItemConst, ItemFn, ItemImpl, ItemMod, ItemStatic, Macro, Pat, ReturnType, Signature,
    TraitItemFn, Type, UnOp,
};

use crate::splice::Site;
use crate::values::values;

/// One change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mutant {
    /// Its switch; from 1.
    pub number: u32,
    /// Path below the project.
    pub file: String,
    /// Line in the unchanged file.
    pub line: usize,
    /// What is changed, and in which function.
    pub change: String,
    /// True if the change is no valid program.
    pub refused: bool,
}

/// What was found in all files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Mutants {
    /// In the order of their numbers.
    pub all: Vec<Mutant>,
    /// What has no switch, for each file: `&&` beside a `let`, and functions that the compiler may run.
    pub skipped: BTreeMap<String, usize>,
}

/// Methods whose closure says yes or no.
const ASKING: [&str; 10] = [
    "filter",
    "retain",
    "any",
    "all",
    "is_some_and",
    "is_none_or",
    "take_while",
    "skip_while",
    "find",
    "position",
];

/// Finds the sites of one file, the outer before the inner.
pub fn sites_of(file: &str, text: &str, mutants: &mut Mutants) -> Result<Vec<Site>> {
    let parsed = syn::parse_file(text).with_context(|| format!("parse {file}"))?;
    let mut finder = Finder { file, text, mutants, names: Vec::new(), sites: Vec::new() };
    finder.visit_file(&parsed);
    Ok(finder.sites)
}

struct Finder<'a> {
    file: &'a str,
    text: &'a str,
    mutants: &'a mut Mutants,
    /// Of the functions and types around.
    names: Vec<String>,
    sites: Vec<Site>,
}

impl Finder<'_> {
    /// Gives the next change its number.
    fn mutant(&mut self, at: Span, change: &str) -> u32 {
        let number = u32::try_from(self.mutants.all.len()).unwrap_or(u32::MAX).saturating_add(1);
        let change = format!("{change} in {}", self.names.join("::"));
        let (file, line) = (self.file.to_owned(), at.start().line);
        self.mutants.all.push(Mutant { number, file, line, change, refused: false });
        number
    }

    fn site(&mut self, mutants: &[u32], edit: impl FnOnce(Site) -> Site) {
        self.sites.push(edit(Site::of(mutants)));
    }

    fn skip(&mut self) {
        let skipped = self.mutants.skipped.entry(self.file.to_owned()).or_default();
        *skipped = skipped.saturating_add(1);
    }

    fn source(&self, range: Range<usize>) -> String {
        self.text.get(range).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        if is_test(attributes) {
            return;
        }
        if signature.constness.is_some() {
            return self.skip();
        }
        self.names.push(signature.ident.to_string());
        self.body(&signature.output, block);
        self.visit_block(block);
        self.names.pop();
    }

    /// The function returns at once.
    fn body(&mut self, output: &ReturnType, block: &Block) {
        if block.stmts.is_empty() {
            return;
        }
        let (at, braces) = (block.brace_token.span.open(), bytes(block.brace_token.span.join()));
        let (start, end) = (braces.start + 1, braces.end - 1);
        let values = match output {
            ReturnType::Default => vec![String::new()],
            ReturnType::Type(_, of) if matches!(**of, Type::ImplTrait(_)) => {
                let number = self.mutant(at, "yield nothing");
                let close = format!("}}; all.filter(|_| !crate::mutant::on({number})) ");
                return self.site(&[number], |site| site.open(start, " let all = {").close(end, close));
            }
            ReturnType::Type(_, of) => values(of),
        };
        for value in values {
            let number =
                self.mutant(at, &format!("return {}", if value.is_empty() { "at once" } else { &value }));
            let text = format!(" if crate::mutant::on({number}) {{ return {value}; }}");
            self.site(&[number], |site| site.open(start, text));
        }
    }

    /// Turns yes into no.
    fn opposite(&mut self, at: Span, whole: Range<usize>, change: &str) {
        let number = self.mutant(at, change);
        let close = format!(") ^ crate::mutant::on({number}))");
        self.site(&[number], |site| site.open(whole.start, "((").close(whole.end, close));
    }

    /// The operator becomes a function that knows the others.
    fn call(&mut self, binary: &ExprBinary, function: &str, others: &[&str]) {
        let operator = bytes(binary.op.span());
        let own = self.source(operator.clone());
        let numbers: Vec<u32> = others
            .iter()
            .map(|other| self.mutant(binary.op.span(), &format!("replace {own} with {other}")))
            .collect();
        let Some(first) = numbers.first() else { return };
        // Only what is compared is borrowed.
        let by = if matches!(binary.op, BinOp::Add(_) | BinOp::Sub(_) | BinOp::Mul(_) | BinOp::Div(_)) {
            ""
        } else {
            "&"
        };
        let whole = bytes(binary.span());
        let open = format!("crate::mutant::{function}({first}, {by}(");
        self.site(&numbers, |site| {
            site.open(whole.start, open).replace(operator, format!("), {by}(")).close(whole.end, "))")
        });
    }

    /// `&&` and `||`, each operand once.
    fn junction(&mut self, binary: &ExprBinary, is_and: bool) {
        if holds_let(&binary.left) || holds_let(&binary.right) {
            return self.skip();
        }
        let change = if is_and { "replace && with ||" } else { "replace || with &&" };
        let number = self.mutant(binary.op.span(), change);
        let (whole, on) = (bytes(binary.span()), format!("crate::mutant::on({number})"));
        let (then, close) = if is_and {
            (format!(") != {on} {{ "), format!(" }} else {{ {on} }})"))
        } else {
            (format!(") != {on} {{ !{on} }} else {{ "), " })".to_owned())
        };
        self.site(&[number], |site| {
            site.open(whole.start, "(if (").replace(bytes(binary.op.span()), then).close(whole.end, close)
        });
    }

    fn arm(&mut self, arm: &Arm, is_free: bool) {
        let pattern = bytes(arm.pat.span());
        let word = self.source(pattern.clone());
        match &arm.guard {
            Some((_, guard)) if !holds_let(guard) => {
                let always = self.mutant(guard.span(), &format!("replace the guard of {word} with true"));
                let never = self.mutant(guard.span(), &format!("replace the guard of {word} with false"));
                let whole = bytes(guard.span());
                let close = format!(") || crate::mutant::on({always})) && !crate::mutant::on({never})");
                self.site(&[always, never], |site| site.open(whole.start, "((").close(whole.end, close));
            }
            Some(_) => self.skip(),
            None if is_free => {
                let number = self.mutant(arm.pat.span(), &format!("delete the arm {word}"));
                let guard = format!(" if !crate::mutant::on({number})");
                self.site(&[number], |site| site.close(pattern.end, guard));
            }
            None => {}
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.names.push(self.source(bytes(item.self_ty.span())));
        visit::visit_item_impl(self, item);
        self.names.pop();
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.attrs, &item.sig, block);
        }
    }

    // The compiler computes these, and can ask no switch.
    fn visit_item_const(&mut self, _: &'ast ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast ImplItemConst) {}
    fn visit_item_static(&mut self, _: &'ast ItemStatic) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let whole = bytes(binary.span());
        match binary.op {
            BinOp::Eq(_) => self.opposite(binary.op.span(), whole, "replace == with !="),
            BinOp::Ne(_) => self.opposite(binary.op.span(), whole, "replace != with =="),
            BinOp::Lt(_) => self.call(binary, "lt", &["==", ">", "<="]),
            BinOp::Gt(_) => self.call(binary, "gt", &["==", "<", ">="]),
            BinOp::Le(_) => self.call(binary, "le", &[">", "<"]),
            BinOp::Ge(_) => self.call(binary, "ge", &["<", ">"]),
            BinOp::And(_) => self.junction(binary, true),
            BinOp::Or(_) => self.junction(binary, false),
            BinOp::Add(_) => self.call(binary, "add", &["-"]),
            BinOp::Sub(_) => self.call(binary, "sub", &["+"]),
            BinOp::Mul(_) => self.call(binary, "mul", &["/"]),
            BinOp::Div(_) => self.call(binary, "div", &["*"]),
            _ => {}
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        // `matches!` has a switch of its own that does the same.
        let turns = matches!(&*unary.expr, Expr::Macro(one) if one.mac.path.is_ident("matches"));
        if matches!(unary.op, UnOp::Not(_)) && !turns {
            self.opposite(unary.span(), bytes(unary.span()), "delete !");
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, expression: &'ast ExprMatch) {
        let takes_all = |arm: &Arm| arm.guard.is_none() && is_rest(&arm.pat);
        let has_rest = expression.arms.iter().any(takes_all);
        self.visit_expr(&expression.expr);
        for arm in &expression.arms {
            self.arm(arm, has_rest && !takes_all(arm));
            self.visit_arm(arm);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let method = call.method.to_string();
        self.visit_expr(&call.receiver);
        for argument in &call.args {
            if let Expr::Closure(closure) = argument
                && matches!(closure.output, ReturnType::Default)
                && ASKING.contains(&method.as_str())
            {
                let whole = bytes(closure.body.span());
                let number = self.mutant(call.method.span(), &format!("always true in {method}"));
                let close = format!(") || crate::mutant::on({number}))");
                self.site(&[number], |site| site.open(whole.start, "((").close(whole.end, close));
            }
            self.visit_expr(argument);
        }
    }

    fn visit_macro(&mut self, one: &'ast Macro) {
        if one.path.is_ident("matches") {
            let whole = bytes(one.path.span()).start..bytes(one.delimiter.span().close()).end;
            self.opposite(one.path.span(), whole, "replace matches! with its opposite");
        }
    }
}

fn bytes(span: Span) -> Range<usize> {
    span.byte_range()
}

/// True for what only tests have.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|one| {
        let text = match &one.meta {
            syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
            _ => String::new(),
        };
        text == "test" || one.path().is_ident("test")
    })
}

/// True for a condition of several of which one is a `let`: no function and no block can hold it.
fn holds_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) if matches!(binary.op, BinOp::And(_)) => {
            holds_let(&binary.left) || holds_let(&binary.right)
        }
        _ => false,
    }
}

/// True for a pattern that takes everything. A name in capitals is a value and takes only itself.
fn is_rest(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(one) => one.subpat.is_none() && !one.ident.to_string().starts_with(char::is_uppercase),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::splice::splice;

    #[test]
    fn each_change_gets_its_switch() {
        let check = |body: &str, expected: &str| {
            let text = format!("const fn f() {{ }} fn g() {{ {body} }}");
            let mut mutants = Mutants::default();
            let mut sites = sites_of("f.rs", &text, &mut mutants).expect("valid source");
            // Without that of the whole function.
            sites.remove(0);
            let (new, _) = splice(&text, &sites, &BTreeSet::new());
            let short = new.replace("crate::mutant::", "");
            assert_eq!(short, format!("const fn f() {{ }} fn g() {{ {expected} }}"));
        };
        check("a == b", "((a == b) ^ on(2))");
        check("!a < b", "lt(2, &(((!a) ^ on(5)) ), &( b))");
        check(
            "a && b && c",
            "(if ((if (a ) != on(3) {  b } else { on(3) }) ) != on(2) {  c } else { on(2) })",
        );
        check("a || b", "(if (a ) != on(2) { !on(2) } else {  b })");
        check("if let Some(a) = b && c == d {}", "if let Some(a) = b && ((c == d) ^ on(2)) {}");
        check("match a { 1 => b, _ => c }", "match a { 1 if !on(2) => b, _ => c }");
        check("match a { A if b => c, D => e }", "match a { A if ((b) || on(2)) && !on(3) => c, D => e }");
        check("a.filter(|b| c)", "a.filter(|b| ((c) || on(2)))");
        check("matches!(a, B)", "((matches!(a, B)) ^ on(2))");
        check("!matches!(a, B)", "!((matches!(a, B)) ^ on(2))");
        check("const A: bool = b < c;", "const A: bool = b < c;");
    }
}
