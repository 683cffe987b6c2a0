use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use wordhoard_model::{KeyId, RequestId, RequestStatus, Timestamp};

use super::rows::{get, lanes, named, optional_count};
use super::session::Session;
use super::text::Written;
use super::types::{Id, Key, Log, Moment, Sha256};
use crate::columns::signed;
use crate::{Error, IdempotentMatch, ListQuery, LogKey, Owners, RequestSummary};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT request_id, created_at, status, finished_at, lanes, event_count, token_count, log_id, key_id
             FROM llm_requests ",
            $rest
        )
    };
}

pub(super) const SUMMARY: &str = select!("WHERE request_id = $1 AND erased_at IS NULL");
pub(super) const LIST: &str = select!(
    "WHERE request_id >= $1 AND request_id < $2 AND ($3::text IS NULL OR status = $3)
     AND ($4::text IS NULL OR strpos(lanes, $4) > 0) AND erased_at IS NULL
     AND ($6::uuid[] IS NULL OR key_id = ANY ($6)) AND (NOT $7::boolean OR key_id IS NULL)
     ORDER BY request_id DESC LIMIT $5"
);
pub(super) const OPEN: &str =
    "SELECT request_id FROM llm_requests WHERE log_id = $1 AND status = 'running' ORDER BY request_id";
pub(super) const IDEMPOTENT: &str = "SELECT request_id, idempotency_sha256 FROM llm_requests
    WHERE idempotency_key = $1 AND created_at >= $2 AND key_id IS NOT DISTINCT FROM $3::uuid ORDER BY created_at DESC LIMIT 1";

pub(super) async fn summary(session: &Session, id: RequestId) -> Result<Option<RequestSummary>, Error> {
    session.query(SUMMARY, &[&Id(id)]).await?.first().map(from_row).transpose()
}

pub(super) async fn list(session: &Session, query: ListQuery) -> Result<Vec<RequestSummary>, Error> {
    // Conditions that are always there let every plan use the index.
    let (lowest, highest) = query.ids();
    let status = query.status.map(RequestStatus::as_str);
    let needle = query.needle();
    let limit = signed(query.limit as u64);
    let keys: Option<Vec<Key>> = query.owners.keys().map(|keys| keys.iter().copied().map(Key).collect());
    let is_keyless = query.owners == Owners::Nobody;
    let bounds: [&(dyn ToSql + Sync); 7] =
        [&Id(lowest), &Id(highest), &status, &needle, &limit, &keys, &is_keyless];
    let rows = session.query(LIST, &bounds).await?;
    rows.iter().map(from_row).collect()
}

pub(super) async fn open_requests(session: &Session, log: LogKey) -> Result<Vec<RequestId>, Error> {
    let rows = session.query(OPEN, &[&Log(log)]).await?;
    rows.iter().map(|row| get::<Id>(row, 0).map(|id| id.0)).collect()
}

pub(super) async fn find_idempotent(
    session: &Session,
    owner: Option<KeyId>,
    key: String,
    not_before: Timestamp,
) -> Result<Option<IdempotentMatch>, Error> {
    let rows = session.query(IDEMPOTENT, &[&Written(key), &Moment::of(not_before)?, &owner.map(Key)]).await?;
    let found =
        |row| Ok(IdempotentMatch { request_id: get::<Id>(row, 0)?.0, body_sha256: get::<Sha256>(row, 1)?.0 });
    rows.first().map(found).transpose()
}

fn from_row(row: &Row) -> Result<RequestSummary, Error> {
    Ok(RequestSummary {
        request_id: get::<Id>(row, 0)?.0,
        log: get::<Log>(row, 7)?.0,
        created_at: get::<Moment>(row, 1)?.timestamp(),
        status: named(row, 2, RequestStatus::from_name)?,
        finished_at: get::<Option<Moment>>(row, 3)?.map(Moment::timestamp),
        models: lanes(row, 4)?.into_iter().map(|lane| lane.model).collect(),
        event_count: optional_count(row, 5)?,
        token_count: optional_count(row, 6)?,
        key: get::<Option<Key>>(row, 8)?.map(|key| key.0),
    })
}
