use super::*;

fn parse(pieces: &[&[u8]]) -> Result<Vec<Event>, Error> {
    let mut parser = Parser::new(100);
    let mut events = Vec::new();
    for piece in pieces {
        parser.feed(piece);
        while let Some(event) = parser.next_event()? {
            events.push(event);
        }
    }
    Ok(events)
}

fn data_of(stream: &str) -> Vec<String> {
    let events = parse(&[stream.as_bytes()]).unwrap();
    events.into_iter().map(|event| event.data).collect()
}

#[test]
fn fields_lines_and_comments_are_read_as_the_standard_says() {
    assert_eq!(data_of("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
    assert_eq!(data_of("data:test\n\ndata:  test\n\n"), ["test", " test"]);
    assert_eq!(data_of("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(data_of(": data: x\n\n:\n\ndata: y\n\n"), ["y"]);
    assert_eq!(data_of("retry: 5\nfoo: bar\nevent: x\n\ndata: y\n\n"), ["y"]);
    assert_eq!(data_of("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    let named = parse(&[b"event: tick\nid: 7\ndata: x\n\nid: a\0b\nevent:\ndata: y\n\n"]).unwrap();
    assert_eq!((named[0].event.as_deref(), named[0].id.as_deref()), (Some("tick"), Some("7")));
    assert_eq!((&named[1].event, &named[1].id), (&None, &None));
}

#[test]
fn an_event_is_given_as_soon_as_its_blank_line_ends_in_a_lone_cr() {
    assert_eq!(parse(&[b"data: a\r\r"]).unwrap().len(), 1);
    assert_eq!(parse(&[b"data: a\r\n\r", b"\ndata: b\r\n\r\n"]).unwrap().len(), 2);
}

#[test]
fn every_split_and_every_line_end_gives_the_same_events() {
    let stream = "\u{feff}: hi\nevent: e\ndata: 🦀ä\ndata: \n\nid: 1\ndata: b\n\n";
    for end in ["\n", "\r\n", "\r"] {
        let stream = stream.replace('\n', end);
        let whole = parse(&[stream.as_bytes()]).unwrap();
        assert_eq!(whole.len(), 2);
        for a in 0..stream.len() {
            for b in a..stream.len() {
                let bytes = stream.as_bytes();
                let split = parse(&[&bytes[..a], &bytes[a..b], &bytes[b..]]).unwrap();
                assert_eq!(split, whole, "split at {a} and {b}, line end {end:?}");
            }
        }
    }
}

#[test]
fn an_unfinished_event_is_given_only_on_demand() {
    for stream in ["data: a\n\ndata: [DONE]", "data: a\n\ndata: [DONE]\n", "data: a\n\ndata: [DONE]\r"] {
        let mut parser = Parser::new(100);
        parser.feed(stream.as_bytes());
        assert_eq!(parser.next_event().unwrap().unwrap().data, "a");
        assert_eq!(parser.next_event(), Ok(None));
        assert_eq!(parser.take_unfinished().unwrap().unwrap().data, "[DONE]", "{stream:?}");
        assert_eq!(parser.take_unfinished(), Ok(None));
    }
}

#[test]
fn lines_and_events_over_the_limit_are_refused_for_good() {
    let too_large = Err(Error::TooLarge { max_event_bytes: 100 });
    assert_eq!(parse(&[&[b'x'; 101]]), too_large);
    let lines = format!("data: {}\n", "y".repeat(40)).repeat(3);
    assert_eq!(parse(&[lines.as_bytes(), b"\n"]), too_large);
    let comments = format!(": {}\n", "y".repeat(90)).repeat(30);
    assert_eq!(parse(&[comments.as_bytes()]), Ok(vec![]));
    let mut parser = Parser::new(100);
    parser.feed(&[b'x'; 101]);
    assert_eq!(parser.next_event(), too_large.map(|_: Vec<Event>| None));
    parser.feed(b"\n\ndata: a\n\n");
    assert!(parser.next_event().is_err());
}

#[test]
fn invalid_utf_8_is_refused_not_replaced() {
    assert_eq!(parse(&[b"data: a\xff\n\n"]), Err(Error::InvalidUtf8));
    assert_eq!(parse(&[b"data: \xf0\x9f", b"\n\n"]), Err(Error::InvalidUtf8));
    assert_eq!(parse(&[b": \xff\n\ndata: a\n\n"]).unwrap().len(), 1);
}

#[test]
fn a_large_event_in_tiny_pieces_takes_linear_time() {
    let mut parser = Parser::new(10_000_000);
    parser.feed(b"data: ");
    let started = std::time::Instant::now();
    for _ in 0..4_000_000 {
        parser.feed(b"x");
        assert_eq!(parser.next_event(), Ok(None));
    }
    // Linear takes a fraction of a second; quadratic would take an hour.
    assert!(started.elapsed().as_secs() < 20);
}
