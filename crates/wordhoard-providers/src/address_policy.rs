//! Which addresses a provider may have. A base URL comes from the configuration only, but a mistake in it, or a name
//! that someone else controls, must not lead our requests and keys to the inside of the network.

mod resolver;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use resolver::PolicyResolver;

/// An address that a provider may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {address} is {kind}, which {advice}", advice = self.advice())]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// What is wrong with it, such as "loopback".
    pub kind: &'static str,
    /// Whether `allow_private` would allow it.
    pub allowed_as_private: bool,
}

impl Refused {
    fn advice(&self) -> &'static str {
        if self.allowed_as_private { "needs allow_private = true" } else { "is never allowed" }
    }
}

enum Reach {
    Public,
    Private(&'static str),
    Forbidden(&'static str),
}

/// Checks one address, as it stands in a URL or as a name was resolved.
pub(crate) fn check(address: IpAddr, allow_private: bool) -> Result<(), Refused> {
    let reach = match address {
        IpAddr::V4(v4) => reach_of_v4(v4),
        IpAddr::V6(v6) => match embedded_v4(v6) {
            Some(v4) => reach_of_v4(v4),
            None => reach_of_v6(v6),
        },
    };
    let refused = |kind, allowed_as_private| Err(Refused { address, kind, allowed_as_private });
    match reach {
        Reach::Public => Ok(()),
        Reach::Private(_) if allow_private => Ok(()),
        Reach::Private(kind) => refused(kind, true),
        Reach::Forbidden(kind) => refused(kind, false),
    }
}

/// By IANA's registry of special-purpose addresses (RFC 6890), and the metadata services of clouds.
fn reach_of_v4(v4: Ipv4Addr) -> Reach {
    match v4.octets() {
        [0, ..] => Reach::Forbidden("unspecified"),
        [127, ..] => Reach::Private("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Reach::Private("private"),
        // Alibaba Cloud's metadata service lies within the shared range.
        [100, 100, 100, 200] => Reach::Forbidden("a metadata service"),
        [100, 64..=127, ..] => Reach::Private("shared (carrier-grade NAT)"),
        [169, 254, ..] => Reach::Forbidden("link-local or a metadata service"),
        [192, 0, 0, _] | [198, 18..=19, ..] => Reach::Private("for special purposes"),
        [224..=239, ..] => Reach::Forbidden("multicast"),
        [240..=255, ..] => Reach::Forbidden("reserved or broadcast"),
        _ => Reach::Public,
    }
}

fn reach_of_v6(v6: Ipv6Addr) -> Reach {
    // The metadata services of AWS and Google Cloud within the unique local range.
    const METADATA: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    match v6.segments()[0] {
        _ if v6.is_unspecified() => Reach::Forbidden("unspecified"),
        _ if v6.is_loopback() => Reach::Private("loopback"),
        _ if METADATA.contains(&v6) => Reach::Forbidden("a metadata service"),
        0xfe80..=0xfebf => Reach::Forbidden("link-local"),
        0xff00.. => Reach::Forbidden("multicast"),
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Reach::Private("private"),
        _ => Reach::Public,
    }
}

/// The IPv4 address that this one leads to: mapped, compatible, translated (64:ff9b::/96) or 6to4 (2002::/16).
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let from_halves = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] if high != 0 => Some(from_halves(high, low)),
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(from_halves(high, low))
        }
        [0x2002, high, low, ..] => Some(from_halves(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(address: &str, allow_private: bool) -> bool {
        check(address.parse().unwrap(), allow_private).is_ok()
    }

    #[test]
    fn dangerous_addresses_are_refused_whatever_is_allowed() {
        for address in [
            "169.254.169.254",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "100.100.100.200",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "::169.254.169.254",
            "::ffff:0.0.0.0",
        ] {
            assert!(!verdict(address, true), "{address}");
        }
    }

    #[test]
    fn private_addresses_need_leave_and_public_ones_none() {
        for address in [
            "127.0.0.1",
            "127.255.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "fc00::1",
            "fdff::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!verdict(address, false), "{address}");
            assert!(verdict(address, true), "{address}");
        }
        for address in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "169.253.1.1", "2606:4700::1111", "::ffff:8.8.8.8"]
        {
            assert!(verdict(address, false), "{address}");
        }
    }

    #[test]
    fn a_refusal_says_what_would_help() {
        let told = |address: &str| check(address.parse().unwrap(), false).unwrap_err().to_string();
        assert_eq!(told("127.0.0.1"), "the address 127.0.0.1 is loopback, which needs allow_private = true");
        assert!(told("169.254.169.254").ends_with("is never allowed"));
    }
}
