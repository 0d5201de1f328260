//! Refusing members that are known to carry a natural person's data.
//!
//! What is recorded in a log can never be taken back and travels across borders, so a person's
//! name, phone or address never enters a statement. This check knows names of members, not their
//! values: it stops the honest mistake of exporting a whole form, not somebody who hides a name in
//! a summary.

use alloc::string::String;

/// Whether a part of an English name stands for a person's data: `buyer_contact`, `homePhone`.
fn is_part(part: &str) -> bool {
    matches!(
        part,
        "address"
            | "applicant"
            | "birthday"
            | "birthdate"
            | "cellphone"
            | "contact"
            | "contacts"
            | "email"
            | "fax"
            | "idcard"
            | "inventor"
            | "inventors"
            | "mail"
            | "mobile"
            | "passport"
            | "person"
            | "phone"
            | "postcode"
            | "qq"
            | "representative"
            | "tel"
            | "telephone"
            | "wechat"
            | "weixin"
            | "zipcode"
    )
}

/// English names that are known as a whole, or as the end of a longer one, without separators.
const ENDINGS: &[&str] = &[
    "addr",
    "contactname",
    "contacttel",
    "dateofbirth",
    "emailaddress",
    "idcard",
    "idno",
    "idnumber",
    "legalrepresentative",
    "mobilenumber",
    "mobileno",
    "personname",
    "phonenumber",
    "phoneno",
    "telno",
    "cellphone",
    "mobilephone",
    "telephone",
];

/// Parts of Chinese names that stand for a person's data.
const PARTS_ZH: &[&str] = &[
    "联系人",
    "联系方式",
    "联系电话",
    "电话",
    "手机",
    "邮箱",
    "电子邮件",
    "传真",
    "微信",
    "地址",
    "住址",
    "邮编",
    "身份证",
    "护照",
    "出生",
    "姓名",
    "法定代表人",
    "法人代表",
    "负责人",
    "经办人",
    "发明人",
];

/// Whether a member of this name is known to carry a natural person's data.
///
/// Case, full-width letters, separators and the border between `camelCase` words do not matter.
pub fn names_a_person(name: &str) -> bool {
    if !name.is_ascii() && PARTS_ZH.iter().any(|part| name.contains(part)) {
        return true;
    }
    // The letters so far, and where among them the current part begins.
    let (mut letters, mut part) = (String::with_capacity(name.len()), 0);
    let mut lower_before = false;
    for letter in name.chars().map(half_width) {
        let starts_word = letter.is_ascii_uppercase() && lower_before;
        if !letter.is_ascii_alphabetic() || starts_word {
            if is_part(&letters[part..]) {
                return true;
            }
            part = letters.len();
        }
        if letter.is_ascii_alphabetic() {
            letters.push(letter.to_ascii_lowercase());
        }
        lower_before = letter.is_ascii_lowercase();
    }
    is_part(&letters[part..]) || ENDINGS.iter().any(|ending| letters.ends_with(ending))
}

/// Full-width forms as their ASCII ones.
fn half_width(letter: char) -> char {
    match letter {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(letter) - 0xfee0).unwrap_or(letter),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_personal_data_are_known_in_any_dress() {
        for name in [
            "contact",
            "Contact",
            "CONTACT",
            "buyer_contact",
            "buyer_contacttel",
            "contact-name",
            "contactName",
            "phone",
            "phoneNumber",
            "tel",
            "holder.tel",
            "mobile",
            "mobile_phone",
            "e-mail",
            "email",
            "eMail",
            "address",
            "homeAddress",
            "id_card",
            "idCard",
            "idcard",
            "id_no",
            "legal_representative",
            "legalRepresentative",
            "buyer_representative",
            "ｐｈｏｎｅ",
            "联系人",
            "卖方联系人",
            "电话",
            "手机号",
            "通讯地址",
            "法定代表人",
        ] {
            assert!(names_a_person(name), "{name}");
        }
    }

    #[test]
    fn names_of_other_things_are_let_through() {
        for name in [
            "title",
            "summary",
            "holder",
            "name",
            "telemetry",
            "mobility",
            "intellectual_property",
            "hotel",
            "addresses",
            "contactless_payment",
            "personnel",
            "media_type",
            "technical_amount",
            "法人",
            "单位名称",
            "电子信息",
            "",
        ] {
            assert!(!names_a_person(name), "{name}");
        }
    }
}
