//! The growth as a picture: one panel for each figure, both axes from zero, so that a straight line
//! through the corner is linear growth.

use std::fmt::Write as _;

use super::Row;

const WIDTH: f64 = 260.0;
const HEIGHT: f64 = 170.0;
/// Room around a panel for its words.
const LEFT: f64 = 52.0;
const TOP: f64 = 34.0;
const CELL: (f64, f64) = (LEFT + WIDTH + 24.0, TOP + HEIGHT + 40.0);
const COLUMNS: usize = 2;

type Figure = (&'static str, fn(&Row) -> f64);

const FIGURES: [Figure; 4] = [
    ("resident memory, MiB", |row| row.resident),
    ("a round, seconds", |row| row.round),
    ("until all views are read, seconds", |row| row.whole),
    ("CPU, seconds a minute", |row| row.cpu),
];

pub(crate) fn plot(rows: &[Row]) -> String {
    let (columns, lines) = (COLUMNS as f64, FIGURES.len().div_ceil(COLUMNS) as f64);
    let (width, height) = (columns * CELL.0, lines * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#333\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (index, figure) in FIGURES.iter().enumerate() {
        let at = ((index % COLUMNS) as f64 * CELL.0, (index / COLUMNS) as f64 * CELL.1);
        writeln!(svg, "<g transform=\"translate({},{})\">", at.0 + LEFT, at.1 + TOP).expect("written");
        panel(&mut svg, figure, rows);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, (title, of): &Figure, rows: &[Row]) {
    let most = rows.iter().map(of).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let names = rows.iter().map(|row| row.names).max().unwrap_or(1) as f64;
    let at = |row: &Row| (row.names as f64 / names * WIDTH, HEIGHT - of(row) / most * HEIGHT);
    let points: Vec<String> = rows.iter().map(at).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let path = format!("M0,0 V{HEIGHT} H{WIDTH}");
    let most = if most < 10.0 { format!("{most:.2}") } else { format!("{most:.0}") };
    let mut add = |line: String| writeln!(svg, "{line}").expect("written");
    add(format!("<text x=\"0\" y=\"-12\" font-weight=\"bold\">{title}</text>"));
    add(format!("<path d=\"{path}\" fill=\"none\" stroke=\"#999\"/>"));
    add(format!("<text x=\"-6\" y=\"8\" text-anchor=\"end\">{most}</text>"));
    add(format!("<text x=\"-6\" y=\"{HEIGHT}\" text-anchor=\"end\">0</text>"));
    add(format!("<text x=\"{WIDTH}\" y=\"{}\" text-anchor=\"end\">{names:.0} names</text>", HEIGHT + 18.0));
    add(format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f6feb\" stroke-width=\"2\"/>",
        points.join(" ")
    ));
    for point in rows.iter().map(at) {
        add(format!("<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"#1f6feb\"/>", point.0, point.1));
    }
}
