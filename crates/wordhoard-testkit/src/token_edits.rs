//! Lets a test change single tokens through the view `llm_token_log`, as no server ever would: `DELETE`, `UPDATE` and `INSERT` take runs
//! apart into rows of one token. Both scripts are run on a connection first, and are gone when it ends.

/// For SQLite.
pub const SQLITE: &str = include_str!("token_edits/sqlite.sql");
/// For PostgreSQL.
pub const POSTGRES: &str = include_str!("token_edits/postgres.sql");
