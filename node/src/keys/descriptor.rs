//! What the exchange says of itself: its descriptor, made from configuration and seed.

use hutong_crypto::keys::{Purpose, Seed};
use hutong_protocol::descriptor::{
    ANY_TYPE, Descriptor, DescriptorError, IssuerKey, SignedDescriptor,
};
use hutong_protocol::transport;
use thiserror::Error;

use crate::config::Exchange;

/// Why there is no descriptor.
#[derive(Debug, Error)]
pub enum DescribeError {
    /// A setting is missing or not in form.
    #[error("`exchange.{key}` is `{met}`: expected {expected}; set it in hutong.toml")]
    Setting {
        /// Which one.
        key: &'static str,
        /// Its value.
        met: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The whole is refused.
    #[error("this exchange's descriptor is refused: correct [exchange] in hutong.toml")]
    Descriptor(#[from] DescriptorError),
}

/// Makes and signs the descriptor of `exchange` with the keys that derive from `seed`.
///
/// One issuer key signs statements of every type.
///
/// # Errors
///
/// [`DescribeError`] names the setting.
pub fn describe(exchange: &Exchange, seed: &Seed) -> Result<SignedDescriptor, DescribeError> {
    let setting =
        |key, met: &str, expected| DescribeError::Setting { key, met: met.to_owned(), expected };
    let log_key = seed.derive(Purpose::Log);
    let descriptor = Descriptor {
        id: exchange
            .id
            .parse()
            .map_err(|_| setting("id", &exchange.id, "an id such as `cn-33-zhejiang`"))?,
        names: exchange.names.clone(),
        tier: exchange
            .tier
            .parse()
            .map_err(|_| setting("tier", &exchange.tier, "one of the six tiers"))?,
        region: exchange
            .region
            .parse()
            .map_err(|_| setting("region", &exchange.region, "a region such as `CN-33`"))?,
        log_key: log_key.public(),
        witness_key: seed.derive(Purpose::Witness).public(),
        issuer_keys: vec![IssuerKey {
            key: seed.derive(Purpose::Issuer).public(),
            types: vec![ANY_TYPE.to_owned()],
        }],
        transport: transport::peer_id(&seed.derive(Purpose::Transport).public()),
        addresses: exchange.addresses.clone(),
        website: Some(exchange.website.clone()).filter(|website| !website.is_empty()),
    };
    Ok(SignedDescriptor::sign(&descriptor, &log_key)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn exchange() -> Exchange {
        Exchange {
            id: "cn-33-zhejiang".into(),
            tier: "provincial".into(),
            region: "CN-33".into(),
            names: [("zh".to_owned(), "浙江".to_owned())].into(),
            ..Exchange::default()
        }
    }

    #[test]
    fn a_descriptor_reads_back_and_names_the_node_that_speaks() {
        let seed = Seed::from_bytes([3; 32]);
        let signed = describe(&exchange(), &seed).unwrap();
        assert_eq!(SignedDescriptor::verify(&signed.to_value()).unwrap(), signed);
        let mut secret = seed.derive_bytes(Purpose::Transport);
        let pair = libp2p::identity::Keypair::ed25519_from_bytes(&mut secret).unwrap();
        assert_eq!(signed.descriptor().transport, pair.public().to_peer_id().to_string());
    }

    #[test]
    fn a_setting_that_is_missing_is_named() {
        let seed = Seed::from_bytes([3; 32]);
        let error = describe(&Exchange { tier: String::new(), ..exchange() }, &seed).unwrap_err();
        assert!(matches!(error, DescribeError::Setting { key: "tier", .. }));
        let error = describe(&Exchange { names: [].into(), ..exchange() }, &seed).unwrap_err();
        assert!(matches!(error, DescribeError::Descriptor(_)));
    }
}
