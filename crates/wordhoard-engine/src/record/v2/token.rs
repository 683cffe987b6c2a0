use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wordhoard_model::Token;

use crate::record::v1::token::TokenV1;

/// Of a token in an envelope; one without is written in version 1.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenV2<'a> {
    #[serde(borrow)]
    v1: TokenV1<'a>,
    #[serde(borrow)]
    envelope: Cow<'a, str>,
}

impl<'a> TokenV2<'a> {
    pub(super) fn from_model(token: &'a Token) -> Self {
        let envelope = Cow::Borrowed(token.envelope.as_deref().unwrap_or_default());
        Self { v1: TokenV1::from_model(token), envelope }
    }

    pub(super) fn into_model(self) -> Result<Token, String> {
        Ok(Token { envelope: Some(self.envelope.into()), ..self.v1.into_model()? })
    }
}
