//! Figures for people and for programs.

use serde_json::{Value, json};

/// What was measured.
#[derive(Default)]
pub(crate) struct Report {
    limits: Vec<Figure>,
    figures: Vec<Figure>,
    series: Vec<Series>,
}

/// A figure over time, at even distances.
struct Series {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
}

struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    /// The ratio to a limit, and what ratio is aimed at.
    ratio: Option<(f64, String)>,
}

impl Report {
    /// A limit of the machine.
    pub(crate) fn limit(&mut self, what: &str, value: f64, unit: &'static str) {
        self.limits.push(Figure { what: what.to_owned(), value, unit, ratio: None });
    }

    /// A figure that stands alone, with what is aimed at.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &'static str) {
        self.figures.push(Figure { what: what.to_owned(), value, unit, ratio: None });
    }

    /// A figure as a ratio to a limit.
    pub(crate) fn ratio(
        &mut self,
        what: &str,
        value: f64,
        unit: &'static str,
        ratio: f64,
        of: &str,
    ) {
        let ratio = Some((ratio, of.to_owned()));
        self.figures.push(Figure { what: what.to_owned(), value, unit, ratio });
    }

    /// A figure over time, at even distances.
    pub(crate) fn series(&mut self, what: &str, unit: &'static str, values: Vec<f64>) {
        self.series.push(Series { what: what.to_owned(), unit, values });
    }

    /// Prints everything.
    #[expect(clippy::print_stdout, reason = "this is what the program is for")]
    pub(crate) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            let list = |figures: &[Figure]| figures.iter().map(Figure::to_value).collect::<Value>();
            let series = self.series.iter().map(|series| {
                json!({ "what": series.what, "unit": series.unit, "values": series.values })
            });
            let all = json!({
                "limits": list(&self.limits),
                "figures": list(&self.figures),
                "series": series.collect::<Value>(),
            });
            println!("{}", serde_json::to_string_pretty(&all)?);
            return Ok(());
        }
        for (title, figures) in [("limits", &self.limits), ("figures", &self.figures)] {
            println!("{title}");
            for figure in figures {
                println!("  {}", figure.line());
            }
        }
        for Series { what, unit, values } in &self.series {
            let values: Vec<String> = values.iter().map(|value| format!("{value:.1}")).collect();
            println!("  {what}, {unit}: {}", values.join(" "));
        }
        Ok(())
    }
}

impl Figure {
    fn line(&self) -> String {
        let value = format!("{:>12.3} {:<5}", self.value, self.unit);
        let ratio = self
            .ratio
            .as_ref()
            .map_or_else(String::new, |(ratio, of)| format!("{ratio:>7.3} × {of}"));
        format!("{:<52} {value} {ratio}", self.what).trim_end().to_owned()
    }

    fn to_value(&self) -> Value {
        let mut value = json!({ "what": self.what, "value": self.value, "unit": self.unit });
        if let Some((ratio, of)) = &self.ratio {
            value["ratio"] = json!(ratio);
            value["of"] = json!(of);
        }
        value
    }
}
