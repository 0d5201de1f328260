//! Full-width characters, which East Asian input methods give for ASCII.

/// `text` with the ASCII form of each full-width character. The number of characters stays the same.
pub(super) fn half(text: &str) -> String {
    text.chars().map(half_char).collect()
}

fn half_char(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{3000}' => ' ',
        '\u{ffe5}' => '¥',
        '\u{ffe1}' => '£',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_characters_become_ascii() {
        assert_eq!(half("１２．５（Ａ＠ｂ）　￥～"), "12.5(A@b) ¥~");
        assert_eq!(half("示例、abc"), "示例、abc");
    }
}
