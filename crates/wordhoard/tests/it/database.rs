//! Both databases behind one face, so that a test is written once.

use wordhoard_testkit::postgres::Postgres;
use wordhoard_testkit::server::ServerHome;
use wordhoard_testkit::token_edits;

use crate::EXE;

/// Where a server's database is.
pub enum Database {
    /// In its data directory.
    Sqlite,
    /// In a cluster of the test's own.
    Postgres(Box<Postgres>),
}

impl Database {
    pub async fn postgres() -> Self {
        Self::Postgres(Box::new(Postgres::start().await))
    }

    /// The home of a server on this database.
    pub fn home(&self) -> ServerHome {
        ServerHome::new(EXE, &self.config()).unwrap()
    }

    /// The line of the configuration.
    pub fn config(&self) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres(cluster) => format!("database_url = {:?}", cluster.url()),
        }
    }

    /// A request's id as SQL writes it.
    pub fn id(&self, id: &str) -> String {
        match self {
            Self::Sqlite => format!("x'{}'", id.replace('-', "")),
            Self::Postgres(_) => format!("'{id}'"),
        }
    }

    /// Runs statements, which may change single rows of `llm_token_log`.
    pub async fn execute(&self, home: &ServerHome, sql: &str) {
        let edits_tokens = sql.contains("llm_token_log");
        match self {
            Self::Sqlite => {
                let connection = open(home);
                if edits_tokens {
                    connection.execute_batch(token_edits::SQLITE).unwrap();
                }
                connection.execute_batch(sql).unwrap();
            }
            Self::Postgres(cluster) if edits_tokens => {
                drop(cluster.psql(&["-c", token_edits::POSTGRES, "-c", sql]).await);
            }
            Self::Postgres(cluster) => drop(cluster.psql(&["-c", sql]).await),
        }
    }

    /// The names of all tables, each with its columns, and the versions of the schema: what a migration could change.
    pub async fn schema(&self, home: &ServerHome) -> String {
        match self {
            Self::Sqlite => {
                let connection = open(home);
                let sql = "SELECT coalesce(group_concat(sql, '; '), '') FROM (SELECT sql FROM sqlite_schema ORDER BY name)";
                connection.query_row(sql, [], |row| row.get(0)).unwrap()
            }
            Self::Postgres(cluster) => {
                let sql = "SELECT table_name, column_name, data_type FROM information_schema.columns
                    WHERE table_schema = 'public' ORDER BY 1, ordinal_position";
                cluster.psql(&["-c", sql]).await
            }
        }
    }
}

fn open(home: &ServerHome) -> rusqlite::Connection {
    std::fs::create_dir_all(home.data_dir()).unwrap();
    let connection = rusqlite::Connection::open(home.data_dir().join("wordhoard.db")).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection
}
