//! Bars as SVG, readable without colours and on dark pages.

use std::fmt::Write as _;

/// One row of a plot.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: &'static str,
    pub(crate) value: f64,
    /// Written behind the bar.
    pub(crate) note: String,
    /// From the least to the most that was measured.
    pub(crate) range: Option<(f64, f64)>,
}

const LEFT: f64 = 130.0;
const WIDTH: f64 = 430.0;
const RIGHT: f64 = 200.0;
const ROW: f64 = 26.0;
const TOP: f64 = 40.0;

pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let most = bars.iter().map(|bar| bar.range.map_or(bar.value, |(_, most)| most.max(bar.value)));
    let most = most.fold(f64::MIN_POSITIVE, f64::max);
    let at = |value: f64| LEFT + value / most * WIDTH;
    let (width, height) = (LEFT + WIDTH + RIGHT, TOP + ROW * bars.len() as f64 + 10.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\" fill=\"#1f2328\">{title}</text>\n"
    );
    for (row, Bar { label, value, note, range }) in bars.iter().enumerate() {
        let top = TOP + ROW * row as f64;
        let (middle, baseline) = (top + ROW / 2.0, top + ROW / 2.0 + 4.5);
        let fill = if label.starts_with("prodkit") {
            "#1f6feb"
        } else if label.starts_with("bare") {
            "#8c959f"
        } else {
            "#c8ccd1"
        };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{baseline:.1}\" text-anchor=\"end\" fill=\"#1f2328\">{label}</text>\n\
             <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>",
            LEFT - 8.0,
            top + 4.0,
            at(*value) - LEFT,
            ROW - 8.0,
        );
        let mut end = at(*value);
        if let Some((least, most)) = range {
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {middle:.1}H{:.1}M{0:.1} {:.1}v8M{1:.1} {2:.1}v8\" stroke=\"#1f2328\" fill=\"none\"/>",
                at(*least),
                at(*most),
                middle - 4.0,
            );
            end = end.max(at(*most));
        }
        let _ =
            writeln!(svg, "<text x=\"{:.1}\" y=\"{baseline:.1}\" fill=\"#1f2328\">{note}</text>", end + 8.0);
    }
    svg.push_str("</svg>\n");
    svg
}
