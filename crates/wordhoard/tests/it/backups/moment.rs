//! Restoring to a moment ends exactly there.

use wordhoard_model::Timestamp;

use crate::backups::site::{Site, applied, backup, load, stop};
use crate::database::Database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_of_sqlite_is_reached_exactly() {
    reach(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moment_of_postgresql_is_reached_exactly() {
    reach(Database::postgres().await).await;
}

async fn reach(database: Database) {
    let site = Site::new(database).await;
    let (server, client) = site.start();
    let name = backup(&client).await;
    let before = load(&client, 2, 20).await;
    let running = load(&client, 4, 200).await;
    load(&client, 2, 20).await;
    applied(&client).await;
    stop(server);
    // A moment in the middle of the requests that ran.
    let middle = &running[0].ledger.seen[150];
    let moment: Timestamp = middle.data["ts"].as_str().unwrap().parse().unwrap();
    site.run(&["restore", &name, "--to", &moment.to_string()]);

    let (server, client) = site.start();
    for one in before.iter().chain(&running) {
        let is_of_then = |event: &&wordhoard_testkit::client::SeenEvent| {
            event.data["ts"].as_str().unwrap().parse::<Timestamp>().unwrap() <= moment
        };
        let expected: Vec<_> = one.ledger.seen.iter().take_while(is_of_then).cloned().collect();
        let found = client.read_to_end(&one.id, None).await.unwrap();
        assert_eq!(found[..expected.len()], expected, "{}", one.id);
        // What ran then was interrupted, and says so; it does not call anybody today.
        let further: Vec<_> = found[expected.len()..].iter().map(|event| event.name.as_str()).collect();
        assert!(further.iter().all(|name| name.ends_with(".finished")), "{further:?}");
        assert_eq!(found.last().unwrap().name, "request.finished");
    }
    let later = before.len() + running.len();
    assert_eq!(crate::backups::site::count(&client).await, later, "what came later is not there");

    // What is taken in from now on is of the new time. A later restore has it, and nothing of the time left behind.
    let after = load(&client, 2, 20).await;
    let expected = crate::backups::site::count(&client).await;
    applied(&client).await;
    stop(server);
    site.run(&["restore", &name]);
    let (server, client) = site.start();
    assert_eq!(crate::backups::site::count(&client).await, expected);
    for one in &after {
        one.ledger.check_stream(&client, &one.id).await;
    }
    stop(server);
    site.check();
}
