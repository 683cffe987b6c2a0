use wordhoard_model::Cost;

/// The most dollars that a budget can be.
const MAX_USD: f64 = 1e9;

/// A budget in US dollars, to the nano-dollar.
///
/// # Errors
/// What is wrong with the number.
pub(crate) fn budget(usd: f64) -> Result<Cost, String> {
    // Written so that what is no number is refused as well.
    if usd > 0.0 && usd <= MAX_USD {
        Ok(Cost::from_nano_usd(((usd * 1e9).round() as u64).max(1)))
    } else {
        Err(format!("must be above 0 and at most {MAX_USD} (US dollars)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_some_dollars_and_no_nonsense() {
        assert_eq!(budget(0.25).unwrap().nano_usd(), 250_000_000);
        assert_eq!(budget(1e-12).unwrap().nano_usd(), 1);
        for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert!(budget(nonsense).is_err(), "{nonsense}");
        }
    }
}
