//! A client's own credential: it goes to the provider that is asked with it, and nowhere else.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::{ServerHome, ServerProcess};

use super::canaries::{found_below, said_by_get};
use super::{ADMIN_KEY, make_key};
use crate::raw_http::{Raw, send};
use crate::seed::setting;
use crate::{EXE, ONE_CALL};

const CREDENTIAL: &str = "sub-canary-of-a-subscription-91c2e7";
const OUR_PROVIDER_KEY: &str = "key-of-the-operator-5512";

/// A provider that is asked in its client's name, and one that is asked with a key of ours.
struct Scene {
    own: MisbehavingProvider,
    ours: MisbehavingProvider,
    home: ServerHome,
    server: ServerProcess,
    key: String,
    _folder: TempDir,
}

impl Scene {
    fn open() -> Self {
        let (own, ours) = (MisbehavingProvider::start().unwrap(), MisbehavingProvider::start().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("ours");
        std::fs::write(&key_file, OUR_PROVIDER_KEY).unwrap();
        let provider = |name: &str, dialect: &str, base_url: &str, auth: &str| {
            format!(
                "[[providers]]\nname = {name:?}\ndialect = {dialect:?}\nbase_url = {base_url:?}\nallow_private = true\n{auth}\n"
            )
        };
        let config = [
            "require_keys = true\n[fallback]\nqueue = []\n".to_owned(),
            provider("claude", "anthropic", &own.base_url(), "auth = \"client\""),
            provider("codex", "openai_responses", &own.base_url(), "auth = \"client\""),
            provider("ours", "openai", &ours.base_url(), &format!("api_key_file = {key_file:?}")),
            ONE_CALL.to_owned(),
        ];
        let mut home = ServerHome::new(EXE, &config.concat()).unwrap();
        home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
        let key = make_key(&home, "use");
        let server = home.start().unwrap();
        Self { own, ours, home, server, key, _folder: folder }
    }

    /// Asks as a client that shows both keys.
    async fn ask(&self, path: &str, model: &str, credential: (&str, &str)) -> Raw {
        send(self.request(path, model, false).header(credential.0, credential.1)).await
    }

    fn request(&self, path: &str, model: &str, stream: bool) -> reqwest::RequestBuilder {
        let client = self.server.client();
        let mut body = match path {
            "/v1/responses" => json!({ "model": model, "input": "hi" }),
            "/v1/embeddings" => json!({ "model": model, "input": "hi" }),
            _ => {
                json!({ "model": model, "max_tokens": 99, "messages": [{ "role": "user", "content": "hi" }] })
            }
        };
        body["stream"] = stream.into();
        let request = client.http().post(client.url(path)).header("content-type", "application/json");
        let request = request.header("x-wordhoard-key", &self.key).header("x-app", "cli");
        request
            .header("user-agent", "an-agent/1")
            .header("chatgpt-account-id", "account-7")
            .body(body.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_to_the_provider_that_is_asked_with_it_and_to_no_other() {
    let scene = Scene::open();
    let bearer = format!("Bearer {CREDENTIAL}");
    for (path, model, name, value) in [
        ("/v1/messages", "claude:ok-20", "authorization", bearer.as_str()),
        ("/v1/messages", "claude:ok-20", "x-api-key", CREDENTIAL),
        ("/v1/responses", "codex:ok-20", "authorization", bearer.as_str()),
        ("/v1/chat/completions", "codex:ok-20", "authorization", bearer.as_str()),
        ("/v1/messages/count_tokens", "claude:ok-20", "authorization", bearer.as_str()),
        ("/v1/embeddings", "codex:ok-20", "authorization", bearer.as_str()),
    ] {
        let answer = scene.ask(path, model, (name, value)).await;
        assert_eq!(answer.status, 200, "{path} {model}: {}", answer.body);
        let calls = scene.own.calls();
        let call = calls.last().unwrap();
        assert_eq!(call.header(name), Some(value), "{path}");
        for (beside, value) in
            [("user-agent", "an-agent/1"), ("x-app", "cli"), ("chatgpt-account-id", "account-7")]
        {
            assert_eq!(call.header(beside), Some(value), "{path}");
        }
        assert_eq!(call.header("x-wordhoard-key"), None, "our key is for us");
    }
    let answer = scene.ask("/v1/chat/completions", "ours:ok-20", ("authorization", &bearer)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let calls = scene.ours.calls();
    assert_eq!(calls[0].header("authorization"), Some(&*format!("Bearer {OUR_PROVIDER_KEY}")));
    assert!(!format!("{:?}", calls[0].headers).contains("account-7"), "{:?}", calls[0].headers);
}

/// Who shows none, or one that is refused, is told 401 as its provider would; the operator is not alarmed, and nobody answers at
/// the operator's cost. What one client did wrong is no rest for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_the_clients_own() {
    let scene = Scene::open();
    let none = send(scene.request("/v1/messages", "claude:ok-20", false)).await;
    assert_eq!(
        (none.status, &none.json()["error"]["type"]),
        (401, &"authentication_error".into()),
        "{}",
        none.body
    );
    assert!(none.body.contains("the client's own credential"), "{}", none.body);
    // A key of ours is none, wherever it stands.
    let ours = format!("Bearer {}", scene.key);
    assert_eq!(scene.ask("/v1/messages", "claude:ok-20", ("authorization", &ours)).await.status, 401);
    assert_eq!(scene.own.calls().len(), 0);
    let refused = scene.ask("/v1/responses", "codex:status-401", ("authorization", "Bearer sub-old")).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (401, &"invalid_api_key".into()),
        "{}",
        refused.body
    );
    let limited = async |who: &str| {
        scene.ask("/v1/messages", "claude:seq:status-429-retry-30|ok-20", ("authorization", who)).await.status
    };
    assert_eq!((limited("Bearer sub-one").await, limited("Bearer sub-two").await), (429, 200));
    assert_eq!(limited("Bearer sub-one").await, 429, "it rests, and is not called");
    assert_eq!(scene.own.calls().len(), 3);
    let alarms = scene.server.log().unwrap().into_iter().filter(|line| line["level"] == "ERROR").count();
    assert_eq!(alarms, 0, "{:#?}", scene.server.log().unwrap());
}

/// A thousand requests (in `make soak`), some of which fail in the provider's own words: the credential is nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_recorded_nowhere() {
    let scene = Scene::open();
    let bearer = format!("Bearer {CREDENTIAL}");
    let count = setting("WORDHOARD_CREDENTIAL_REQUESTS").unwrap_or(100);
    let mut last = Value::Null;
    for from in (0..count).step_by(20) {
        let ask = async |number: u64| {
            let model = if number % 5 == 4 { "claude:echo-key" } else { "claude:ok-20" };
            scene.ask("/v1/messages", model, ("authorization", &bearer)).await
        };
        for answer in join_all((from..from + 20).map(ask)).await {
            assert!(!answer.body.contains(CREDENTIAL), "{}", answer.body);
            last = answer.header("x-wordhoard-request-id").unwrap().into();
        }
    }
    let said = said_by_get(&scene.server.client(), ADMIN_KEY, last.as_str().unwrap()).await;
    let backup = scene.home.run(&["backup", "create"]).unwrap();
    assert!(backup.status.success(), "{backup:?}");
    let mut server = scene.server;
    server.terminate().unwrap();
    assert!(server.wait(Duration::from_secs(20)).unwrap().success());
    let log = server.output().unwrap();
    let part = &CREDENTIAL[CREDENTIAL.len() - 14..];
    for (place, text) in said.iter().chain([&("the log".to_owned(), log)]) {
        assert!(!text.contains(part), "{place}: {text}");
    }
    assert_eq!(found_below(&scene.home.data_dir(), part.as_bytes()), None);
    assert!(found_below(&scene.home.data_dir(), b"hi#0").is_some(), "the search finds what is there");
}

/// It is recorded nowhere, so a restart cannot ask again: the request ends interrupted, and the repeated body is a new call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_its_request_has_ended_and_the_client_asks_anew() {
    let mut scene = Scene::open();
    let bearer = format!("Bearer {CREDENTIAL}");
    let ask = |scene: &Scene| {
        scene
            .request("/v1/messages", "claude:slow-tokens-60-40", true)
            .header("authorization", &bearer)
            .send()
    };
    let mut cut = ask(&scene).await.unwrap();
    assert!(cut.chunk().await.unwrap().is_some());
    let id = cut.headers()["x-wordhoard-request-id"].to_str().unwrap().to_owned();
    scene.server.kill_9().unwrap();
    scene.server = scene.home.start().unwrap();
    let user = scene.server.client().with_key(&scene.key).unwrap();
    assert_eq!(user.wait_for_end(&id).await.unwrap()["status"], "interrupted");
    let again = ask(&scene).await.unwrap();
    assert_ne!(again.headers()["x-wordhoard-request-id"].to_str().unwrap(), id);
    assert!(again.text().await.unwrap().contains("message_stop"));
    assert_eq!(scene.own.calls().len(), 2);
}
