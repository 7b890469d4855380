//! `--fqdn-template`: Go templates, as far as they are used for host names. Pure.
//!
//! What cannot be evaluated here is an error and never a guess: the names of the object are then
//! unknown. No crate speaks Go's template language as Go does and is kept up.
//!
//! Source: Go standard library, `text/template`; kubernetes-sigs/external-dns:source/fqdn/fqdn.go.

mod call;
mod data;
mod eval;
mod lex;
mod parse;

use crate::model::object::KubeObject;

/// A template that cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no template.
    #[error("the template does not parse: {0}")]
    Syntax(String),
    /// It uses something that is not known here.
    #[error("the template cannot be evaluated here: {0}")]
    Unknown(String),
    /// It goes beyond every sensible bound.
    #[error("the template is too large or never ends")]
    TooLarge,
}

/// The names that templates make of an object: sorted, without duplicates and empty ones.
///
/// # Errors
///
/// See [`TemplateError`].
pub fn names(templates: &[String], object: &KubeObject) -> Result<Vec<String>, TemplateError> {
    let mut names = written(templates, object)?;
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    Ok(names)
}

/// The names as the templates write them, empty ones too.
///
/// # Errors
///
/// See [`TemplateError`].
pub fn written(templates: &[String], object: &KubeObject) -> Result<Vec<String>, TemplateError> {
    let root = data::of_object(object);
    let mut names = Vec::new();
    for text in templates {
        let nodes = parse::parse(lex::lex(text)?)?;
        let result = eval::run(&nodes, &root)?;
        let parts = result.split(',').map(str::trim);
        names.extend(parts.map(|name| name.strip_suffix('.').unwrap_or(name).to_owned()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::kinds::{Kind, Row};

    fn object() -> std::sync::Arc<KubeObject> {
        let value = serde_json::json!({"metadata": {"name": "web", "namespace": "shop",
            "labels": {"team": "a", "app.kubernetes.io/name": "front"},
            "annotations": {"hosts": "x.example.com,y.example.com"}},
            "spec": {"ingressClassName": "alb", "rules": [{"host": "a.example.com"}, {"host": "b.example.com"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}});
        match Kind::Ingress.decode(value).expect("decoded") {
            Some(Row::Object(object)) => object,
            _ => panic!("an object"),
        }
    }

    fn check(template: &str, expected: &[&str]) {
        let names = names(&[template.to_owned()], &object());
        assert_eq!(names.expect(template), expected, "{template}");
    }

    #[test]
    fn what_is_used_in_practice() {
        check("{{.Name}}.example.com", &["web.example.com"]);
        check("{{ .Name }}.{{ .Namespace }}.example.com.", &["web.shop.example.com"]);
        check("{{.Name}}.a.com, {{.Name}}.b.com", &["web.a.com", "web.b.com"]);
        check("nodes.example.com", &["nodes.example.com"]);
        check("{{ .Labels.team }}.example.com", &["a.example.com"]);
        check("{{ index .Labels \"app.kubernetes.io/name\" }}.example.com", &["front.example.com"]);
        check("{{ .Labels.absent }}", &[]);
        check("{{ range .Spec.Rules }}{{ .Host }},{{ end }}", &["a.example.com", "b.example.com"]);
        check(
            "{{range $i, $r := .Spec.Rules}}{{$i}}-{{$r.Host}},{{end}}",
            &["0-a.example.com", "1-b.example.com"],
        );
        check("{{if eq .Namespace \"shop\"}}{{.Name}}.s.com{{else}}{{.Name}}.o.com{{end}}", &["web.s.com"]);
        check("{{if hasKey .Labels \"none\"}}x{{else if contains .Name \"we\"}}y{{end}}", &["y"]);
        check("{{ .Name | printf \"%s.example.com\" }}", &["web.example.com"]);
        check("{{ replace \"e\" \"o\" .Name }}.example.com", &["wob.example.com"]);
        check("{{ trimPrefix .Name \"w\" }}.{{ toLower \"ABC\" }}", &["eb.abc"]);
        check("{{ with .Annotations.hosts }}{{ . }}{{ end }}", &["x.example.com", "y.example.com"]);
        check(
            "{{ $n := .Name }}{{ $n }}.{{ (index .Status.LoadBalancer.Ingress 0).IP }}",
            &["web.203.0.113.10"],
        );
        check("  {{- /* a word */ -}}  {{.ObjectMeta.Name}}  ", &["web"]);
        check("{{ if and (isIPv4 \"1.2.3.4\") (not (isIPv6 \"1.2.3.4\")) }}v4{{ end }}", &["v4"]);
        check("{{range .Spec.Rules}}{{.Host}},{{break}}{{end}}", &["a.example.com"]);
        check(
            "{{range .Spec.Rules}}{{if eq .Host \"a.example.com\"}}{{continue}}{{end}}{{.Host}}{{end}}",
            &["b.example.com"],
        );
        check("{{ (fromJson `{\"a\": {\"b\": \"c\"}}`).a.b }}", &["c"]);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for template in [
            "{{ .Spec.DefaultBackend }}",
            "{{ .Nonsense }}",
            "{{ template \"x\" }}",
            "{{ .Name",
            "{{ if .Name }}",
            "{{ end }}",
            "{{ sprig .Name }}",
            "{{ index .Spec.Rules 9 }}",
            "{{ .Name.Foo }}",
            "{{ \"a",
            "{{ ( }}",
            "{{ $x }}",
            "{{ break }}",
            "{{ range .Spec.Rules }}{{ continue now }}{{ end }}",
            "{{ printf \"%x\" 1 }}",
        ] {
            assert!(names(&[template.to_owned()], &object()).is_err(), "{template}");
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut text = "x".to_owned();
        for _ in 0..12 {
            text = format!("{{{{range .Spec.Rules}}}}{text}{text}{{{{end}}}}");
        }
        assert_eq!(names(&[text], &object()), Err(TemplateError::TooLarge));
        let deep = format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(names(&[deep], &object()).is_err());
    }
}
