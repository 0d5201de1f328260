//! Listings of about 1 KiB, each another text.

use hutong_node::api::model::PublishRequest;
use serde_json::json;

/// Words that descriptions are made of.
const WORDS: [&str; 32] = [
    "coating",
    "process",
    "sensor",
    "membrane",
    "alloy",
    "catalyst",
    "yield",
    "pilot",
    "thermal",
    "battery",
    "optical",
    "fibre",
    "recycling",
    "enzyme",
    "pump",
    "turbine",
    "control",
    "software",
    "patent",
    "licence",
    "prototype",
    "furnace",
    "water",
    "carbon",
    "steel",
    "polymer",
    "robot",
    "drone",
    "seed",
    "soil",
    "laser",
    "valve",
];

/// The listing of that number. Its statement has about 1,024 bytes.
pub(crate) fn listing(number: u64) -> PublishRequest {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut summary = String::new();
    while summary.len() < 620 {
        // xorshift64: a text that compresses like texts do, and the same in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        summary.push_str(WORDS[(state >> 32) as usize % WORDS.len()]);
        summary.push(' ');
    }
    PublishRequest {
        kind: "hutong/listing/v1".to_owned(),
        audience: json!("public"),
        body: json!({
            "listing_id": format!("bench-{number}"),
            "revision": 1,
            "kind": "achievement",
            "title": { "en": format!("Measured listing {number}") },
            "summary": { "en": summary.trim_end() },
            "fields": ["new_materials"],
            "region": "US",
            "pricing": { "mode": "negotiated" },
        }),
    }
}
