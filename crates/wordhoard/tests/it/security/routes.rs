use reqwest::Method;
use serde_json::{Value, json};
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerHome;

use super::{ADMIN_KEY, make_key, talk};
use crate::EXE;
use crate::raw_http::{Raw, send};

const METHODS: [&str; 6] = ["get", "post", "put", "delete", "patch", "options"];

/// The scope that a path needs, as the specification has it. What is new is for users until this says otherwise.
fn scope_of(path: &str) -> Option<&'static str> {
    match path {
        "/" | "/livez" | "/readyz" | "/api/health" => None,
        "/metrics" | "/api/metrics" => Some("metrics"),
        path if path.starts_with("/api/admin/") => Some("admin"),
        _ => Some("use"),
    }
}

/// The scope that the document says an operation needs, if it has that operation.
fn documented_scope(operation: &Value) -> Option<Option<String>> {
    let operation = operation.as_object()?;
    let security = operation.get("security").and_then(Value::as_array);
    let keyed = security.into_iter().flatten().find_map(|one| one["bearer"][0].as_str());
    Some(keyed.map(str::to_owned))
}

async fn call(client: &Client, method: &str, path: &str, key: Option<&str>) -> Raw {
    let method: Method = method.to_uppercase().parse().unwrap();
    let mut request = client.http().request(method, client.url(path));
    if let Some(key) = key {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    send(request).await
}

/// A path of the document with something in the place of each parameter.
fn filled(path: &str) -> String {
    let part = |part: &str| match part {
        "{request_id}" | "{key_id}" => "0198c5b2-7c1e-7cc3-a3a5-0f6f0d4b9d11".to_owned(),
        part if part.starts_with('{') => "none".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_method_of_every_route_asks_for_the_key_of_its_group() {
    let home = ServerHome::new(EXE, "require_keys = true").unwrap();
    let (admin, user, scraper) =
        (make_key(&home, "admin"), make_key(&home, "use"), make_key(&home, "metrics"));
    let server = home.start().unwrap();
    let client = server.client();
    let document = call(&client, "get", "/openapi.json", Some(&user)).await.json();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let needed = scope_of(path);
        for method in METHODS {
            let documented = documented_scope(&item[method]);
            if let Some(documented) = &documented {
                assert_eq!(documented.as_deref(), needed, "{method} {path} is in the wrong group");
            }
            let path = filled(path);
            let told = |status: &str| item[method]["responses"][status].is_object();
            assert!(documented.is_none() || told("401") == needed.is_some(), "{method} {path}");
            // Where models are asked, a key of the right scope may be refused one of them.
            assert!(documented.is_none() || needed != Some("admin") || told("403"), "{method} {path}");
            let status = async |key| call(&client, method, &path, key).await.status;
            let case = format!("{method} {path}");
            let Some(needed) = needed else {
                let expected = if documented.is_some() { 200 } else { 405 };
                assert_eq!(status(None).await, expected, "{case}");
                continue;
            };
            let without = call(&client, method, &path, None).await;
            assert_eq!(without.status, 401, "{case} without a key");
            assert_eq!(without.header("www-authenticate"), Some("Bearer"), "{case}");
            // The drop-in APIs tell errors in the shape of others.
            let shape =
                if path.starts_with("/v1/") { "application/json" } else { "application/problem+json" };
            assert_eq!(without.header("content-type"), Some(shape), "{case}");
            assert_eq!(status(Some("wh_no_such_key")).await, 401, "{case} with a wrong key");
            assert_eq!(status(Some(&user[..66])).await, 401, "{case} with a part of a key");
            for (scope, key) in [("use", &user), ("metrics", &scraper)] {
                if scope != needed {
                    assert_eq!(status(Some(key)).await, 403, "{case} with a key of scope {scope}");
                }
            }
            let key = match needed {
                "admin" => &admin,
                "metrics" => &scraper,
                _ => &user,
            };
            let with = status(Some(key)).await;
            assert!(!matches!(with, 401 | 403), "{case} with the right key: {with}");
            assert_eq!(with == 405, documented.is_none(), "{case} with the right key: {with}");
            tried += 1;
        }
    }
    println!("{tried} methods of routes with keys");
    assert!(tried > 100, "{tried}");
    assert_eq!(call(&client, "get", "/api/llm/requests", Some(&admin)).await.status, 200, "an admin may use");
    let log = server.output().unwrap();
    assert!(log.contains("calls came with a wrong key"));
    for key in [&admin, &user] {
        assert!(!log.contains(&key[..20]), "a key is in the log");
    }
}

#[tokio::test]
async fn an_open_server_is_open_for_prompts_and_for_nothing_else() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let server = home.start().unwrap();
    let client = server.client();
    for key in [None, Some("sk-whatever-a-library-wants")] {
        assert_eq!(call(&client, "get", "/api/llm/requests", key).await.status, 200);
        assert_eq!(call(&client, "get", "/openapi.json", key).await.status, 200);
        assert_eq!(call(&client, "get", "/api/admin/keys", key).await.status, 401);
    }
    assert_eq!(call(&client, "get", "/api/admin/keys", Some(ADMIN_KEY)).await.status, 200);
    let document = call(&client, "get", "/openapi.json", None).await.json();
    let security = &document["paths"]["/api/llm/prompt"]["post"]["security"];
    assert_eq!(*security, json!([{}, { "bearer": ["use"] }]), "a key may be given and need not be");
}

#[tokio::test]
async fn a_key_is_taken_from_one_place_only() {
    let mut home = ServerHome::new(EXE, "").unwrap();
    home.set_environment("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    let server = home.start().unwrap();
    let client = server.client();
    let path = "/api/admin/keys";
    for (name, value) in [
        ("cookie", format!("authorization={ADMIN_KEY}; key={ADMIN_KEY}")),
        ("x-api-key", ADMIN_KEY.to_owned()),
        ("authorization", ADMIN_KEY.to_owned()),
        ("authorization", format!("Basic {ADMIN_KEY}")),
        ("authorization", format!("Bearer {ADMIN_KEY}x")),
        ("authorization", format!("Bearer {}", ADMIN_KEY.to_uppercase())),
        ("proxy-authorization", format!("Bearer {ADMIN_KEY}")),
    ] {
        let request = client.http().get(client.url(path)).header(name, &value);
        assert_eq!(send(request).await.status, 401, "{name}: {value}");
    }
    for query in ["key", "api_key", "access_token", "authorization"] {
        let request = client.http().get(client.url(&format!("{path}?{query}={ADMIN_KEY}")));
        assert_eq!(send(request).await.status, 401, "{query}");
    }
    let twice = client.http().get(client.url(path));
    let twice =
        twice.header("authorization", "Bearer x").header("authorization", format!("Bearer {ADMIN_KEY}"));
    assert_eq!(send(twice).await.status, 401, "two keys are none");
}

/// Another spelling of a path is another path, and there is nothing at it.
#[tokio::test]
async fn no_spelling_of_a_path_goes_round_the_door() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    for path in [
        "/api/admin",
        "/api/admin/",
        "/api/admin/nothing",
        "/api/admin/keys/",
        "//api/admin/keys",
        "/api//admin/keys",
        "/API/ADMIN/KEYS",
        "/api/llm/../admin/keys",
        "/api/./admin/keys",
        "/api%2fadmin%2fkeys",
        "/api/%61dmin/keys",
        "/api/admin/keys%00",
        "/api/admin/keys;x",
        "/livez/../api/admin/keys",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let answer = talk(server.base_url(), request.as_bytes()).unwrap();
        let status = &answer[9..12];
        assert!(matches!(status, "404" | "401"), "{path}: {answer}");
    }
    for path in ["http://localhost/api/admin/keys", "/api/admin/keys?x=/livez", "/api/admin/keys#/livez"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let answer = talk(server.base_url(), request.as_bytes()).unwrap();
        assert!(matches!(&answer[9..12], "401" | "400"), "{path}: {answer}");
    }
}
