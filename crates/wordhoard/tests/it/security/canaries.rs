//! Secrets are where they are needed and nowhere else: not in what is logged, answered, measured or stored.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use wordhoard_testkit::provider::MisbehavingProvider;
use wordhoard_testkit::server::ServerHome;

use super::ADMIN_KEY;
use crate::raw_http::{get, send};
use crate::{EXE, ONE_CALL};

const PROVIDER_KEY: &str = "sk-canary-provider-4f1d0a9c77";
const BACKUP_KEY: &str = "canary-backup-key-5e2b6c8d9f0a1b2c3d4e5f60718293";
const PASSWORD: &str = "canary-password-7a6b5c4d";

/// The file below a folder that has these bytes.
pub(super) fn found_below(dir: &Path, bytes: &[u8]) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().find_map(|path| match path.is_dir() {
        true => found_below(&path, bytes),
        false => fs::read(&path).unwrap().windows(bytes.len()).any(|window| window == bytes).then_some(path),
    })
}

/// A part of each secret that would give it away.
fn parts(secrets: &[&str]) -> Vec<String> {
    secrets.iter().map(|secret| secret[secret.len() - 14..].to_owned()).collect()
}

/// All that a server says of itself by GET.
pub(super) async fn said_by_get(
    server: &wordhoard_testkit::client::Client,
    key: &str,
    id: &str,
) -> Vec<(String, String)> {
    let bearer = format!("Bearer {key}");
    let document = get(server, "/openapi.json", &[("authorization", &bearer)]).await.json();
    let mut said = vec![("/openapi.json".to_owned(), document.to_string())];
    for (path, item) in document["paths"].as_object().unwrap() {
        if item["get"].is_object() {
            let path = path.replace("{request_id}", id).replace("{operation_id}", "none");
            for headers in [&[][..], &[("authorization", bearer.as_str())]] {
                let answer = get(server, &path, headers).await;
                said.push((path.clone(), format!("{:?} {}", answer.headers, answer.body)));
            }
        }
    }
    said
}

#[tokio::test]
async fn no_secret_shows_in_what_is_logged_answered_or_stored() {
    let mock = MisbehavingProvider::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (provider_key, backup_key) = (folder.path().join("provider"), folder.path().join("backup"));
    fs::write(&provider_key, PROVIDER_KEY).unwrap();
    fs::write(&backup_key, BACKUP_KEY).unwrap();
    let config = format!(
        "require_keys = true\n[backup]\nkey_file = {backup_key:?}\n[[providers]]\nname = \"mock\"\ndialect = \"openai\"\n\
         base_url = {:?}\nallow_private = true\napi_key_file = {provider_key:?}\n",
        mock.base_url()
    );
    let mut home = ServerHome::new(EXE, &(config + ONE_CALL)).unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let mut server = home.start().unwrap();
    let admin = server.client().with_key(ADMIN_KEY).unwrap();
    let made = admin.post("/api/admin/keys", &json!({ "scope": "use", "name": "canary" })).await.unwrap();
    let user_key = made.body["key"].as_str().unwrap().to_owned();
    let secrets = [PROVIDER_KEY, BACKUP_KEY, ADMIN_KEY, user_key.as_str()];

    let user = server.client().with_key(&user_key).unwrap();
    let id = user.submit("what is my key", &["mock:echo-key", "mock:ok"]).await.unwrap();
    user.wait_for_end(&id).await.unwrap();
    let mut said = said_by_get(&server.client(), ADMIN_KEY, &id).await;
    // Keys in the wrong place are not told on.
    let misplaced = [
        ("x-api-key", ADMIN_KEY.to_owned()),
        ("authorization", format!("Basic {user_key}")),
        ("idempotency-key", user_key.clone() + &"x".repeat(300)),
        ("host", "evil.example".to_owned()),
        ("origin", "https://evil.example".to_owned()),
    ];
    for (name, value) in misplaced {
        let request = user.http().post(user.url("/api/admin/keys")).header(name, value);
        let answer = send(request.body("{")).await;
        assert!(answer.status >= 400, "{name}: {}", answer.status);
        said.push((name.to_owned(), format!("{:?} {}", answer.headers, answer.body)));
    }
    let in_the_path = user.http().delete(user.url(&format!("/api/admin/keys/{user_key}")));
    said.push(("a key in the path".to_owned(), send(in_the_path).await.body));
    let in_a_parameter = user.url(&format!("/api/llm/requests?{user_key}=1"));
    assert_eq!(send(user.http().get(in_a_parameter)).await.status, 400);
    for path in ["disable", "probe?model=echo-key", "reset"] {
        let answer = admin.post(&format!("/api/admin/providers/mock/{path}"), &Value::Null).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        said.push((path.to_owned(), answer.body.to_string()));
    }
    let revoke =
        admin.http().delete(admin.url(&format!("/api/admin/keys/{}", made.body["key_id"].as_str().unwrap())));
    said.push(("revoke".to_owned(), send(revoke).await.body));
    for command in [&["config", "show"][..], &["config", "check"], &["keys", "list", "--json"]] {
        let output = home.run(command).unwrap();
        assert!(output.status.success(), "{output:?}");
        said.push((format!("{command:?}"), format!("{output:?}")));
    }
    server.terminate().unwrap();
    assert!(server.wait(Duration::from_secs(20)).unwrap().success());
    let log = server.output().unwrap();
    assert!(log.contains("a key was made") && log.contains("attempt finished"), "this is no log: {log}");
    said.push(("the log".to_owned(), log));

    for part in parts(&secrets) {
        for (place, text) in &said {
            assert!(!text.contains(&part), "{part} is in {place}: {text}");
        }
        assert_eq!(found_below(&home.data_dir(), part.as_bytes()), None, "{part}");
    }
    // The search does find what is there, also in the database and in the copy of the keys.
    assert!(found_below(&home.data_dir(), b"what is my key").is_some());
    assert!(home.data_dir().join("keys.json").is_file());
}

#[tokio::test]
async fn the_password_of_the_database_shows_nowhere_even_where_it_cannot_be_reached() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let url = format!("postgres://wordhoard:{PASSWORD}@127.0.0.1:{port}/nowhere?connect_timeout=1");
    let mut home = ServerHome::new(EXE, &format!("database_url = {url:?}")).unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let server = home.start().unwrap();
    let client = server.client();
    let id = client.submit("without SQL [demo tokens=2 rate=0]", &["demo:terse"]).await.unwrap();
    client.wait_for_end(&id).await.unwrap();
    let mut said = said_by_get(&client, ADMIN_KEY, &id).await;
    let status = said.iter().rfind(|(path, _)| path == "/api/admin/system/status").unwrap();
    assert!(status.1.contains("127.0.0.1") && status.1.contains("nowhere"), "{}", status.1);
    for (path, text) in &said {
        let is_public = path == "/api/health" || path == "/readyz";
        assert!(
            !is_public || !text.contains(&port.to_string()),
            "health tells the place of the database: {text}"
        );
    }
    for command in
        [&["config", "show"][..], &["config", "check"], &["keys", "list"], &["migrate", "--status"]]
    {
        said.push((format!("{command:?}"), format!("{:?}", home.run(command).unwrap())));
    }
    said.push(("the log".to_owned(), server.output().unwrap()));
    for (place, text) in &said {
        assert!(!text.contains(PASSWORD), "{place}: {text}");
    }
    assert_eq!(found_below(&home.data_dir(), PASSWORD.as_bytes()), None);
}
