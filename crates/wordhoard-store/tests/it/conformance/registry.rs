use wordhoard_model::{Cost, KeyId, KeyLimits, ProviderName, Timestamp};
use wordhoard_store::{BreakerNote, Error, KeyRecord, ProviderSwitch, Scope, Store};

fn key(name: &str, scope: Scope, digest: u8) -> KeyRecord {
    KeyRecord {
        id: KeyId::generate(),
        name: name.to_owned(),
        scope,
        sha256: [digest; 32],
        created_at: Timestamp::from_millis(1_795_400_000_042),
        revoked_at: None,
        limits: KeyLimits::default(),
        group: (digest == 2).then(|| "evals".to_owned()),
    }
}

pub async fn a_key_opens_until_it_is_revoked(store: &dyn Store) {
    assert!(store.keys().await.unwrap().is_empty());
    let (first, second) = (key("Ann's", Scope::Admin, 1), key("", Scope::Use, 2));
    for key in [&first, &second] {
        store.add_key(key.clone()).await.unwrap();
    }
    assert_eq!(store.active_keys().await.unwrap(), [first.clone(), second.clone()]);

    let revoked = KeyRecord { revoked_at: Some(Timestamp::from_millis(1_795_400_001_000)), ..first.clone() };
    let at = |millis| Timestamp::from_millis(millis);
    assert_eq!(store.revoke_key(first.id, at(1_795_400_001_000)).await.unwrap().as_ref(), Some(&revoked));
    let again = store.revoke_key(first.id, at(1_795_400_002_000)).await.unwrap();
    assert_eq!(again.as_ref(), Some(&revoked), "the first time counts");
    assert_eq!(store.active_keys().await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.keys().await.unwrap(), [revoked, second]);
    assert_eq!(store.revoke_key(KeyId::generate(), at(1)).await.unwrap(), None);
}

pub async fn limits_of_a_key_are_kept_and_replaced(store: &dyn Store) {
    let limits = KeyLimits {
        requests_per_minute: Some(60),
        tokens_per_minute: Some(u64::from(u32::MAX) + 1),
        concurrent_requests: Some(2),
        models: Some(vec!["openai:*".parse().unwrap(), "demo:☃".parse().unwrap()]),
        budget_per_day: Some(Cost::from_nano_usd(1)),
        budget_per_month: Some(Cost::from_nano_usd(i64::MAX as u64)),
    };
    let limited = KeyRecord { limits, ..key("limited", Scope::Use, 1) };
    store.add_key(limited.clone()).await.unwrap();
    assert_eq!(store.active_keys().await.unwrap(), std::slice::from_ref(&limited));
    let nothing = KeyLimits { models: Some(Vec::new()), ..KeyLimits::default() };
    for limits in [nothing, KeyLimits::default()] {
        let changed = store.limit_key(limited.id, limits.clone()).await.unwrap();
        assert_eq!(changed, Some(KeyRecord { limits, ..limited.clone() }));
    }
    assert_eq!(store.limit_key(KeyId::generate(), KeyLimits::default()).await.unwrap(), None);
}

pub async fn a_digest_belongs_to_one_key(store: &dyn Store) {
    let first = key("first", Scope::Use, 7);
    store.add_key(first.clone()).await.unwrap();
    for double in [key("same digest", Scope::Admin, 7), KeyRecord { sha256: [8; 32], ..first.clone() }] {
        let refused = store.add_key(double).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
    }
    assert_eq!(store.keys().await.unwrap(), [first]);
}

pub async fn a_provider_stays_as_it_was_switched_until_it_is_reset(store: &dyn Store) {
    assert!(store.switches().await.unwrap().is_empty());
    let switch = |provider: &str, enabled, at| ProviderSwitch {
        provider: wordhoard_model::ProviderName::new(provider).unwrap(),
        enabled,
        changed_at: Timestamp::from_millis(at),
    };
    for one in [switch("openai", false, 5), switch("demo", true, 6), switch("openai", true, 7)] {
        store.switch_provider(one).await.unwrap();
    }
    assert_eq!(store.switches().await.unwrap(), [switch("demo", true, 6), switch("openai", true, 7)]);
    store.switch_provider(switch("demo", false, 8)).await.unwrap();
    store.reset_provider(switch("openai", true, 0).provider).await.unwrap();
    store.reset_provider(switch("unknown", true, 0).provider).await.unwrap();
    assert_eq!(store.switches().await.unwrap(), [switch("demo", false, 8)]);
}

/// What servers say of breakers and what administrators decide stand side by side, and the newest word counts.
pub async fn breakers_are_noted_beside_the_switches(store: &dyn Store) {
    let at = Timestamp::from_millis;
    let provider = |name: &str| ProviderName::new(name).unwrap();
    let note = |name: &str, is_open: bool, ms: i64| BreakerNote {
        provider: provider(name),
        is_open,
        changed_at: at(ms),
    };
    store.note_breaker(note("anthropic", true, 10)).await.unwrap();
    let switch = ProviderSwitch { provider: provider("anthropic"), enabled: false, changed_at: at(11) };
    store.switch_provider(switch.clone()).await.unwrap();
    store.note_breaker(note("anthropic", false, 12)).await.unwrap();
    store.note_breaker(note("anthropic", true, 9)).await.unwrap();
    let kept = store.breakers().await.unwrap();
    assert!(kept.contains(&note("anthropic", false, 12)), "{kept:?}");
    assert!(store.switches().await.unwrap().contains(&switch), "a note of a breaker switches nobody on");
    store.reset_provider(provider("anthropic")).await.unwrap();
    assert!(store.breakers().await.unwrap().is_empty());
}
