//! A node in memory that keeps the newest statement of each subject and can be told to fail.

use crate::import::mapping::Kind;
use crate::import::publisher::{Existing, PublishError, Published, Publisher, Submission};
use serde_json::Value;
use std::collections::BTreeMap;

/// The node.
#[derive(Default)]
pub(super) struct Node {
    pub(super) subjects: BTreeMap<String, Existing>,
    /// Every statement in the order of its publication.
    pub(super) log: Vec<Submission>,
    pub(super) groups: Vec<usize>,
    /// Refuses statements whose body contains this text.
    pub(super) refuses: Option<String>,
    /// Stops answering after so many groups.
    pub(super) groups_left: Option<usize>,
    /// Takes the group into the log and then fails to say so, once.
    pub(super) loses_answer: bool,
    /// Does not show confidential values.
    pub(super) discreet: bool,
}

impl Node {
    pub(super) fn body(&self, subject: &str) -> Value {
        Value::Object(self.subjects[subject].body.clone())
    }

    fn take(&mut self, submission: &Submission) -> Published {
        let member =
            if submission.kind == "hutong/listing/v1" { "listing_id" } else { "registration_no" };
        let subject = submission.body[member].as_str().unwrap().to_owned();
        let index = self.log.len() as u64;
        let revision = self.subjects.get(&subject).map_or(0, |existing| existing.revision) + 1;
        if let Some(stated) = submission.body.get("revision") {
            assert_eq!(stated.as_u64(), Some(revision), "revisions increase by one");
        }
        let mut body = submission.body.clone();
        if !submission.confidential.is_empty() {
            body.insert("claims".into(), "commitments".into());
        }
        let existing = Existing {
            statement: format!("{index:064x}"),
            revision,
            audience: submission.audience.clone(),
            body,
            confidential: (!self.discreet).then(|| submission.confidential.clone()),
            ended: false,
        };
        self.subjects.insert(subject, existing);
        self.log.push(submission.clone());
        Published { statement: format!("{index:064x}"), index }
    }
}

fn unavailable() -> PublishError {
    PublishError::Unavailable("connection refused".into())
}

impl Publisher for Node {
    fn existing(
        &mut self,
        _kind: Kind,
        subjects: &[String],
    ) -> Result<Vec<Option<Existing>>, PublishError> {
        Ok(subjects.iter().map(|subject| self.subjects.get(subject).cloned()).collect())
    }

    fn publish(&mut self, group: &[Submission]) -> Result<Vec<Published>, PublishError> {
        if let Some(text) = &self.refuses {
            let refused = |submission: &Submission| {
                serde_json::to_string(&submission.body).unwrap().contains(text.as_str())
            };
            if let Some(position) = group.iter().position(refused) {
                return Err(PublishError::Refused { position, reason: "not wanted".into() });
            }
        }
        match &mut self.groups_left {
            Some(0) => return Err(unavailable()),
            Some(left) => *left -= 1,
            None => {}
        }
        self.groups.push(group.len());
        let published = group.iter().map(|submission| self.take(submission)).collect();
        if std::mem::take(&mut self.loses_answer) { Err(unavailable()) } else { Ok(published) }
    }
}
