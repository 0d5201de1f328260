//! How far places are from each other, as packets travel.

/// Seats of the provincial governments: code, degrees north, degrees east.
const SEATS: [(&str, f64, f64); 34] = [
    ("11", 39.9, 116.4),
    ("12", 39.1, 117.2),
    ("13", 38.0, 114.5),
    ("14", 37.9, 112.5),
    ("15", 40.8, 111.7),
    ("21", 41.8, 123.4),
    ("22", 43.9, 125.3),
    ("23", 45.8, 126.5),
    ("31", 31.2, 121.5),
    ("32", 32.1, 118.8),
    ("33", 30.3, 120.2),
    ("34", 31.8, 117.2),
    ("35", 26.1, 119.3),
    ("36", 28.7, 115.9),
    ("37", 36.7, 117.0),
    ("41", 34.8, 113.6),
    ("42", 30.6, 114.3),
    ("43", 28.2, 112.9),
    ("44", 23.1, 113.3),
    ("45", 22.8, 108.3),
    ("46", 20.0, 110.3),
    ("50", 29.6, 106.6),
    ("51", 30.7, 104.1),
    ("52", 26.6, 106.7),
    ("53", 25.0, 102.7),
    ("54", 29.7, 91.1),
    ("61", 34.3, 108.9),
    ("62", 36.1, 103.8),
    ("63", 36.6, 101.8),
    ("64", 38.5, 106.3),
    ("65", 43.8, 87.6),
    ("71", 25.0, 121.5),
    ("81", 22.3, 114.2),
    ("82", 22.2, 113.5),
];

/// There and back within a province, in microseconds.
const PROVINCE_RTT_US: f64 = 16_000.0;
/// There and back between provinces: this much, and more by distance, so that the mean over all
/// pairs of provinces is 60 ms.
const BETWEEN_RTT_US: f64 = 26_000.0;
/// The mean over all pairs, in microseconds.
const MEAN_RTT_US: f64 = 60_000.0;
/// There and back to another country, in microseconds: from this much to twice as much.
const ABROAD_RTT_US: f64 = 120_000.0;

/// The shortest time that anything takes between two nodes, in microseconds.
pub const LATENCY_US_MIN: u64 = 8_000;

/// Times between places.
#[derive(Debug, Clone)]
pub struct Distances {
    names: Vec<String>,
    /// One way, in microseconds.
    one_way: Vec<Vec<u64>>,
}

impl Distances {
    /// Between all places of `roles`: provinces' two digits, `CN` for Beijing, countries' letters.
    pub fn new<'a>(roles: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<String> = roles.map(str::to_string).collect();
        names.sort();
        names.dedup();
        let factor = (MEAN_RTT_US - BETWEEN_RTT_US) / mean_km();
        let row = |a: &String| names.iter().map(|b| one_way_us(a, b, factor)).collect();
        let one_way = names.iter().map(row).collect();
        Self { names, one_way }
    }

    /// The number of a place.
    pub fn place(&self, name: &str) -> usize {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).unwrap_or(0)
    }

    /// One way, in microseconds, without jitter.
    pub fn between(&self, a: usize, b: usize) -> u64 {
        self.one_way[a][b]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "less than a second in microseconds"
)]
fn one_way_us(a: &str, b: &str, factor: f64) -> u64 {
    let rtt = match (seat(a), seat(b)) {
        _ if a == b => PROVINCE_RTT_US,
        (Some(from), Some(to)) => BETWEEN_RTT_US + factor * km(from, to),
        (None, _) | (_, None) => {
            // Of a country only its name is known: it may be anywhere.
            let letters = a.bytes().chain(b.bytes()).map(u64::from).sum::<u64>();
            ABROAD_RTT_US * (1.0 + (letters % 17) as f64 / 16.0)
        }
    };
    (rtt / 2.0) as u64
}

fn seat(name: &str) -> Option<(f64, f64)> {
    let name = if name == "CN" { "11" } else { name };
    SEATS.iter().find(|(code, ..)| *code == name).map(|(_, north, east)| (*north, *east))
}

fn mean_km() -> f64 {
    let pairs =
        SEATS.iter().enumerate().flat_map(|(at, a)| SEATS[..at].iter().map(move |b| (a, b)));
    let (sum, count) = pairs
        .fold((0.0, 0.0), |(sum, count), (a, b)| (sum + km((a.1, a.2), (b.1, b.2)), count + 1.0));
    sum / count
}

/// The great-circle distance.
fn km((north, east): (f64, f64), (other_north, other_east): (f64, f64)) -> f64 {
    let (a, b) = (north.to_radians(), other_north.to_radians());
    let (up, right) = ((b - a) / 2.0, (other_east - east).to_radians() / 2.0);
    let chord = up.sin().powi(2) + a.cos() * b.cos() * right.sin().powi(2);
    2.0 * 6_371.0 * chord.sqrt().asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_provinces_it_is_sixty_milliseconds_there_and_back_on_average() {
        let distances = Distances::new(SEATS.iter().map(|(code, ..)| *code));
        let all: Vec<u64> = (0..34)
            .flat_map(|a| (0..a).map(move |b| (a, b)))
            .map(|(a, b)| distances.between(a, b))
            .collect();
        let mean = all.iter().sum::<u64>() / all.len() as u64;
        assert!((29_900..30_100).contains(&mean), "{mean}");
        assert!(all.iter().all(|one| *one >= LATENCY_US_MIN));
        assert_eq!(distances.between(3, 3), LATENCY_US_MIN);
    }
}
