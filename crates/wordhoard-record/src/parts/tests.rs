use wordhoard_model::Timestamp;

use super::*;

fn payload(length: usize) -> Vec<u8> {
    let mut payload = RequestId::generate(Timestamp::from_millis(1_764_000_000_000)).as_bytes().to_vec();
    payload.extend((0..length).map(|byte| byte as u8));
    payload
}

/// Parts that were lost before it, and the whole record, where it is one.
type Told = (Option<u64>, Result<Option<Vec<u8>>, Error>);

fn join(joiner: &mut Joiner, records: &[Split]) -> Vec<Told> {
    let one = |record: &Split| {
        let (lost, joined) = joiner.take(record.kind, record.version, &record.payload);
        let whole = joined.map(|joined| match joined {
            Joined::Incomplete => None,
            Joined::Whole(_, bytes) => Some(bytes.to_vec()),
            Joined::OfParts(_, bytes) => Some(bytes),
        });
        (lost.map(|lost| lost.parts), whole)
    };
    records.iter().map(one).collect()
}

#[test]
fn a_long_record_is_joined_and_a_short_one_stays_as_it_is() {
    for length in [0, 1, 99, 100, 101, 199, 1_000] {
        let whole = payload(length);
        let records = split_at(Kind::Frame, whole.clone(), 100, 40);
        assert_eq!(records.len() > 1, whole.len() > 100, "{length}");
        assert!(records.iter().all(|record| record.payload.len() <= 100));
        let mut joiner = Joiner::default();
        let told = join(&mut joiner, &records);
        assert_eq!(told.last(), Some(&(None, Ok(Some(whole)))), "{length}");
        assert!(told[..told.len() - 1].iter().all(|one| *one == (None, Ok(None))) && !joiner.is_waiting());
    }
}

#[test]
fn parts_are_joined_to_nothing_but_their_own_record() {
    let (first, second) = (
        split_at(Kind::RequestCreated, payload(300), 100, 100),
        split_at(Kind::RequestCreated, payload(300), 100, 100),
    );
    let short = split_at(Kind::Frame, payload(10), 100, 100);
    let mut joiner = Joiner::default();
    // A record that is whole ends them, and is itself not touched.
    let told = join(&mut joiner, &[&first[..2], &short[..]].concat());
    assert_eq!(told[2], (Some(2), Ok(Some(short[0].payload.clone()))));
    // The last of another record.
    let told = join(&mut joiner, &[&first[..2], &second[2..]].concat());
    assert!(told[2].0 == Some(2) && told[2].1.is_err(), "{told:?}");
    // Another one begins.
    let told = join(&mut joiner, &[&first[..2], &second[..]].concat());
    assert_eq!(
        (told[2].0, told.last().unwrap().1.as_ref().unwrap().as_ref()),
        (Some(2), Some(&payload_of(&second)))
    );
    // One part is missing: in the midst, and the first.
    assert!(join(&mut joiner, &[&first[..1], &first[2..]].concat()).last().unwrap().1.is_err());
    assert!(join(&mut joiner, &first[1..]).iter().all(|one| one.1.is_err()));
    // A filler.
    let filler = Split { kind: Kind::Filler.number(), version: VERSION, payload: Vec::new() };
    assert_eq!(join(&mut joiner, &[first[0].clone(), filler])[1].0, Some(1));
    assert!(!joiner.is_waiting());
}

fn payload_of(records: &[Split]) -> Vec<u8> {
    join(&mut Joiner::default(), records).pop().unwrap().1.unwrap().unwrap()
}
