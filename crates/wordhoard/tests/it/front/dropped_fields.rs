use serde_json::json;
use wordhoard_testkit::provider::MisbehavingProvider;

use super::Front;
use super::errors::{post, question};

/// What a provider cannot honour is refused by its name or, where the configuration says so, dropped and listed.
#[tokio::test]
async fn what_is_dropped_is_listed_and_everything_else_is_refused_by_name() {
    let mock = MisbehavingProvider::start().unwrap();
    let front = Front::open(&format!(
        "[[providers]]\nname = \"lenient\"\ndialect = \"anthropic\"\nbase_url = {:?}\nallow_private = true\n\
         unsupported = \"drop\"\n",
        mock.base_url()
    ));
    let asked = |model: &str, stream: bool| {
        let mut body = question(model);
        (body["seed"], body["logit_bias"], body["stream"]) = (json!(3), json!({"1": 2}), json!(stream));
        body.to_string()
    };
    const PATH: &str = "/v1/chat/completions";
    let refused = post(&front, PATH, &asked("anthropic:ok-20", false), &[]).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (400, Some("unsupported_parameter"))
    );
    assert_eq!(refused.json()["error"]["param"], "logit_bias");
    for stream in [false, true] {
        let dropped = post(&front, PATH, &asked("lenient:ok-20", stream), &[]).await;
        assert_eq!(dropped.status, 200, "{}", dropped.body);
        assert_eq!(dropped.header("x-wordhoard-dropped-fields"), Some("logit_bias, seed"));
    }
    let all_honoured = post(&front, PATH, &asked("openai:ok-20", false), &[]).await;
    assert_eq!((all_honoured.status, all_honoured.header("x-wordhoard-dropped-fields")), (200, None));
}
