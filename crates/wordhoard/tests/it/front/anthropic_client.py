"""Anthropic's own client against the server; its argument is a plan in JSON, its output the ids of requests."""

import json
import sys

import anthropic

plan = json.loads(sys.argv[1])
client = anthropic.Anthropic(base_url=plan["url"], api_key="sk-of-nobody", max_retries=0)
question = {"max_tokens": 500, "system": "be brief", "messages": [{"role": "user", "content": plan["prompt"]}]}
create = client.messages.create


def fails(kind, status, **arguments):
    try:
        create(**(question | arguments))
    except anthropic.APIStatusError as error:
        assert isinstance(error, kind) and error.status_code == status, (arguments, error)
        assert error.body["type"] == "error" and error.body["error"]["message"], error.body
        return error
    raise AssertionError(f"{arguments} did not fail")


for provider in plan["providers"]:
    model = f"{provider}:ok-20"
    raw = client.messages.with_raw_response.create(model=model, **question)
    print(raw.headers["x-wordhoard-request-id"])
    whole = raw.parse()
    assert whole.content[0].text == plan["expected"] and whole.stop_reason == "end_turn", whole
    assert whole.usage.output_tokens == 20 and whole.role == "assistant", whole

    with client.messages.stream(model=model, **question) as stream:
        assert "".join(stream.text_stream) == plan["expected"]
        final = stream.get_final_message()
    assert final.content[0].text == plan["expected"] and final.usage.output_tokens == 20, final

    with client.messages.stream(model=f"{provider}:tools", **question, tools=[
        {"name": "tool_0", "input_schema": {"type": "object", "properties": {}}},
    ]) as stream:
        final = stream.get_final_message()
    calls = [block for block in final.content if block.type == "tool_use"]
    assert final.stop_reason == "tool_use" and [call.name for call in calls] == ["tool_0", "tool_1"], final
    assert all(call.input["q"] for call in calls), calls

    thought = create(model=f"{provider}:reasoning", **question)
    assert [block.type for block in thought.content] == ["thinking", "text"], thought

    history = question["messages"] + [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": "42"},
            {"type": "text", "text": plan["prompt"]},
        ]},
    ]
    again = create(model=model, **(question | {"messages": history}))
    assert again.content[0].text == plan["expected"], again

    asked = {name: value for name, value in question.items() if name != "max_tokens"}
    counted = client.messages.with_raw_response.count_tokens(model=model, **asked)
    if provider in ("anthropic", "openai_responses", "gemini"):
        assert "x-wordhoard-estimated" not in counted.headers, counted.headers
        assert counted.parse().input_tokens == len(plan["prompt"].split()), counted
    else:
        assert counted.headers["x-wordhoard-estimated"] == "input_tokens", counted.headers
        assert counted.parse().input_tokens >= len(plan["prompt"].encode()) // 4, counted
    fails(anthropic.BadRequestError, 400, model=f"{provider}:status-400")
    fails(anthropic.NotFoundError, 404, model=f"{provider}:status-404")
    fails(anthropic.RateLimitError, 429, model=f"{provider}:status-429")
    fails(anthropic.InternalServerError, 502, model=f"{provider}:status-500")
    fails(anthropic.InternalServerError, 502, model=f"{provider}:echo-key")

    try:
        with client.messages.stream(model=f"{provider}:cut-after-7", **question) as stream:
            stream.until_done()
        raise AssertionError("a cut answer ended in an orderly way")
    except anthropic.APIError as error:
        assert "broke" in str(error), error

fails(anthropic.NotFoundError, 404, model="nobody:x")
fails(anthropic.BadRequestError, 400, model="openai_responses:ok-20", extra_body={"top_k": 3})
word = plan["expected"].split()[3]
stopped = create(model="openai_responses:ok-20", stop_sequences=[word], **question)
assert stopped.content[0].text == plan["expected"].split(word)[0], stopped
assert stopped.stop_reason == "end_turn", stopped
names = [model.id for model in client.models.list()]
assert "demo:terse" in names, names
