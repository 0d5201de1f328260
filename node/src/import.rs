//! Importing listings and contracts from files.
//!
//! A source file (JSON, JSON lines, CSV or XLSX) is read row by row ([`read`]), a mapping file says what each row becomes
//! ([`mapping`]), and the statements are published in groups through a [`Publisher`]. A row that cannot be published goes to an
//! error file with its reason and the others go on.
//!
//! An import can be run again at any time: what the node already lists is left alone, changed rows become the next
//! revision, and a run that was interrupted goes on where it ended.
//!
//! Deliberately absent: fetching from the web, and any guess at what a column means.

mod amount;
mod cell;
pub mod check;
pub mod contacts;
mod convert;
mod error_file;
pub mod journal;
pub mod limits;
mod mapper;
pub mod mapping;
mod plan;
pub mod publisher;
pub mod read;
mod report;
pub mod row;
mod run;
mod width;

pub use journal::{Journal, JournalError};
pub use mapper::{Mapped, Mapper, Outcome};
pub use mapping::{Kind, Mapping, MappingError};
pub use publisher::{Existing, PublishError, Published, Publisher, Submission};
pub use report::{Progress, Report};
pub use row::Problem;
pub use run::{Check, ImportError, Options, run};

#[cfg(test)]
mod tests;
