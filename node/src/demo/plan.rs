//! Who takes part in a demonstration.

use hutong_protocol::id::Tier;

/// An exchange of the demonstration, before it has keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) id: String,
    pub(super) zh: String,
    pub(super) en: String,
    pub(super) tier: Tier,
    pub(super) region: String,
    /// Who admits it: the index of an earlier part, or the council.
    pub(super) admitted_by: Admission,
}

/// How an exchange becomes a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It founds the federation.
    Founder,
    /// The council admits it.
    Council,
    /// The part with this index admits it.
    By(usize),
}

/// Ten exchanges of every tier; the first three found the federation.
const TEN: [(&str, &str, &str, Tier, &str, Admission); 10] = [
    (
        "cn-national",
        "示例全国交易所（虚构）",
        "Sample National Exchange (fictional)",
        Tier::National,
        "CN",
        Admission::Founder,
    ),
    (
        "cn-33-zhejiang",
        "示例浙江交易所（虚构）",
        "Sample Zhejiang Exchange (fictional)",
        Tier::Provincial,
        "CN-33",
        Admission::Founder,
    ),
    (
        "cn-32-jiangsu",
        "示例江苏交易所（虚构）",
        "Sample Jiangsu Exchange (fictional)",
        Tier::Provincial,
        "CN-32",
        Admission::Founder,
    ),
    (
        "cn-45-guangxi",
        "示例广西交易所（虚构）",
        "Sample Guangxi Exchange (fictional)",
        Tier::Provincial,
        "CN-45",
        Admission::Council,
    ),
    (
        "cn-industry-energy",
        "示例能源行业交易所（虚构）",
        "Sample Energy Industry Exchange (fictional)",
        Tier::Industry,
        "CN",
        Admission::Council,
    ),
    (
        "kz-exchange",
        "示例哈萨克斯坦交易所（虚构）",
        "Sample Kazakhstan Exchange (fictional)",
        Tier::International,
        "KZ",
        Admission::Council,
    ),
    (
        "rs-exchange",
        "示例塞尔维亚交易所（虚构）",
        "Sample Serbia Exchange (fictional)",
        Tier::International,
        "RS",
        Admission::Council,
    ),
    (
        "cn-3301-hangzhou",
        "示例杭州交易所（虚构）",
        "Sample Hangzhou Exchange (fictional)",
        Tier::Municipal,
        "CN-3301",
        Admission::By(1),
    ),
    (
        "cn-3205-suzhou",
        "示例苏州交易所（虚构）",
        "Sample Suzhou Exchange (fictional)",
        Tier::Municipal,
        "CN-3205",
        Admission::By(2),
    ),
    (
        "cn-330106-xihu",
        "示例西湖区交易所（虚构）",
        "Sample Xihu District Exchange (fictional)",
        Tier::County,
        "CN-330106",
        Admission::By(7),
    ),
];

/// How many parts found the federation.
pub(super) const FOUNDERS: usize = 3;

/// The first `count` of the ten, and beyond them industry exchanges.
pub(super) fn parts(count: usize) -> Vec<Part> {
    let ten = TEN.into_iter().map(|(id, zh, en, tier, region, admitted_by)| Part {
        id: id.to_owned(),
        zh: zh.to_owned(),
        en: en.to_owned(),
        tier,
        region: region.to_owned(),
        admitted_by,
    });
    let more = (TEN.len()..count).map(|number| Part {
        id: format!("cn-industry-{number}"),
        zh: format!("示例行业交易所 {number}（虚构）"),
        en: format!("Sample Industry Exchange {number} (fictional)"),
        tier: Tier::Industry,
        region: "CN".to_owned(),
        admitted_by: Admission::Council,
    });
    ten.chain(more).take(count).collect()
}

/// The part whose region is the closest around `region`, or the first one.
pub(super) fn home_of(parts: &[Part], region: &str) -> usize {
    parts
        .iter()
        .enumerate()
        .filter(|(_, part)| region.starts_with(&part.region))
        .max_by_key(|(_, part)| part.region.len())
        .map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_before_those_whom_they_admit() {
        for (index, part) in parts(24).iter().enumerate() {
            assert_eq!(part.admitted_by == Admission::Founder, index < FOUNDERS);
            if let Admission::By(parent) = part.admitted_by {
                assert!(parent < index, "{}", part.id);
            }
        }
    }

    #[test]
    fn a_listing_is_published_where_it_is_from() {
        let parts = parts(10);
        assert_eq!(parts[home_of(&parts, "CN-330106")].id, "cn-330106-xihu");
        assert_eq!(parts[home_of(&parts, "CN-3302")].id, "cn-33-zhejiang");
        assert_eq!(parts[home_of(&parts, "KZ")].id, "kz-exchange");
        assert_eq!(parts[home_of(&parts, "PK")].id, "cn-national");
    }
}
