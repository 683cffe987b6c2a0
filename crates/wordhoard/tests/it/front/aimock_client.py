"""OpenAI's and Anthropic's own clients, with the mock of others behind the server; prints the ids of the requests."""

import json
import sys

import anthropic
import openai

plan = json.loads(sys.argv[1])
of_openai = openai.OpenAI(base_url=plan["url"] + "/v1", api_key="sk-of-nobody", max_retries=0)
of_anthropic = anthropic.Anthropic(base_url=plan["url"], api_key="sk-of-nobody", max_retries=0)
tools = ["get_weather", "get_time"]


def chat(model, prompt, **further):
    return of_openai.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}], **further)


def message(model, prompt, **further):
    messages = [{"role": "user", "content": prompt}]
    return of_anthropic.messages.create(model=model, messages=messages, max_tokens=500, **further)


def fails(library, kind, ask, *arguments, **further):
    try:
        answer = ask(*arguments, **further)
        for _ in answer if further.get("stream") else []:
            pass
    except getattr(library, kind) as error:
        return error
    raise AssertionError(f"{arguments} did not fail")


for provider in plan["providers"]:
    model = f"{provider}:some-model"
    raw = of_openai.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "plain"}]
    )
    print(raw.headers["x-wordhoard-request-id"])
    whole = raw.parse()
    assert whole.choices[0].message.content == plan["expected"] and whole.usage.completion_tokens == 13, whole
    chunks = chat(model, "plain", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == plan["expected"]
    called = chat(model, "call").choices[0]
    assert [call.function.name for call in called.message.tool_calls] == tools, called
    assert called.finish_reason == "tool_calls", called

    whole = message(model, "plain")
    assert whole.content[0].text == plan["expected"] and whole.usage.input_tokens == 7, whole
    texts = [event.delta.text for event in message(model, "plain", stream=True) if event.type == "content_block_delta"]
    assert "".join(texts) == plan["expected"], texts
    called = message(model, "call")
    assert [block.name for block in called.content if block.type == "tool_use"] == tools, called

    response = of_openai.responses.create(model=model, input="plain")
    assert response.output_text == plan["expected"] and response.status == "completed", response
    events = list(of_openai.responses.create(model=model, input="call", stream=True))
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.name for item in done if item.type == "function_call"] == tools and events[-1].type == "response.completed", events

    for stream in [False, True]:
        assert fails(openai, "InternalServerError", chat, model, "down", stream=stream).status_code == 502
        assert fails(anthropic, "InternalServerError", message, model, "down", stream=stream).status_code == 502
        fails(openai, "APIError", chat, model, "cut", stream=stream)
        fails(anthropic, "APIError", message, model, "cut", stream=stream)
