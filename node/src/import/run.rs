//! A run: read, map, compare, publish in groups, and remember.

use super::error_file::ErrorFile;
use super::journal::{Journal, JournalEntry, JournalError};
use super::limits::{GROUP_BYTES_MAX, GROUP_STATEMENTS, PREVIEW_BODIES};
use super::mapper::{Mapped, Mapper, Outcome};
use super::mapping::{Mapping, nearest};
use super::plan::{self, Plan};
use super::publisher::{Existing, PublishError, Publisher, Submission};
use super::read::{self, Event, ReadError};
use super::report::{Progress, Report};
use super::row::{Original, Problem, SourceRow};
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Rows between two calls of the progress callback, at most.
const PROGRESS_ROWS: u64 = 1_000;

/// Checks a statement as the node will, before it is sent there.
pub type Check<'a> = dyn Fn(&Submission) -> Result<(), String> + 'a;

/// What is imported, and where the run keeps its files.
pub struct Options<'a> {
    /// The source file.
    pub source: &'a Path,
    /// The mapping.
    pub mapping: &'a Mapping,
    /// The folder of journals and error files, `<data>/imports`.
    pub folder: &'a Path,
    /// Whether to publish nothing and only report what would be.
    pub dry_run: bool,
    /// Checks each statement.
    pub check: &'a Check<'a>,
}

/// Why a run ended before its time.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The source cannot be read any further. What was published before stands.
    #[error("the source cannot be read")]
    Read(#[from] ReadError),
    /// The source's header lacks columns of the mapping; nothing was published.
    #[error("the source has no column {}: correct the mapping (the source has {})", missing.join(", "), columns.join(", "))]
    Columns {
        /// The columns that the mapping reads and the header lacks, with suggestions.
        missing: Vec<String>,
        /// The columns of the source.
        columns: Vec<String>,
    },
    /// The journal cannot be used.
    #[error("the import cannot be remembered")]
    Journal(#[from] JournalError),
    /// The error file cannot be written.
    #[error("cannot write the error file in {}", folder.display())]
    ErrorFile {
        /// Its folder.
        folder: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The node stopped answering. Run the import again: it goes on from here.
    #[error("the import was interrupted after {} of the rows read, run it again to go on", report.rows - report.pending)]
    Interrupted {
        /// What was done so far.
        report: Box<Report>,
        /// What the node, or the way to it, answered.
        source: PublishError,
    },
}

/// Runs an import to its end, calling `progress` after every group and at least every thousand rows.
///
/// # Errors
///
/// [`ImportError`]. Whatever was published before an error stays published and is remembered; rows that cannot be
/// published are no error but counted in the report.
pub fn run(
    options: &Options<'_>,
    publisher: &mut dyn Publisher,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, ImportError> {
    let mapping = options.mapping;
    let format = read::format_of(options.source, &mapping.source)?;
    let journal = Journal::open(options.folder, &mapping.name)?;
    let error_file =
        ErrorFile::prepare(options.folder, &mapping.name, format, &mapping.source, options.source)
            .map_err(|source| error_file_fault(options, source))?;
    let mut run = Run {
        options,
        publisher,
        progress,
        mapper: Mapper::new(mapping),
        journal,
        error_file,
        group: Vec::new(),
        group_bytes: 0,
        report: Report { dry_run: options.dry_run, ..Report::default() },
    };
    let mut stopped = None;
    let outcome = read::read(options.source, &mapping.source, &mut |event| match run.take(event) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            stopped = Some(error);
            ControlFlow::Break(())
        }
    });
    if let Some(error) = stopped {
        run.error_file.flush().map_err(|source| error_file_fault(options, source))?;
        return Err(error);
    }
    // What was read before a fault of the source is good, and is published.
    run.flush()?;
    run.finish(outcome)
}

fn error_file_fault(options: &Options<'_>, source: io::Error) -> ImportError {
    ImportError::ErrorFile { folder: options.folder.to_owned(), source }
}

/// A column that the mapping reads and the source lacks, with what may be meant.
fn missing_column(wanted: &str, columns: &[String]) -> String {
    // Columns of one name are numbered by the reader.
    let numbered = |column: &String| {
        column.strip_prefix(wanted).and_then(|rest| rest.strip_prefix('#')).is_some()
    };
    if columns.iter().any(numbered) {
        return format!("`{wanted}` (several columns have this name: rename them)");
    }
    match nearest(wanted, columns.iter().map(String::as_str)) {
        Some(near) => format!("`{wanted}` (did you mean `{near}`?)"),
        None => format!("`{wanted}`"),
    }
}

/// A row that waits for its group.
struct Waiting {
    mapped: Mapped,
    original: Original,
}

/// A row that is to be published.
struct Sending {
    row: u64,
    subject: String,
    original: Original,
    submission: Submission,
    entry: JournalEntry,
    revises: bool,
}

struct Run<'a> {
    options: &'a Options<'a>,
    publisher: &'a mut dyn Publisher,
    progress: &'a mut dyn FnMut(Progress),
    mapper: Mapper<'a>,
    journal: Journal,
    error_file: ErrorFile,
    group: Vec<Waiting>,
    group_bytes: usize,
    report: Report,
}

impl Run<'_> {
    fn take(&mut self, event: Event) -> Result<(), ImportError> {
        match event {
            Event::Columns(columns) => self.take_columns(columns),
            Event::Row(row) => self.take_row(row),
        }
    }

    fn take_columns(&mut self, columns: Vec<String>) -> Result<(), ImportError> {
        let missing: Vec<String> = self
            .options
            .mapping
            .columns()
            .into_iter()
            .filter(|wanted| !columns.contains(wanted))
            .map(|wanted| missing_column(&wanted, &columns))
            .collect();
        if !missing.is_empty() {
            return Err(ImportError::Columns { missing, columns });
        }
        self.error_file.set_columns(&columns);
        Ok(())
    }

    fn take_row(&mut self, row: SourceRow) -> Result<(), ImportError> {
        self.report.rows += 1;
        match self.mapper.map(&row) {
            Outcome::Filtered => self.report.filtered += 1,
            Outcome::Dropped(reason) => {
                self.report.dropped += 1;
                let reason = format!("the row was skipped: {reason}");
                self.report.warn(Problem::new(row.number, "", "", reason));
            }
            Outcome::Failed(problems) => self.fail(&row.original, &problems)?,
            Outcome::Ready(mapped) => {
                self.group_bytes += match &row.original {
                    Original::Cells(cells) => cells.iter().map(Vec::len).sum(),
                    Original::Json(bytes) => bytes.len(),
                    Original::TooLong { .. } => 0,
                };
                self.group.push(Waiting { mapped: *mapped, original: row.original });
            }
        }
        if self.group.len() >= GROUP_STATEMENTS || self.group_bytes >= GROUP_BYTES_MAX {
            self.flush()?;
        } else if self.report.rows.is_multiple_of(PROGRESS_ROWS) {
            (self.progress)(self.report.progress());
        }
        Ok(())
    }

    fn fail(&mut self, original: &Original, problems: &[Problem]) -> Result<(), ImportError> {
        self.report.fail(problems);
        self.error_file
            .add(original, problems)
            .map_err(|source| error_file_fault(self.options, source))
    }

    /// Puts a row whose values were left out into the error file, so that they can be corrected there.
    fn keep_left_out(
        &mut self,
        original: &Original,
        left_out: &[Problem],
    ) -> Result<(), ImportError> {
        if left_out.is_empty() {
            return Ok(());
        }
        self.error_file
            .add(original, left_out)
            .map_err(|source| error_file_fault(self.options, source))
    }

    /// Compares the waiting rows with the node and publishes those that are new or changed.
    fn flush(&mut self) -> Result<(), ImportError> {
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        if group.is_empty() {
            return Ok(());
        }
        let subjects: Vec<String> =
            group.iter().map(|waiting| waiting.mapped.subject.clone()).collect();
        let existing = self
            .publisher
            .existing(self.options.mapping.kind, &subjects)
            .map_err(|source| self.interrupted(group.len(), source))?;
        let mut sending = Vec::new();
        for (index, waiting) in group.into_iter().enumerate() {
            let existing = existing.get(index).and_then(Option::as_ref);
            sending.extend(self.decide(waiting, existing)?);
        }
        if self.options.dry_run {
            self.preview(&sending);
        } else {
            self.publish(sending)?;
        }
        (self.progress)(self.report.progress());
        Ok(())
    }

    fn decide(
        &mut self,
        waiting: Waiting,
        existing: Option<&Existing>,
    ) -> Result<Option<Sending>, ImportError> {
        let Waiting { mut mapped, original } = waiting;
        let mapping = self.options.mapping;
        let (row, subject) = (mapped.row, mapped.subject.clone());
        for warning in std::mem::take(&mut mapped.warnings) {
            self.report.warn(warning);
        }
        let left_out = std::mem::take(&mut mapped.left_out);
        for problem in &left_out {
            self.report.warn(problem.clone());
        }
        let digest = plan::digest(&mapped.submission);
        let remembered = self.journal.entry(&subject);
        let plan = plan::plan(mapping.kind, mapping.amend, mapped, existing, remembered);
        let mut remark = |reason: &str| self.report.warn(Problem::new(row, "", &subject, reason));
        let (submission, revision, revises) = match plan {
            Plan::New(submission) => (submission, 1, false),
            Plan::Revise { submission, revision, warning } => {
                warning.into_iter().for_each(&mut remark);
                (submission, revision, true)
            }
            Plan::Unchanged { warning } => {
                warning.into_iter().for_each(&mut remark);
                self.report.unchanged += 1;
                self.keep_left_out(&original, &left_out)?;
                return Ok(None);
            }
            Plan::Kept(reason) => {
                remark(reason);
                self.report.kept += 1;
                self.keep_left_out(&original, &left_out)?;
                return Ok(None);
            }
            Plan::Refused(reason) => {
                self.fail(&original, &[Problem::new(row, "", &subject, reason)])?;
                return Ok(None);
            }
        };
        for warning in super::check::unlisted(&submission) {
            self.report.warn(Problem::new(row, "", &subject, warning.en()));
        }
        if let Err(reason) = (self.options.check)(&submission) {
            self.fail(&original, &[Problem::new(row, "", &subject, reason)])?;
            return Ok(None);
        }
        self.keep_left_out(&original, &left_out)?;
        let entry = JournalEntry::new(&digest, revision);
        Ok(Some(Sending { row, subject, original, submission, entry, revises }))
    }

    fn preview(&mut self, sending: &[Sending]) {
        for item in sending {
            if self.report.preview.len() < PREVIEW_BODIES {
                self.report.preview.push(serde_json::json!({
                    "type": item.submission.kind,
                    "audience": item.submission.audience,
                    "body": item.submission.body,
                    "confidential": item.submission.confidential,
                }));
            }
            self.count(item.revises);
        }
    }

    fn count(&mut self, revises: bool) {
        if revises {
            self.report.revised += 1;
        } else {
            self.report.new += 1;
        }
    }

    /// Publishes a group; a statement that the node refuses is taken out and the others are sent again.
    fn publish(&mut self, mut sending: Vec<Sending>) -> Result<(), ImportError> {
        while !sending.is_empty() {
            let group: Vec<Submission> =
                sending.iter().map(|item| item.submission.clone()).collect();
            match self.publisher.publish(&group) {
                Ok(_) => {
                    for item in &sending {
                        self.count(item.revises);
                    }
                    let entries = sending.into_iter().map(|item| (item.subject, item.entry));
                    self.journal.record(entries)?;
                    return Ok(());
                }
                Err(PublishError::Refused { position, reason }) if position < sending.len() => {
                    let item = sending.remove(position);
                    let reason = format!("the node refuses it: {reason}");
                    let problem = Problem::new(item.row, "", &item.subject, reason);
                    self.fail(&item.original, &[problem])?;
                }
                Err(source) => return Err(self.interrupted(sending.len(), source)),
            }
        }
        Ok(())
    }

    fn interrupted(&mut self, pending: usize, source: PublishError) -> ImportError {
        self.report.pending += pending as u64;
        self.report.error_file = self.error_file.written().map(Path::to_owned);
        ImportError::Interrupted { report: Box::new(self.report.clone()), source }
    }

    fn finish(mut self, outcome: Result<(), ReadError>) -> Result<Report, ImportError> {
        self.error_file.flush().map_err(|source| error_file_fault(self.options, source))?;
        self.journal.finish()?;
        outcome?;
        let mut report = self.report;
        report.error_file = self.error_file.written().map(Path::to_owned);
        if report.rows > 0 {
            report.notes.extend(
                self.mapper
                    .unmet_columns()
                    .map(|column| format!("no row has `{column}`, which the mapping reads")),
            );
        } else {
            report.notes.push("the source has no rows".to_owned());
        }
        (self.progress)(report.progress());
        Ok(report)
    }
}
