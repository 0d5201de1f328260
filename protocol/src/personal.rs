//! Refusing members that are known to carry a natural person's data.
//!
//! What is recorded in a log can never be taken back and travels across borders, so a person's
//! name, phone or address never enters a statement. This check knows names of members, not their
//! values: it stops the honest mistake of exporting a whole form, not somebody who hides a name in
//! a summary.

use alloc::vec;

/// Whether a part of an English name stands for a person's data: `buyer_contact`, `homePhone`.
fn is_part(part: &[u8]) -> bool {
    matches!(
        part,
        b"address"
            | b"applicant"
            | b"birthday"
            | b"birthdate"
            | b"cellphone"
            | b"contact"
            | b"contacts"
            | b"email"
            | b"fax"
            | b"idcard"
            | b"inventor"
            | b"inventors"
            | b"mail"
            | b"mobile"
            | b"passport"
            | b"person"
            | b"phone"
            | b"postcode"
            | b"qq"
            | b"representative"
            | b"tel"
            | b"telephone"
            | b"wechat"
            | b"weixin"
            | b"zipcode"
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
    if name.len() <= NAME_BYTES {
        names_in(name, &mut [0; NAME_BYTES])
    } else {
        names_in(name, &mut vec![0; name.len()])
    }
}

/// Bytes of most names at most.
const NAME_BYTES: usize = 64;

/// As [`names_a_person`] for English names, with room for as many letters as `name` has bytes.
fn names_in(name: &str, room: &mut [u8]) -> bool {
    // How many letters there are so far, and where among them the current part begins.
    let (mut count, mut part) = (0, 0);
    let mut lower_before = false;
    for letter in name.chars().map(half_width) {
        let starts_word = letter.is_ascii_uppercase() && lower_before;
        if !letter.is_ascii_alphabetic() || starts_word {
            if is_part(&room[part..count]) {
                return true;
            }
            part = count;
        }
        if let (true, Ok(byte)) = (letter.is_ascii_alphabetic(), u8::try_from(letter)) {
            room[count] = byte.to_ascii_lowercase();
            count += 1;
        }
        lower_before = letter.is_ascii_lowercase();
    }
    let letters = &room[..count];
    // Few names end with the last letter of one, and a letter is compared faster than a text.
    let ends = |ending: &&str| {
        ending.as_bytes().last() == letters.last() && letters.ends_with(ending.as_bytes())
    };
    is_part(&letters[part..]) || ENDINGS.iter().any(ends)
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
