use std::time::Duration;

use wordhoard_testkit::server::ServerHome;

use super::{failure, run, success};
use crate::EXE;

#[test]
fn health_tells_by_its_exit_code_whether_a_server_is_there() {
    let home = ServerHome::new(EXE, "").unwrap();
    let mut server = home.start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ask = |more: &[&str]| run(folder.path(), &[&["health", "--url", server.base_url()], more].concat());
    assert_eq!(success(&ask(&[])), "alive\n");
    assert_eq!(success(&ask(&["--ready"])), "ready\n");
    let url = server.base_url().to_owned();
    server.terminate().unwrap();
    server.wait(Duration::from_secs(30)).unwrap();
    let gone = failure(&run(folder.path(), &["health", "--url", &url, "--ready"]), 1);
    assert!(gone.contains("no answer from"), "{gone}");
    let nowhere = failure(&run(folder.path(), &["health", "--url", "nowhere"]), 1);
    assert!(nowhere.contains("nowhere"), "{nowhere}");
}

#[test]
fn health_asks_where_the_configuration_listens() {
    let folder = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = failure(&run(folder.path(), &["health", "--listen", &closed.to_string()]), 1);
    assert!(gone.contains(&closed.to_string()), "{gone}");
    std::fs::write(folder.path().join("bad.toml"), "no = 1").unwrap();
    failure(&run(folder.path(), &["health", "--config", "bad.toml"]), 2);
}
