//! Databases beside the one that is used: a restore builds one, and gives it the name of the other.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::types::Type;

use super::limits::{self, ServerLimits, within};
use super::rows::get;
use super::session::{Session, Target};
use super::tools::{self, Tools};
use super::url;
use crate::Error;

/// Where databases are made, renamed and dropped: from within another one, which every server has.
const MAINTENANCE_DATABASE: &str = "postgres";

/// How often, and after what pause, it is tried to give a database another name.
const SWAP_TRIES: usize = 100;
const SWAP_PAUSE: Duration = Duration::from_millis(200);

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

    /// Makes an empty database, with a mark by which it is known again. Refused where the role could not give it the
    /// name of the database later.
    ///
    /// # Errors
    /// Where the role may not, or the name is taken.
    pub async fn create(&self, name: &str, mark: &str) -> Result<(), Error> {
        let sql = format!("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0", quoted(name));
        let marking = format!("COMMENT ON DATABASE {} IS '{}'", quoted(name), mark.replace('\'', "''"));
        self.beside(async |session| {
            let sql_of_owner = "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = $1";
            let rows = session.client().query_typed(sql_of_owner, &[(&self.database, Type::TEXT)]).await?;
            if !rows.first().map_or(Ok(true), |row| get(row, 0))? {
                let reason = format!(
                    "the role does not own {}, so it cannot be replaced: ALTER DATABASE … OWNER TO",
                    self.database
                );
                return Err(Error::Unavailable(reason));
            }
            session.client().batch_execute(&sql).await.map_err(|error| match error.code() {
                Some(code) if code.code() == "42501" => Error::Unavailable(
                    "the role may not make databases, which a restore needs: ALTER ROLE … CREATEDB".into(),
                ),
                _ => error.into(),
            })?;
            Ok(session.client().batch_execute(&marking).await?)
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

    /// The databases whose marks begin and end so.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn marked_as(&self, begin: &str, end: &str) -> Result<Vec<String>, Error> {
        self.beside(async |session| {
            let sql = "SELECT datname::text FROM
                (SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') AS mark FROM pg_database) AS marked
                WHERE starts_with(mark, $1) AND right(mark, length($2)) = $2 ORDER BY 1";
            let rows = session.client().query_typed(sql, &[(&begin, Type::TEXT), (&end, Type::TEXT)]).await?;
            rows.iter().map(|row| get(row, 0)).collect()
        })
        .await
    }

    /// How many clients use the database just now.
    ///
    /// # Errors
    /// Where the server cannot be asked.
    pub async fn clients(&self) -> Result<u64, Error> {
        self.beside(async |session| {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'";
            let rows = session.client().query_typed(sql, &[(&self.database, Type::TEXT)]).await?;
            rows.first().map_or(Ok(0), |row| super::rows::count(row, 0))
        })
        .await
    }

    /// Fills an empty database from an archive of `pg_dump`'s custom format. What fails may leave a part of it.
    ///
    /// # Errors
    /// What `pg_restore` says.
    pub async fn fill(&self, name: &str, archive: &Path, bin_dir: Option<&Path>) -> Result<(), Error> {
        let tools = Tools::new(&self.url_of(name)).map_err(Error::Url)?;
        let major = self.beside(async |session| tools::server_major(session).await).await?;
        let args: [OsString; 6] = [
            "--format=custom".into(),
            "--no-owner".into(),
            "--no-privileges".into(),
            "--exit-on-error".into(),
            format!("--dbname={name}").into(),
            archive.into(),
        ];
        within(limits::EXPORT, tools.run("pg_restore", bin_dir, major, &args)).await
    }

    /// Gives `staged`, which has this mark, the name of the database, and that one the name `aside`, both or neither.
    /// Whoever is connected to either is disconnected. Where the database has the mark already, it was done before.
    ///
    /// # Errors
    /// Where it could not be done; then nothing has changed.
    pub async fn swap(&self, staged: &str, aside: &str, mark: &str) -> Result<(), Error> {
        self.beside(async |session| {
            if mark_of(session, &self.database).await?.is_some_and(|found| found == mark) {
                return Ok(());
            }
            if mark_of(session, staged).await?.is_none_or(|found| found != mark) {
                return Err(Error::Unavailable(format!("the restored database {staged} is not there")));
            }
            let mut problem = None;
            for _ in 0..SWAP_TRIES {
                match self.try_swap(session, staged, aside).await {
                    Ok(()) => return Ok(()),
                    Err(error) => problem = Some(error),
                }
                drop(session.client().batch_execute("ROLLBACK").await);
                tokio::time::sleep(SWAP_PAUSE).await;
            }
            Err(problem.unwrap_or(Error::Closed))
        })
        .await
    }

    /// Somebody may connect between the goodbye and the change; then it fails, and may be tried again.
    async fn try_swap(&self, session: &Session, staged: &str, aside: &str) -> Result<(), Error> {
        let client = session.client();
        for name in [self.database.as_str(), staged] {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
            client.query_typed(sql, &[(&name, Type::TEXT)]).await?;
        }
        let (database, staged) = (quoted(&self.database), quoted(staged));
        let had_one = mark_of(session, &self.database).await?.is_some();
        let aside = format!("ALTER DATABASE {database} RENAME TO {};", quoted(aside));
        let aside = if had_one { aside.as_str() } else { "" };
        let sql = format!("BEGIN; {aside} ALTER DATABASE {staged} RENAME TO {database}; COMMIT");
        Ok(client.batch_execute(&sql).await?)
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

/// The mark of a database, empty where it has none; none where there is no such database.
async fn mark_of(session: &Session, name: &str) -> Result<Option<String>, Error> {
    let sql =
        "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1";
    let rows = session.client().query_typed(sql, &[(&name, Type::TEXT)]).await?;
    rows.first().map(|row| get(row, 0)).transpose()
}

/// A name as SQL has it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
