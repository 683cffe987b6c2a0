//! What providers document of single requests.

use super::*;

/// A continuation in the client's own dialect keeps all that its request says.
#[test]
fn verbatim_request_continues_after_the_beginning() {
    let body = json!({
        "model": "m", "max_tokens": 10, "stream": true, "top_k": 5, "messages": [{"role": "user", "content": "hi"}],
    });
    let mut asked = Conversation::of_user("hi");
    asked.max_tokens = Some(6);
    let continued = |dialect: Dialect| -> Value {
        let ask = Ask { answer_so_far: Some("so "), ..ask(&asked, Unsupported::Refuse) };
        serde_json::from_slice(&dialect.encode_verbatim(body.as_object().unwrap(), &ask)).unwrap()
    };
    for (dialect, text) in
        [(Dialect::OpenAiChat, "so "), (Dialect::Anthropic, "so"), (Dialect::Cohere, "so ")]
    {
        let sent = continued(dialect);
        assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": text}), "{dialect:?}");
        assert_eq!((&sent["max_tokens"], &sent["top_k"]), (&json!(6), &json!(5)), "{dialect:?}");
    }
}

/// What providers document of single requests, beside what reads back.
#[test]
fn requests_have_the_shape_that_the_providers_document() {
    let mut asked = Conversation::of_user("hi");
    asked.system = Some("be kind".into());
    asked.max_tokens = Some(8_000);
    asked.reasoning_effort = Some("medium".into());
    asked.response_format = Some(ResponseFormat::JsonSchema {
        name: "n".into(),
        description: None,
        schema: json!({"type": "object"}),
        strict: Some(true),
    });
    let body = |dialect| -> Value {
        serde_json::from_slice(&encode(dialect, &asked, Unsupported::Refuse).unwrap()).unwrap()
    };
    let gemini = body(Dialect::Gemini);
    assert_eq!(gemini["systemInstruction"], json!({"parts": [{"text": "be kind"}]}));
    assert_eq!(gemini["contents"], json!([{"role": "user", "parts": [{"text": "hi"}]}]));
    assert_eq!(
        gemini["generationConfig"],
        json!({
            "maxOutputTokens": 8000, "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 8192, "includeThoughts": true},
        })
    );
    let responses = body(Dialect::OpenAiResponses);
    assert_eq!(responses["instructions"], "be kind");
    assert_eq!(responses["store"], false, "we keep it, the provider need not");
    assert_eq!(responses["reasoning"], json!({"effort": "medium", "summary": "auto"}));
    assert_eq!(
        responses["text"]["format"],
        json!({"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true})
    );
    let anthropic = body(Dialect::Anthropic);
    assert_eq!(anthropic["system"], "be kind");
    assert_eq!(anthropic["thinking"], json!({"type": "enabled", "budget_tokens": 4000}));
    let cohere = body(Dialect::Cohere);
    assert_eq!(cohere["messages"][0], json!({"role": "system", "content": "be kind"}));
    assert_eq!(cohere["thinking"], json!({"type": "enabled", "token_budget": 4000}));
    assert_eq!(cohere["response_format"], json!({"type": "json_object", "schema": {"type": "object"}}));
}

#[test]
fn an_answer_goes_on_from_its_beginning_in_every_dialect() {
    let asked = Conversation::of_user("hi");
    for dialect in Dialect::ALL {
        let ask = Ask { answer_so_far: Some("so far"), stream: false, ..ask(&asked, Unsupported::Refuse) };
        let read = dialect.decode_request(&dialect.encode_request(&ask).unwrap()).unwrap();
        let Some(Message::Assistant { parts, .. }) = read.conversation.messages.last() else {
            panic!("{dialect:?} does not end with the assistant");
        };
        assert_eq!(Part::text_of(parts), "so far");
        assert_ne!(read.stream, Some(true));
    }
}
