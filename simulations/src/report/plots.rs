//! Plots as SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// Colours that most people can tell apart (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
];
const SIZE: (u32, u32) = (760, 400);

/// A line of a plot.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    /// Whether it is a model's and not measured: drawn without points.
    pub(super) modelled: bool,
}

/// A plot.
pub(super) struct Plot {
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    /// Whether sizes stand on a logarithmic axis.
    pub(super) by_size: bool,
    pub(super) lines: Vec<Line>,
}

impl Plot {
    /// Draws it.
    pub(super) fn svg(&self) -> Result<String> {
        let mut text = String::new();
        self.draw(&mut text).map_err(|error| anyhow!("plot of {}: {error}", self.y))?;
        Ok(text)
    }

    fn draw(&self, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
        let place = |x: f64| if self.by_size { x.max(1.0).log10() } else { x };
        let name = |x: &f64| if self.by_size { size(10_f64.powf(*x)) } else { format!("{x:.0}") };
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x_max = all().map(|point| place(point.0)).fold(0.0, f64::max);
        let x_min = all().map(|point| place(point.0)).fold(x_max, f64::min);
        // The legend stands above lines that rise or fall slowly, and below one that rises to its end.
        let (headroom, legend) = if self.by_size {
            (1.45, SeriesLabelPosition::UpperLeft)
        } else {
            (1.05, SeriesLabelPosition::LowerRight)
        };
        let y_max = all().map(|point| point.1).fold(0.0, f64::max).max(1e-9) * headroom;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .margin_right(44)
            .x_label_area_size(44)
            .y_label_area_size(84)
            .build_cartesian_2d(x_min..x_max, 0.0..y_max)?;
        chart
            .configure_mesh()
            .light_line_style(RGBColor(246, 246, 246))
            .bold_line_style(RGBColor(228, 228, 228))
            .axis_style(RGBColor(120, 120, 120))
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 14))
            .x_desc(self.x)
            .y_desc(self.y)
            .x_labels(7)
            .x_label_formatter(&name)
            .y_label_formatter(&|y| number(*y, y_max))
            .draw()?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let points = || line.points.iter().map(|(x, y)| (place(*x), *y));
            let series = LineSeries::new(points(), colour.stroke_width(2));
            chart.draw_series(series)?.label(&line.name).legend(key(*colour));
            if self.by_size && !line.modelled {
                chart.draw_series(points().map(|point| Circle::new(point, 4, colour.filled())))?;
            }
        }
        chart
            .configure_series_labels()
            .position(legend)
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(205, 205, 205))
            .label_font(("sans-serif", 13))
            .draw()?;
        root.present()?;
        drop(chart);
        drop(root);
        Ok(())
    }
}

/// A value for people, on an axis that ends at `most`.
fn number(value: f64, most: f64) -> String {
    if most < 20.0 { format!("{value:.1}") } else { size(value) }
}

/// A size for people.
fn size(nodes: f64) -> String {
    if nodes >= 1_000.0 {
        format!("{:.0},{:03.0}", (nodes / 1_000.0).floor(), nodes % 1_000.0)
    } else {
        format!("{nodes:.0}")
    }
}

fn key(colour: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(3))
}
