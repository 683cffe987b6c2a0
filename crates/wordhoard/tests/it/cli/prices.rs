use std::time::{Duration, Instant};

use wordhoard_testkit::server::ServerHome;

use super::{failure, run, success};
use crate::EXE;

const FILE: &str = "[[price]]\nmodels = [\"gpt-4o\", \"house-model\"]\ninput = 1.0\noutput = 2.0\n";

#[test]
fn prices_are_shown_compared_and_put_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let prices = |arguments: &[&str]| run(folder.path(), &[&["prices"], arguments].concat());
    std::fs::write(folder.path().join("new.toml"), FILE).unwrap();
    assert!(
        success(&prices(&["show", "gpt-4o"])).starts_with("gpt-4o: input 2.5 cached_input 1.25 output 10")
    );
    assert_eq!(success(&prices(&["show", "house-model"])), "house-model: no price is known\n");
    let check = prices(&["check", "new.toml"]);
    assert_eq!(check.status.code(), Some(1), "what differs is told by the exit code");
    assert!(String::from_utf8_lossy(&check.stdout).contains("+ house-model: input 1 output 2"));
    assert!(success(&prices(&["update", "new.toml"])).contains("+ gpt-4o: input 1 output 2"));
    assert_eq!(success(&prices(&["show", "gpt-4o"])), "gpt-4o: input 1 output 2\n");
    assert_eq!(success(&prices(&["check", "new.toml"])), "");
    // The whole table is a file that can be put in place again.
    let table = success(&prices(&["show", "--toml"]));
    std::fs::write(folder.path().join("all.toml"), table).unwrap();
    success(&prices(&["update", "all.toml"]));
    for wrong in ["cached_imput = 1.0", "audio_input = -1.0"] {
        std::fs::write(folder.path().join("bad.toml"), format!("{FILE}{wrong}\n")).unwrap();
        let told = failure(&prices(&["update", "bad.toml"]), 1);
        assert!(told.contains("bad.toml") && told.contains("gpt-4o"), "{told}");
    }
    assert_eq!(
        success(&prices(&["show", "gpt-4o"])),
        "gpt-4o: input 1 output 2\n",
        "a bad file changes nothing"
    );
}

#[test]
fn a_running_server_takes_an_update_over() {
    let home = ServerHome::new(EXE, "").unwrap();
    let server = home.start().unwrap();
    std::fs::write(home.data_dir().join("new.toml"), FILE).unwrap();
    let config = home.config_path();
    let update = ["prices", "update", "new.toml", "--config", config.to_str().unwrap()];
    success(&run(&home.data_dir(), &update));
    let until = Instant::now() + Duration::from_secs(10);
    while !server.log().unwrap().iter().any(|line| line["message"] == "prices were taken over") {
        assert!(Instant::now() < until, "{:#?}", server.log().unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
}
