//! The classic JSON model of Grafana, as far as we use it.
//!
//! Version 41 of the schema, which Grafana 10 and later read. No `__inputs`: provisioning does not
//! fill them; the data source is a variable.

use serde_json::{Value as Json, json};

/// Columns of a dashboard.
const WIDTH: u64 = 24;

/// One panel without its place.
pub(crate) struct Panel {
    json: Json,
    width: u64,
    height: u64,
}

/// A query and the name of what it draws.
pub(crate) struct Query<'a>(pub(crate) &'a str, pub(crate) &'a str);

/// What a value counts as, from the least on.
#[derive(Clone, Copy)]
pub(crate) enum Thresholds {
    /// More is worse: yellow and red from here.
    High(f64, f64),
    /// Less is worse: red below the first, yellow below the second.
    Low(f64, f64),
    /// Only a number.
    None,
}

pub(crate) fn datasource() -> Json {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// A number.
pub(crate) fn stat(title: &str, about: &str, unit: &str, expr: &str, thresholds: Thresholds) -> Panel {
    let options = json!({
        "reduceOptions": {"calcs": ["lastNotNull"], "values": false, "fields": ""},
        "colorMode": "background", "graphMode": "area", "justifyMode": "auto",
        "orientation": "auto", "textMode": "value"});
    panel("stat", title, about, unit, &[Query(expr, "")], thresholds, options).sized(4, 4)
}

/// Lines over time.
pub(crate) fn lines(title: &str, about: &str, unit: &str, queries: &[Query<'_>]) -> Panel {
    let options = json!({
        "legend": {"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"}});
    let mut panel = panel("timeseries", title, about, unit, queries, Thresholds::None, options);
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({"drawStyle": "line", "fillOpacity": 10, "lineWidth": 1, "showPoints": "never", "spanNulls": false});
    panel.json["fieldConfig"]["defaults"]["min"] = json!(0);
    panel.sized(12, 8)
}

/// States over time, one row for each series.
pub(crate) fn timeline(title: &str, about: &str, query: &Query<'_>, words: &[(u64, &str, &str)]) -> Panel {
    let options = json!({
        "showValue": "never", "rowHeight": 0.8, "mergeValues": true,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
        "tooltip": {"mode": "single", "sort": "none"}});
    let mut panel =
        panel("state-timeline", title, about, "none", &[Query(query.0, query.1)], Thresholds::None, options);
    let texts: serde_json::Map<String, Json> = words
        .iter()
        .enumerate()
        .map(|(index, (value, text, colour))| {
            (value.to_string(), json!({"text": text, "color": colour, "index": index}))
        })
        .collect();
    panel.json["fieldConfig"]["defaults"]["mappings"] = json!([{"type": "value", "options": texts}]);
    panel.sized(12, 8)
}

/// The rows of one query, with the columns in this order; the value is called as given.
pub(crate) fn table(
    title: &str,
    about: &str,
    unit: &str,
    expr: &str,
    columns: &[&str],
    value: &str,
) -> Panel {
    let options = json!({"showHeader": true, "cellHeight": "sm",
                         "footer": {"show": false, "reducer": ["sum"], "countRows": false, "fields": ""}});
    let mut panel = panel("table", title, about, "none", &[Query(expr, "")], Thresholds::None, options);
    panel.json["targets"][0]["instant"] = json!(true);
    panel.json["targets"][0]["range"] = json!(false);
    panel.json["targets"][0]["format"] = json!("table");
    let order: serde_json::Map<String, Json> = columns
        .iter()
        .chain(["Value"].iter())
        .enumerate()
        .map(|(place, column)| ((*column).to_owned(), json!(place)))
        .collect();
    panel.json["transformations"] = json!([{"id": "organize", "options": {
        "excludeByName": {"Time": true}, "indexByName": order, "renameByName": {"Value": value}}}]);
    let of_value = json!({"matcher": {"id": "byName", "options": value},
                          "properties": [{"id": "unit", "value": unit}]});
    panel.json["fieldConfig"]["overrides"] = json!([of_value]);
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({"align": "auto", "filterable": true});
    panel.sized(24, 10)
}

/// Words.
pub(crate) fn text(title: &str, markdown: &str) -> Panel {
    Panel {
        json: json!({"type": "text", "title": title, "options": {"mode": "markdown", "content": markdown}}),
        width: WIDTH,
        height: 6,
    }
}

fn panel(
    kind: &str,
    title: &str,
    about: &str,
    unit: &str,
    queries: &[Query<'_>],
    thresholds: Thresholds,
    options: impl Into<Json>,
) -> Panel {
    let targets: Vec<Json> = queries
        .iter()
        .zip('A'..='Z')
        .map(|(Query(expr, legend), letter)| {
            let legend = if legend.is_empty() { "__auto" } else { legend };
            json!({"datasource": datasource(), "expr": expr, "legendFormat": legend, "refId": letter,
                   "editorMode": "code", "range": true, "exemplar": expr.contains("_bucket")})
        })
        .collect();
    let step = |colour: &str, from: Option<f64>| json!({"color": colour, "value": from});
    let steps = match thresholds {
        Thresholds::High(warn, bad) => {
            vec![step("green", None), step("yellow", Some(warn)), step("red", Some(bad))]
        }
        Thresholds::Low(bad, warn) => {
            vec![step("red", None), step("yellow", Some(bad)), step("green", Some(warn))]
        }
        Thresholds::None => vec![step("blue", None)],
    };
    let defaults = json!({"unit": unit, "thresholds": {"mode": "absolute", "steps": steps},
                          "color": {"mode": if kind == "stat" { "thresholds" } else { "palette-classic" }}});
    let json = json!({"type": kind, "title": title, "description": about, "datasource": datasource(),
                      "targets": targets, "options": options.into(),
                      "fieldConfig": {"defaults": defaults, "overrides": []}});
    Panel { json, width: 12, height: 8 }
}

/// A variable that is filled from the values of a label.
pub(crate) fn variable(name: &str, label: &str, series: &str, of: &str, all: &str) -> Json {
    json!({"name": name, "label": label, "type": "query", "datasource": datasource(),
           "query": format!("label_values({series}, {of})"), "refresh": 2, "sort": 1,
           "multi": true, "includeAll": true, "allValue": all})
}

/// The whole document.
pub(crate) fn dashboard(
    uid: &str,
    title: &str,
    about: &str,
    variables: Vec<Json>,
    panels: Vec<Panel>,
) -> Json {
    let source =
        json!({"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"});
    let build = "dns_drift_build_info";
    let job = variable("job", "Job", &format!("{build}{{cluster=~\"$cluster\"}}"), "job", ".+");
    let common = [source, variable("cluster", "Cluster", build, "cluster", ".*"), job];
    let variables: Vec<Json> = common.into_iter().chain(variables).collect();
    json!({
        "uid": uid, "title": title, "description": about, "tags": ["dns-drift"], "schemaVersion": 41,
        "version": 1, "editable": false, "graphTooltip": 1, "refresh": "1m", "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": variables},
        "annotations": {"list": [upgrades(), pages()]},
        "links": [
            {"type": "dashboards", "title": "dns-drift", "tags": ["dns-drift"], "asDropdown": true,
             "keepTime": true, "includeVars": true, "icon": "external link", "targetBlank": false,
             "tooltip": "", "url": ""},
            {"type": "link", "title": "Runbooks", "url": "https://dns-drift.example.com/docs/runbooks/README.md",
             "tags": [], "asDropdown": false, "keepTime": false, "includeVars": false, "icon": "doc",
             "targetBlank": true, "tooltip": "What to do about each alert"}],
        "panels": placed(panels),
    })
}

/// A version of ExternalDNS that was not there five minutes ago.
fn upgrades() -> Json {
    let versions =
        "count by (owner_id, version) (dns_drift_instance_info{cluster=~\"$cluster\",job=~\"$job\"}";
    annotation(
        "ExternalDNS versions",
        "purple",
        &format!("{versions}) unless {versions} offset 5m)"),
        "{{owner_id}} runs {{version}}",
    )
}

fn pages() -> Json {
    let expr = "count by (alertname, zone) (ALERTS{alertname=~\"DNSDrift.+\",alertstate=\"firing\",severity=\"critical\",cluster=~\"$cluster\"})";
    annotation("Pages", "red", expr, "{{alertname}} {{zone}}")
}

fn annotation(name: &str, colour: &str, expr: &str, title: &str) -> Json {
    json!({"name": name, "datasource": datasource(), "enable": true, "hide": false, "iconColor": colour,
           "expr": expr, "titleFormat": title, "step": "60s"})
}

/// From left to right, from top to bottom, in the order given.
fn placed(panels: Vec<Panel>) -> Vec<Json> {
    let (mut x, mut y, mut tallest) = (0, 0, 0);
    let place = |(index, mut panel): (usize, Panel)| {
        if WIDTH < x + panel.width {
            (x, y, tallest) = (0, y + tallest, 0);
        }
        panel.json["id"] = json!(index + 1);
        panel.json["gridPos"] = json!({"x": x, "y": y, "w": panel.width, "h": panel.height});
        x += panel.width;
        tallest = tallest.max(panel.height);
        panel.json
    };
    panels.into_iter().enumerate().map(place).collect()
}

// === impl Panel ===

impl Panel {
    pub(crate) fn sized(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Makes the cells of a column a link.
    pub(crate) fn link(mut self, column: &str, title: &str, url: &str) -> Self {
        let link = json!({"matcher": {"id": "byName", "options": column}, "properties": [
            {"id": "links", "value": [{"title": title, "url": url, "targetBlank": false}]}]});
        if let Some(overrides) = self.json["fieldConfig"]["overrides"].as_array_mut() {
            overrides.push(link);
        }
        self
    }

    /// Lines on top of each other.
    pub(crate) fn stacked(mut self) -> Self {
        self.json["fieldConfig"]["defaults"]["custom"]["stacking"] = json!({"mode": "normal", "group": "A"});
        self
    }
}
