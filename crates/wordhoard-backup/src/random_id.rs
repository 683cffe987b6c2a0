/// Eight hexadecimal digits that nobody has had.
pub(crate) fn random_id() -> std::io::Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(crate::files::hex(&bytes))
}
