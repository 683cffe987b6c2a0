use super::*;

fn plain<'a>(data: &'a str, text: &'a str) -> PlainText<'a> {
    let place = data.find(text).unwrap();
    let text = &data[place..place + text.len()];
    PlainText { kind: TokenKind::Text, text, part: (0, 0), noise: Noise::default() }
}

fn read<'a>(template: &Template, data: &'a str) -> Option<&'a str> {
    template.read(Some("delta"), data).map(|plain| plain.text)
}

#[test]
fn only_an_event_that_differs_in_its_holes_is_read() {
    #[derive(serde::Deserialize)]
    struct Padded<'a> {
        n: &'a RawValue,
        #[serde(borrow)]
        o: &'a RawValue,
    }
    let data = r#"{"o":"x7","t":"one","u":"one more","n":9}"#;
    let Padded { n, o } = serde_json::from_str(data).unwrap();
    let noise = Noise { obfuscation: Some(o), sequence_number: Some(n) };
    let template = Template::of(Some("delta"), data, &PlainText { noise, ..plain(data, "one") }).unwrap();
    for (event, text) in [
        (data, Some("one")),
        (r#"{"o":"","t":"two ü","u":"one more","n":10}"#, Some("two ü")),
        (r#"{"o":"x7","t":"","u":"one more","n":9}"#, None),
        (r#"{"o":"x7","t":"a\"","u":"one more","n":9}"#, None),
        (r#"{"o":"x7","t":"a\n","u":"one more","n":9}"#, None),
        ("{\"o\":\"x7\",\"t\":\"a\tb\",\"u\":\"one more\",\"n\":9}", None),
        ("{\"o\":\"x\u{1}\",\"t\":\"a\",\"u\":\"one more\",\"n\":9}", None),
        (r#"{"o":"x7","t":"a","u":"two more","n":9}"#, None),
        (r#"{"o":"x7","t":"a","u":"one more","n":09}"#, None),
        (r#"{"o":"x7","t":"a","u":"one more","n":}"#, None),
        (r#"{"o":"x7","t":"a","u":"one more","n":9.5}"#, None),
        (r#"{"o":"x7","t":"a","u":"one more","n":9} "#, None),
        (r#"{"o":"x7","t":"a","u":"one more","n":9"#, None),
        (r#"{"o":"x7","t":"a","#, None),
    ] {
        assert_eq!(read(&template, event), text, "{event}");
    }
    assert!(template.read(None, data).is_none(), "another name");
}

#[test]
fn a_piece_of_another_text_has_no_place() {
    let (data, other) = (r#"{"t":"one"}"#.to_owned(), "one".to_owned());
    assert!(Template::of(None, &data, &PlainText { text: &other, ..plain(&data, "one") }).is_none());
}
