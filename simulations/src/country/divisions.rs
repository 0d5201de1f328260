//! The divisions of China, and how many contracts each province registers.
//!
//! Read from the files of `shared/domain` where they are, and otherwise made up in the same numbers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::rng::Rng;

/// Provincial, prefecture and county divisions by their significant digits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Divisions {
    /// Two digits each: 34 of them.
    pub provinces: Vec<String>,
    /// Four digits each: 333.
    pub prefectures: Vec<String>,
    /// Six digits each: 2,844.
    pub counties: Vec<String>,
    /// Contracts of a year by province.
    pub contracts: BTreeMap<String, u64>,
    /// Whether all this was read, not made up.
    pub real: bool,
}

/// Provincial codes of GB/T 2260.
const PROVINCES: [u32; 34] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
    53, 54, 61, 62, 63, 64, 65, 71, 81, 82,
];
const PREFECTURES: usize = 333;
const COUNTIES: usize = 2_844;
/// The year whose contracts are taken.
const YEAR: &str = "2023";

impl Divisions {
    /// Those of the files in `folder`, or made-up ones where it has no such files.
    ///
    /// # Errors
    ///
    /// Where a file is there and cannot be read.
    pub fn load(folder: &Path) -> Result<Self> {
        if !folder.join("divisions_county.csv").exists() {
            return Ok(Self::generated());
        }
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let mut divisions = Self {
            provinces: codes(&read("divisions_province.csv")?, 2, None),
            prefectures: codes(&read("divisions_prefecture.csv")?, 4, None),
            counties: codes(&read("divisions_county.csv")?, 6, Some(&["county", "county_added"])),
            contracts: BTreeMap::new(),
            real: true,
        };
        for line in read("stats_province_flow_2016_2023.csv")?.lines() {
            let mut fields = line.split(',');
            let (year, direction, code) = (fields.next(), fields.next(), fields.next());
            let contracts = fields.nth(1).and_then(|text| text.parse().ok());
            if let (Some(YEAR), Some("output"), Some(code), Some(contracts)) =
                (year, direction, code, contracts)
                && let Some(province) = code.get(..2)
                && divisions.provinces.iter().any(|known| known == province)
            {
                divisions.contracts.insert(province.to_string(), contracts);
            }
        }
        Ok(divisions)
    }

    /// As many divisions as there are in reality, spread at random, with shares that fall off as
    /// the real ones do: the first of 34 has a ninth, the first six half.
    pub fn generated() -> Self {
        let mut rng = Rng::new(343_332_844);
        let provinces: Vec<String> = PROVINCES.iter().map(u32::to_string).collect();
        let mut of_province = vec![0; provinces.len()];
        let mut prefectures = Vec::new();
        while prefectures.len() < PREFECTURES {
            // The first four stand for municipalities, the last three for regions without any.
            let at = 4 + rng.index(provinces.len() - 7);
            of_province[at] += 1;
            prefectures.push(format!("{}{:02}", provinces[at], of_province[at]));
        }
        let mut of_parent: BTreeMap<String, u32> = BTreeMap::new();
        let mut counties = Vec::new();
        while counties.len() < COUNTIES {
            let parent = if rng.chance(60) {
                format!("{}01", provinces[rng.index(4)])
            } else {
                prefectures[rng.index(prefectures.len())].clone()
            };
            let number = of_parent.entry(parent.clone()).or_default();
            if *number < 98 {
                *number += 1;
                counties.push(format!("{parent}{number:02}"));
            }
        }
        prefectures.sort();
        counties.sort();
        let contracts = provinces.iter().zip(1_u64..);
        let contracts =
            contracts.map(|(code, rank)| (code.clone(), 300_000 / (rank + 2))).collect();
        Self { provinces, prefectures, counties, contracts, real: false }
    }
}

/// The significant `digits` of the codes in a table, of the given kinds.
fn codes(table: &str, digits: usize, kinds: Option<&[&str]>) -> Vec<String> {
    let wanted = |line: &str| {
        let kind = line.trim_end().rsplit(',').next().unwrap_or_default();
        kinds.is_none_or(|kinds| kinds.contains(&kind))
    };
    let rows = table.lines().skip(1).filter(|line| wanted(line));
    rows.filter_map(|line| Some(line.split(',').next()?.get(..digits)?.to_string())).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn sizes(divisions: &Divisions) -> (usize, usize, usize) {
        (divisions.provinces.len(), divisions.prefectures.len(), divisions.counties.len())
    }

    #[test]
    fn made_up_and_real_divisions_are_equally_many() {
        assert_eq!(sizes(&Divisions::generated()), (34, 333, 2_844));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/domain");
        let real = Divisions::load(&folder).unwrap();
        if !real.real {
            eprintln!("skipped: no division files");
            return;
        }
        assert_eq!(sizes(&real), (34, 333, 2_844));
        assert_eq!(real.contracts.values().sum::<u64>(), 940_630);
    }
}
