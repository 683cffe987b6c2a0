use proptest::prelude::*;
use wordhoard_record::{Coder, Reader};

/// Name, data, and the texts of its tokens.
type Event = (String, String, Vec<String>);

/// Codes events in frames of so many, reads them back, and gives how many bytes they took without the texts.
fn told_again(events: &[Event], frame: usize) -> (Vec<(String, String, u64)>, usize) {
    let (mut coder, mut reader) = (Coder::default(), Reader::default());
    let (mut told, mut bytes) = (Vec::new(), 0);
    for events in events.chunks(frame) {
        for (name, data, texts) in events {
            coder.code(name, data, &texts.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let mut coded = Vec::new();
        coder.take(&mut coded);
        bytes += coded.len();
        let texts = events.iter().flat_map(|(.., texts)| texts).map(String::as_str);
        let tell = |event: wordhoard_record::ProviderEvent<'_>| {
            told.push((event.name.to_owned(), event.data.to_owned(), event.token_count));
        };
        reader.read(&coded, texts, tell).unwrap();
    }
    (told, bytes)
}

fn assert_told_again(events: &[Event], frame: usize) -> usize {
    let (told, bytes) = told_again(events, frame);
    let expected: Vec<_> =
        events.iter().map(|(name, data, texts)| (name.clone(), data.clone(), texts.len() as u64)).collect();
    assert_eq!(told, expected);
    bytes
}

fn event() -> impl Strategy<Value = Event> {
    let text = prop_oneof!["[a-z ]{0,9}", "\\PC{0,9}", Just("\"\\\n".to_owned())];
    let fields = (text, 0..99_u32, "[A-Za-z0-9]{0,30}", any::<bool>());
    let like = fields.prop_map(|(text, number, padding, has_more)| {
        let quoted = serde_json::to_string(&text).unwrap();
        let more = if has_more { ",\"usage\":null" } else { "" };
        let data = format!(
            "{{\"id\":\"chatcmpl-1\",\"number\":{number},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{quoted}}},\
             \"finish_reason\":null}}]{more},\"obfuscation\":\"{padding}\"}}"
        );
        (String::new(), data, vec![text])
    });
    let other = ("[a-z.]{0,12}", "\\PC{0,40}", prop::collection::vec("\\PC{0,9}", 0..3));
    prop_oneof![4 => like, 1 => other]
}

proptest! {
    #[test]
    fn events_are_told_again_byte_for_byte(events in prop::collection::vec(event(), 1..40), frame in 1..9_usize) {
        assert_told_again(&events, frame);
    }

    #[test]
    fn any_bytes_are_events_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Reader::default().read(&bytes, ["a", "bc"].into_iter(), |_| ());
    }
}

fn chunk(number: u32, text: &str, padding: &str) -> Event {
    let data = format!(
        "{{\"id\":\"chatcmpl-AbCdEf\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":\"gpt\",\
         \"seq\":{number},\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{}}},\"finish_reason\":null}}],\
         \"obfuscation\":\"{padding}\"}}",
        serde_json::to_string(text).unwrap()
    );
    (String::new(), data, vec![text.to_owned()])
}

#[test]
fn an_event_that_differs_in_its_text_alone_costs_a_few_bytes_and_its_text_stands_once() {
    let texts = [" fox", " far", " jumps", "", " over", " over", " a"];
    let first = assert_told_again(&[chunk(1, " the", "x")], 1);
    let events: Vec<Event> = std::iter::once(" the").chain(texts).map(|text| chunk(1, text, "x")).collect();
    let bytes = assert_told_again(&events, 1) - first;
    assert!(bytes <= 8 * texts.len(), "{bytes} bytes for {} events", texts.len());
}

#[test]
fn several_places_that_change_are_told_apart() {
    let paddings = ["aB3", "kkWq81", "Zz", "00a", "uvwxyz", "A"];
    let event =
        |(number, padding): (u32, &&str)| chunk(number, [" fox", " jumps"][number as usize % 2], padding);
    let events: Vec<Event> = (1..).zip(&paddings).map(event).collect();
    let first = assert_told_again(&events[..1], 1);
    let bytes = assert_told_again(&events, 1) - first;
    let changed: usize = paddings[1..].iter().map(|padding| padding.len() + 1).sum();
    assert!(bytes <= changed + 16 * (paddings.len() - 1), "{bytes} bytes, of which {changed} are new");
}

#[test]
fn an_event_beyond_the_limit_of_bases_is_nobodys_base() {
    let huge = "x".repeat(2 << 20);
    let events: Vec<Event> =
        ["{}", &huge, &huge, "{}", "{}"].map(|data| ("image".to_owned(), data.to_owned(), Vec::new())).into();
    let bytes = assert_told_again(&events, 2);
    assert!(bytes > 2 * huge.len());
}

#[test]
fn a_reader_that_begins_in_the_midst_says_so() {
    let mut coder = Coder::default();
    let mut coded = Vec::new();
    coder.code("", "{\"a\":1}", &[]);
    coder.take(&mut coded);
    coded.clear();
    coder.code("", "{\"a\":2}", &[]);
    coder.take(&mut coded);
    assert!(Reader::default().read(&coded, std::iter::empty(), |_| ()).is_err());
}

/// The recordings of the dialects: what providers really send.
#[test]
fn every_recorded_stream_is_told_again_in_any_frames() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wordhoard-wire/tests/fixtures");
    let (mut streams, mut sent, mut kept) = (0, 0, 0);
    for dialect in std::fs::read_dir(fixtures).unwrap() {
        for file in std::fs::read_dir(dialect.unwrap().path()).into_iter().flatten() {
            let path = file.unwrap().path();
            let recorded = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let events: Vec<Event> = recorded
                .split("\n\n")
                .filter_map(|block| {
                    let field = |name: &str| {
                        block
                            .lines()
                            .find_map(|line| line.strip_prefix(name))
                            .map(|value| value.trim_start().to_owned())
                    };
                    Some((field("event:").unwrap_or_default(), field("data:")?, Vec::new()))
                })
                .collect();
            if events.len() < 2 {
                continue;
            }
            streams += 1;
            sent += events.iter().map(|(name, data, _)| name.len() + data.len()).sum::<usize>();
            kept += assert_told_again(&events, 1);
            assert_told_again(&events, 7);
        }
    }
    println!("{streams} streams: {kept} bytes for {sent}");
    assert!(streams > 100 && kept < sent, "{streams} streams: {kept} bytes for {sent}");
}
