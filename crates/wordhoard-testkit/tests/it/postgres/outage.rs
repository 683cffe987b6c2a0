use super::*;

#[tokio::test]
async fn a_frozen_server_hangs_and_goes_on_when_thawed() {
    let postgres = Postgres::start().await;
    let user = with_table(&postgres).await;
    postgres.freeze();
    let insert = user.batch_execute("INSERT INTO t VALUES (1)");
    tokio::pin!(insert);
    assert!(timeout(SHORT, &mut insert).await.is_err());
    assert!(timeout(SHORT, Postgres::connect(&postgres.url())).await.is_err());
    postgres.thaw();
    timeout(LONG, insert).await.unwrap().unwrap();
    assert_eq!(rows(&postgres).await, 1);
}

#[tokio::test]
async fn a_read_only_server_refuses_writes_until_it_is_so_no_more() {
    let postgres = Postgres::start().await;
    let old = with_table(&postgres).await;
    postgres.read_only(true).await;
    timeout(LONG, async { while old.batch_execute("SELECT 1").await.is_ok() {} }).await.unwrap();
    let user = Postgres::connect(&postgres.url()).await.unwrap();
    assert_eq!(refusal(&user, "INSERT INTO t VALUES (1)").await, "25006");
    postgres.client().await.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    postgres.read_only(false).await;
    let user = Postgres::connect(&postgres.url()).await.unwrap();
    user.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    assert_eq!(rows(&postgres).await, 2);
}

#[tokio::test]
async fn exhausted_connections_are_refused_and_come_back() {
    let postgres = Postgres::start().await;
    let user = Postgres::connect(&postgres.url()).await.unwrap();
    let held = postgres.exhaust_connections().await;
    assert_eq!(held.count(), 26);
    let error = Postgres::connect(&postgres.url()).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "53300");
    user.batch_execute("SELECT 1").await.unwrap();
    postgres.client().await.batch_execute("SELECT 1").await.unwrap();
    drop(held);
    let free = async { while Postgres::connect(&postgres.url()).await.is_err() {} };
    timeout(LONG, free).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_rows_until_there_is_space() {
    let postgres = Postgres::builder().data_on_tmpfs(96 << 20).start().await;
    let user = with_table(&postgres).await;
    let insert = "INSERT INTO t SELECT generate_series(1, 100000)";
    user.batch_execute(insert).await.unwrap();
    postgres.fill_disk();
    for _ in 0..20 {
        assert_eq!(refusal(&user, insert).await, "53100");
    }
    assert_eq!(rows(&postgres).await, 100_000);
    postgres.free_disk();
    user.batch_execute(insert).await.unwrap();
    assert_eq!(rows(&postgres).await, 200_000);
}
