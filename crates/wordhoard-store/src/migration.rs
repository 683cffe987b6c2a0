//! Migrations: embedded, forward only, each known by its checksum.

use sha2::{Digest, Sha256};

use crate::Error;

/// One step of the schema.
pub(crate) struct Migration {
    pub(crate) version: u32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// What a run of the migrations did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationReport {
    /// The schema version now.
    pub version: u32,
    /// The names of the steps that were applied in this run.
    pub applied: Vec<&'static str>,
}

/// One step of the schema, as a database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its number.
    pub version: u32,
    /// Its name.
    pub name: &'static str,
    /// Whether the database has it.
    pub applied: bool,
}

impl Migration {
    pub(crate) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.sql.as_bytes()).into()
    }
}

/// Compares what a database says was applied (version, checksum; ascending) with what this binary carries, and gives
/// the steps that are missing.
pub(crate) fn pending<'a>(
    known: &'a [Migration],
    applied: &[(u32, [u8; 32])],
) -> Result<&'a [Migration], Error> {
    for (place, (version, sha256)) in applied.iter().enumerate() {
        let Some(migration) = known.get(place) else {
            return Err(Error::SchemaTooNew { found: *version, known: known.len() as u32 });
        };
        if migration.version != *version || migration.sha256() != *sha256 {
            return Err(Error::MigrationChanged { version: *version });
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

/// All steps that this binary carries, and which of them a database has, by what it says was applied.
pub(crate) fn status(
    known: &[Migration],
    applied: &[(u32, [u8; 32])],
) -> Result<Vec<MigrationStatus>, Error> {
    let first_pending = known.len() - pending(known, applied)?.len();
    let status = |(place, migration): (usize, &Migration)| MigrationStatus {
        version: migration.version,
        name: migration.name,
        applied: place < first_pending,
    };
    Ok(known.iter().enumerate().map(status).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Migration] =
        &[Migration { version: 1, name: "one", sql: "a" }, Migration { version: 2, name: "two", sql: "b" }];

    #[test]
    fn only_the_missing_steps_are_pending_and_a_changed_or_newer_one_is_refused() {
        let one = (1, KNOWN[0].sha256());
        let names = |steps: &[Migration]| steps.iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(names(pending(KNOWN, &[]).unwrap()), ["one", "two"]);
        assert_eq!(names(pending(KNOWN, &[one]).unwrap()), ["two"]);
        assert!(matches!(pending(KNOWN, &[(1, [0; 32])]), Err(Error::MigrationChanged { version: 1 })));
        let newer = [one, (2, KNOWN[1].sha256()), (3, [0; 32])];
        assert!(matches!(pending(KNOWN, &newer), Err(Error::SchemaTooNew { found: 3, known: 2 })));
    }
}
