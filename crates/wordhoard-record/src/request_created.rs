use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wordhoard_model::{Fallback, Idempotency, KeyId, LaneSpec, Parameters, Prompt, RequestCreated};

use crate::bytes::Bytes;
use crate::place::{Place, ensure_end, parsed, put_body, take_body};
use crate::{Error, Kind};

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    prompt: Cow<'a, str>,
    #[serde(borrow)]
    system_message: Option<Cow<'a, str>>,
    max_tokens: Option<u32>,
    temperature: Option<f64>,
    /// The further parameters, as one JSON object.
    parameters_json: Cow<'a, str>,
    /// `provider:model` and weight, in the order of lanes.
    lanes: Vec<(String, Option<f64>)>,
    /// The key, and SHA-256 of the body.
    idempotency: Option<(Cow<'a, str>, [u8; 32])>,
    /// None: as the configuration has it. Some: these models, none if it is empty.
    fallback: Option<Vec<String>>,
    /// The id of the caller's key.
    key_id: Option<[u8; 16]>,
}

/// Appends the payload of an accepted prompt.
///
/// # Errors
/// `Malformed` for parameters that are no JSON.
pub fn encode_request_created(
    out: &mut Vec<u8>,
    place: Place,
    created: &RequestCreated,
) -> Result<Kind, Error> {
    let Prompt { text, system_message, parameters } = &created.prompt;
    let json =
        serde_json::to_string(&parameters.extra).map_err(|error| Error::malformed(error.to_string()))?;
    place.put(out);
    let body = Body {
        prompt: Cow::Borrowed(text),
        system_message: system_message.as_deref().map(Cow::Borrowed),
        max_tokens: parameters.max_tokens,
        temperature: parameters.temperature,
        parameters_json: Cow::Owned(json),
        lanes: created.lanes.iter().map(|lane| (lane.model.to_string(), lane.weight)).collect(),
        idempotency: created
            .idempotency
            .as_ref()
            .map(|given| (Cow::Borrowed(&*given.key), given.body_sha256)),
        fallback: match &created.fallback {
            Fallback::Default => None,
            Fallback::Off => Some(Vec::new()),
            Fallback::Queue(models) => Some(models.iter().map(ToString::to_string).collect()),
        },
        key_id: created.key.map(|key| *key.as_bytes()),
    };
    put_body(out, &body)?;
    Ok(Kind::RequestCreated)
}

/// Reads the payload of an accepted prompt.
///
/// # Errors
/// `Malformed` where it is none.
pub fn decode_request_created(payload: &[u8]) -> Result<(Place, RequestCreated), Error> {
    let mut bytes = Bytes(payload);
    let place = Place::take(&mut bytes)?;
    let body: Body<'_> = take_body(&mut bytes)?;
    ensure_end(bytes)?;
    let extra =
        serde_json::from_str(&body.parameters_json).map_err(|error| Error::malformed(error.to_string()))?;
    let lane =
        |(model, weight): &(String, Option<f64>)| Ok(LaneSpec { model: parsed(model)?, weight: *weight });
    let created = RequestCreated {
        prompt: Prompt {
            text: body.prompt.into_owned(),
            system_message: body.system_message.map(Cow::into_owned),
            parameters: Parameters { max_tokens: body.max_tokens, temperature: body.temperature, extra },
        },
        lanes: body.lanes.iter().map(lane).collect::<Result<_, Error>>()?,
        idempotency: body
            .idempotency
            .map(|(key, body_sha256)| Idempotency { key: key.into_owned(), body_sha256 }),
        fallback: match body.fallback {
            None => Fallback::Default,
            Some(models) if models.is_empty() => Fallback::Off,
            Some(models) => {
                Fallback::Queue(models.iter().map(|model| parsed(model)).collect::<Result<_, _>>()?)
            }
        },
        key: body.key_id.map(KeyId::from_bytes),
    };
    Ok((place, created))
}
