use std::time::Duration;

use wordhoard_testkit::client::Next;
use wordhoard_testkit::provider::expected_tokens;

use super::scene::{PROMPT, Scene};

/// A crash in the middle of an answer: the lane goes on behind what was recorded, where its model can.
#[tokio::test]
async fn an_answer_that_a_crash_interrupted_goes_on_behind_its_last_token() {
    let model = "seq:slow-tokens-60-40|prefill-60";
    let Scene { primary, backup, home, server } =
        Scene::new(&format!("{{ name = {model:?}, prefill = true }}"), "", "ok-60");
    let client = server.client();
    let id = client.submit(PROMPT, &[&format!("primary:{model}")]).await.unwrap();
    let mut stream = client.follow(&id, None).await.unwrap();
    let mut seen = 0;
    while seen < 20 {
        match stream.next().await.unwrap() {
            Next::Event(event) => seen += usize::from(event.name == "token"),
            other => panic!("{other:?}"),
        }
    }
    server.kill_9().unwrap();
    let server = home.start().unwrap();
    let whole = server.client().wait_for_end(&id).await.unwrap();
    assert_eq!(whole["status"], "completed", "{whole:#}");
    assert_eq!(whole["lanes"][0]["text"], expected_tokens("ok-60", PROMPT).concat());
    let attempts = whole["lanes"][0]["attempts"].as_array().unwrap();
    assert_eq!((&attempts[0]["status"], attempts.len()), (&"interrupted".into(), 2), "{whole:#}");
    let recorded = attempts[0]["token_count"].as_u64().unwrap();
    assert!(recorded >= 20, "nothing that was seen is lost");
    assert_eq!(attempts[1]["continues"]["token_index"], recorded - 1);
    assert_eq!(attempts[1]["token_count"], 60 - recorded);
    assert_eq!((primary.calls().len(), backup.calls().len()), (2, 0));
}

/// A crash in the pause before another try: the lane is not over, and the try is made.
#[tokio::test]
async fn a_lane_that_a_crash_caught_between_two_tries_makes_the_second() {
    let Scene { primary, backup, home, server } = Scene::alone();
    let client = server.client();
    let id = client.submit(PROMPT, &["primary:seq:status-429-retry-3|ok-60"]).await.unwrap();
    let mut stream = client.follow(&id, None).await.unwrap();
    loop {
        match stream.next().await.unwrap() {
            Next::Event(event) if event.name == "attempt.finished" => break,
            Next::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    server.kill_9().unwrap();
    let server = home.start().unwrap();
    let whole = server.client().wait_for_end(&id).await.unwrap();
    assert_eq!(whole["status"], "completed", "{whole:#}");
    assert_eq!(whole["lanes"][0]["attempts"].as_array().unwrap().len(), 2);
    let calls = primary.calls();
    assert_eq!((calls.len(), backup.calls().len()), (2, 0));
    assert!(calls[1].at - calls[0].at >= Duration::from_secs(3), "the wait holds across the crash");
}
