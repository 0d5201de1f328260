#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::ToString as _;

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// RFC 8785 §3.2.2 and §3.2.3.
#[test]
fn the_examples_of_rfc_8785_come_out_as_printed() {
    let value: Value = serde_json::from_str(
        r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
        "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
    )
    .unwrap();
    let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,\
        0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(String::from_utf8(canonicalize(&value)).unwrap(), expected);
    let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5,
        "\u{80}": 6, "\u{f6}": 7});
    let expected =
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
    assert_eq!(String::from_utf8(canonicalize(&value)).unwrap(), expected);
}

/// RFC 8785 appendix B: IEEE 754 bits and their text.
#[test]
fn numbers_are_written_as_ecmascript_writes_them() {
    for (bits, text) in [
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let value = Value::from(f64::from_bits(bits));
        assert_eq!(String::from_utf8(canonicalize(&value)).unwrap(), text);
    }
    assert_eq!(canonicalize(&json!(-0.0)), b"0");
}

#[test]
fn one_value_has_one_byte_string() {
    for text in [r#"{"a":1,"b":[true,"x"]}"#, "[]", "0", r#""é""#, "9007199254740991"] {
        assert!(parse_canonical(text.as_bytes()).is_ok(), "{text}");
    }
    for text in [
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a": 1}"#,
        r#"{"a":1.0}"#,
        r#"{"a":1e2}"#,
        r#"{"a":-0}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\/"}"#,
        "9007199254740992",
        "-9007199254740993",
        "1e+21",
        "18446744073709552000",
        "[1]\n",
        "",
        "nul",
    ] {
        assert!(parse_canonical(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn nesting_is_bounded_before_anything_recurses() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse_canonical(nested(NESTING_MAX).as_bytes()).is_ok());
    assert_eq!(parse_canonical(nested(NESTING_MAX + 1).as_bytes()), Err(JsonError::Nesting));
    assert_eq!(parse_canonical(nested(100_000).as_bytes()), Err(JsonError::Nesting));
}

/// Reads bytes in one pass and as a tree, which must come to the same; returns whether they were read.
fn read_both_ways(bytes: &[u8]) -> bool {
    let read = parse_canonical(bytes);
    assert_eq!(read, refuse::by_tree(bytes), "{}", String::from_utf8_lossy(bytes));
    read.is_ok()
}

#[test]
fn each_form_of_a_text_is_read_as_its_tree_is() {
    let escapes = (0..=0x7f_u8).map(|code| format!("\"\\u{code:04x}\""));
    let upper = (0..=0x1f_u8).map(|code| format!("\"\\u{code:04X}\""));
    let short = (0x20..0x7f_u8).map(|code| format!("\"a\\{}x\"", char::from(code)));
    let plain = (0..=0x7f_u8).map(|code| format!("\"a{}x\"", char::from(code)));
    let read: BTreeSet<String> = escapes
        .chain(upper)
        .chain(short)
        .chain(plain)
        .filter(|text| read_both_ways(text.as_bytes()))
        .collect();
    // 27 controls by number, 5 by letter, and of the others all but two as they are, those by escape.
    assert_eq!(read.len(), 27 + 5 + 94 + 2);
    for text in [
        r#""\ud83d\ude00""#,
        r#""\u""#,
        r#""\u00""#,
        r#""\u001""#,
        r#""\""#,
        r#"""#,
        r#""a"#,
        "\"\u{2028}é😀\"",
    ] {
        read_both_ways(text.as_bytes());
    }
    for length in 0..100 {
        let text = format!("\"{}\\n{}\"", "x".repeat(length), "é".repeat(length));
        assert!(read_both_ways(text.as_bytes()), "{text}");
        let bytes = [b"\"", "x".repeat(length).as_bytes(), b"\xff\""].concat();
        assert!(!read_both_ways(&bytes));
    }
}

#[test]
fn each_form_of_a_number_is_read_as_its_tree_is() {
    for text in [
        "0",
        "-0",
        "00",
        "01",
        "-01",
        "-",
        "+1",
        "1",
        "-1",
        "10",
        "1.",
        ".5",
        "0.5",
        "1.50",
        "1e2",
        "1E2",
        "1e+21",
        "1e21",
        "100000000000000000000",
        "1000000000000000000000",
        "1e-7",
        "0.000001",
        "0.0000001",
        "5e-324",
        "1e-400",
        "1e400",
        "999999999999999",
        "1000000000000000",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740991",
        "-9007199254740992",
        "9223372036854775807",
        "-9223372036854775808",
        "-9223372036854776000",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709552000",
        "295147905179352830000",
        "333333333.3333333",
        "333333333.33333329",
        "1e",
        "1e+",
        "1-1",
        "1.5.5",
        "--1",
        "1_000",
        "0x1",
        "NaN",
        "Infinity",
        "1 ",
        " 1",
    ] {
        read_both_ways(text.as_bytes());
        read_both_ways(format!("[{text},{text}]").as_bytes());
    }
    for text in ["0", "-1", "0.5", "-0.5", "5e-324", "4503599627370495.5", "9007199254740991"] {
        assert!(read_both_ways(text.as_bytes()), "{text}");
    }
    for text in ["9007199254740992", "18446744073709552000", "1e+21", "-1e+21", "-0"] {
        assert!(!read_both_ways(text.as_bytes()), "{text}");
    }
}

#[test]
fn each_array_and_object_is_a_level_of_nesting_the_outermost_too() {
    let statement = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!("{{\"body\":{{\"a\":{open}0{close}}}}}")
    };
    // The object and its body are two.
    assert!(parse_canonical(statement(NESTING_MAX - 2).as_bytes()).is_ok());
    let deeper = parse_canonical(statement(NESTING_MAX - 1).as_bytes());
    assert_eq!(deeper, Err(JsonError::Nesting));
}

#[test]
fn each_form_of_a_document_is_read_as_its_tree_is() {
    for text in [
        "",
        " ",
        "n",
        "nul",
        "nulll",
        "null",
        "true",
        "tru",
        "false",
        "[",
        "]",
        "[]",
        "[,]",
        "[1,]",
        "[1 ,2]",
        "[1 2]",
        "[1]]",
        "{",
        "}",
        "{}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1"b":2}"#,
        r"{a:1}",
        r#"{"a":1,"b":2}"#,
        r#"{"b":1,"a":2}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a" :1}"#,
        r"{1:1}",
        r#"{"":0,"a":{"":[]}}"#,
        "[[],{},[{}]]",
        "\u{feff}1",
        r#"{"\n":1,"a":2}"#,
        r#"{"a":1,"\n":2}"#,
        r#"{"\u000f":1,"\r":2}"#,
        r#"{"\r":1,"\u000f":2}"#,
    ] {
        read_both_ways(text.as_bytes());
    }
    for depth in NESTING_MAX - 1..NESTING_MAX + 2 {
        let nested = format!("{}0{}", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2));
        read_both_ways(nested.as_bytes());
        read_both_ways(format!("[{nested}]").as_bytes());
        read_both_ways(format!("\"{}\"", "[".repeat(depth)).as_bytes());
    }
}

#[test]
fn a_value_in_memory_is_read_as_its_text_is() {
    let value = json!({"a": [1, -2, 0.5, null, [], {}], "b": {"c": "x", "d": {"e": true}}, "f": 3});
    let text = canonicalize(&value);
    let (of_text, of_value) = (Document::parse(&text).unwrap(), Document::of(&value));
    assert_eq!(
        (of_text.root().to_value(), of_value.root().to_value()),
        (value.clone(), value.clone())
    );
    for document in [of_text, of_value] {
        let members = document.root().members().unwrap();
        assert_eq!(members.len(), 3);
        assert_eq!(members.get("f").and_then(Node::as_u64), Some(3));
        assert!(members.get("c").is_none(), "a member of a member is none");
        let inner = members.get("b").and_then(Node::members).unwrap();
        assert_eq!(inner.get("c").and_then(Node::as_text), Some("x"));
        assert!(members.get("a").and_then(Node::items).is_some_and(|items| items.len() == 6));
    }
}

/// Values with the characters and numbers for which canonical form has rules.
fn value() -> impl Strategy<Value = Value> {
    let text = || "[ -~\u{0}-\u{1f}\u{7f}-\u{ff}\u{d7ff}-\u{e010}\u{fff0}-\u{1000f}\"\\\\]{0,40}";
    let number = prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-10_000..10_000_i64).prop_map(|n| Value::from(INTEGER_MAX.cast_signed() + n)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_as_its_tree_is(value in value()) {
        read_both_ways(&canonicalize(&value));
        // The same value as others write it.
        read_both_ways(value.to_string().as_bytes());
    }

    #[test]
    fn names_are_ordered_by_utf_16(
        names in prop::array::uniform2("[a-b\u{7f}-\u{80}\u{7ff}-\u{801}\u{d7fe}-\u{e001}\u{fffe}-\u{10001}\u{10ffff}]{0,4}"),
    ) {
        let [a, b] = names;
        prop_assert_eq!(write::utf16_order(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
    }

    #[test]
    fn what_was_changed_is_read_as_its_tree_is(
        value in value(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(&b" \"\\/{}[]:,0123456789.-+eEuntrbfals\x00\x1f\x7f\xc3\xa9\xed\xff"[..]), 0..3_u8),
            1..4,
        ),
    ) {
        let mut bytes = canonicalize(&value);
        for (at, byte, how) in changes {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => bytes[at] = byte,
                _ if at < bytes.len() => drop(bytes.remove(at)),
                _ => {}
            }
        }
        read_both_ways(&bytes);
    }
}
