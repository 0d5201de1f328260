//! Signed notes as they travel in announcements: raw bytes instead of base64, and of each key's name only
//! what differs from the origin. A checkpoint with four cosignatures takes half as many bytes so.
//!
//! One note has one encoding: what is read here encodes to the same bytes, and so does the note's text.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use hutong_crypto::limits::{KEY_NAME_BYTES_MAX, NOTE_SIGNATURES_MAX};
use hutong_crypto::note::{KeyName, Note, NoteSignature};

use crate::limits::NOTE_BYTES_MAX;
use crate::wire::{Reader, WireError, Writer};

/// Key id and signature, in bytes. What this version knows takes 68 and 76.
const SIGNATURE_BYTES_MAX: usize = 1_024;

/// Appends a note.
pub(crate) fn write(writer: &mut Writer, note: &Note) {
    writer.text(&note.text).u64(note.signatures.len() as u64);
    for line in &note.signatures {
        let shared = shared(origin(&note.text), &line.name);
        writer.u64(shared as u64).text(&line.name[shared..]);
        let mut signature = Vec::with_capacity(4 + line.signature.len());
        signature.extend_from_slice(&line.key_id);
        signature.extend_from_slice(&line.signature);
        writer.bytes(&signature);
    }
}

/// Reads a note.
///
/// # Errors
///
/// [`WireError`] for anything but the one encoding of a note of at most [`NOTE_BYTES_MAX`] bytes.
pub(crate) fn read(reader: &mut Reader) -> Result<Note, WireError> {
    let text = reader.text("note", NOTE_BYTES_MAX)?;
    if !text.ends_with('\n') || text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(malformed("expected lines without control characters"));
    }
    let count = reader.count("note signatures", NOTE_SIGNATURES_MAX)?;
    if count == 0 {
        return Err(malformed("expected a signature"));
    }
    let mut signatures = Vec::with_capacity(count);
    let mut bytes = text.len();
    for _ in 0..count {
        let line = read_signature(reader, origin(&text))?;
        // Base64 makes four bytes of three; a dash, two spaces and a line feed are around them.
        bytes += line.name.len() + (4 + line.signature.len()).div_ceil(3) * 4 + 6;
        signatures.push(line);
    }
    if bytes >= NOTE_BYTES_MAX {
        return Err(malformed("expected a shorter note"));
    }
    Ok(Note { text, signatures })
}

fn read_signature(reader: &mut Reader, origin: &str) -> Result<NoteSignature, WireError> {
    let begins = reader.count("shared name", origin.len())?;
    let rest = reader.text("key name", KEY_NAME_BYTES_MAX)?;
    let Some(begin) = origin.get(..begins) else {
        return Err(malformed("expected a name that shares whole characters"));
    };
    let mut name = String::with_capacity(begin.len() + rest.len());
    name.push_str(begin);
    name.push_str(&rest);
    if shared(origin, &name) != begins {
        return Err(malformed("expected a name that shares as much as it can"));
    }
    let name = KeyName::new(&name).map_err(|error| malformed(&error.to_string()))?.into_string();
    let bytes = reader.bytes("note signature", SIGNATURE_BYTES_MAX)?;
    match bytes.split_first_chunk::<4>() {
        Some((key_id, signature)) if !signature.is_empty() => {
            Ok(NoteSignature { name, key_id: *key_id, signature: signature.to_vec() })
        }
        Some(_) | None => Err(malformed("expected a key id and a signature")),
    }
}

/// A note's first line: of a checkpoint, the log's origin.
fn origin(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// How many bytes of whole characters two texts begin with in common.
fn shared(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
}

fn malformed(detail: &str) -> WireError {
    WireError::Value { what: "note", detail: detail.to_string() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    fn line(name: &str) -> NoteSignature {
        NoteSignature { name: name.into(), key_id: [1, 2, 3, 4], signature: [5; 64].into() }
    }

    fn note() -> Note {
        let text = "0123.hutong/cn-33\n7\nroot\n".into();
        let names =
            ["0123.hutong/cn-33", "0123.hutong/cn-31/witness", "elsewhere", "0123.hutong/字"];
        Note { text, signatures: names.map(line).into() }
    }

    fn read_all(bytes: bytes::Bytes) -> Result<Note, WireError> {
        let mut reader = Reader::new(bytes);
        let note = read(&mut reader)?;
        reader.finish().map(|()| note)
    }

    #[test]
    fn what_is_written_is_read_again_and_is_a_note() {
        let mut writer = Writer::new();
        write(&mut writer, &note());
        assert!(writer.len() * 4 < note().encode().len() * 3, "{}", writer.len());
        assert_eq!(read_all(writer.finish()), Ok(note()));
        assert_eq!(Note::parse(&note().encode()), Ok(note()));
    }

    #[test]
    fn other_encodings_and_what_is_no_note_are_refused() {
        let write = |text: &str, shared: u64, rest: &str, signature: &[u8]| {
            let mut writer = Writer::new();
            writer.text(text).u64(1).u64(shared).text(rest).bytes(signature);
            read_all(writer.finish())
        };
        assert!(write("ab\n", 1, "c", &[0; 5]).is_ok());
        let refused = [
            write("ab\n", 0, "ac", &[0; 5]),
            write("ab\n", 3, "c", &[0; 5]),
            write("字\n", 1, "c", &[0; 5]),
            write("ab\n", 0, "", &[0; 5]),
            write("ab\n", 0, "with space", &[0; 5]),
            write("ab\n", 1, "c", &[0; 4]),
            write("ab", 1, "c", &[0; 5]),
            write("a\tb\n", 1, "c", &[0; 5]),
        ];
        assert!(refused.iter().all(Result::is_err), "{refused:?}");
        let mut writer = Writer::new();
        writer.text("ab\n").u64(0);
        read_all(writer.finish()).unwrap_err();
    }
}
