use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use wordhoard_testkit::client::Client;
use wordhoard_testkit::server::ServerHome;

use super::{ADMIN_KEY, make_key};
use crate::EXE;

fn serve(home: &ServerHome) -> Command {
    let mut command = Command::new(EXE);
    command.arg("serve").arg("--config").arg(home.config_path()).args(["--listen", "0.0.0.0:0"]);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn without_any_key_a_server_that_others_can_reach_does_not_start() {
    let home = ServerHome::new(EXE, "").unwrap();
    let refused = serve(&home).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "a supervisor shall not try again");
    let said = String::from_utf8(refused.stderr).unwrap();
    for part in ["0.0.0.0:0", "wordhoard keys create --scope admin", "WORDHOARD_ADMIN_KEY", "32 characters"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!home.data_dir().join("tokens.wal").exists(), "nothing was begun");
}

/// Kills the server when the test ends, however it does.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn starts_and_asks_for_keys(mut command: Command, home: &ServerHome, key: &str) {
    let log = home.config_path().with_file_name("beyond.log");
    let process = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let _server = Killed(process);
    let mut port = None;
    for _ in 0..1_000 {
        let said = std::fs::read_to_string(&log).unwrap();
        let ready = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let url = ready
            .filter(|line| line["message"] == "ready")
            .find_map(|line| line["url"].as_str().map(str::to_owned));
        if let Some(url) = url {
            port = url.rsplit_once(':').map(|(_, port)| port.to_owned());
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let client = Client::new(&format!("http://127.0.0.1:{}", port.expect("it did not start")));
    assert_eq!(client.get("/livez").await.unwrap().status, 200);
    assert_eq!(client.get("/api/llm/requests").await.unwrap().status, 401);
    let keyed = client.with_key(key).unwrap();
    assert_eq!(keyed.get("/api/llm/requests").await.unwrap().status, 200);
}

#[tokio::test]
async fn with_a_key_of_the_database_or_of_the_environment_it_starts_and_asks_for_it() {
    let home = ServerHome::new(EXE, "").unwrap();
    let mut by_environment = serve(&home);
    by_environment.env("WORDHOARD_ADMIN_KEY", ADMIN_KEY);
    starts_and_asks_for_keys(by_environment, &home, ADMIN_KEY).await;
    let key = make_key(&home, "admin");
    starts_and_asks_for_keys(serve(&home), &home, &key).await;
}
