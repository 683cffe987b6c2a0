//! Any bytes as a frame, as coded events, and as records in parts: an error, or something that is told without a panic. And
//! any events are told again as they were.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wordhoard_record::{Coder, Frame, Joiner, Reader};

fuzz_target!(|input: &[u8]| {
    let Some((mode, rest)) = input.split_first() else { return };
    match mode % 4 {
        0 => {
            if let Ok(frame) = Frame::decode(rest) {
                assert_eq!(frame.pieces().count() as u64, frame.token_count());
                let texts = frame.pieces().map(|piece| piece.text);
                let _ = Reader::default().read(frame.events().unwrap_or_default(), texts, |_| ());
            }
        }
        1 => {
            let _ = Reader::default().read(rest, ["a", "bc"].into_iter(), |_| ());
        }
        2 => tell_again(&String::from_utf8_lossy(rest)),
        _ => {
            let mut joiner = Joiner::default();
            for record in rest.split(|byte| *byte == 0xff) {
                if let [kind, version, payload @ ..] = record {
                    let _ = joiner.take(*kind, *version, payload);
                }
            }
        }
    }
});

/// A line is an event; of one with a bar, what is before it is the text of its token.
fn tell_again(lines: &str) {
    let event = |line| {
        let text = line_text(line);
        (text, line)
    };
    let events: Vec<(Option<&str>, &str)> = lines.lines().map(event).collect();
    let mut coder = Coder::default();
    for (text, data) in &events {
        coder.code("", data, text.as_slice());
    }
    let mut coded = Vec::new();
    coder.take(&mut coded);
    if coded.is_empty() {
        return;
    }
    let mut told = Vec::new();
    let texts = events.iter().filter_map(|(text, _)| *text);
    Reader::default().read(&coded, texts, |event| told.push(event.data.to_owned())).expect("coded by us");
    assert_eq!(told, events.iter().map(|(_, data)| *data).collect::<Vec<_>>());
}

fn line_text(line: &str) -> Option<&str> {
    line.split_once('|').map(|(text, _)| text)
}
