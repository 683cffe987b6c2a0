/// Eight hexadecimal digits that nobody has had.
pub(crate) fn random_id() -> std::io::Result<String> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
