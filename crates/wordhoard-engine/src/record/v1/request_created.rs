use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wordhoard_model::{Fallback, Idempotency, LaneSpec, Parameters, Prompt, RequestCreated};

#[derive(Serialize, Deserialize)]
pub(in crate::record) struct RequestCreatedV1<'a> {
    #[serde(borrow)]
    prompt: Cow<'a, str>,
    system_message: Option<Cow<'a, str>>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    /// The further parameters, as one JSON object.
    parameters_json: String,
    /// `provider:model` and weight, in the order of lanes.
    lanes: Vec<(String, Option<f64>)>,
    /// The key, and SHA-256 of the body.
    idempotency: Option<(String, [u8; 32])>,
}

impl<'a> RequestCreatedV1<'a> {
    pub(in crate::record) fn from_model(created: &'a RequestCreated) -> Result<Self, String> {
        let Prompt { text, system_message, parameters } = &created.prompt;
        let lanes = created.lanes.iter().map(|lane| (lane.model.to_string(), lane.weight));
        let idempotency = created.idempotency.as_ref();
        Ok(Self {
            prompt: Cow::Borrowed(text),
            system_message: system_message.as_deref().map(Cow::Borrowed),
            max_tokens: parameters.max_tokens,
            temperature: parameters.temperature,
            parameters_json: serde_json::to_string(&parameters.extra).map_err(|error| error.to_string())?,
            lanes: lanes.collect(),
            idempotency: idempotency.map(|given| (given.key.clone(), given.body_sha256)),
        })
    }

    pub(in crate::record) fn into_model(self) -> Result<RequestCreated, String> {
        let extra = serde_json::from_str(&self.parameters_json).map_err(|error| error.to_string())?;
        let parameters = Parameters { max_tokens: self.max_tokens, temperature: self.temperature, extra };
        let lane = |(model, weight): (String, Option<f64>)| {
            let model = model.parse().map_err(|error| format!("{error}"))?;
            Ok(LaneSpec { model, weight })
        };
        Ok(RequestCreated {
            prompt: Prompt {
                text: self.prompt.into_owned(),
                system_message: self.system_message.map(Cow::into_owned),
                parameters,
            },
            lanes: self.lanes.into_iter().map(lane).collect::<Result<_, String>>()?,
            idempotency: self.idempotency.map(|(key, body_sha256)| Idempotency { key, body_sha256 }),
            fallback: Fallback::Default,
            key: None,
        })
    }
}
