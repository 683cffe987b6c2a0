"""OpenAI's own client on responses; its argument is a plan in JSON, its output the ids of requests."""

import json
import sys
import time

import openai

plan = json.loads(sys.argv[1])
client = openai.OpenAI(base_url=plan["url"] + "/v1", api_key="sk-of-nobody", max_retries=0)
create, retrieve = client.responses.create, client.responses.retrieve
# Of the Open Responses specification: what each of these has to have, whatever it says.
# Source: https://github.com/openresponses/openresponses, schema/components/schemas.
REQUIRED = {
    "response": [
        "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model", "previous_response_id",
        "instructions", "output", "error", "tools", "tool_choice", "truncation", "parallel_tool_calls", "text", "top_p",
        "presence_penalty", "frequency_penalty", "top_logprobs", "temperature", "reasoning", "user", "usage",
        "max_output_tokens", "max_tool_calls", "store", "background", "service_tier", "metadata", "safety_identifier",
        "prompt_cache_key",
    ],
    "message": ["type", "id", "status", "role", "content"],
    "output_text": ["type", "text", "annotations", "logprobs"],
    "function_call": ["type", "id", "call_id", "name", "arguments", "status"],
    "reasoning": ["type", "id", "summary"],
    "response.created": ["sequence_number", "response"],
    "response.in_progress": ["sequence_number", "response"],
    "response.completed": ["sequence_number", "response"],
    "response.output_item.added": ["sequence_number", "output_index", "item"],
    "response.output_item.done": ["sequence_number", "output_index", "item"],
    "response.content_part.added": ["sequence_number", "item_id", "output_index", "content_index", "part"],
    "response.content_part.done": ["sequence_number", "item_id", "output_index", "content_index", "part"],
    "response.output_text.delta": ["sequence_number", "item_id", "output_index", "content_index", "delta", "logprobs"],
    "response.output_text.done": ["sequence_number", "item_id", "output_index", "content_index", "text", "logprobs"],
    "response.function_call_arguments.delta": ["sequence_number", "item_id", "output_index", "delta"],
    "response.function_call_arguments.done": ["sequence_number", "item_id", "output_index", "arguments"],
}


def complies(document):
    """Whether every part of a document has all that one of its kind has to have; how many parts were looked at."""
    if isinstance(document, list):
        return sum(complies(part) for part in document)
    if not isinstance(document, dict):
        return 0
    kind = document.get("type", document.get("object"))
    missing = [name for name in REQUIRED.get(kind, []) if name not in document]
    assert not missing, (kind, missing)
    return (kind in REQUIRED) + sum(complies(part) for part in document.values())



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
    assert whole.usage.output_tokens == 20 and whole.instructions == "be brief", whole
    # A provider of the client's dialect has its own words for itself.
    assert whole.model == ("ok-20" if provider == "openai_responses" else model), whole
    assert complies(json.loads(raw.text)) == 3, raw.text
    assert 0 <= whole.completed_at - whole.created_at <= 60, whole
    assert retrieve(whole.id).to_dict() == whole.to_dict()

    # Resumed behind each of its events, it is the same.
    events = list(create(model=model, input=plan["prompt"], stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed", events
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == plan["expected"] == events[-1].response.output_text
    assert complies([event.to_dict() for event in events]) >= 35, "each event, its item and its part"
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
    pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    picture = create(model=model, instructions="be brief", input=[
        {"role": "user", "content": "before"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": [
            {"type": "input_text", "text": plan["prompt"]}, {"type": "input_image", "image_url": pixel},
        ]},
    ])
    assert picture.output_text == plan["expected"], picture
    assert all(complies(response.to_dict()) >= 3 for response in [called, thought, picture])

    behind = settled(create(model=model, input=plan["prompt"], background=True))
    assert behind.status == "completed" and behind.output_text == plan["expected"] and behind.background, behind
    again = create(model=model, input=plan["prompt"], previous_response_id=whole.id)
    assert again.output_text == plan["expected"] and again.previous_response_id == whole.id, again
    assert retrieve(again.id).to_dict() == again.to_dict()
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
searched = client.responses.with_raw_response.create(
    model="openai:ok-20", input=plan["prompt"], tools=[{"type": "web_search"}])
assert searched.headers["x-wordhoard-dropped-fields"] == "tools[0]", searched.headers
assert searched.parse().output_text == plan["expected"]
try:
    retrieve("resp_none")
    raise AssertionError("there is no such response")
except openai.NotFoundError:
    pass

gone = create(model="openai:ok-20", input=plan["prompt"])
client.responses.delete(gone.id)
for call in [retrieve, client.responses.delete]:
    try:
        call(gone.id)
        raise AssertionError("it was deleted")
    except openai.NotFoundError:
        pass
