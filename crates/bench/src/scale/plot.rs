//! A plot with two logarithmic axes, as SVG.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Space around the plot: left, top, right, bottom.
const MARGIN: (f64, f64, f64, f64) = (80.0, 44.0, 24.0, 56.0);
const COLORS: [&str; 3] = ["#0b6e99", "#b7472a", "#4f7a28"];

/// A line: its name, and its points.
type Line = (&'static str, Vec<(f64, f64)>);

/// What is plotted.
pub(crate) struct Plot {
    /// The file's name.
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) lines: Vec<Line>,
    /// A line across that is aimed at.
    pub(crate) bound: Option<(&'static str, f64)>,
}

/// One axis: powers of ten from low to high, over a stretch of the page.
struct Axis {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let logs: Vec<f64> = values.filter(|value| *value > 0.0).map(f64::log10).collect();
        let least = logs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if logs.is_empty() { (0, 1) } else { (least.floor() as i32, most.ceil() as i32) };
        Self { low, high: high.max(low + 1), from, to }
    }

    /// Where a value stands; what is not positive stands at the low end.
    fn at(&self, value: f64) -> f64 {
        let log = if value > 0.0 { value.log10() } else { f64::from(self.low) };
        let share = (log - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn powers(&self) -> impl Iterator<Item = i32> {
        self.low..=self.high
    }
}

impl Plot {
    /// The picture.
    pub(crate) fn svg(&self) -> String {
        let (left, top, right, bottom) = MARGIN;
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let x = Axis::of(points().map(|point| point.0), left, WIDTH - right);
        let bound = self.bound.map(|(_, value)| value);
        let y = Axis::of(points().map(|point| point.1).chain(bound), HEIGHT - bottom, top);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
             <text x=\"{left}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
            escape(self.title)
        );
        self.axes(&x, &y, &mut out);
        for (i, line) in self.lines.iter().enumerate() {
            draw(line, COLORS[i % COLORS.len()], &x, &y, i, &mut out);
        }
        out.push_str("</svg>\n");
        out
    }

    fn axes(&self, x: &Axis, y: &Axis, out: &mut String) {
        for power in x.powers() {
            let at = x.at(10f64.powi(power));
            let _ = writeln!(out, "<path d=\"M{at:.1} {:.1}V{:.1}\" stroke=\"#ddd\"/>", y.from, y.to);
            let label = power_of_ten(power);
            let below = y.from + 18.0;
            let _ =
                writeln!(out, "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{label}</text>");
        }
        for power in y.powers() {
            let at = y.at(10f64.powi(power));
            let _ = writeln!(out, "<path d=\"M{:.1} {at:.1}H{:.1}\" stroke=\"#ddd\"/>", x.from, x.to);
            let (left, label) = (x.from - 8.0, power_of_ten(power));
            let low = at + 4.0;
            let _ = writeln!(out, "<text x=\"{left:.1}\" y=\"{low:.1}\" text-anchor=\"end\">{label}</text>");
        }
        let (middle, below) = ((x.from + x.to) / 2.0, HEIGHT - 16.0);
        let name = escape(self.x);
        let _ =
            writeln!(out, "<text x=\"{middle:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{name}</text>");
        let (middle, name) = ((y.from + y.to) / 2.0, escape(self.y));
        let turn = format!("rotate(-90 18 {middle:.1})");
        let _ = writeln!(
            out,
            "<text x=\"18\" y=\"{middle:.1}\" text-anchor=\"middle\" transform=\"{turn}\">{name}</text>"
        );
        if let Some((name, value)) = self.bound {
            let (at, above) = (y.at(value), y.at(value) - 5.0);
            let (from, to, name) = (x.from, x.to, escape(name));
            let _ = writeln!(
                out,
                "<path d=\"M{from:.1} {at:.1}H{to:.1}\" stroke=\"#888\" stroke-dasharray=\"5 4\"/>\n\
                 <text x=\"{to:.1}\" y=\"{above:.1}\" text-anchor=\"end\" fill=\"#666\">{name}</text>"
            );
        }
    }
}

fn draw((name, points): &Line, color: &str, x: &Axis, y: &Axis, i: usize, out: &mut String) {
    let places: Vec<(f64, f64)> = points.iter().map(|(px, py)| (x.at(*px), y.at(*py))).collect();
    let path: Vec<String> = places.iter().map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    for (px, py) in places {
        let _ = writeln!(out, "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3.5\" fill=\"{color}\"/>");
    }
    // The legend stands above the plot, from the right.
    let at = x.to - 150.0 * i as f64;
    let name = escape(name);
    let _ = writeln!(
        out,
        "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{color}\">● {name}</text>",
        y.to - 8.0
    );
}

/// 1 to 1,000 in full, beyond as a power.
fn power_of_ten(power: i32) -> String {
    match power {
        0..=3 => 10i32.pow(power.unsigned_abs()).to_string(),
        _ => {
            let digits = power.to_string();
            let raised = digits.chars().map(|digit| match digit {
                '-' => '⁻',
                '1' => '¹',
                '2' => '²',
                '3' => '³',
                digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
            });
            format!("10{}", raised.collect::<String>())
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_logarithmic() {
        let axis = Axis::of([10.0, 1000.0].into_iter(), 0.0, 100.0);
        assert_eq!((axis.low, axis.high), (1, 3));
        assert_eq!([10.0, 100.0, 1000.0, 0.0].map(|value| axis.at(value)), [0.0, 50.0, 100.0, 0.0]);
        let one = Axis::of([5.0].into_iter(), 0.0, 1.0);
        assert_eq!((one.low, one.high), (0, 1));
        assert_eq!(Axis::of(std::iter::empty(), 0.0, 1.0).high, 1);
    }

    #[test]
    fn powers_are_read_at_a_glance() {
        assert_eq!([-1, 0, 3, 5, 12].map(power_of_ten), ["10⁻¹", "1", "1000", "10⁵", "10¹²"]);
    }

    #[test]
    fn a_plot_holds_its_lines_and_its_aim() {
        let plot = Plot {
            file: "a.svg",
            title: "a < b",
            x: "blocks",
            y: "ms",
            lines: vec![("open", vec![(1e5, 1.0), (1e6, 2.0)])],
            bound: Some(("aim", 50.0)),
        };
        let svg = plot.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt; b") && svg.contains("stroke-dasharray"));
        assert_eq!((svg.matches("<circle").count(), svg.matches("<polyline").count()), (2, 1));
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
    }
}
