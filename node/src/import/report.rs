//! What an import did, or would do.

use super::limits::REPORT_ITEMS_MAX;
use super::row::Problem;
use serde_json::Value;
use std::path::PathBuf;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows read so far.
    pub rows: u64,
    /// Statements published so far (in a dry run: that would be).
    pub published: u64,
    /// Rows that the node already has as they are.
    pub unchanged: u64,
    /// Rows that could not be published.
    pub failed: u64,
}

/// The result of a run. `rows` is the sum of all the other counts but the warnings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Whether nothing was published because the run was dry.
    pub dry_run: bool,
    /// Rows read.
    pub rows: u64,
    /// Rows that are none of this import's.
    pub filtered: u64,
    /// Rows that the mapping drops.
    pub dropped: u64,
    /// Statements about subjects that the node did not have.
    pub new: u64,
    /// Statements that revise a listing or amend a contract.
    pub revised: u64,
    /// Rows that the node has as they are.
    pub unchanged: u64,
    /// Rows that differ from the node's, where the node's was kept.
    pub kept: u64,
    /// Rows that could not be published.
    pub failed: u64,
    /// Rows that were mapped but not reached, because the run was interrupted.
    pub pending: u64,
    /// The first problems, at most [`REPORT_ITEMS_MAX`]; all are in the error file.
    pub problems: Vec<Problem>,
    /// The first warnings, at most [`REPORT_ITEMS_MAX`].
    pub warnings: Vec<Problem>,
    /// How many warnings there were.
    pub warning_count: u64,
    /// Remarks about the import as a whole.
    pub notes: Vec<String>,
    /// Dry run only: the first statements that would be published.
    pub preview: Vec<Value>,
    /// The file with the rows that could not be published, or whose values were left out; none when there are none.
    pub error_file: Option<PathBuf>,
}

impl Report {
    /// How far the run is.
    pub fn progress(&self) -> Progress {
        Progress {
            rows: self.rows,
            published: self.new + self.revised,
            unchanged: self.unchanged,
            failed: self.failed,
        }
    }

    pub(super) fn warn(&mut self, warning: Problem) {
        self.warning_count += 1;
        if self.warnings.len() < REPORT_ITEMS_MAX {
            self.warnings.push(warning);
        }
    }

    pub(super) fn fail(&mut self, problems: &[Problem]) {
        self.failed += 1;
        let room = REPORT_ITEMS_MAX.saturating_sub(self.problems.len());
        self.problems.extend(problems.iter().take(room).cloned());
    }
}
