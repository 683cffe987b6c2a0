//! TLS as libpq has it: each way to connect is tried by the real `psql` beside us, and both must agree.

mod certificates;

use std::path::Path;
use std::process::Command;

use certificates::Certificates;
use wordhoard_store::{PostgresStore, Store};
use wordhoard_testkit::postgres::Postgres;

use crate::story::LOG;

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// How a connection came about, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Encrypted,
    Plain,
    Refused,
}

/// A server whose certificate is for `localhost`.
struct TlsServer {
    server: Postgres,
    files: Certificates,
}

impl TlsServer {
    async fn start() -> Self {
        let server = Postgres::start().await;
        let data_dir = server.psql(&["-c", "SHOW data_directory"]).await;
        let files = Certificates::write_to(Path::new(data_dir.trim()));
        Self { server, files }
    }

    /// `ssl` on or off, and what `pg_hba.conf` says of the role `wordhoard` over TCP.
    async fn set(&self, ssl: &str, certificate: &str, access: &str) {
        let hba =
            format!("host all postgres all trust\n{access} all wordhoard all trust\nlocal all all trust\n");
        self.access(&hba).await;
        for (name, value) in [
            ("ssl_cert_file", format!("{certificate}.crt")),
            ("ssl_key_file", format!("{certificate}.key")),
            ("ssl_ca_file", "ca.crt".to_owned()),
            ("ssl", ssl.to_owned()),
        ] {
            self.server.psql(&["-c", &format!("ALTER SYSTEM SET {name} = '{value}'")]).await;
        }
        self.reload().await;
    }

    async fn access(&self, hba: &str) {
        let path = self.server.psql(&["-c", "SHOW hba_file"]).await;
        std::fs::write(path.trim(), hba).unwrap();
        self.reload().await;
    }

    /// Done when a new connection has the settings of the new file; the signal takes its time.
    async fn reload(&self) {
        let loaded = "SELECT pg_conf_load_time()";
        let before = self.server.psql(&["-c", loaded]).await;
        self.server.psql(&["-c", "SELECT pg_reload_conf()"]).await;
        while self.server.psql(&["-c", loaded]).await == before {}
        std::thread::sleep(std::time::Duration::from_millis(20));
    }

    fn url(&self, host: &str, query: &str) -> String {
        format!("postgres://wordhoard@{host}:{}/wordhoard?{query}", self.server.port())
    }

    fn by_psql(&self, url: &str) -> Outcome {
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let output = Command::new(self.server.bin_dir().join("psql"))
            .args(["-X", "-q", "-A", "-t", "-d", url, "-c", sql])
            .env_clear()
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        match String::from_utf8(output.stdout).unwrap().trim() {
            "t" => Outcome::Encrypted,
            "f" => Outcome::Plain,
            _ => Outcome::Refused,
        }
    }

    async fn by_us(&self, url: &str) -> Outcome {
        let Ok(store) = PostgresStore::new(url) else { return Outcome::Refused };
        // The schema is not made: a connection that works says so.
        let Err(wordhoard_store::Error::Unavailable(why)) = store.applied(LOG).await else {
            panic!("there is no such table");
        };
        if !why.contains("42P01") {
            return Outcome::Refused;
        }
        // What went wrong closed the connection; `weaknesses` makes another one and leaves it open.
        store.weaknesses().await.unwrap();
        let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'wordhoard'";
        let told = self.server.psql(&["-c", sql]).await;
        store.close().await;
        while !self.server.psql(&["-c", sql]).await.is_empty() {}
        match told.lines().last() {
            Some("t") => Outcome::Encrypted,
            Some("f") => Outcome::Plain,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn every_sslmode_accepts_and_refuses_what_psql_does() {
    let tls = TlsServer::start().await;
    let roots = [
        String::new(),
        tls.files.query("sslrootcert", "ca.crt"),
        tls.files.query("sslrootcert", "other-ca.crt"),
    ];
    let mut seen = Vec::new();
    for (ssl, access) in [("on", "host"), ("on", "hostssl"), ("on", "hostnossl"), ("off", "host")] {
        tls.set(ssl, "server", access).await;
        for host in ["localhost", "127.0.0.1"] {
            for mode in MODES {
                for root in &roots {
                    let url = tls.url(host, &format!("sslmode={mode}{root}"));
                    let (theirs, ours) = (tls.by_psql(&url), tls.by_us(&url).await);
                    assert_eq!(ours, theirs, "ssl {ssl}, {access}: {url}");
                    seen.push(ours);
                }
            }
        }
    }
    for outcome in [Outcome::Encrypted, Outcome::Plain, Outcome::Refused] {
        assert!(seen.contains(&outcome), "{outcome:?} never came about");
    }
}

#[tokio::test]
async fn a_certificate_that_signs_itself_is_its_own_root() {
    let tls = TlsServer::start().await;
    tls.set("on", "self", "hostssl").await;
    let root = tls.files.query("sslrootcert", "self.crt");
    for (host, mode, expected) in [
        ("localhost", "verify-full", Outcome::Encrypted),
        ("127.0.0.1", "verify-ca", Outcome::Encrypted),
        ("127.0.0.1", "verify-full", Outcome::Refused),
    ] {
        let url = tls.url(host, &format!("sslmode={mode}{root}"));
        assert_eq!((tls.by_psql(&url), tls.by_us(&url).await), (expected, expected), "{host} {mode}");
    }
    // No public authority has signed it.
    let system = tls.url("localhost", "sslmode=verify-full&sslrootcert=system");
    assert_eq!(tls.by_us(&system).await, Outcome::Refused);
    assert!(PostgresStore::new(&tls.url("localhost", "sslmode=require&sslrootcert=system")).is_err());
}

#[tokio::test]
async fn passwords_are_bound_to_the_channel_and_certificates_of_clients_are_shown() {
    let tls = TlsServer::start().await;
    tls.set("on", "server", "hostssl").await;
    tls.server.psql(&["-c", "ALTER ROLE wordhoard PASSWORD 'geheim'"]).await;
    let root = tls.files.query("sslrootcert", "ca.crt");
    let with = |password: &str, query: &str| {
        tls.url("localhost", &format!("sslmode=verify-full{root}{query}"))
            .replace("wordhoard@", &format!("wordhoard:{password}@"))
    };
    tls.access("host all postgres all trust\nhostssl all wordhoard all scram-sha-256\n").await;
    for (password, binding, expected) in [
        ("geheim", "require", Outcome::Encrypted),
        ("geheim", "disable", Outcome::Encrypted),
        ("falsch", "require", Outcome::Refused),
    ] {
        let url = with(password, &format!("&channel_binding={binding}"));
        assert_eq!((tls.by_psql(&url), tls.by_us(&url).await), (expected, expected), "{password} {binding}");
    }
    let wrong = PostgresStore::new(&with("falsch", "")).unwrap().applied(LOG).await.unwrap_err().to_string();
    assert!(wrong.contains("password authentication failed") && !wrong.contains("falsch"), "{wrong}");

    tls.access("host all postgres all trust\nhostssl all wordhoard all cert\n").await;
    for (client, expected) in [("client", Outcome::Encrypted), ("other-client", Outcome::Refused)] {
        let (cert, key) = (
            tls.files.query("sslcert", &format!("{client}.crt")),
            tls.files.query("sslkey", &format!("{client}.key")),
        );
        let url = with("", &format!("{cert}{key}"));
        assert_eq!((tls.by_psql(&url), tls.by_us(&url).await), (expected, expected), "{client}");
    }
}
