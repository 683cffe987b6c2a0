"""OpenAI's own client against the server; its argument is a plan in JSON, its output the ids of requests."""

import json
import sys

import openai

plan = json.loads(sys.argv[1])
client = openai.OpenAI(base_url=plan["url"] + "/v1", api_key="sk-of-nobody", max_retries=0)
question = [{"role": "system", "content": "be brief"}, {"role": "user", "content": plan["prompt"]}]
create = client.chat.completions.create


def fails(kind, status, **arguments):
    try:
        answer = create(messages=question, **arguments)
        if arguments.get("stream"):
            for _ in answer:
                pass
    except openai.APIStatusError as error:
        assert type(error) is kind and error.status_code == status, (arguments, error)
        assert error.body["message"], error.body
        return error
    raise AssertionError(f"{arguments} did not fail")


for provider in plan["providers"]:
    model = f"{provider}:ok-20"
    raw = client.chat.completions.with_raw_response.create(model=model, messages=question, max_tokens=50)
    print(raw.headers["x-wordhoard-request-id"])
    whole = raw.parse()
    assert whole.choices[0].message.content == plan["expected"], whole
    # A provider of the client's dialect has its own words for itself.
    assert whole.choices[0].finish_reason == "stop", whole
    assert whole.model == ("ok-20" if provider == "openai" else model), whole
    assert whole.usage.completion_tokens == 20 and whole.object == "chat.completion", whole

    chunks = list(create(model=model, messages=question, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == plan["expected"], chunks
    assert chunks[-1].usage.completion_tokens == 20 and not chunks[-1].choices, chunks[-1]
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1, "every chunk has the same id"
    plain = list(create(model=model, messages=question, stream=True))
    assert all(chunk.usage is None for chunk in plain), "usage comes only if asked for"

    called = create(model=f"{provider}:tools", messages=question, tools=[
        {"type": "function", "function": {"name": "tool_0", "parameters": {"type": "object", "properties": {}}}},
    ])
    assert called.choices[0].finish_reason == "tool_calls", called
    calls = called.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["tool_0", "tool_1"], calls
    assert all(json.loads(call.function.arguments)["q"] for call in calls), calls

    thought = create(model=f"{provider}:reasoning", messages=question)
    assert thought.choices[0].message.reasoning_content, thought

    history = question + [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
        {"role": "user", "content": plan["prompt"]},
    ]
    again = create(model=model, messages=history)
    assert again.choices[0].message.content == plan["expected"], again

    if provider in ("openai", "openai_responses", "gemini"):
        likely = create(model=model, messages=question, logprobs=True, top_logprobs=2)
        tokens = [one.token for one in likely.choices[0].logprobs.content]
        assert "".join(tokens) == plan["expected"] and len(tokens) == 20, likely
        chunks = create(model=model, messages=question, logprobs=True, stream=True)
        likely = [chunk.choices[0].logprobs for chunk in chunks if chunk.choices]
        assert sum(len(one.content) for one in likely if one) == 20, likely
    else:
        error = fails(openai.BadRequestError, 400, model=model, logprobs=True)
        assert error.param == "logprobs", error.body
    several = create(model=model, messages=question, n=3)
    assert [choice.index for choice in several.choices] == [0, 1, 2], several
    assert all(choice.message.content == plan["expected"] for choice in several.choices), several
    assert several.usage.completion_tokens == 60, several
    fails(openai.BadRequestError, 400, model=f"{provider}:status-400")
    fails(openai.NotFoundError, 404, model=f"{provider}:status-404")
    fails(openai.RateLimitError, 429, model=f"{provider}:status-429")
    fails(openai.RateLimitError, 429, model=f"{provider}:status-429", stream=True)
    fails(openai.InternalServerError, 502, model=f"{provider}:status-500")
    # Our key, not the caller's.
    fails(openai.InternalServerError, 502, model=f"{provider}:echo-key")
    error = fails(openai.BadRequestError, 400, model=f"{provider}:context-length")
    assert error.code == "context_length_exceeded", error.body
    if provider == "gemini":
        # Google refuses a prompt with a status of success, which is how an answer ends.
        refused = create(model=f"{provider}:filter-prompt", messages=question)
        assert refused.choices[0].finish_reason == "content_filter", refused
    else:
        fails(openai.BadRequestError, 400, model=f"{provider}:filter-prompt")

    seen = []
    try:
        for chunk in create(model=f"{provider}:cut-after-7", messages=question, stream=True):
            seen.append(chunk)
        raise AssertionError("a cut answer ended in an orderly way")
    except openai.APIError as error:
        assert "broke" in error.message, error
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in seen) == 7, seen

embedded = client.embeddings.create(model="openai:ok", input=["one", "three"])
assert [one.embedding for one in embedded.data] == [[3.0, 0.5], [5.0, 0.5]], embedded
for model, kind in [("anthropic:ok", openai.BadRequestError), ("openai:status-429", openai.RateLimitError),
                    ("nobody:x", openai.NotFoundError), ("openai:status-500", openai.InternalServerError)]:
    try:
        client.embeddings.create(model=model, input="one")
        raise AssertionError(f"{model} did not fail")
    except openai.APIStatusError as error:
        assert type(error) is kind, (model, error)

assert create(model="fast", messages=question).choices[0].message.content == plan["expected"]
assert fails(openai.NotFoundError, 404, model="nobody:x").param == "model"
assert fails(openai.BadRequestError, 400, model="openai:ok-20,gemini:ok-20").param == "model"
assert fails(openai.BadRequestError, 400, model="anthropic:ok-20", logit_bias={"1": 1}).param == "logit_bias"
seeded = client.chat.completions.with_raw_response.create(model="anthropic:ok-20", messages=question, seed=1)
assert seeded.headers["x-wordhoard-dropped-fields"] == "seed", seeded.headers
names = [model.id for model in client.models.list()]
assert "fast" in names and "demo:terse" in names, names
assert client.models.retrieve("openai:ok-20").owned_by == "openai"

# A choice of each of several models, whole and as a stream.
names = ["openai:ok-20", "anthropic:ok-20", "fast"]
asked = {"model": ", ".join(names), "messages": question, "extra_body": {"fan_out": True}}
each = create(**asked)
assert [choice.message.content for choice in each.choices] == [plan["expected"]] * 3, each
assert [choice.model for choice in each.choices] == ["openai:ok-20", "anthropic:ok-20", "openai:ok-20"], each
texts, reasons, usage = ["", "", ""], [None] * 3, None
for chunk in create(**asked, stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        texts[choice.index] += choice.delta.content or ""
        reasons[choice.index] = choice.finish_reason or reasons[choice.index]
assert texts == [plan["expected"]] * 3 and reasons == ["stop"] * 3 and usage.completion_tokens == 60, (texts, reasons, usage)
error = fails(openai.InternalServerError, 502, model="openai:ok-20, anthropic:status-500", extra_body={"fan_out": True})
assert "choice 1 (anthropic:status-500)" in error.body["message"], error.body
seen = []
try:
    for chunk in create(**(asked | {"model": "openai:ok-20, openai:cut-after-7"}), stream=True):
        seen.append(chunk)
    raise AssertionError("an answer with a cut choice ended in an orderly way")
except openai.APIError:
    pass
assert all(choice.finish_reason is None for chunk in seen for choice in chunk.choices), seen
for field, arguments in {
    "n": {"n": 6}, "model": {"model": ",".join(["openai:ok-20"] * 6), "extra_body": {"fan_out": True}},
    "fan_out": {"extra_body": {"fan_out": "yes"}},
}.items():
    error = fails(openai.BadRequestError, 400, **({"model": "openai:ok-20"} | arguments))
    assert error.param == field, error.body
assert fails(openai.BadRequestError, 400, model="openai:ok-20,openai:ok-20").param == "model"
