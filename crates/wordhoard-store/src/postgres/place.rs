//! Databases beside the one that is used: a restore builds one, and gives it the name of the other.

use std::ffi::OsString;
use std::path::Path;

use tokio_postgres::types::Type;

use super::limits::{self, ServerLimits, within};
use super::rows::get;
use super::session::{Session, Target};
use super::tools::Tools;
use super::url;
use crate::Error;

/// Where databases are made, renamed and dropped: from within another one, which every server has.
const MAINTENANCE_DATABASE: &str = "postgres";

/// The server of a database, seen from beside it.
#[derive(Debug)]
pub struct PostgresPlace {
    url: String,
    database: String,
    beside: Target,
}

impl PostgresPlace {
    /// The place of the database of this URL. Connects to nothing.
    ///
    /// # Errors
    /// [`Error::Url`] where something is wrong with it.
    pub fn new(url: &str) -> Result<Self, Error> {
        let database = url::database(url).map_err(Error::Url)?;
        let beside = url::with_database(url, MAINTENANCE_DATABASE);
        let beside = Target::new(&beside).map_err(Error::Url)?;
        Ok(Self { url: url.to_owned(), database, beside })
    }

    /// The name of the database.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The URL of another database of the same server.
    #[must_use]
    pub fn url_of(&self, database: &str) -> String {
        url::with_database(&self.url, database)
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// Where the role may not, or the name is taken.
    pub async fn create(&self, name: &str) -> Result<(), Error> {
        let sql = format!("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0", quoted(name));
        self.beside(async |session| {
            session.client().batch_execute(&sql).await.map_err(|error| match error.code() {
                Some(code) if code.code() == "42501" => Error::Unavailable(
                    "the role may not make databases, which a restore needs: ALTER ROLE … CREATEDB".into(),
                ),
                _ => error.into(),
            })
        })
        .await
    }

    /// Drops a database with all that is in it, if it is there.
    ///
    /// # Errors
    /// Where it cannot be dropped.
    pub async fn drop(&self, name: &str) -> Result<(), Error> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
        self.beside(async |session| Ok(session.client().batch_execute(&sql).await?)).await
    }

    /// The databases whose names begin so.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.beside(async |session| {
            let sql = "SELECT datname::text FROM pg_database WHERE starts_with(datname::text, $1) ORDER BY 1";
            let rows = session.client().query_typed(sql, &[(&prefix, Type::TEXT)]).await?;
            rows.iter().map(|row| get(row, 0)).collect()
        })
        .await
    }

    /// Fills an empty database from an archive of `pg_dump`'s custom format, all or nothing.
    ///
    /// # Errors
    /// What `pg_restore` says.
    pub async fn fill(&self, name: &str, archive: &Path, bin_dir: Option<&Path>) -> Result<(), Error> {
        let tools = Tools::new(&self.url_of(name)).map_err(Error::Url)?;
        let args: [OsString; 6] = [
            "--format=custom".into(),
            "--no-owner".into(),
            "--no-privileges".into(),
            "--exit-on-error".into(),
            format!("--dbname={name}").into(),
            archive.into(),
        ];
        tools.run("pg_restore", bin_dir, &args).await
    }

    /// Gives `staged` the name of the database, and that one the name `aside`, both or neither. Whoever is connected to
    /// either is disconnected. Where there is no `staged` any more, it was done before.
    ///
    /// # Errors
    /// Where it could not be done; then nothing has changed.
    pub async fn swap(&self, staged: &str, aside: &str) -> Result<(), Error> {
        let (database, staged_name, aside_name) = (quoted(&self.database), quoted(staged), quoted(aside));
        self.beside(async |session| {
            if !exists(session, staged).await? {
                return Ok(());
            }
            let client = session.client();
            let had_one = exists(session, &self.database).await?;
            // Two tries: somebody may connect between the goodbye and the change.
            let mut problem = None;
            for _ in 0..20 {
                for name in [&self.database, staged] {
                    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = $1 AND pid <> pg_backend_pid()";
                    client.query_typed(sql, &[(&name, Type::TEXT)]).await?;
                }
                let aside = format!("ALTER DATABASE {database} RENAME TO {aside_name};");
                let aside = if had_one { aside.as_str() } else { "" };
                let sql = format!("BEGIN; {aside} ALTER DATABASE {staged_name} RENAME TO {database}; COMMIT");
                match client.batch_execute(&sql).await {
                    Ok(()) => return Ok(()),
                    Err(error) => problem = Some(Error::from(error)),
                }
                drop(client.batch_execute("ROLLBACK").await);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            Err(problem.unwrap_or(Error::Closed))
        })
        .await
    }

    async fn beside<T>(&self, call: impl AsyncFnOnce(&Session) -> Result<T, Error>) -> Result<T, Error> {
        within(limits::BESIDE, async {
            let session = self.beside.connect(ServerLimits::BESIDE, None).await?;
            let answer = call(&session).await?;
            session.close(limits::CLOSE).await;
            Ok(answer)
        })
        .await
    }
}

async fn exists(session: &Session, name: &str) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    let rows = session.client().query_typed(sql, &[(&name, Type::TEXT)]).await?;
    rows.first().map_or(Ok(false), |row| get(row, 0))
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
