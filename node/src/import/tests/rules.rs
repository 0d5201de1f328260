//! Mapping files and rules: what they make of a row, and what they refuse.

use crate::import::mapper::{Mapped, Mapper, Outcome};
use crate::import::mapping::Mapping;
use crate::import::row::{Original, SourceRow};
use serde_json::{Value, json};

const HEAD: &str =
    "name='t'\nkind='listing'\nlanguage='zh'\n[id]\nkey=['id']\n[fields.kind]\nconstant='demand'\n";

fn mapping(rules: &str) -> Mapping {
    Mapping::parse(&format!("{HEAD}{rules}")).unwrap()
}

fn row(number: u64, values: &Value) -> SourceRow {
    SourceRow {
        number,
        original: Original::Json(values.to_string().into_bytes()),
        values: Ok(values.as_object().unwrap().clone()),
        faults: Vec::new(),
    }
}

fn ready(rules: &str, mut values: Value) -> Mapped {
    values["id"] = "x".into();
    let mapping = mapping(rules);
    match Mapper::new(&mapping).map(&row(1, &values)) {
        Outcome::Ready(mapped) => *mapped,
        other => unreachable!("{rules} on {values}: {other:?}"),
    }
}

/// Checks what `rules` put at `pointer`.
fn check(rules: &str, values: Value, pointer: &str, expected: impl Into<Value>) {
    let body = Value::Object(ready(rules, values).submission.body);
    assert_eq!(body.pointer(pointer).cloned().unwrap_or(Value::Null), expected.into(), "{rules}");
}

fn fails(rules: &str, mut values: Value, reason: &str) {
    values["id"] = "x".into();
    let mapping = mapping(rules);
    let Outcome::Failed(problems) = Mapper::new(&mapping).map(&row(1, &values)) else {
        unreachable!("{rules} accepts {values}");
    };
    assert!(problems.iter().any(|problem| problem.to_string().contains(reason)), "{problems:?}");
}

fn refused(text: &str, reason: &str) {
    let error = Mapping::parse(text).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn values_come_from_columns_paths_constants_templates_and_defaults() {
    check(
        "[fields.title]\ncolumn='名称'",
        json!({"名称": " 甲\n乙 "}),
        "/title/zh",
        json!("甲 乙"),
    );
    check(
        "[fields.title.en]\ncolumn='a.1.b'",
        json!({"a": [0, {"b": "x"}]}),
        "/title/en",
        json!("x"),
    );
    check("[fields.region]\ncolumn='r'\ndefault='CN'", json!({"r": ""}), "/region", json!("CN"));
    check("[fields.title]\ncolumns=['a','b']", json!({"a": "", "b": "y"}), "/title/zh", json!("y"));
    check(
        "[fields.title]\ntemplate='{a} {{{b}}}'",
        json!({"a": ["p", "q"], "b": 3}),
        "/title/zh",
        json!("p, q {3}"),
    );
    check(
        "[fields.source.url]\ncolumns=['a','b']\ninvalid='drop'",
        json!({"a": "x.org", "b": "https://y.org"}),
        "/source/url",
        json!("https://y.org"),
    );
    check(
        "[fields.pricing.amount]\ncolumn='p'\n[fields.pricing.currency]\ncolumn='c'",
        json!({"p": "1200", "c": "JPY"}),
        "/pricing/amount",
        json!(1200),
    );
    check(
        "[fields.pricing.amount]\ncolumn='p'\n[fields.pricing.currency]\ncolumn='c'",
        json!({"p": "1200", "c": "KWD"}),
        "/pricing/amount",
        json!(1_200_000),
    );
    check("[fields.title]\ntemplate='{a}!'", json!({"a": ""}), "/title", Value::Null);
    fails(
        "[fields.pricing.amount]\ncolumn='p'\n[fields.pricing.currency]\ncolumn='c'",
        json!({"p": "1200", "c": "RMB"}),
        "how many decimals this currency has",
    );
}

#[test]
fn one_column_of_amounts_and_words_makes_a_price() {
    let rules = "[fields.pricing.mode]\ncolumn='价格'\nnumbers='listed'\nmap={'面议'='negotiated'}\n\
        [fields.pricing.amount]\ncolumn='价格'\nunit='ten-thousand'\nabsent=['面议']\n\
        [fields.pricing.currency]\ncolumn='价格'\nnumbers='CNY'\nmap={'面议'=''}";
    let price = |text: &str, expected: Value| {
        check(rules, json!({"价格": text}), "/pricing", expected);
    };
    price("1,200.5", json!({"mode": "listed", "amount": 1_200_500_000, "currency": "CNY"}));
    price("面议", json!({"mode": "negotiated"}));
    fails(rules, json!({"价格": "另议"}), "no such value");
    refused(&format!("{HEAD}[fields.title]\ncolumn='a'\nnumbers='x'"), "numbers is for codes");
}

#[test]
fn lists_are_split_stripped_excluded_and_without_repetition() {
    let rules = "[fields.keywords]\ncolumns=['a','b']\nseparators=['、',';']\nstrip_prefix='nlp:'\nexclude=['其他']";
    let values = json!({"a": "光伏、储能;其他", "b": ["nlp:储能", "NLP:x", ""]});
    check(rules, values, "/keywords", json!(["光伏", "储能", "NLP:x"]));
    let rules = "[fields.keywords]\ncolumn='a'\nitems_max=2";
    check(rules, json!({"a": ["1", "2", "3"]}), "/keywords", json!(["1", "2"]));
    check(rules, json!({"a": []}), "/keywords", Value::Null);
}

#[test]
fn value_maps_fail_keep_or_drop_what_they_do_not_have() {
    let rule = |more: &str| {
        format!("[fields.pricing.mode]\ncolumn='p'\n{more}\nmap={{'面议'='negotiated'}}")
    };
    check(&rule(""), json!({"p": "面议"}), "/pricing/mode", json!("negotiated"));
    fails(&rule(""), json!({"p": "拍卖"}), "no such value (it has 面议)");
    check(&rule("unmapped='keep'"), json!({"p": "auction"}), "/pricing/mode", json!("auction"));
    check(&rule("unmapped='drop'"), json!({"p": "拍卖"}), "/pricing", Value::Null);
    check(&rule("absent=['-']"), json!({"p": "-"}), "/pricing", Value::Null);
    let left_out = ready(&rule("unmapped='drop'"), json!({"p": "拍卖"})).left_out;
    assert_eq!((left_out.len(), left_out[0].value.as_str()), (1, "拍卖"));
}

#[test]
fn values_that_do_not_fit_fail_or_are_left_out_with_a_warning() {
    fails(
        "[fields.valid_until]\ncolumn='d'",
        json!({"d": "YYYY-MM-DD"}),
        "row 1, d `YYYY-MM-DD`: expected a date",
    );
    let mapped =
        ready("[fields.valid_until]\ncolumn='d'\ninvalid='drop'", json!({"d": "YYYY-MM-DD"}));
    assert!(mapped.submission.body.get("valid_until").is_none());
    assert!(mapped.left_out[0].reason.starts_with("left out: expected a date"));
    fails(
        "[fields.title]\ncolumn='t'\nrequired=true",
        json!({"t": " "}),
        "a value is required for title.zh",
    );
    fails("[fields.title]\ncolumn='t'", json!({"t": ["a", "b"]}), "met a list");
    fails("[fields.maturity.level]\ncolumn='t'", json!({"t": "seven"}), "expected a whole number");
}

#[test]
fn codes_that_do_not_fit_are_left_out_one_by_one() {
    for (target, values, expected, value) in [
        ("ipc", json!(["不详", "H01M10/05"]), json!(["H01M 10/05"]), "不详"),
        ("fields", json!(["新材料", "nuclear"]), json!(["nuclear"]), "新材料"),
        ("ip.0.number", json!("ZL202110123456.0"), Value::Null, "ZL202110123456.0"),
        ("ip.0.number", json!("软著登字第1号"), json!("软著登字第1号"), ""),
        ("holder.uscc", json!("91330100MA27XXXX00"), Value::Null, "91330100MA27XXXX00"),
    ] {
        let rules = format!("[fields.\"{target}\"]\ncolumn='a'\ninvalid='drop'");
        let mapped = ready(&rules, json!({"a": values}));
        let pointer = format!("/{}", target.replace('.', "/"));
        let body = Value::Object(mapped.submission.body);
        assert_eq!(body.pointer(&pointer).cloned().unwrap_or_default(), expected, "{target}");
        let left_out: Vec<&str> =
            mapped.left_out.iter().map(|found| found.value.as_str()).collect();
        assert_eq!(left_out.join(""), value, "{target}");
    }
}

#[test]
fn all_problems_of_a_row_are_told() {
    let rules = "[fields.title]\ncolumn='t'\nrequired=true\n[fields.maturity.level]\ncolumn='l'";
    let mapping = mapping(rules);
    let Outcome::Failed(problems) = Mapper::new(&mapping).map(&row(9, &json!({"l": "x"}))) else {
        unreachable!();
    };
    assert_eq!(problems.len(), 3, "id, level and title: {problems:?}");
}

#[test]
fn audiences_come_from_the_mapping_or_the_row() {
    let rules = "[fields.audience]\ncolumn='a'\nseparators=[',']";
    assert_eq!(ready(rules, json!({"a": "domestic"})).submission.audience, json!("domestic"));
    assert_eq!(
        ready(rules, json!({"a": "x-1,y-2"})).submission.audience,
        json!({"members": ["x-1", "y-2"]})
    );
    assert_eq!(ready(rules, json!({})).submission.audience, json!("public"));
    fails(rules, json!({"a": "public,x-1"}), "stand alone");
}

#[test]
fn contact_data_is_reported_and_taken_out_when_asked() {
    let values = || json!({"s": "请联系 sample@example.org 或 13800000000", "k": ["a@b.example"]});
    let rules = "[fields.summary]\ncolumn='s'\n[fields.keywords]\ncolumn='k'";
    let mapped = ready(rules, values());
    assert_eq!(mapped.warnings.len(), 2);
    assert_eq!(mapped.warnings[1].value, "sample@example.org, 13800000000");
    let mut mapping = mapping(rules);
    mapping.redact_contacts = true;
    let mut values = values();
    values["id"] = "x".into();
    let Outcome::Ready(mapped) = Mapper::new(&mapping).map(&row(1, &values)) else {
        unreachable!()
    };
    assert_eq!(mapped.submission.body["summary"], json!({"zh": "请联系 […] 或 […]"}));
    assert_eq!(mapped.submission.body["keywords"], json!(["[…]"]));
    assert_eq!(mapped.warnings.len(), 2);
}

#[test]
fn rows_are_filtered_and_dropped_without_moving_ids() {
    let text = format!(
        "{HEAD}[[where]]\ncolumn='c'\nequals='ARC'\n[[drop]]\ncolumn='l'\ncontains='pending'\nreason='not released'"
    );
    let rows = [
        json!({"id": "same", "c": "JPL"}),
        json!({"id": "same", "c": "ARC", "l": ["Pending Release"]}),
        json!({"id": "same", "c": "ARC", "l": "MIT"}),
    ];
    let mapping = Mapping::parse(&text).unwrap();
    let mut mapper = Mapper::new(&mapping);
    assert_eq!(mapper.map(&row(1, &rows[0])), Outcome::Filtered);
    assert_eq!(mapper.map(&row(2, &rows[1])), Outcome::Dropped("not released".into()));
    let Outcome::Ready(ready) = mapper.map(&row(3, &rows[2])) else { unreachable!() };
    assert!(ready.subject.ends_with("-3"), "{}", ready.subject);
    assert!(ready.warnings[0].reason.contains("add a column to key"), "{:?}", ready.warnings);
}

#[test]
fn an_id_column_must_be_filled_and_unique() {
    let text =
        "name='t'\nkind='listing'\n[id]\nprefix='zj'\ncolumn='no'\n[fields.kind]\nconstant='fund'";
    let mapping = Mapping::parse(text).unwrap();
    let mut mapper = Mapper::new(&mapping);
    let Outcome::Ready(ready) = mapper.map(&row(1, &json!({"no": "2026/Nr. 7"}))) else {
        unreachable!()
    };
    assert!(ready.subject.starts_with("zj-2026-nr-7-"), "{}", ready.subject);
    let Outcome::Ready(ready) = mapper.map(&row(2, &json!({"no": "2026-nr-7"}))) else {
        unreachable!()
    };
    assert_eq!(ready.subject, "zj-2026-nr-7");
    for values in [json!({"no": "2026/Nr. 7"}), json!({"no": "号"}), json!({})] {
        assert!(matches!(mapper.map(&row(2, &values)), Outcome::Failed(_)), "{values}");
    }
}

#[test]
fn a_row_fails_where_the_mapping_reads_a_fault() {
    let mapping = mapping("[fields.title]\ncolumn='t.0'");
    for (column, fails) in [("t", true), ("id", true), ("tt", false), ("other", false)] {
        let mut row = row(2, &json!({"id": "x", "t": ["y"]}));
        row.faults.push(crate::import::row::Problem::new(2, column, "", "no result"));
        let failed = matches!(Mapper::new(&mapping).map(&row), Outcome::Failed(_));
        assert_eq!(failed, fails, "{column}");
    }
}

#[test]
fn unknown_keys_bring_a_suggestion() {
    let fields = "[fields.kind]\nconstant='demand'";
    let base = "name='t'\nkind='listing'\n";
    refused(
        &format!("{base}langauge='zh'\n[id]\nkey=['a']\n{fields}"),
        "`langauge` in the mapping: did you mean `language`?",
    );
    refused(
        &format!("{base}[source]\nsheets='x'\n[id]\nkey=['a']\n{fields}"),
        "`sheets` in [source]: did you mean `sheet`?",
    );
    refused(&format!("{base}[id]\nkeys=['a']\n{fields}"), "`keys` in [id]: did you mean `key`?");
    refused(&format!("{HEAD}[[where]]\ncolum='a'\nequals='b'"), "did you mean `column`?");
    refused(
        &format!("{HEAD}[[drop]]\ncolumn='a'\nequals='b'\nreasons='c'"),
        "did you mean `reason`?",
    );
    refused(
        &format!("{HEAD}[fields.titel]\ncolumn='a'"),
        "`titel` in [fields]: did you mean `title",
    );
    refused(
        &format!("{HEAD}[fields.title]\ncolunm='a'"),
        "`colunm` in [fields.\"title\"]: did you mean `column`?",
    );
    refused(
        &format!("{HEAD}[fields.title.en]\ncolumn='a'\nrequierd=true"),
        "did you mean `required`?",
    );
}

#[test]
fn contradicting_mappings_are_refused() {
    refused("name='t'\nkind='listing'\n[id]\nkey=['a']", "missing field `fields`");
    refused("name=", "not valid");
    refused(&HEAD.replace("name='t'", "name='T t'"), "expected 1 to 64");
    refused(&HEAD.replace("'listing'", "'offer'"), "unknown variant `offer`");
    refused(&HEAD.replace("[id]", "audience='all'\n[id]"), "expected \"public\"");
    refused(&HEAD.replace("[id]", "amend=true\n[id]"), "for contracts only");
    for (rule, reason) in [
        ("column='a'\nconstant='b'", "exactly one"),
        ("required=true", "exactly one"),
        ("column='a'\nseparators=[';']", "separators are for lists"),
        ("column='a'\nunit='main'\ndates=['%Y']", "dates are for dates"),
        ("column='a'\nunmapped='keep'", "needs a map"),
        ("column='a'\nrequired=true\ndefault='x'", "exclude each other"),
        ("template='{a'", "without its column"),
        ("template='a}'", "write `}}`"),
        ("column=3", "expected a string"),
    ] {
        refused(&format!("{HEAD}[fields.title]\n{rule}"), reason);
    }
    refused(&format!("{HEAD}[fields.valid_until]\nconstant='soon'"), "expected a date");
    refused(
        &format!("{HEAD}[fields.title]\ncolumn='a'\n[fields.\"title.zh\"]\ncolumn='b'"),
        "filled twice",
    );
    refused(
        "name='t'\nkind='contract'\n[id]\nkey=['a']\n[fields.contract_type]\nconstant='service'",
        "set only column",
    );
}
