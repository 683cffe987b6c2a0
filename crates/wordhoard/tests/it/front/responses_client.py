"""OpenAI's own client on responses; its argument is a plan in JSON, its output the ids of requests."""

import json
import sys
import time

import openai

plan = json.loads(sys.argv[1])
client = openai.OpenAI(base_url=plan["url"] + "/v1", api_key="sk-of-nobody", max_retries=0)
create, retrieve = client.responses.create, client.responses.retrieve
REQUIRED = [
    "id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "max_output_tokens", "model",
    "output", "parallel_tool_calls", "previous_response_id", "reasoning", "store", "temperature", "text", "tool_choice",
    "tools", "top_p", "truncation", "usage", "metadata",
]


def fails(kind, status, **arguments):
    try:
        create(**({"input": plan["prompt"]} | arguments))
    except openai.APIStatusError as error:
        assert type(error) is kind and error.status_code == status, (arguments, error)
        return error
    raise AssertionError(f"{arguments} did not fail")


def settled(response):
    while response.status == "in_progress":
        time.sleep(0.05)
        response = retrieve(response.id)
    return response


for provider in plan["providers"]:
    model = f"{provider}:ok-20"
    raw = client.responses.with_raw_response.create(model=model, input=plan["prompt"], instructions="be brief")
    print(raw.headers["x-wordhoard-request-id"])
    whole = raw.parse()
    assert whole.output_text == plan["expected"] and whole.status == "completed", whole
    assert whole.usage.output_tokens == 20 and whole.instructions == "be brief" and whole.model == model, whole
    missing = [name for name in REQUIRED if name not in json.loads(raw.text)]
    assert not missing, missing
    assert retrieve(whole.id).to_dict() == whole.to_dict()

    # Resumed behind each of its events, it is the same.
    events = list(create(model=model, input=plan["prompt"], stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed", events
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == plan["expected"] == events[-1].response.output_text
    response_id = events[0].response.id
    for after in range(len(events)):
        rest = list(retrieve(response_id, stream=True, starting_after=after))
        assert [event.to_dict() for event in rest] == [event.to_dict() for event in events[after + 1:]], after
    assert [event.to_dict() for event in retrieve(response_id, stream=True)] == [event.to_dict() for event in events]

    called = create(model=f"{provider}:tools", input=plan["prompt"], tools=[
        {"type": "function", "name": "tool_0", "parameters": {"type": "object", "properties": {}}, "strict": False},
    ])
    calls = [item for item in called.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["tool_0", "tool_1"], called
    assert all(json.loads(call.arguments)["q"] for call in calls), called
    thought = create(model=f"{provider}:reasoning", input=plan["prompt"])
    assert [item.type for item in thought.output] == ["reasoning", "message"], thought

    behind = settled(create(model=model, input=plan["prompt"], background=True))
    assert behind.status == "completed" and behind.output_text == plan["expected"], behind
    again = create(model=model, input=plan["prompt"], previous_response_id=whole.id)
    assert again.output_text == plan["expected"], again
    with client.responses.stream(model=model, input=plan["prompt"]) as stream:
        assert stream.get_final_response().output_text == plan["expected"]

    fails(openai.BadRequestError, 400, model=f"{provider}:status-400")
    fails(openai.RateLimitError, 429, model=f"{provider}:status-429")
    broken = settled(create(model=f"{provider}:status-500", input=plan["prompt"], background=True))
    assert broken.status == "failed" and broken.error.code == "server_error", broken
    seen = []
    try:
        for event in create(model=f"{provider}:cut-after-7", input=plan["prompt"], stream=True):
            seen.append(event.type)
    except Exception:  # The connection breaks behind the event that says why.
        pass
    assert seen[-1] == "response.failed" and seen.count("response.output_text.delta") == 7, seen

slow = create(model="openai:slow-tokens-200-50", input=plan["prompt"], background=True)
assert slow.status == "in_progress" and client.responses.cancel(slow.id).status == "cancelled"
assert retrieve(slow.id).status == "cancelled"
assert fails(openai.NotFoundError, 404, model="nobody:x").param == "model"
assert fails(openai.BadRequestError, 400, model="openai:ok-20", previous_response_id="resp_none").param == "previous_response_id"
assert fails(openai.BadRequestError, 400, model="openai:ok-20", tools=[{"type": "web_search"}]).param == "tools[0]"
try:
    retrieve("resp_none")
    raise AssertionError("there is no such response")
except openai.NotFoundError:
    pass
