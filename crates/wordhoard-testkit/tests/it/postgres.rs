use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;
use wordhoard_testkit::postgres::Postgres;

mod outage;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

/// The plain role with a table `t (n int)`.
async fn with_table(postgres: &Postgres) -> Client {
    let user = Postgres::connect(&postgres.url()).await.unwrap();
    user.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    user
}

async fn rows(postgres: &Postgres) -> i64 {
    let client = Postgres::connect(&postgres.url()).await.unwrap();
    client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0)
}

/// The SQLSTATE of what must fail.
async fn refusal(client: &Client, sql: &str) -> String {
    client.batch_execute(sql).await.unwrap_err().code().unwrap().code().to_owned()
}

#[tokio::test]
async fn the_plain_role_owns_its_databases_and_the_test_is_the_superuser() {
    let postgres = Postgres::builder().setting("work_mem", "1234kB").start().await;
    let other = postgres.create_database("other").await;
    for url in [postgres.url(), postgres.socket_url(), other] {
        let user = Postgres::connect(&url).await.unwrap();
        user.batch_execute("CREATE TABLE t (n int); DROP TABLE t").await.unwrap();
        assert_eq!(refusal(&user, "CREATE ROLE more").await, "42501", "{url}");
    }
    postgres.client().await.batch_execute("CREATE ROLE more").await.unwrap();
    assert_eq!(postgres.psql(&["-c", "SHOW work_mem", "-c", "SHOW fsync"]).await, "1234kB\non\n");
}

#[tokio::test]
async fn rows_are_there_after_stop_and_start_again() {
    let postgres = Postgres::start().await;
    let user = with_table(&postgres).await;
    user.batch_execute("INSERT INTO t VALUES (1), (2)").await.unwrap();
    let url = postgres.url();
    postgres.stop().await;
    assert!(postgres.processes().is_empty());
    assert!(Postgres::connect(&url).await.is_err());
    assert!(user.batch_execute("SELECT 1").await.is_err());
    postgres.start_again().await;
    assert_eq!(postgres.url(), url);
    assert_eq!(rows(&postgres).await, 2);
}

#[tokio::test]
async fn rows_are_recovered_after_a_kill_and_an_open_transaction_is_not() {
    let postgres = Postgres::start().await;
    let user = with_table(&postgres).await;
    user.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    user.batch_execute("BEGIN; INSERT INTO t VALUES (2)").await.unwrap();
    for _ in 0..2 {
        let processes = postgres.processes();
        assert!(processes.len() > 4, "{processes:?}");
        postgres.kill();
        assert!(processes.iter().all(|pid| !runs(*pid)));
        postgres.start_again().await;
        assert_eq!(rows(&postgres).await, 1);
    }
}

#[tokio::test]
async fn nothing_is_left_after_drop() {
    for frozen in [false, true] {
        let postgres = Postgres::builder().data_on_tmpfs(96 << 20).start().await;
        let data_dir = postgres.psql(&["-c", "SHOW data_directory"]).await.trim().to_owned();
        let processes = postgres.processes();
        if frozen {
            postgres.freeze();
        }
        drop(postgres);
        assert!(processes.len() > 4 && processes.iter().all(|pid| !runs(*pid)), "{processes:?}");
        assert_cleared(&data_dir);
    }
}

/// Ends as a test does that is killed. Only run by the test below, in a process of its own.
#[tokio::test]
#[ignore = "kills its own process"]
async fn killed_with_a_frozen_cluster() {
    let postgres = Postgres::builder().data_on_tmpfs(96 << 20).start().await;
    let data_dir = postgres.psql(&["-c", "SHOW data_directory"]).await;
    let processes = postgres.processes();
    postgres.freeze();
    println!("\nleft: {processes:?} {data_dir}");
    Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
}

#[tokio::test]
async fn nothing_is_left_after_a_test_that_was_killed() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "--nocapture", "postgres::killed_with_a_frozen_cluster"]);
    let said = String::from_utf8(test.output().unwrap().stdout).unwrap();
    let left = said.lines().find_map(|line| line.strip_prefix("left: [")).unwrap();
    let (processes, data_dir) = left.split_once("] ").unwrap();
    let processes: Vec<i32> = processes.split(", ").map(|pid| pid.parse().unwrap()).collect();
    assert!(processes.len() > 4, "{said}");
    let gone = async {
        while processes.iter().any(|pid| runs(*pid)) || Path::new(data_dir).parent().unwrap().exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, gone).await.unwrap();
    assert_cleared(data_dir);
}

fn assert_cleared(data_dir: &str) {
    assert!(!Path::new(data_dir).parent().unwrap().exists());
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(data_dir), "{mounts}");
}

/// Whether a process of that id does anything still; one that nobody has reaped does not.
fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
