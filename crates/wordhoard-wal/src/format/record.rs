/// length u32, kind u8, version u8.
pub(crate) const RECORD_HEADER_SIZE: usize = 6;

/// Appends one record to `out`. The caller has checked the payload's length.
pub(crate) fn encode_record(out: &mut Vec<u8>, kind: u8, version: u8, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&[kind, version]);
    out.extend_from_slice(payload);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawRecord<'a> {
    pub(crate) kind: u8,
    pub(crate) version: u8,
    pub(crate) payload: &'a [u8],
}

/// The record at the front of `bytes` and what follows it.
pub(crate) fn split_record(bytes: &[u8]) -> Option<(RawRecord<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<RECORD_HEADER_SIZE>()?;
    let [a, b, c, d, kind, version] = *header;
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((RawRecord { kind, version, payload }, rest))
}

/// True if `payload` is exactly `records` whole records.
pub(crate) fn framing_is_intact(mut payload: &[u8], records: u32) -> bool {
    for _ in 0..records {
        match split_record(payload) {
            Some((_, rest)) => payload = rest,
            None => return false,
        }
    }
    payload.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_went_in() {
        let mut bytes = Vec::new();
        encode_record(&mut bytes, 7, 2, b"text");
        encode_record(&mut bytes, 8, 1, b"");
        let (first, rest) = split_record(&bytes).unwrap();
        assert_eq!(first, RawRecord { kind: 7, version: 2, payload: b"text" });
        let (second, rest) = split_record(rest).unwrap();
        assert_eq!(second, RawRecord { kind: 8, version: 1, payload: b"" });
        assert!(rest.is_empty() && framing_is_intact(&bytes, 2));
    }

    #[test]
    fn a_length_past_the_end_is_refused() {
        let mut bytes = Vec::new();
        encode_record(&mut bytes, 7, 2, b"text");
        assert!(!framing_is_intact(&bytes[..bytes.len() - 1], 1));
        assert!(!framing_is_intact(&bytes, 2));
        bytes[3] = 0xff;
        assert!(split_record(&bytes).is_none());
    }
}
