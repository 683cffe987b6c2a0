//! The URL of a database, as libpq has it. What tokio-postgres does not know is taken out before it reads the rest.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::tls::{Mode, TlsSettings};

/// A URL, taken apart.
#[derive(Debug)]
pub(super) struct Parsed {
    /// One for each host, in the order in which they are tried.
    pub(super) hosts: Vec<Config>,
    pub(super) tls: TlsSettings,
    /// Whether the operator named the application himself.
    pub(super) named: bool,
}

/// Parameters of libpq that change nothing here: there is no GSSAPI, no compression, and the encoding is UTF-8.
const WITHOUT_EFFECT: &[&str] =
    &["gssencmode", "sslcompression", "client_encoding", "fallback_application_name"];

pub(super) fn parse(url: &str) -> Result<Parsed, String> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err("it begins with neither postgres:// nor postgresql://".to_owned());
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut tls) = (Vec::new(), TlsSettings::default());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("a parameter in it has no value")?;
        let value = decode(value)
            .ok_or_else(|| format!("the value of {name:?} in it is not percent-encoded UTF-8"))?;
        match name {
            "sslmode" => tls.mode = Mode::from_name(&value).ok_or("its sslmode is unknown")?,
            "sslrootcert" => tls.root_cert = Some(value),
            "sslcert" => tls.cert = Some(value),
            "sslkey" => tls.key = Some(value),
            "load_balance_hosts" => return Err("load_balance_hosts is not supported".to_owned()),
            "host" => kept.extend(value.split(',').map(|host| format!("host={host}"))),
            name if WITHOUT_EFFECT.contains(&name) => {}
            _ => kept.push(pair.to_owned()),
        }
    }
    let config: Config =
        format!("{base}?{}", kept.join("&")).parse().map_err(|error: tokio_postgres::Error| {
            // Its cause names the parameter, never the value.
            std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string)
        })?;
    let named = config.get_application_name().is_some();
    Ok(Parsed { hosts: hosts(&config, &kept)?, tls, named })
}

/// The configuration of each host by itself, so that each gets a time limit of its own.
fn hosts(config: &Config, given: &[String]) -> Result<Vec<Config>, String> {
    let (names, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = names.len().max(addresses.len());
    if count == 0 {
        return Err("it names no host".to_owned());
    }
    if (!names.is_empty() && !addresses.is_empty() && names.len() != addresses.len())
        || (ports.len() > 1 && ports.len() != count)
    {
        return Err("it has other numbers of ports or addresses than of hosts".to_owned());
    }
    let has = |name: &str| given.iter().any(|pair| pair.split('=').next() == Some(name));
    let host = |place: usize| {
        let mut one = Config::new();
        copy_identity(config, &mut one);
        match names.get(place) {
            Some(Host::Tcp(name)) => drop(one.host(name)),
            Some(Host::Unix(path)) => drop(one.host_path(path)),
            None => {}
        }
        addresses.get(place).map(|address| one.hostaddr(*address));
        one.port(ports.get(place).or(ports.first()).copied().unwrap_or(5432));
        let or = |name: &str, told: Duration, seconds| {
            if has(name) { told } else { Duration::from_secs(seconds) }
        };
        // A peer that is gone without a word is noticed within half a minute, idle or not.
        one.keepalives(config.get_keepalives());
        one.keepalives_idle(or("keepalives_idle", config.get_keepalives_idle(), 10));
        one.keepalives_interval(config.get_keepalives_interval().unwrap_or(Duration::from_secs(5)));
        one.keepalives_retries(config.get_keepalives_retries().unwrap_or(3));
        one.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(Duration::from_secs(15)));
        config.get_connect_timeout().map(|limit| one.connect_timeout(*limit));
        one
    };
    Ok((0..count).map(host).collect())
}

fn copy_identity(from: &Config, to: &mut Config) {
    from.get_user().map(|user| to.user(user));
    from.get_password().map(|password| to.password(password));
    from.get_dbname().map(|name| to.dbname(name));
    from.get_options().map(|options| to.options(options));
    from.get_application_name().map(|name| to.application_name(name));
    to.ssl_negotiation(from.get_ssl_negotiation());
    to.channel_binding(from.get_channel_binding());
    to.target_session_attrs(from.get_target_session_attrs());
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || (rest.next()? as char).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The name of the database that a URL means.
pub(super) fn database(url: &str) -> Result<String, String> {
    let parsed = parse(url)?;
    let first = parsed.hosts.first().ok_or("it names no host")?;
    let named = first.get_dbname().or(first.get_user());
    named.map(ToOwned::to_owned).ok_or_else(|| "it names neither a database nor a user".to_owned())
}

/// The same URL for another database.
pub(super) fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
    // A password may hold a slash that should have been encoded; a host cannot.
    let host = rest.rfind('@').map_or(0, |at| at + 1);
    let end = rest[host..].find('/').map_or(rest.len(), |slash| host + slash);
    let encoded: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    let kept: Vec<_> =
        query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("dbname=")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{scheme}://{}/{encoded}{query}", &rest[..end])
}

/// The URL with what is secret in it replaced, to be shown to people. Where it is not clear what belongs to the
/// password, too much is replaced.
pub fn display_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split_once('?').map_or(rest, |(before, _)| before);
    // The last `@` ends the user, since a password may hold one that should have been encoded; and so may it a `?`.
    let user_end = authority.rfind('@').or_else(|| rest.rfind('@').filter(|_| authority.contains(':')));
    let name_end = user_end.and_then(|end| rest[..end].find(':'));
    let (user, rest) = match (name_end, user_end) {
        (Some(name_end), Some(user_end)) => (format!("{}:***", &rest[..name_end]), &rest[user_end..]),
        _ => (String::new(), rest),
    };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    let Some((base, query)) = rest.split_once('?') else {
        return format!("{scheme}{user}{rest}");
    };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(hide).collect();
    format!("{scheme}{user}{base}?{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_has_the_same_url_but_for_its_name() {
        for (url, name, other) in [
            ("postgres://u:p@h:1/db?sslmode=require", "db", "postgres://u:p@h:1/x%20y?sslmode=require"),
            ("postgres://u:p%2Fq@h1:1,h2/db", "db", "postgres://u:p%2Fq@h1:1,h2/x%20y"),
            ("postgresql://u@h", "u", "postgresql://u@h/x%20y"),
            ("postgresql:///db?host=/run&user=u", "db", "postgresql:///x%20y?host=/run&user=u"),
            ("postgresql://u@h?dbname=db", "db", "postgresql://u@h/x%20y"),
        ] {
            assert_eq!(database(url).unwrap(), name);
            assert_eq!(with_database(url, "x y"), other);
            assert_eq!(database(&with_database(url, "x y")).unwrap(), "x y");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://u:geheim@h:5432/db?sslmode=require", "postgres://u:***@h:5432/db?sslmode=require"),
            ("postgres://u:ge:he@im@h1,h2/db", "postgres://u:***@h1,h2/db"),
            (
                "postgresql:///db?host=/run&password=geheim&user=u",
                "postgresql:///db?host=/run&password=***&user=u",
            ),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("postgres://u:ge?heim@h/db", "postgres://u:***@h/db"),
            ("sqlite:/var/lib/x.db", "sqlite:/var/lib/x.db"),
        ] {
            assert_eq!(display_url(url), shown);
        }
    }

    #[test]
    fn each_host_is_tried_by_itself_and_parameters_of_libpq_are_known() {
        let parsed = parse(
            "postgres://u:p%40@h1:1,h2:2/db?sslmode=verify-full&sslrootcert=%2Fca.pem&gssencmode=disable",
        )
        .unwrap();
        let ports: Vec<_> = parsed.hosts.iter().map(|host| host.get_ports().to_vec()).collect();
        assert_eq!(ports, [[1], [2]]);
        assert_eq!(parsed.hosts[0].get_password(), Some(b"p@".as_slice()));
        assert_eq!((parsed.tls.mode, parsed.tls.root_cert.as_deref()), (Mode::VerifyFull, Some("/ca.pem")));
        let socket = parse("postgres:///db?host=/run/postgresql&user=u").unwrap();
        assert!(matches!(socket.hosts[0].get_hosts(), [Host::Unix(path)] if path.ends_with("postgresql")));
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_values() {
        for (url, part) in [
            ("mysql://h/db", "postgres://"),
            ("postgres://u:geheim@h:x/db", "port"),
            ("postgres://u:geheim@h/db?sslmode=always", "sslmode"),
            ("postgres://u:geheim@h/db?sslcrl=x", "sslcrl"),
            ("postgres://u:geheim@/db", "host"),
        ] {
            let wrong = parse(url).unwrap_err();
            assert!(wrong.contains(part) && !wrong.contains("geheim"), "{url}: {wrong}");
        }
    }
}
