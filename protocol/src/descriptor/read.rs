//! Reading a descriptor's members.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use hutong_crypto::{PublicKey, Signature};
use serde_json::Value;

use super::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, Descriptor, DescriptorError, ISSUER_KEYS_MAX,
    ISSUER_TYPES_MAX, IssuerKey, NAME_BYTES_MAX, NAMES_MAX,
};
use crate::{
    fields::{FieldError, Fields},
    statement::is_type_name,
    suite::{KeyTextError, SUITES_MAX, parse_key},
};

/// Reads every member, and refuses others. What concerns several of them is not checked.
pub(super) fn descriptor(fields: &Fields<'_>) -> Result<Descriptor, DescriptorError> {
    fields.only(&[
        "addresses",
        "federation",
        "id",
        "issuer_keys",
        "log_keys",
        "names",
        "parent",
        "region",
        "tier",
        "transport",
        "website",
        "witness_keys",
    ])?;
    Ok(Descriptor {
        id: fields.parsed("id", "an exchange id such as `cn-33-zhejiang`")?,
        federation: match fields.optional("federation") {
            Some(_) => Some(fields.parsed("federation", "64 lower-case hex digits")?),
            None => None,
        },
        parent: fields.parsed("parent", "`council` or an exchange id")?,
        names: read_names(fields)?,
        tier: fields.parsed("tier", "one of the six tiers")?,
        region: fields.parsed("region", "a region such as `CN-3301` or `KZ`")?,
        log_key: read_keys(fields, "log_keys")?,
        witness_key: read_keys(fields, "witness_keys")?,
        issuer_keys: read_issuer_keys(fields)?,
        transport: fields.text("transport")?.to_string(),
        addresses: read_addresses(fields)?,
        website: match fields.optional("website") {
            Some(_) => Some(fields.bounded_text("website", ADDRESS_BYTES_MAX)?.to_string()),
            None => None,
        },
    })
}

/// The one key of a list with at most one of each suite, of which this version knows one.
fn read_keys(fields: &Fields<'_>, member: &'static str) -> Result<PublicKey, DescriptorError> {
    let texts = fields.texts(member, SUITES_MAX)?;
    let keys = texts
        .into_iter()
        .map(|text| read_key(fields, member, text))
        .collect::<Result<Vec<_>, _>>()?;
    match keys.as_slice() {
        [key] => Ok(*key),
        _ => Err(fields.error(member, "exactly one ed25519 key").into()),
    }
}

fn read_key(
    fields: &Fields<'_>,
    member: &'static str,
    text: &str,
) -> Result<PublicKey, DescriptorError> {
    parse_key(text).map_err(|error| match error {
        KeyTextError::Form => fields.error(member, KEY_FORM).into(),
        KeyTextError::UnknownSuite { suite } => DescriptorError::UnknownSuite { member, suite },
    })
}

/// How a key looks.
const KEY_FORM: &str = "keys such as `ed25519:` and 64 lower-case hex digits";

/// A signature in standard base64.
pub(crate) fn read_signature(fields: &Fields<'_>, member: &str) -> Result<Signature, FieldError> {
    let bytes = fields.base64(member, Signature::LEN)?;
    Signature::try_from(bytes.as_slice())
        .map_err(|_| fields.error(member, "a signature of 64 bytes in base64"))
}

fn read_names(fields: &Fields<'_>) -> Result<BTreeMap<String, String>, FieldError> {
    let map = fields.map("names", NAMES_MAX)?;
    let mut names = BTreeMap::new();
    let inner = Fields::open(fields.value("names")?, "names")?;
    for language in map.keys() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if language.is_empty() || language.len() > 35 || !language.bytes().all(plain) {
            return Err(fields.error("names", "language tags such as `zh` as names of members"));
        }
        let name = inner.bounded_text(language, NAME_BYTES_MAX)?;
        names.insert(language.clone(), name.to_string());
    }
    if names.is_empty() {
        return Err(fields.error("names", "a name in at least one language"));
    }
    Ok(names)
}

fn read_issuer_keys(fields: &Fields<'_>) -> Result<Vec<IssuerKey>, DescriptorError> {
    let list = fields.list("issuer_keys", ISSUER_KEYS_MAX)?;
    if list.is_empty() {
        return Err(fields.error("issuer_keys", "at least one issuer key").into());
    }
    list.iter().map(read_issuer_key).collect()
}

fn read_issuer_key(value: &Value) -> Result<IssuerKey, DescriptorError> {
    let fields = Fields::open(value, "issuer key")?;
    fields.only(&["key", "types"])?;
    let key = read_key(&fields, "issuer_keys", fields.text("key")?)?;
    let types = fields.texts("types", ISSUER_TYPES_MAX)?;
    if types.is_empty() || !types.iter().all(|kind| is_type_name(kind)) {
        let expected = "statement types such as `hutong/listing/v1`, or `*`";
        return Err(fields.error("types", expected).into());
    }
    Ok(IssuerKey { key, types: types.into_iter().map(ToString::to_string).collect() })
}

fn read_addresses(fields: &Fields<'_>) -> Result<Vec<String>, FieldError> {
    let addresses = fields.texts("addresses", ADDRESSES_MAX)?;
    let sound = |address: &&str| {
        address.starts_with('/')
            && address.len() <= ADDRESS_BYTES_MAX
            && address.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !addresses.iter().all(sound) {
        return Err(fields.error("addresses", "multiaddresses such as `/ip4/192.0.2.1/tcp/4001`"));
    }
    Ok(addresses.into_iter().map(ToString::to_string).collect())
}
