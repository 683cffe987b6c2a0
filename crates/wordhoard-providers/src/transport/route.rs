use reqwest::Url;
use wordhoard_wire::Dialect;

/// Where the requests of a dialect go.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    dialect: Dialect,
    base: Url,
}

impl Route {
    /// Below that URL. Its query stays.
    pub(crate) fn new(dialect: Dialect, base: Url) -> Self {
        Self { dialect, base }
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    /// The URL of a call that is the same for all models.
    pub(crate) fn below_base(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The URL for counting tokens, in the dialects that have one.
    pub(crate) fn token_count(&self, model: &str) -> Url {
        self.below_base(match self.dialect {
            Dialect::OpenAiResponses => &["responses", "input_tokens"],
            Dialect::Gemini => return self.below_base(&["models", &format!("{model}:countTokens")]),
            _ => &["messages", "count_tokens"],
        })
    }

    /// The URL for an answer of that model.
    pub(crate) fn url(&self, model: &str, stream: bool) -> Url {
        let mut url = self.base.clone();
        let end: &[&str] = match self.dialect {
            Dialect::OpenAiChat => &["chat", "completions"],
            Dialect::OpenAiResponses => &["responses"],
            Dialect::Anthropic => &["messages"],
            Dialect::Cohere => &["chat"],
            Dialect::Gemini => &["models"],
        };
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(end);
            if self.dialect == Dialect::Gemini {
                let verb = if stream { "streamGenerateContent" } else { "generateContent" };
                path.push(&format!("{model}:{verb}"));
            }
        }
        if self.dialect == Dialect::Gemini && stream {
            // Without it the stream is one JSON list: <https://ai.google.dev/api/generate-content>.
            url.query_pairs_mut().append_pair("alt", "sse");
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(dialect: Dialect, base: &str, model: &str, stream: bool) -> String {
        Route::new(dialect, base.parse().unwrap()).url(model, stream).to_string()
    }

    #[test]
    fn each_dialect_has_its_route_below_the_base_and_the_query_stays() {
        for (dialect, base, expected) in [
            (Dialect::OpenAiChat, "https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            (Dialect::OpenAiChat, "https://x.example", "https://x.example/chat/completions"),
            (
                Dialect::OpenAiChat,
                "https://x.openai.azure.com/openai/v1/?api-version=preview",
                "https://x.openai.azure.com/openai/v1/chat/completions?api-version=preview",
            ),
            (Dialect::OpenAiResponses, "https://api.openai.com/v1/", "https://api.openai.com/v1/responses"),
            (Dialect::Anthropic, "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
            (Dialect::Cohere, "https://api.cohere.com/v2", "https://api.cohere.com/v2/chat"),
            (
                Dialect::Gemini,
                "https://generativelanguage.googleapis.com/v1beta",
                "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse",
            ),
        ] {
            assert_eq!(url(dialect, base, "m", true), expected);
        }
        let vertex = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google";
        assert_eq!(
            url(Dialect::Gemini, vertex, "a/b?c", false),
            format!("{vertex}/models/a%2Fb%3Fc:generateContent"),
            "a model's name cannot lead elsewhere"
        );
    }
}
