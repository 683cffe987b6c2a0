"""OpenAI's and Anthropic's own clients with keys that may not do all; prints the ids of the requests that they left."""

import json
import sys

import anthropic
import openai

plan = json.loads(sys.argv[1])
question = [{"role": "user", "content": plan["prompt"]}]


def of_openai(key):
    return openai.OpenAI(base_url=plan["url"] + "/v1", api_key=key, max_retries=0)


def of_anthropic(key):
    return anthropic.Anthropic(base_url=plan["url"], api_key=key, max_retries=0)


def ask(client, model="openai:ok-20", **further):
    if isinstance(client, openai.OpenAI):
        return client.chat.completions.create(model=model, messages=question, **further)
    return client.messages.create(model=model, messages=question, max_tokens=50, **further)


def fails(library, kind, client, **further):
    try:
        ask(client, **further)
    except library.APIStatusError as error:
        assert type(error) is getattr(library, kind), error
        return error
    raise AssertionError(f"no {kind}")


for place, (library, make) in enumerate([(openai, of_openai), (anthropic, of_anthropic)]):
    for nobody in ["sk-of-nobody", "wh_" + "0" * 64]:
        for stream in [False, True]:
            fails(library, "AuthenticationError", make(nobody), stream=stream)
    fails(library, "PermissionDeniedError", make(plan["one_model"]), model="openai:ok-21")
    assert [model.id for model in make(plan["one_model"]).models.list()] == []
    limited = make(plan["one_a_minute"][place])
    ask(limited)
    over = fails(library, "RateLimitError", limited)
    assert 0 < int(over.response.headers["retry-after"]) <= 60, over.response.headers

# Clients that leave in the middle of ten seconds.
chunks = ask(of_openai(plan["free"]), model="openai:rate-2", stream=True)
next(iter(chunks))
print(chunks.response.headers["x-wordhoard-request-id"])
chunks.close()
events = ask(of_anthropic(plan["free"]), model="openai:rate-2", stream=True)
next(iter(events))
print(events.response.headers["x-wordhoard-request-id"])
events.close()
