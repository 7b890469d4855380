//! A dashboard as one SVG, drawn from what its queries returned. It is no Grafana: the picture says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::format::{legend, shown};

/// One column of the dashboard, and one row, in pixels.
const CELL: (f64, f64) = (50.0, 30.0);
const HEAD: f64 = 46.0;
const MARGIN: f64 = 4.0;

/// Lines and rows beyond this are counted and not drawn.
const MOST: usize = 8;

const PALETTE: [&str; MOST] =
    ["#7eb26d", "#e0a93b", "#4aa7c0", "#e0752d", "#d0453f", "#4778b8", "#a06bb5", "#6c6f75"];

/// What the queries of a panel returned: rows with their labels and points (time and value).
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    pub(crate) metric: Json,
    /// Name of the row by the legend of its query.
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Where a panel stands.
#[derive(Clone, Copy)]
struct Area {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

/// Draws the panels with their series, in the order of the panels.
pub(crate) fn draw(dashboard: &Json, panels: &[(Json, Vec<Series>)], span: (f64, f64)) -> String {
    let place = |panel: &Json, key: &str| panel["gridPos"][key].as_f64().unwrap();
    let bottom = panels.iter().map(|(panel, _)| place(panel, "y") + place(panel, "h")).fold(0.0, f64::max);
    let (width, height) = (24.0 * CELL.0, bottom * CELL.1 + HEAD);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\">\n<rect width=\"100%\" height=\"100%\" fill=\"#f3f4f6\"/>\n"
    );
    let title = dashboard["title"].as_str().unwrap();
    words(&mut out, (8.0, 20.0), title, "fill=\"#1f2328\" font-size=\"16\" font-weight=\"bold\"");
    let caption = "Drawn by a test from what the panels' queries return on a real Prometheus with demo data; tables are of \
                   the worst moment. Not a screenshot: no Grafana took part.";
    words(&mut out, (8.0, 38.0), caption, "fill=\"#57606a\"");
    for (panel, series) in panels {
        let area = Area {
            x: place(panel, "x") * CELL.0 + MARGIN,
            y: place(panel, "y") * CELL.1 + HEAD + MARGIN,
            width: place(panel, "w") * CELL.0 - 2.0 * MARGIN,
            height: place(panel, "h") * CELL.1 - 2.0 * MARGIN,
        };
        one(&mut out, panel, series, area, span);
    }
    out.push_str("</svg>\n");
    out
}

/// The titles of the panels in a picture, in order.
pub(crate) fn titles(picture: &str) -> Vec<String> {
    let parts = picture.split("class=\"title\">").skip(1);
    let texts = parts.map(|part| part.split('<').next().unwrap_or_default());
    texts.map(|text| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).collect()
}

fn one(out: &mut String, panel: &Json, series: &[Series], area: Area, span: (f64, f64)) {
    let kind = panel["type"].as_str().unwrap();
    let fill = if kind == "stat" { colour_of(panel, last(series)) } else { "#ffffff" };
    let Area { x, y, width, height } = area;
    let _written = writeln!(
        out,
        "<rect x=\"{x:.0}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" rx=\"3\" fill=\"{fill}\" stroke=\"#d0d7de\"/>"
    );
    let ink = if kind == "stat" { "#ffffff" } else { "#1f2328" };
    let title = panel["title"].as_str().unwrap();
    let style = format!("fill=\"{ink}\" font-weight=\"bold\" class=\"title\"");
    words(out, (x + 8.0, y + 18.0), title, &style);
    let inner = Area { x: x + 8.0, y: y + 28.0, width: width - 16.0, height: height - 34.0 };
    match kind {
        "stat" => number(out, panel, last(series), inner),
        "timeseries" => lines(out, panel, series, inner, span),
        "state-timeline" => states(out, panel, series, inner, span),
        "table" => table(out, panel, series, inner),
        "text" => paragraphs(out, panel["options"]["content"].as_str().unwrap(), inner),
        other => panic!("{other} cannot be drawn"),
    }
}

fn last(series: &[Series]) -> f64 {
    series.first().and_then(|one| one.points.last()).map_or(f64::NAN, |point| point.1)
}

/// The colour of the last threshold that the value reaches.
fn colour_of(panel: &Json, value: f64) -> &'static str {
    let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array().unwrap();
    let reached = steps.iter().rfind(|step| step["value"].as_f64().is_none_or(|from| from <= value));
    colour(reached.and_then(|step| step["color"].as_str()).unwrap_or_default())
}

fn colour(word: &str) -> &'static str {
    match word {
        "green" => "#3d8b40",
        "yellow" => "#b7791f",
        "red" => "#c4302b",
        "blue" => "#3b6fb5",
        other => panic!("{other} has no colour here"),
    }
}

fn number(out: &mut String, panel: &Json, value: f64, area: Area) {
    let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
    let place = (area.x, area.y + area.height * 0.6);
    words(out, place, &shown(value, unit), "fill=\"#ffffff\" font-size=\"30\" font-weight=\"bold\"");
}

/// The legend below a graph; what is not drawn is counted.
fn below(out: &mut String, names: &[String], omitted: usize, area: Area) {
    let columns = if area.width < 500.0 { 1 } else { 2 };
    let column = area.width / float(columns);
    for (index, name) in names.iter().enumerate() {
        let x = area.x + float(index % columns) * column;
        let y = area.y + float(index / columns) * 14.0 + 10.0;
        let fill = PALETTE[index % MOST];
        let _written = writeln!(
            out,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"9\" height=\"9\" fill=\"{fill}\"/>",
            y - 8.0
        );
        let more = if index + 1 == names.len() && 0 < omitted {
            format!(", and {omitted} more")
        } else {
            String::new()
        };
        words(
            out,
            (x + 13.0, y),
            &fitting(&format!("{name}{more}"), column - 16.0),
            "fill=\"#57606a\" font-size=\"11\"",
        );
    }
}

fn lines(out: &mut String, panel: &Json, series: &[Series], area: Area, span: (f64, f64)) {
    let defaults = &panel["fieldConfig"]["defaults"];
    let unit = defaults["unit"].as_str().unwrap();
    let stacked = defaults["custom"]["stacking"]["mode"] == "normal";
    let drawn = &series[..series.len().min(MOST)];
    let names: Vec<String> = drawn
        .iter()
        .map(|one| format!("{}: {}", one.name, shown(last(std::slice::from_ref(one)), unit)))
        .collect();
    let rows = drawn.len().div_ceil(if area.width < 500.0 { 1 } else { 2 });
    let graph = Area {
        x: area.x + 52.0,
        width: area.width - 52.0,
        height: area.height - float(rows) * 14.0 - 20.0,
        ..area
    };
    // By time, so that a series with a gap does not let those above it fall to the ground.
    let mut totals: BTreeMap<String, f64> = BTreeMap::new();
    let mut layers: Vec<Vec<(f64, f64)>> = Vec::new();
    for one in drawn {
        let point = |(at, value): &(f64, f64)| {
            let total = totals.entry(format!("{at:.3}")).or_default();
            *total = if stacked { *total + value } else { *value };
            (*at, *total)
        };
        layers.push(one.points.iter().map(point).collect());
    }
    let top =
        layers.iter().flatten().map(|point| point.1).filter(|value| value.is_finite()).fold(0.0, f64::max);
    let top = if top <= 0.0 { 1.0 } else { top * 1.1 };
    for part in [0.0, 0.5, 1.0] {
        let y = graph.y + graph.height * (1.0 - part);
        let _written =
            writeln!(out, "<path d=\"M{:.0} {y:.0}h{:.0}\" stroke=\"#e4e7eb\"/>", graph.x, graph.width);
        words(out, (area.x, y + 4.0), &shown(top * part, unit), "fill=\"#57606a\" font-size=\"10\"");
    }
    for (layer, ink) in layers.iter().zip(PALETTE) {
        let mut path = String::new();
        let mut pen = 'M';
        for (at, value) in layer.iter().filter(|point| point.1.is_finite()) {
            let x = graph.x + graph.width * (at - span.0) / (span.1 - span.0);
            let y = graph.y + graph.height * (1.0 - (value / top).clamp(0.0, 1.0));
            let _written = write!(path, "{pen}{x:.0} {y:.1}");
            pen = 'L';
        }
        let _written =
            writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"1.5\"/>");
    }
    times(out, graph, span);
    let legend = Area { y: graph.y + graph.height + 18.0, ..area };
    below(out, &names, series.len() - drawn.len(), legend);
}

/// The demo lasts less than a minute, so seconds before the end tell more than the time of day.
fn times(out: &mut String, graph: Area, span: (f64, f64)) {
    let y = graph.y + graph.height + 13.0;
    let ago = format!("{:.0} s before", span.1 - span.0);
    words(out, (graph.x, y), &ago, "fill=\"#57606a\" font-size=\"10\"");
    words(out, (graph.x + graph.width, y), "now", "fill=\"#57606a\" font-size=\"10\" text-anchor=\"end\"");
}

fn states(out: &mut String, panel: &Json, series: &[Series], area: Area, span: (f64, f64)) {
    let mappings = panel["fieldConfig"]["defaults"]["mappings"][0]["options"].as_object().unwrap();
    let drawn = &series[..series.len().min(MOST)];
    let label = (area.width * 0.35).min(320.0);
    let graph = Area { x: area.x + label, width: area.width - label, height: area.height - 32.0, ..area };
    let row = (graph.height / float(drawn.len().max(1))).min(30.0);
    for (index, one) in drawn.iter().enumerate() {
        let y = graph.y + float(index) * row;
        words(
            out,
            (area.x, y + row * 0.65),
            &fitting(&one.name, label - 8.0),
            "fill=\"#1f2328\" font-size=\"11\"",
        );
        // Neighbours of one value are one bar.
        let mut bars: Vec<(f64, f64, f64)> = Vec::new();
        for (at, value) in &one.points {
            match bars.last_mut() {
                Some(bar) if (bar.2 - value).abs() < 0.1 && at - bar.1 < 1.6 => bar.1 = *at,
                Some(_) | None => bars.push((*at, *at, *value)),
            }
        }
        for (from, to, value) in bars {
            let mapped = mappings.get(&format!("{value:.0}"));
            let fill = colour(mapped.and_then(|mapped| mapped["color"].as_str()).unwrap_or("blue"));
            let scale = graph.width / (span.1 - span.0 + 1.0);
            let (x, width) = (graph.x + (from - span.0) * scale, (to - from + 1.0) * scale);
            let _written = writeln!(
                out,
                "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"{width:.0}\" height=\"{:.0}\" fill=\"{fill}\"/>",
                y + 2.0,
                row - 4.0
            );
        }
    }
    times(out, Area { height: float(drawn.len()) * row, ..graph }, span);
    let mut x = area.x;
    for mapped in mappings.values() {
        let text = mapped["text"].as_str().unwrap();
        let fill = colour(mapped["color"].as_str().unwrap());
        let y = area.y + area.height - 2.0;
        let _written = writeln!(
            out,
            "<rect x=\"{x:.0}\" y=\"{:.0}\" width=\"9\" height=\"9\" fill=\"{fill}\"/>",
            y - 8.0
        );
        words(out, (x + 13.0, y), text, "fill=\"#57606a\" font-size=\"11\"");
        x += 30.0 + 7.0 * float(text.len());
    }
}

/// Columns in the order of the panel, those that are empty in every row left out.
fn table(out: &mut String, panel: &Json, series: &[Series], area: Area) {
    let options = &panel["transformations"][0]["options"];
    let order = options["indexByName"].as_object().unwrap();
    let mut names: Vec<(&String, u64)> =
        order.iter().map(|(name, at)| (name, at.as_u64().unwrap())).collect();
    names.sort_by_key(|(_, at)| *at);
    let unit = panel["fieldConfig"]["overrides"][0]["properties"][0]["value"].as_str().unwrap();
    let fits = (area.height / 18.0).floor();
    let rows: Vec<&Series> =
        (1_u32..).zip(series).take_while(|(row, _)| f64::from(*row) < fits).map(|(_, one)| one).collect();
    let columns: Vec<(String, Vec<String>)> = names
        .into_iter()
        .map(|(name, _)| {
            let of_row = |one: &&Series| match name.as_str() {
                "Value" => shown(last(std::slice::from_ref(*one)), unit),
                label => one.metric[label].as_str().unwrap_or_default().to_owned(),
            };
            let head = options["renameByName"][name].as_str().unwrap_or(name).to_owned();
            (head, rows.iter().map(of_row).collect::<Vec<String>>())
        })
        .filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
        .collect();
    // The head of a narrow column may be cut, its cells should not.
    let longest = |(_, cells): &(String, Vec<String>)| {
        cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(1).max(6) + 2
    };
    let all: usize = columns.iter().map(longest).sum();
    let mut x = area.x;
    for column in &columns {
        let width = area.width * float(longest(column)) / float(all.max(1));
        let (head, cells) = column;
        words(
            out,
            (x, area.y + 12.0),
            &fitting(head, width - 4.0),
            "fill=\"#57606a\" font-size=\"10\" font-weight=\"bold\"",
        );
        for (row, cell) in cells.iter().enumerate() {
            let y = area.y + 30.0 + float(row) * 18.0;
            words(out, (x, y), &fitting(cell, width), "fill=\"#1f2328\" font-size=\"10\"");
        }
        x += width;
    }
}

fn paragraphs(out: &mut String, markdown: &str, area: Area) {
    for (row, line) in markdown.lines().filter(|line| !line.is_empty()).enumerate() {
        let y = area.y + 14.0 + float(row) * 20.0;
        words(out, (area.x, y), &fitting(&line.replace('`', ""), area.width), "fill=\"#1f2328\"");
    }
}

/// Cut to a width, by the average width of a letter.
fn fitting(text: &str, width: f64) -> String {
    let room = (width / 6.2).floor();
    if float(text.chars().count()) <= room {
        return text.to_owned();
    }
    let kept: String = (2_u32..)
        .zip(text.chars())
        .take_while(|(at, _)| f64::from(*at) <= room)
        .map(|(_, one)| one)
        .collect();
    format!("{kept}…")
}

fn words(out: &mut String, (x, y): (f64, f64), text: &str, style: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _written = writeln!(out, "<text x=\"{x:.0}\" y=\"{y:.0}\" {style}>{text}</text>");
}

fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

/// The rows of an answer of Prometheus, named by the legend of their query.
pub(crate) fn rows(answer: &Json, template: &str) -> Vec<Series> {
    let number =
        |point: &Json| (point[0].as_f64().unwrap(), point[1].as_str().unwrap().parse().unwrap_or(f64::NAN));
    let rows = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let series = rows.into_iter().map(|row| {
        let points = match row["values"].as_array() {
            Some(values) => values.iter().map(number).collect(),
            None => vec![number(&row["value"])],
        };
        Series { name: legend(template, &row["metric"]), metric: row["metric"].clone(), points }
    });
    series.collect()
}
