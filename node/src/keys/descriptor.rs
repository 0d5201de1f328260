//! What the exchange says of itself: its descriptor, made from configuration and seed.

use hutong_crypto::keys::{Purpose, Seed};
use hutong_protocol::descriptor::{
    ANY_TYPE, Descriptor, DescriptorError, IssuerKey, Parent, SignedDescriptor,
};
use hutong_protocol::id::FederationId;
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

/// Makes the descriptor of `exchange` under `parent` and signs it with the keys that derive from
/// `seed`. `federation` is `None` exactly for a founding council.
///
/// One issuer key signs statements of every type.
///
/// # Errors
///
/// [`DescribeError`] names the setting.
pub fn describe(
    exchange: &Exchange,
    seed: &Seed,
    parent: Parent,
    federation: Option<FederationId>,
) -> Result<SignedDescriptor, DescribeError> {
    let setting =
        |key, met: &str, expected| DescribeError::Setting { key, met: met.to_owned(), expected };
    let keys = [Purpose::Log, Purpose::Witness, Purpose::Issuer, Purpose::Transport]
        .map(|purpose| seed.derive(purpose));
    let [log_key, witness_key, issuer_key, transport_key] = &keys;
    let descriptor = Descriptor {
        id: exchange
            .id
            .parse()
            .map_err(|_| setting("id", &exchange.id, "an id such as `cn-33-zhejiang`"))?,
        federation,
        parent,
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
        witness_key: witness_key.public(),
        issuer_keys: vec![IssuerKey { key: issuer_key.public(), types: vec![ANY_TYPE.to_owned()] }],
        transport: transport::peer_id(&transport_key.public()),
        addresses: exchange.addresses.clone(),
        website: Some(exchange.website.clone()).filter(|website| !website.is_empty()),
    };
    Ok(SignedDescriptor::sign(&descriptor, &keys.each_ref())?)
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

    fn founding(exchange: &Exchange) -> Result<SignedDescriptor, DescribeError> {
        describe(exchange, &Seed::from_bytes([3; 32]), Parent::Council, None)
    }

    #[test]
    fn a_descriptor_reads_back_and_names_the_node_that_speaks() {
        let seed = Seed::from_bytes([3; 32]);
        let signed = founding(&exchange()).unwrap();
        assert_eq!(SignedDescriptor::verify(&signed.to_value()).unwrap(), signed);
        let mut secret = seed.derive_bytes(Purpose::Transport);
        let pair = libp2p::identity::Keypair::ed25519_from_bytes(&mut secret).unwrap();
        assert_eq!(signed.descriptor().transport, pair.public().to_peer_id().to_string());
    }

    #[test]
    fn a_setting_that_is_missing_is_named() {
        let error = founding(&Exchange { tier: String::new(), ..exchange() }).unwrap_err();
        assert!(matches!(error, DescribeError::Setting { key: "tier", .. }));
        let error = founding(&Exchange { names: [].into(), ..exchange() }).unwrap_err();
        assert!(matches!(error, DescribeError::Descriptor(_)));
        let error = founding(&Exchange { id: "cn-34-anhui".into(), ..exchange() }).unwrap_err();
        assert!(matches!(error, DescribeError::Descriptor(DescriptorError::Place(_))));
    }
}
