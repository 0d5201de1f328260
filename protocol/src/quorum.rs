//! The witness quorum: which sets of witnesses make a checkpoint count.
//!
//! Semantics are those of C2SP `tlog-policy`: named groups with a threshold over witnesses and other
//! groups, each name in one group at most, and one name (or `none`) that must be satisfied.
//! Witnesses are council members, named by exchange id. Keys are not in here: see
//! [`crate::charter::Charter`].

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Value, json};

use crate::{
    fields::{FieldError, Fields},
    id::ExchangeId,
};

/// The name that asks for no witness at all.
pub const QUORUM_NONE: &str = "none";

/// Groups in one quorum at most: as many as a council has members, so that each may stand in a
/// group of its own.
pub const QUORUM_GROUPS_MAX: usize = 128;

/// Members of one group at most: a council of 128 together with as many groups.
pub const QUORUM_MEMBERS_MAX: usize = 256;

/// Depth of groups in groups at most; three levels (council, regions, sites) are already unusual.
pub const QUORUM_DEPTH_MAX: usize = 8;

/// A rule that a set of witnesses satisfies or not. Valid in form: made only by [`Quorum::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    groups: BTreeMap<String, Group>,
    quorum: String,
}

/// A named group: satisfied when at least `threshold` of its members are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// 1 to the count of members.
    pub threshold: u32,
    /// Exchange ids of witnesses, or names of other groups; each once.
    pub members: Vec<String>,
}

/// Why a quorum is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// A member or the quorum itself names neither a witness nor a group.
    #[error("`{name}` is neither a witness of the council nor a group")]
    UnknownName {
        /// The name met.
        name: String,
    },
    /// A name occurs in more than one group, or twice in one.
    #[error("`{name}` is listed more than once; each witness counts in one way only")]
    ListedTwice {
        /// The name met twice.
        name: String,
    },
    /// A group has the name of a witness, or the reserved name `none`.
    #[error("group name `{name}` is taken by a witness or reserved")]
    NameTaken {
        /// The name met.
        name: String,
    },
    /// A group's threshold is 0 or above the count of its members.
    #[error("group `{name}`: expected a threshold of 1 to {members}, met {threshold}")]
    Threshold {
        /// The group.
        name: String,
        /// The threshold met.
        threshold: u32,
        /// How many members it has.
        members: usize,
    },
    /// More groups or members than the bounds allow, or groups nested too deep or in a circle.
    #[error(
        "groups exceed {QUORUM_GROUPS_MAX} groups, {QUORUM_MEMBERS_MAX} members or depth {QUORUM_DEPTH_MAX}"
    )]
    Bounds,
    /// The JSON form has a wrong member.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl Quorum {
    /// Checks form and names against the witnesses of one council.
    ///
    /// # Errors
    ///
    /// A [`QuorumError`] that names what is wrong.
    ///
    /// Source: C2SP tlog-policy.
    pub fn new(
        groups: BTreeMap<String, Group>,
        quorum: String,
        witnesses: &BTreeSet<ExchangeId>,
    ) -> Result<Self, QuorumError> {
        if groups.len() > QUORUM_GROUPS_MAX {
            return Err(QuorumError::Bounds);
        }
        let is_witness = |name: &str| witnesses.iter().any(|id| id.as_str() == name);
        let mut listed = BTreeSet::new();
        for (name, group) in &groups {
            if name == QUORUM_NONE || name.is_empty() || is_witness(name) {
                return Err(QuorumError::NameTaken { name: name.clone() });
            }
            check_group(name, group)?;
            for member in &group.members {
                if !is_witness(member) && !groups.contains_key(member) {
                    return Err(QuorumError::UnknownName { name: member.clone() });
                }
                if !listed.insert(member.as_str()) {
                    return Err(QuorumError::ListedTwice { name: member.clone() });
                }
            }
        }
        if quorum != QUORUM_NONE && !is_witness(&quorum) && !groups.contains_key(&quorum) {
            return Err(QuorumError::UnknownName { name: quorum });
        }
        let checked = Self { groups, quorum };
        // Each name is listed once, so groups form trees and circles; a depth bound ends both.
        if checked.groups.keys().any(|name| !checked.is_shallow(name, QUORUM_DEPTH_MAX)) {
            return Err(QuorumError::Bounds);
        }
        Ok(checked)
    }

    /// A quorum of `threshold` out of all `witnesses`, as one group `council`.
    ///
    /// # Errors
    ///
    /// As [`Quorum::new`]: a threshold of 0 or above the count.
    pub fn threshold_of(
        threshold: u32,
        witnesses: &BTreeSet<ExchangeId>,
    ) -> Result<Self, QuorumError> {
        let members = witnesses.iter().map(ToString::to_string).collect();
        let group = Group { threshold, members };
        Self::new(BTreeMap::from([("council".to_string(), group)]), "council".into(), witnesses)
    }

    /// The quorum that asks for no witness: for a federation of one, and for trials.
    pub fn none() -> Self {
        Self { groups: BTreeMap::new(), quorum: QUORUM_NONE.into() }
    }

    /// Whether no witness is asked for.
    pub fn is_none(&self) -> bool {
        self.quorum == QUORUM_NONE
    }

    /// Whether `cosigned`, the witnesses whose cosignatures hold, is enough.
    pub fn satisfied(&self, cosigned: &BTreeSet<ExchangeId>) -> bool {
        self.satisfied_by(&|witness| cosigned.contains(witness))
    }

    /// The same, where `cosigned` says of an exchange id whether its cosignature holds.
    pub fn satisfied_by(&self, cosigned: &dyn Fn(&str) -> bool) -> bool {
        self.is_none() || self.holds(&self.quorum, cosigned, QUORUM_DEPTH_MAX)
    }

    /// Reads the JSON form `{"groups":{name:{"members":[…],"threshold":n}},"quorum":name}`.
    ///
    /// # Errors
    ///
    /// A [`QuorumError`]; unknown members are refused.
    pub fn from_value(
        value: &Value,
        witnesses: &BTreeSet<ExchangeId>,
    ) -> Result<Self, QuorumError> {
        let fields = Fields::open(value, "witness_quorum")?;
        fields.only(&["groups", "quorum"])?;
        let quorum = fields.text("quorum")?.to_string();
        let mut groups = BTreeMap::new();
        for (name, group) in fields.map("groups", QUORUM_GROUPS_MAX)? {
            let group = Fields::open(group, name)?;
            group.only(&["members", "threshold"])?;
            let members = group.texts("members", QUORUM_MEMBERS_MAX)?;
            let threshold = group.number_u32("threshold")?;
            let members = members.into_iter().map(String::from).collect();
            groups.insert(name.clone(), Group { threshold, members });
        }
        Self::new(groups, quorum, witnesses)
    }

    /// The JSON form that [`Quorum::from_value`] reads.
    pub fn to_value(&self) -> Value {
        let groups: serde_json::Map<String, Value> = self
            .groups
            .iter()
            .map(|(name, group)| {
                let value = json!({ "members": group.members, "threshold": group.threshold });
                (name.clone(), value)
            })
            .collect();
        json!({ "groups": groups, "quorum": self.quorum })
    }

    /// The quorum as a C2SP policy file: the given log lines, witness lines, groups and quorum.
    ///
    /// `logs` are verifier keys; `witness_key` gives the verifier key of a witness that the quorum
    /// names. Group names that other software might misread (with space) cannot occur in a charter.
    pub fn to_tlog_policy(
        &self,
        logs: &[String],
        witness_keys: &BTreeMap<ExchangeId, String>,
    ) -> String {
        let mut text = String::new();
        for log in logs {
            text.extend(["log ", log, "\n"]);
        }
        for (id, key) in witness_keys {
            text.extend(["witness ", id.as_str(), " ", key, "\n"]);
        }
        let mut written = BTreeSet::new();
        for name in self.groups.keys() {
            self.write_group(name, &mut written, &mut text);
        }
        text.extend(["quorum ", &self.quorum, "\n"]);
        text
    }

    /// A group is written after the groups that it names, as the format asks.
    fn write_group<'a>(
        &'a self,
        name: &'a str,
        written: &mut BTreeSet<&'a str>,
        text: &mut String,
    ) {
        let Some(group) = self.groups.get(name) else { return };
        if !written.insert(name) {
            return;
        }
        for member in &group.members {
            self.write_group(member, written, text);
        }
        let threshold = group.threshold.to_string();
        let members = group.members.join(" ");
        text.extend(["group ", name, " ", &threshold, " ", &members, "\n"]);
    }

    fn holds(&self, name: &str, cosigned: &dyn Fn(&str) -> bool, depth: usize) -> bool {
        let Some(group) = self.groups.get(name) else { return cosigned(name) };
        if depth == 0 {
            return false;
        }
        let met = group.members.iter().filter(|member| self.holds(member, cosigned, depth - 1));
        met.count() >= group.threshold as usize
    }

    fn is_shallow(&self, name: &str, depth: usize) -> bool {
        self.groups.get(name).is_none_or(|group| {
            depth > 0 && group.members.iter().all(|member| self.is_shallow(member, depth - 1))
        })
    }
}

fn check_group(name: &str, group: &Group) -> Result<(), QuorumError> {
    let members = group.members.len();
    if members > QUORUM_MEMBERS_MAX || name.len() > 64 || !name.bytes().all(is_name_byte) {
        return Err(QuorumError::Bounds);
    }
    if group.threshold == 0 || group.threshold as usize > members {
        let threshold = group.threshold;
        return Err(QuorumError::Threshold { name: name.to_string(), threshold, members });
    }
    Ok(())
}

/// Names go into a policy file, where white space would end them.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

    use super::*;

    fn ids(names: &[&str]) -> BTreeSet<ExchangeId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn group(threshold: u32, members: &[&str]) -> Group {
        Group { threshold, members: members.iter().map(ToString::to_string).collect() }
    }

    fn nested() -> Quorum {
        let groups = BTreeMap::from([
            ("a-both".to_string(), group(2, &["east", "west"])),
            ("east".to_string(), group(2, &["x-1", "x-2", "x-3"])),
            ("west".to_string(), group(1, &["y-1", "y-2"])),
        ]);
        Quorum::new(groups, "a-both".into(), &ids(&["x-1", "x-2", "x-3", "y-1", "y-2"])).unwrap()
    }

    #[test]
    fn nested_groups_are_counted_by_their_thresholds() {
        let quorum = nested();
        assert!(quorum.satisfied(&ids(&["x-1", "x-3", "y-2"])));
        assert!(!quorum.satisfied(&ids(&["x-1", "x-2", "x-3"])));
        assert!(!quorum.satisfied(&ids(&["x-1", "y-1", "y-2"])));
        assert!(!quorum.satisfied(&ids(&["stranger", "x-1", "y-1"])));
    }

    #[test]
    fn none_asks_for_nothing_and_a_single_witness_for_itself() {
        assert!(Quorum::none().satisfied(&BTreeSet::new()));
        let one = Quorum::new(BTreeMap::new(), "x-1".into(), &ids(&["x-1"])).unwrap();
        assert!(one.satisfied(&ids(&["x-1"])));
        assert!(!one.satisfied(&BTreeSet::new()));
    }

    #[test]
    fn new_refuses_what_tlog_policy_refuses() {
        let witnesses = ids(&["x-1", "x-2"]);
        let check = |groups: &[(&str, Group)], quorum: &str| {
            let groups = groups.iter().map(|(name, group)| (name.to_string(), group.clone()));
            Quorum::new(groups.collect(), quorum.into(), &witnesses)
        };
        assert!(check(&[("g", group(1, &["x-1"]))], "g").is_ok());
        assert!(matches!(
            check(&[("g", group(0, &["x-1"]))], "g"),
            Err(QuorumError::Threshold { .. })
        ));
        assert!(matches!(
            check(&[("g", group(2, &["x-1"]))], "g"),
            Err(QuorumError::Threshold { .. })
        ));
        assert!(matches!(
            check(&[("g", group(2, &["x-1", "x-1"]))], "g"),
            Err(QuorumError::ListedTwice { .. })
        ));
        assert!(matches!(
            check(&[("g", group(1, &["x-1"])), ("h", group(1, &["x-1"]))], "g"),
            Err(QuorumError::ListedTwice { .. })
        ));
        assert!(matches!(
            check(&[("g", group(1, &["y-9"]))], "g"),
            Err(QuorumError::UnknownName { .. })
        ));
        assert!(matches!(check(&[], "g"), Err(QuorumError::UnknownName { .. })));
        assert!(matches!(
            check(&[("none", group(1, &["x-1"]))], "none"),
            Err(QuorumError::NameTaken { .. })
        ));
        assert!(matches!(
            check(&[("g", group(1, &["h"])), ("h", group(1, &["g"]))], "g"),
            Err(QuorumError::Bounds)
        ));
    }

    #[test]
    fn json_form_reads_back_and_refuses_strange_members() {
        let quorum = nested();
        let witnesses = ids(&["x-1", "x-2", "x-3", "y-1", "y-2"]);
        let mut value = quorum.to_value();
        assert_eq!(Quorum::from_value(&value, &witnesses).unwrap(), quorum);
        value["more"] = json!(1);
        assert!(Quorum::from_value(&value, &witnesses).is_err());
    }

    #[test]
    fn policy_text_defines_groups_before_their_use() {
        let text = nested().to_tlog_policy(&["log-key".into()], &BTreeMap::new());
        let line = |start: &str| text.lines().position(|line| line.starts_with(start)).unwrap();
        assert!(line("group east") < line("group a-both"));
        assert!(line("group west") < line("group a-both"));
        assert!(text.ends_with("quorum a-both\n"));
    }
}
