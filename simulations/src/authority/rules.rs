//! The rules that a model follows: the new ones, or one of the old ones in their place.

/// A rule as it was before, or as it was first proposed, and the property that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldRule {
    /// Admissions apply in order of their authors' ids: a later one displaces an earlier one.
    DisplacingAdmission,
    /// A descriptor is signed by the log key alone.
    UnprovenKeys,
    /// A descriptor does not name its parent.
    UnchosenParent,
    /// The council's decisions apply before the provinces', whenever they were recorded.
    OrderOfTiers,
    /// Decisions bear no number.
    ReplayedDecision,
    /// Decisions bear no last day.
    DecisionsNeverExpire,
    /// What a replaced key signed still takes effect.
    FormerKeyDecides,
    /// A parent changes keys by itself.
    LoneRekey,
    /// A suspension of a suspended member takes no effect, whoever decides it.
    ShieldingSuspension,
    /// A suspension may cut below what is final.
    NoFinality,
    /// What an old anchor holds is final, also where a suspension cut it before it was old.
    FinalRestoresCut,
    /// Witnesses cosign anchors without comparing them with their own fold.
    UncheckedAnchors,
    /// A receipt of an entry that takes no effect is valid.
    VoidIsValid,
    /// A receipt may open an older state than its anchor's.
    StaleState,
    /// A verdict names the size of the checkpoint that proves the anchor.
    CheckpointSizeStated,
    /// A valid signature of both councils suffices; a second successor cuts the chain back.
    RetiredKeysSign,
    /// A bare majority suffices although the keeper lies.
    BareMajority,
    /// The old council's witnesses keep their keys after the closing.
    KeptWitnessKeys,
    /// A successor is in effect once signed, without a place in the register.
    RivalCharters,
    /// The old register and the old council's witnesses go on after a succession.
    NoClosing,
    /// The council of an older version vouches for new trees.
    OldSeatsVouch,
    /// The last two leaves, a succession and any anchor, prove that the succession is in effect.
    LastTwoLeaves,
    /// Witnesses do not compare a closing with what they cosigned.
    UnheededHeads,
    /// The seals decide about reported checkpoints only, not about what these have in common.
    ReportedOnly,
    /// A succession within the recovered checkpoint stands, cosigned by a quorum or not.
    SealedSuccession,
    /// A recovery goes on from what its first seal reports.
    RecoveryUndoes,
    /// A member may sign several recoveries of a version.
    SignsTwice,
    /// A witness that sealed goes on with the register.
    SealedCosigns,
    /// Seals do not carry the heads of the other logs.
    SealsWithoutHeads,
    /// The owner's cosignature counts for its own log.
    OwnerCounts,
    /// One cosignature of two suffices.
    MinorityQuorum,
    /// A restored witness cosigns at once.
    RestoredCosigns,
}

/// The model in which a rule is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    Enrolment,
    Anchors,
    Succession,
    Recovery,
    Witnesses,
}

/// Names of the properties.
pub(super) mod property {
    pub(crate) const OWNERS: &str = "I1 owner(id) and owner(key) never change";
    pub(crate) const DECIDED: &str =
        "I2 every change of status has an unexpired, unused decision by an active ancestor";
    pub(crate) const RANK: &str = "I2 what somebody above suspended, nobody below lifts";
    pub(crate) const FINAL: &str = "I3 final entries keep counting, save by council decision";
    pub(crate) const SUCCESSOR: &str =
        "I4 at most one successor of a version is in effect, and none is undone";
    pub(crate) const QUORUMS: &str = "I5 no two conflicting checkpoints have a quorum";
    pub(crate) const PREFIX: &str = "I6 a longer register changes nothing that a shorter one said";
    pub(crate) const ANCHORS: &str = "I7 every anchor equals the fold and a quorum head";
    pub(crate) const VALID: &str =
        "I8 valid implies that the entry counts in the fold at the stated size";
    pub(crate) const CONTAINS: &str =
        "I9 a recovery contains every quorum checkpoint of the register";
    pub(crate) const LIVE: &str = "liveness: those who are up can recover from every state in which they signed no two recoveries";
}

impl OldRule {
    /// Every rule, in the order of the models.
    pub const ALL: [Self; 32] = [
        Self::DisplacingAdmission,
        Self::UnprovenKeys,
        Self::UnchosenParent,
        Self::OrderOfTiers,
        Self::ReplayedDecision,
        Self::DecisionsNeverExpire,
        Self::FormerKeyDecides,
        Self::LoneRekey,
        Self::ShieldingSuspension,
        Self::NoFinality,
        Self::FinalRestoresCut,
        Self::UncheckedAnchors,
        Self::VoidIsValid,
        Self::StaleState,
        Self::CheckpointSizeStated,
        Self::RetiredKeysSign,
        Self::BareMajority,
        Self::KeptWitnessKeys,
        Self::RivalCharters,
        Self::NoClosing,
        Self::OldSeatsVouch,
        Self::LastTwoLeaves,
        Self::UnheededHeads,
        Self::ReportedOnly,
        Self::SealedSuccession,
        Self::RecoveryUndoes,
        Self::SignsTwice,
        Self::SealedCosigns,
        Self::SealsWithoutHeads,
        Self::OwnerCounts,
        Self::MinorityQuorum,
        Self::RestoredCosigns,
    ];

    /// A short name for a line of output.
    pub fn name(self) -> &'static str {
        match self {
            Self::DisplacingAdmission => "displacing-admission",
            Self::UnprovenKeys => "unproven-keys",
            Self::UnchosenParent => "unchosen-parent",
            Self::OrderOfTiers => "order-of-tiers",
            Self::ReplayedDecision => "replayed-decision",
            Self::DecisionsNeverExpire => "decisions-never-expire",
            Self::FormerKeyDecides => "former-key-decides",
            Self::LoneRekey => "lone-rekey",
            Self::ShieldingSuspension => "shielding-suspension",
            Self::NoFinality => "no-finality",
            Self::FinalRestoresCut => "final-restores-cut",
            Self::UncheckedAnchors => "unchecked-anchors",
            Self::VoidIsValid => "void-is-valid",
            Self::StaleState => "stale-state",
            Self::CheckpointSizeStated => "checkpoint-size-stated",
            Self::RetiredKeysSign => "retired-keys-sign",
            Self::BareMajority => "bare-majority",
            Self::KeptWitnessKeys => "kept-witness-keys",
            Self::RivalCharters => "rival-charters",
            Self::NoClosing => "no-closing",
            Self::OldSeatsVouch => "old-seats-vouch",
            Self::LastTwoLeaves => "last-two-leaves",
            Self::UnheededHeads => "unheeded-heads",
            Self::ReportedOnly => "reported-only",
            Self::SealedSuccession => "sealed-succession",
            Self::RecoveryUndoes => "recovery-undoes",
            Self::SignsTwice => "signs-twice",
            Self::SealedCosigns => "sealed-cosigns",
            Self::SealsWithoutHeads => "seals-without-heads",
            Self::OwnerCounts => "owner-counts",
            Self::MinorityQuorum => "minority-quorum",
            Self::RestoredCosigns => "restored-cosigns",
        }
    }

    /// The name of the property that this rule breaks.
    pub fn breaks(self) -> &'static str {
        match self {
            Self::DisplacingAdmission
            | Self::UnprovenKeys
            | Self::UnchosenParent
            | Self::LoneRekey => property::OWNERS,
            Self::ReplayedDecision | Self::DecisionsNeverExpire | Self::FormerKeyDecides => {
                property::DECIDED
            }
            Self::ShieldingSuspension => property::RANK,
            Self::NoFinality | Self::FinalRestoresCut => property::FINAL,
            Self::OrderOfTiers => property::PREFIX,
            Self::UncheckedAnchors => property::ANCHORS,
            Self::VoidIsValid | Self::StaleState | Self::CheckpointSizeStated => property::VALID,
            Self::RetiredKeysSign
            | Self::KeptWitnessKeys
            | Self::RivalCharters
            | Self::LastTwoLeaves
            | Self::SealedSuccession
            | Self::SignsTwice => property::SUCCESSOR,
            Self::NoClosing
            | Self::BareMajority
            | Self::OldSeatsVouch
            | Self::UnheededHeads
            | Self::SealsWithoutHeads
            | Self::OwnerCounts
            | Self::MinorityQuorum
            | Self::RestoredCosigns => property::QUORUMS,
            Self::ReportedOnly | Self::RecoveryUndoes | Self::SealedCosigns => property::CONTAINS,
        }
    }

    pub(super) fn theme(self) -> Theme {
        match self {
            Self::DisplacingAdmission
            | Self::UnprovenKeys
            | Self::UnchosenParent
            | Self::OrderOfTiers
            | Self::ReplayedDecision
            | Self::DecisionsNeverExpire
            | Self::FormerKeyDecides
            | Self::LoneRekey
            | Self::ShieldingSuspension => Theme::Enrolment,
            Self::NoFinality
            | Self::FinalRestoresCut
            | Self::UncheckedAnchors
            | Self::VoidIsValid
            | Self::StaleState
            | Self::CheckpointSizeStated => Theme::Anchors,
            Self::RetiredKeysSign
            | Self::BareMajority
            | Self::KeptWitnessKeys
            | Self::RivalCharters
            | Self::NoClosing
            | Self::OldSeatsVouch
            | Self::LastTwoLeaves
            | Self::UnheededHeads => Theme::Succession,
            Self::ReportedOnly
            | Self::SealedSuccession
            | Self::RecoveryUndoes
            | Self::SignsTwice
            | Self::SealedCosigns
            | Self::SealsWithoutHeads => Theme::Recovery,
            Self::OwnerCounts | Self::MinorityQuorum | Self::RestoredCosigns => Theme::Witnesses,
        }
    }
}

/// The new rules, with at most one old rule in the place of its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    old: Option<OldRule>,
}

impl Rules {
    /// The new rules.
    pub fn new() -> Self {
        Self { old: None }
    }

    /// The new rules but for one.
    pub fn with(old: OldRule) -> Self {
        Self { old: Some(old) }
    }

    pub(super) fn has(self, rule: OldRule) -> bool {
        self.old == Some(rule)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::new()
    }
}
