use wordhoard_model::{ModelRef, ProviderName, RequestId, Timestamp};
use wordhoard_store::{AskedFor, ListQuery, Store};

use crate::story::Story;

pub async fn a_list_takes_times_and_what_was_asked_for(store: &dyn Store) {
    let stories = [Story::created(1_000, None), Story::whole(2_000), Story::created(3_000, None)];
    let mut from = 0;
    for story in &stories {
        store.apply(story.batch(from)).await.unwrap();
        from += story.events.len() as u64;
    }
    let list = |query: ListQuery| async move {
        let found = store.list(ListQuery { limit: 10, ..query.clone() }).await.unwrap();
        assert!(found.iter().all(|summary| query.takes(summary)), "memory and SQL judge alike");
        found.into_iter().map(|summary| summary.request_id).collect::<Vec<RequestId>>()
    };
    let at = |story: &Story| Some(story.id.accepted_at());
    let none = ListQuery::default;
    let [first, second, third] = [0, 1, 2].map(|place: usize| stories[place].id);
    assert_eq!(list(ListQuery { since: at(&stories[1]), ..none() }).await, [third, second]);
    assert_eq!(list(ListQuery { until: at(&stories[1]), ..none() }).await, [first]);
    let between = ListQuery { since: at(&stories[1]), until: at(&stories[2]), ..none() };
    assert_eq!(list(between).await, [second]);
    let far = ListQuery { until: Some(Timestamp::from_millis(i64::MAX)), ..none() };
    assert_eq!(list(far).await.len(), 3);

    let models = store.summary(second).await.unwrap().unwrap().models;
    let asked = |what| list(ListQuery { asked_for: Some(what), ..none() });
    assert!(asked(AskedFor::Model(models[0].clone())).await.contains(&second));
    assert!(asked(AskedFor::Provider(models[0].provider.clone())).await.contains(&second));
    let part = &models[0].model[..models[0].model.len() - 1];
    let other = ModelRef::new(models[0].provider.clone(), part).unwrap();
    assert!(asked(AskedFor::Model(other)).await.is_empty(), "a part of a name is another name");
    let prefix = &models[0].provider.as_str()[1..];
    assert!(asked(AskedFor::Provider(ProviderName::new(prefix).unwrap())).await.is_empty());
}
