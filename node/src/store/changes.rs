//! Changes as bytes, for the journal.

use bytes::Bytes;
use hutong_protocol::entry::{Entry, Leaf};
use hutong_protocol::id::ExchangeId;
use hutong_protocol::persist::Persist;
use hutong_protocol::wire::{Reader, WireError, Writer};

/// Appends `changes` to `bytes`.
pub(super) fn encode(bytes: Vec<u8>, changes: &[Persist]) -> Vec<u8> {
    let mut writer = Writer::after(bytes);
    writer.u64(changes.len() as u64);
    for change in changes {
        encode_one(&mut writer, change);
    }
    writer.into_vec()
}

fn encode_one(writer: &mut Writer, change: &Persist) {
    match change {
        Persist::Leaves { log, from, leaves, void } => {
            writer.u8(0).text(log.as_str()).u64(*from).u64(leaves.len() as u64);
            for leaf in leaves {
                match leaf {
                    Leaf::Entry(entry) => writer.u8(1).bytes(entry.as_bytes()),
                    Leaf::Withheld(hash) => writer.u8(0).hash(hash),
                };
            }
            indices(writer, void);
        }
        Persist::Fill { log, entries, void } => {
            writer.u8(1).text(log.as_str()).u64(entries.len() as u64);
            for (index, entry) in entries {
                writer.u64(*index).bytes(entry.as_bytes());
            }
            indices(writer, void);
        }
        Persist::Checkpoint { log, note, size } => {
            writer.u8(2).text(log.as_str()).text(note).u64(*size);
        }
        Persist::Cosigned { log, note, size } => {
            writer.u8(3).text(log.as_str()).text(note).u64(*size);
        }
        Persist::WitnessMemory { log, size, root } => {
            writer.u8(4).text(log.as_str()).u64(*size).hash(root);
        }
        Persist::Charter { bytes } => {
            writer.u8(5).bytes(bytes);
        }
        Persist::Evidence { log, bytes } => {
            writer.u8(6).text(log.as_str()).bytes(bytes);
        }
        Persist::Frozen { log, size } => {
            writer.u8(7).text(log.as_str()).u64(*size);
        }
        Persist::Thawed { log } => {
            writer.u8(8).text(log.as_str());
        }
        Persist::Anchored { version, index, changes } => {
            writer.u8(9).u64(*version).u64(*index).bytes(changes);
        }
    }
}

fn indices(writer: &mut Writer, indices: &[u64]) {
    writer.u64(indices.len() as u64);
    for index in indices {
        writer.u64(*index);
    }
}

/// The changes that `bytes` are.
///
/// # Errors
///
/// [`WireError`] where they are none.
pub(super) fn decode(bytes: Bytes) -> Result<Vec<Persist>, WireError> {
    let bound = bytes.len();
    let mut reader = Reader::new(bytes);
    let count = reader.count("changes", bound)?;
    let changes =
        (0..count).map(|_| decode_one(&mut reader, bound)).collect::<Result<Vec<_>, _>>()?;
    reader.finish()?;
    Ok(changes)
}

fn decode_one(reader: &mut Reader, bound: usize) -> Result<Persist, WireError> {
    let tag = reader.u8()?;
    if tag == 5 {
        return Ok(Persist::Charter { bytes: reader.bytes("charter", bound)?.to_vec() });
    }
    if tag == 9 {
        let (version, index) = (reader.u64()?, reader.u64()?);
        return Ok(Persist::Anchored { version, index, changes: reader.bytes("anchor", bound)? });
    }
    let log: ExchangeId = reader.parsed("log", bound)?;
    Ok(match tag {
        0 => {
            let from = reader.u64()?;
            let count = reader.count("leaves", bound)?;
            let leaves = (0..count).map(|_| leaf(reader, bound)).collect::<Result<_, _>>()?;
            Persist::Leaves { log, from, leaves, void: void(reader, bound)? }
        }
        1 => {
            let count = reader.count("entries", bound)?;
            let entries = (0..count)
                .map(|_| Ok((reader.u64()?, entry(reader, bound)?)))
                .collect::<Result<_, _>>()?;
            Persist::Fill { log, entries, void: void(reader, bound)? }
        }
        2 => Persist::Checkpoint { log, note: reader.text("note", bound)?, size: reader.u64()? },
        3 => Persist::Cosigned { log, note: reader.text("note", bound)?, size: reader.u64()? },
        4 => Persist::WitnessMemory { log, size: reader.u64()?, root: reader.hash()? },
        6 => Persist::Evidence { log, bytes: reader.bytes("evidence", bound)?.to_vec() },
        7 => Persist::Frozen { log, size: reader.u64()? },
        8 => Persist::Thawed { log },
        tag => return Err(WireError::Tag { what: "change", tag }),
    })
}

fn leaf(reader: &mut Reader, bound: usize) -> Result<Leaf, WireError> {
    match reader.u8()? {
        0 => reader.hash().map(Leaf::Withheld),
        1 => entry(reader, bound).map(Leaf::Entry),
        tag => Err(WireError::Tag { what: "leaf", tag }),
    }
}

fn entry(reader: &mut Reader, bound: usize) -> Result<Entry, WireError> {
    Entry::parse(reader.bytes("entry", bound)?)
        .map_err(|error| WireError::Value { what: "entry", detail: error.to_string() })
}

fn void(reader: &mut Reader, bound: usize) -> Result<Vec<u64>, WireError> {
    let count = reader.count("void entries", bound)?;
    (0..count).map(|_| reader.u64()).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
mod tests {
    use hutong_crypto::digest::Hash;
    use hutong_crypto::keys::SigningKey;

    use super::*;

    fn every_kind() -> Vec<Persist> {
        let log: ExchangeId = "cn-33-zhejiang".parse().unwrap();
        let entry = Entry::sign(&SigningKey::from_bytes(&[7; 32]), b"{}").unwrap();
        let (hash, note, bytes) = (Hash([9; 32]), "note\n".to_owned(), vec![1, 2, 3]);
        vec![
            Persist::Leaves {
                log: log.clone(),
                from: 300,
                leaves: vec![Leaf::Entry(entry.clone()), Leaf::Withheld(hash)],
                void: vec![300],
            },
            Persist::Fill { log: log.clone(), entries: vec![(7, entry)], void: vec![7, 8] },
            Persist::Checkpoint { log: log.clone(), note: note.clone(), size: 302 },
            Persist::Cosigned { log: log.clone(), note, size: 1 << 40 },
            Persist::WitnessMemory { log: log.clone(), size: 302, root: hash },
            Persist::Charter { bytes: bytes.clone() },
            Persist::Evidence { log: log.clone(), bytes },
            Persist::Frozen { log: log.clone(), size: 0 },
            Persist::Thawed { log },
            Persist::Anchored { version: 1, index: 7, changes: Bytes::from_static(b"changes") },
        ]
    }

    #[test]
    fn every_kind_of_change_comes_back() {
        let bytes = encode(b"before".to_vec(), &every_kind());
        assert_eq!(decode(Bytes::from(bytes).slice(6..)).unwrap(), every_kind());
    }

    #[test]
    fn shorter_and_longer_bytes_are_refused() {
        let bytes = encode(Vec::new(), &every_kind());
        for cut in 0..bytes.len() {
            assert!(decode(Bytes::copy_from_slice(&bytes[..cut])).is_err(), "cut at {cut}");
        }
        assert!(decode(Bytes::from([bytes, vec![0]].concat())).is_err());
    }
}
