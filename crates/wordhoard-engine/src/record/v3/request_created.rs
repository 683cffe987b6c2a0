use serde::{Deserialize, Serialize};
use wordhoard_model::{KeyId, RequestCreated};

use crate::record::v2::request_created::RequestCreatedV2;

#[derive(Serialize, Deserialize)]
pub(super) struct RequestCreatedV3<'a> {
    #[serde(borrow)]
    v2: RequestCreatedV2<'a>,
    /// The id of the caller's key.
    key_id: Option<[u8; 16]>,
}

impl<'a> RequestCreatedV3<'a> {
    pub(super) fn from_model(created: &'a RequestCreated) -> Result<Self, String> {
        let key_id = created.key.map(|key| *key.as_bytes());
        Ok(Self { v2: RequestCreatedV2::from_model(created)?, key_id })
    }

    pub(super) fn into_model(self) -> Result<RequestCreated, String> {
        Ok(RequestCreated { key: self.key_id.map(KeyId::from_bytes), ..self.v2.into_model()? })
    }
}
