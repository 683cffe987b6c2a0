use super::*;

fn config(toml: &str, environment: &Environment) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wordhoard.toml");
    std::fs::write(&path, toml).unwrap();
    super::super::load(Some(&path), environment, &Overrides::default()).map_err(|error| error.to_string())
}

#[test]
fn without_any_configuration_the_demo_serves_loopback() {
    let config = super::super::load(None, &Environment::default(), &Overrides::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.database, DatabaseConfig::Sqlite("data/wordhoard.db".into()));
    let names: Vec<_> = config.providers.iter().map(|provider| provider.name.as_str()).collect();
    assert_eq!(names, ["demo"]);
}

#[test]
fn a_key_in_the_environment_makes_its_provider_active_and_is_never_shown() {
    let environment = Environment::from([("OPENAI_API_KEY", "sk-canary-1234567890")]);
    let config = config("demo = false", &environment).unwrap();
    assert_eq!(config.providers.len(), 1);
    assert_eq!(config.selection.default[0].model.to_string(), "openai:gpt-4o-mini");
    assert!(!format!("{config:?}").contains("canary"));
    assert!(!super::super::show(&config).contains("canary"));
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let environment =
        Environment::from([("DATABASE_URL", "sqlite:/e.db"), ("WAL_MAX_SIZE_BYTES", "2097152")]);
    let from_environment =
        config("database_url = \"sqlite:/f.db\"\n[limits]\nwal_segment = \"5MiB\"", &environment);
    let from_environment = from_environment.unwrap();
    assert_eq!(from_environment.database, DatabaseConfig::Sqlite("/e.db".into()));
    assert_eq!(from_environment.limits.wal_segment_bytes, 2 << 20);
    let overrides = Overrides { database_url: Some("sqlite:/c.db".into()), ..Overrides::default() };
    let from_command_line = super::super::load(None, &environment, &overrides).unwrap();
    assert_eq!(from_command_line.database, DatabaseConfig::Sqlite("/c.db".into()));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let told = |toml: &str| config(toml, &Environment::default()).unwrap_err();
    for (toml, part) in [
        ("\nlisten_on = 1", "line 2"),
        ("listen = 1", "line 1"),
        ("listen = \"here\"", "such as 127.0.0.1:8000"),
        ("advertised_url = \"10.0.0.5:8000\"", "http://10.0.0.5:8000"),
        ("listen = \"0.0.0.0:80\"\nrequire_keys = false", "always required"),
        ("database_url = \"mysql://u:secret@h/d\"", "sqlite:PATH"),
        ("drain_timeout = \"soon\"", "\"250ms\""),
        ("limits = { body = 0 }", "limits.body"),
        ("[aliases]\nfast = \"openai:x\"", "aliases.fast"),
        ("[[providers]]\nname = \"x\"\ndialect = \"latin\"", "line 3"),
        ("[[providers]]\nname = \"x\"\ndialect = \"openai\"", "base_url"),
        (
            "[[providers]]\nname = \"x\"\ndialect = \"openai\"\nbase_url = \"u\"\napi_key_env = \"NO_KEY\"",
            "NO_KEY",
        ),
        ("[[providers]]\nname = \"X\"\ndialect = \"openai\"", "no provider name"),
        ("[[providers]]\nname = \"x\"\ndialect = \"demo\"", "named \"demo\""),
    ] {
        let error = told(toml);
        assert!(error.contains(part), "{toml:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
