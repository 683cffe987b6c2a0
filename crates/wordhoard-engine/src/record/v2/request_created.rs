use serde::{Deserialize, Serialize};
use wordhoard_model::{Fallback, RequestCreated};

use crate::record::v1::request_created::RequestCreatedV1;

#[derive(Serialize, Deserialize)]
pub(in crate::record) struct RequestCreatedV2<'a> {
    #[serde(borrow)]
    v1: RequestCreatedV1<'a>,
    /// None: as the configuration has it. Some: these models, none if it is empty.
    fallback: Option<Vec<String>>,
}

impl<'a> RequestCreatedV2<'a> {
    pub(in crate::record) fn from_model(created: &'a RequestCreated) -> Result<Self, String> {
        let fallback = match &created.fallback {
            Fallback::Default => None,
            Fallback::Off => Some(Vec::new()),
            Fallback::Queue(models) => Some(models.iter().map(ToString::to_string).collect()),
        };
        Ok(Self { v1: RequestCreatedV1::from_model(created)?, fallback })
    }

    pub(in crate::record) fn into_model(self) -> Result<RequestCreated, String> {
        let fallback = match self.fallback {
            None => Fallback::Default,
            Some(models) if models.is_empty() => Fallback::Off,
            Some(models) => {
                let parsed = models.iter().map(|model| model.parse().map_err(|error| format!("{error}")));
                Fallback::Queue(parsed.collect::<Result<_, _>>()?)
            }
        };
        Ok(RequestCreated { fallback, ..self.v1.into_model()? })
    }
}
