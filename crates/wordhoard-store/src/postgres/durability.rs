//! Whether what the server has committed survives it.

use super::session::Session;
use crate::{Error, Weakness};

pub(super) async fn weaknesses(session: &Session) -> Result<Vec<Weakness>, Error> {
    let sql = "SELECT current_setting('fsync'), current_setting('full_page_writes')";
    let rows = session.query(sql, &[]).await?;
    let row = rows.first().ok_or_else(|| Error::Damaged("the server told no settings".to_owned()))?;
    let told = [
        (
            "fsync",
            row.try_get::<_, String>(0)?,
            "what is committed is not on the disk: a loss of power may lose or damage the whole database",
        ),
        (
            "full_page_writes",
            row.try_get(1)?,
            "a page that is half written when power fails stays damaged, unless the file system prevents it",
        ),
        (
            "synchronous_commit",
            session.synchronous_commit().to_owned(),
            "a crash loses what was committed last; Wordhoard sets it on for what it applies, other programs may not",
        ),
    ];
    let weak = told.into_iter().filter(|(_, value, _)| value == "off");
    Ok(weak.map(|(setting, value, risk)| Weakness { setting, value, risk }).collect())
}
