//! What an import accepts at most. Each bound is checked before the memory for it is taken.

/// Most bytes of a source file: a million rows of about 1 KiB.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Most rows of one import.
pub const ROWS_MAX: u64 = 1_000_000;

/// Most bytes of one cell or JSON string: a whole statement holds no more (an entry is at most
/// 65,535 bytes).
pub const CELL_BYTES_MAX: usize = 64 * 1024;

/// Most bytes of one row as written in the file: sixteen of the largest cells.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// Most columns of a table: real catalogues have under a hundred.
pub const COLUMNS_MAX: usize = 1024;

/// Most bytes that a workbook may unpack to, all its parts together. A workbook is compressed,
/// and a small file could otherwise ask for any amount of memory.
pub const WORKBOOK_BYTES_MAX: u64 = 1 << 30;

/// Most parts (files inside the archive) of a workbook.
pub const WORKBOOK_PARTS_MAX: usize = 10_000;

/// Most bytes of a mapping file: a value map of some thousand lines.
pub const MAPPING_BYTES_MAX: u64 = 256 * 1024;

/// Most bytes of a journal: a million rows at under 200 bytes, and as much again in its tail.
pub const JOURNAL_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Statements handed to the node in one call. Group commit pays from some hundred on, and a group
/// of the largest entries (500 × 64 KiB = 32 MiB) still fits in memory.
pub const GROUP_STATEMENTS: usize = 500;

/// Most bytes of statement bodies in one group, so that a group of large bodies is sent earlier.
pub const GROUP_BYTES_MAX: usize = 8 << 20;

/// Most problems and warnings kept in a report; all problems are in the error file.
pub const REPORT_ITEMS_MAX: usize = 1_000;

/// Bodies shown by a dry run.
pub const PREVIEW_BODIES: usize = 3;

/// Most characters of a cell quoted in a message.
pub const QUOTE_CHARS_MAX: usize = 200;
