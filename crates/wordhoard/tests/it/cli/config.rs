use std::fs;
use std::path::Path;

use super::{command, failure, run, success};

const GOOD: &str = r#"
listen = "127.0.0.1:0"
data_dir = "somewhere else/data"
durability = "relaxed"
drain_timeout = "1500ms"
allowed_hosts = ["wordhoard.example", "bücher.example"]
resume_interrupted = false

[limits]
connections = 17
body = "3MiB"
wal_segment = "2MiB"
wal_limit = "12345678"
header_timeout = "2s"

[log]
filter = "info,wordhoard_engine=debug"
format = "json"

[[providers]]
name = "mine"
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
allow_private = true
api_key_file = "key"
models = [{ name = "a" }, { name = "b:c" }]
timeouts = { connect = "1s", first_token = "2m", between_bytes = "250ms", total = "1h" }

[[providers]]
name = "theirs"
dialect = "openai"
base_url = "https://theirs.example/v1"
api_key_env = "THEIR_KEY"

[aliases]
fast = "mine:a"
"with blank" = "theirs:x"

[selection]
default = ["mine:a", "theirs:x"]
coding = []
"#;

fn check(folder: &Path, config: &str) -> std::process::Output {
    fs::write(folder.join("c.toml"), config).unwrap();
    run(folder, &["config", "check", "--config", "c.toml"])
}

#[test]
fn a_bad_file_is_2_and_tells_where() {
    let folder = tempfile::tempdir().unwrap();
    let provider = "[[providers]]\nname = \"p\"\ndialect = \"openai\"\n";
    for (config, said) in [
        ("\n\nlisten = ", &["line 3"][..]),
        ("\nlissten = \"x\"", &["line 2", "lissten"]),
        ("[limits]\nconnections = \"many\"", &["line 2", "connections"]),
        ("[limits]\n\nbody = \"10 parsecs\"", &["line 3", "10 parsecs", "MiB"]),
        ("drain_timeout = \"soon\"", &["line 1", "soon", "5s"]),
        ("drain_timeout = \"0s\"", &["line 1"]),
        ("durability = \"maybe\"", &["line 1", "local"]),
        ("[[providers]]\nname = \"p\"\ndialect = \"klingon\"", &["line 3", "klingon"]),
        ("[[providers]]\nname = \"p\"", &["dialect"]),
        ("[fallback]\nqueue = [\"nobody:x\"]", &["fallback.queue", "nobody"]),
        ("[fallback]\njitter = [\"3s\", \"1s\"]", &["fallback.jitter", "shorter"]),
        ("[fallback]\njitter = \"1s\"", &["line 2", "jitter"]),
        ("[breaker]\nfailures = -1", &["line 2", "failures"]),
        ("[breaker]\nopen = \"0s\"", &["line 2"]),
        ("[retry]\nbudget_share = 1.5", &["retry.budget_share", "0 to 1"]),
        ("[retry]\nmaximum = 1", &["line 2", "maximum"]),
        ("[queue]\npatience = \"long\"", &["line 2", "long"]),
        ("[selection]\ndefault = [{ model = \"demo:terse\", weight = 0 }]", &["selection.default", "weight"]),
        ("listen = \"0.0.0.0:1\"\nrequire_keys = false", &["require_keys", "loopback"]),
        ("listen = \"somewhere\"", &["listen", "127.0.0.1:8000"]),
        ("database_url = \"mysql://u:secret@h/d\"", &["database_url", "sqlite:PATH"]),
        ("database_url = \"postgres://u:secret@h/d?sslmode=maybe\"", &["database_url", "sslmode"]),
        ("[limits]\nconnections = 0", &["limits.connections"]),
        ("[limits]\nwal_segment = \"1KiB\"", &["limits.wal_segment"]),
        ("demo = false", &["providers"]),
        ("[aliases]\nx = \"nobody:x\"", &["aliases.x", "nobody"]),
        ("[selection]\ndefault = [\"nobody:x\"]", &["selection.default", "nobody"]),
        ("[log]\nfilter = \"info,=,\"", &["log.filter"]),
        (provider, &["base_url"]),
        (
            &format!("{provider}base_url = \"https://p.example\"\nauth = \"magic\""),
            &["provider", "magic", "bearer"],
        ),
        (
            &format!("{provider}base_url = \"https://p.example\"\nconcurrency = 0"),
            &["concurrency", "at least 1"],
        ),
        (
            &format!("{provider}base_url = \"https://p.example\"\nunsupported = \"maybe\""),
            &["line 5", "maybe"],
        ),
        (
            &format!("{provider}base_url = \"https://p.example\"\nupstream_stream = \"never\""),
            &["line 5", "never", "as_asked"],
        ),
        (
            &format!(
                "{provider}base_url = \"https://p.example\"\nmodels = [{{ name = \"a\" }}, {{ name = \"a\" }}]"
            ),
            &["twice"],
        ),
        (
            &format!(
                "{provider}base_url = \"https://p.example\"\nmodels = [{{ name = \"a\", prefill = \"yes\" }}]"
            ),
            &["line 5", "continue_final_message"],
        ),
        (
            &format!(
                "{provider}base_url = \"https://p.example\"\n\
                 models = [{{ name = \"a\", price = {{ input = -1, output = 1 }} }}]"
            ),
            &["price", "\"a\""],
        ),
        (&format!("{provider}base_url = \"no url\""), &["provider", "base_url"]),
        (&format!("{provider}base_url = \"http://p.example\""), &["provider", "https"]),
        (&format!("{provider}base_url = \"https://u:secret@p.example\""), &["provider", "password"]),
        (&format!("{provider}base_url = \"https://169.254.169.254/\"\nallow_private = true"), &["base_url"]),
        (&format!("{provider}base_url = \"https://p.example\"\napi_key_env = \"P_KEY\""), &["P_KEY"]),
        (&format!("{provider}base_url = \"https://p.example\"\napi_key_file = \"no-file\""), &["no-file"]),
        (&format!("{provider}base_url = \"https://p.example\"\napi_key = \"secret\""), &["api_key"]),
    ] {
        let err = failure(&check(folder.path(), config), 2);
        for part in said {
            assert!(err.contains(part), "{config:?} should say {part:?}: {err}");
        }
        assert!(!err.contains("u:secret@"), "{err}");
    }
    let err = failure(&run(folder.path(), &["config", "check", "--config", "nowhere.toml"]), 2);
    assert!(err.contains("nowhere.toml"), "{err}");
}

#[test]
fn a_good_file_is_0_by_option_by_environment_and_by_default() {
    let folder = tempfile::tempdir().unwrap();
    assert!(success(&run(folder.path(), &["config", "check"])).contains("demo"));
    let out = success(&check(folder.path(), "[aliases]\nx = \"demo:brisk\""));
    assert!(out.contains("valid") && out.contains("demo"), "{out}");
    let by_environment = |name: &str| {
        let mut command = command(folder.path(), &["config", "check"]);
        command.env("WORDHOARD_CONFIG", name).output().unwrap()
    };
    success(&by_environment("c.toml"));
    failure(&by_environment("nowhere.toml"), 2);
}

#[test]
fn what_is_shown_is_a_configuration_that_says_the_same_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "canary-of-the-file").unwrap();
    fs::write(folder.path().join("c.toml"), GOOD).unwrap();
    let show = |file: &str| {
        let mut command = command(folder.path(), &["config", "show", "--config", file]);
        command.env("THEIR_KEY", "canary-of-the-environment").env("OPENAI_API_KEY", "canary-of-openai");
        success(&command.output().unwrap())
    };
    let shown = show("c.toml");
    assert!(!shown.contains("canary"), "{shown}");
    fs::write(folder.path().join("shown.toml"), &shown).unwrap();
    success(&run(folder.path(), &["config", "check", "--config", "shown.toml"]));
    // All but the keys, which are not in it, comes out as it went in.
    let without_keys = |text: &str| -> String {
        text.lines()
            .filter(|line| !line.starts_with("# the key of "))
            .map(|line| format!("{line}\n"))
            .collect()
    };
    assert_eq!(without_keys(&show("shown.toml")), without_keys(&shown));
    for kept in [
        "relaxed",
        "1.5s",
        "bücher.example",
        "connections = 17",
        "3MiB",
        "2MiB",
        "1234567",
        "debug",
        "json",
        "b:c",
        "120s",
        "250ms",
        "3600s",
        "theirs.example",
        "with blank",
        "coding = []",
        "somewhere else",
    ] {
        assert!(shown.contains(kept), "{kept} is lost: {shown}");
    }
}
